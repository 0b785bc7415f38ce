"""How the simulated Cartesia behaves, what goes wrong at it, and what it remembers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from voiceloop.sim.cartesia_wire import MODELS

__all__ = ["CartesiaSimOptions", "Input", "SimContext", "SimSocket", "Trouble"]

Outcome = Literal["done", "cancelled", "expired", "refused", "lost"]
"""How a context ended: ``done``: all was spoken; ``refused``: an error was sent; ``lost``: its socket closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What goes wrong with one context. With neither status nor stall, nothing."""

    after: int = 0
    """Chunks that are sent first."""
    status: int = 0
    """An error event with this status; 0 for none."""
    code: str | None = None
    title: str = "Internal server error"
    message: str = "Something went wrong."
    stall: bool = False
    """Nothing more comes, and nothing is said about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CartesiaSimOptions:
    """How it behaves. Where Cartesia's documentation does not say what happens, either can be had."""

    key: str | None = None
    """What clients must know; None lets everybody in."""
    voices: Collection[str] | None = None
    """Ids it knows; None for any."""
    models: Collection[str] = MODELS
    """What it offers; a request for another one is refused."""
    credit: bool = True
    """False: every request for speech is refused with 402."""
    concurrency: int = 15
    """Contexts and HTTP requests at once; the plans have 2, 3, 5 and 15."""
    sockets: int = 150
    """Open sockets at once; one more is refused with 429."""
    idle: float = 300.0
    """Seconds without a message after which a socket is closed (1000, "connection idle timeout")."""
    expiry: float = 1.0
    """Seconds after its last audio when a context that is not finished expires."""
    expiry_done: bool = True
    """Whether `done` is sent then."""
    late_input: Literal["error", "ignore"] = "error"
    """What becomes of input for a context that is over."""
    late_chunks: int = 2
    """Chunks that still come after a cancel, if there is so much to say."""
    cancel_done: bool = False
    """Whether `done` follows a cancel."""
    first: float = 0.09
    """Seconds from text to its first chunk."""
    pace: float = 8.0
    """Seconds of audio made in a second; 0 for no wait at all."""
    chunk: float = 0.12
    """Seconds of audio in a chunk."""
    times: Literal["before", "with", "after", "never"] = "with"
    """When words are told: all before the first chunk of their text, each before the chunk it begins in, each after
    the chunk it ends in; or not at all."""
    enough: int = 80
    """Characters, or a sentence, that are enough to begin with when text is held back (``max_buffer_delay_ms``)."""
    drops_sent: Collection[int] = ()
    """Numbers of messages, from 0, in place of which the socket is cut; counted over all sockets."""
    drops_received: Collection[int] = ()
    """The same for messages that come: cut before it is read."""
    troubles: Mapping[int, Trouble] = field(default_factory=dict)
    """By number of the context, from 0."""


@dataclass(slots=True, frozen=True)
class Input:
    """One piece of text that came for a context."""

    at: float
    """Seconds on the loop's clock."""
    transcript: str
    goes_on: bool
    """``continue``."""
    flush: bool


@dataclass(slots=True)
class SimContext:
    """A context, or an HTTP request."""

    id: str
    socket: int
    """Number of its socket, from 0; -1 for an HTTP request."""
    settings: dict[str, Any]
    """The fields of its first input but for the text."""
    began_at: float
    inputs: list[Input] = field(default_factory=list)
    chunks: int = 0
    """Chunks sent."""
    seconds: float = 0.0
    """Audio sent."""
    first_at: float | None = None
    """When the first chunk was sent."""
    cancelled_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None

    @property
    def transcript(self) -> str:
        """All its text, joined."""
        return "".join(given.transcript for given in self.inputs)


@dataclass(slots=True)
class SimSocket:
    """A socket."""

    number: int
    headers: dict[str, str]
    """Of the handshake; keys are left out."""
    version: str
    opened_at: float
    closed_at: float | None = None
    received: int = 0
    """Messages that came."""
    refused: list[str] = field(default_factory=list)
    """What errors said that were sent."""

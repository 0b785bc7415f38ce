"""Faults of a line: messages on their way, and the connection. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final, Self

from voiceloop.sim.line_fault import WAYS, Fault, Way, moment
from voiceloop.sim.line_rubbish import FATAL, RUBBISH

__all__ = [
    "Bunched",
    "Closed",
    "CutFromServer",
    "CutToServer",
    "Doubled",
    "HalfOpen",
    "Late",
    "Lost",
    "NoStop",
    "Rubbish",
]

_BYTES_A_SECOND: Final = {"to server": 16_500, "from server": 12_000}  # on the wire; the agent's while it speaks


# --- messages on their way --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Late(Fault):
    """A slow spell of the network: what is sent in a window arrives later. Order is kept, so what follows waits."""

    kind: ClassVar[str] = "late"
    at: float
    """Start of the window, seconds."""
    length: float
    """Of the window, seconds."""
    by: float
    """How much later, seconds."""
    way: Way = "to server"
    """Which direction: ``to server`` or ``from server``."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        window = round(random.uniform(0.05, 2.0), 3)
        return cls(moment(random, length), window, round(random.uniform(0.05, 1.5), 3), random.choice(WAYS))


@dataclass(frozen=True, slots=True)
class Bunched(Fault):
    """What is sent in a window arrives all at once at its end."""

    kind: ClassVar[str] = "bunched"
    at: float
    """Start of the window, seconds."""
    length: float
    """Of the window, seconds."""
    way: Way = "to server"
    """Which direction: ``to server`` or ``from server``."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(moment(random, length), round(random.uniform(0.05, 1.5), 3), random.choice(WAYS))


@dataclass(frozen=True, slots=True)
class Lost(Fault):
    """Media messages of the caller are missing."""

    kind: ClassVar[str] = "lost"
    at: float
    """From when on, seconds."""
    count: int
    """Messages, 20 ms of audio each."""
    numbered: bool = True
    """Whether ``sequenceNumber`` and ``chunk`` count them, as when Twilio discards them at a congested socket (31930).
    Otherwise only the timestamps jump, as when they were lost in the telephone network. Which is not documented."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(moment(random, length), random.choice((1, 2, 5, 25, 100)), random.random() < 0.5)


@dataclass(frozen=True, slots=True)
class Doubled(Fault):
    """Media messages of the caller come twice, to the letter."""

    kind: ClassVar[str] = "doubled"
    at: float
    """From when on, seconds."""
    count: int
    """Messages that do."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(moment(random, length), random.choice((1, 5, 50)))


# --- the connection ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CutToServer(Fault):
    """The connection breaks when the server has been sent so many bytes, also within a WebSocket frame."""

    kind: ClassVar[str] = "cut to server"
    after: int
    """Bytes of WebSocket frames since the handshake."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(random.randrange(max(1, int(length * _BYTES_A_SECOND["to server"]))))


@dataclass(frozen=True, slots=True)
class CutFromServer(Fault):
    """The connection breaks when the server has sent so many bytes; a message that is not whole by then is lost."""

    kind: ClassVar[str] = "cut from server"
    after: int
    """Bytes of WebSocket frames since the handshake."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(random.randrange(max(1, int(length * _BYTES_A_SECOND["from server"]))))


@dataclass(frozen=True, slots=True)
class Closed(Fault):
    """The carrier closes the socket, politely, without a ``stop``."""

    kind: ClassVar[str] = "closed"
    at: float
    """When, seconds."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(moment(random, length))


@dataclass(frozen=True, slots=True)
class HalfOpen(Fault):
    """Nothing is delivered in either direction any more, and nobody is told."""

    kind: ClassVar[str] = "half-open"
    at: float
    """From when on, seconds."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(moment(random, length))


@dataclass(frozen=True, slots=True)
class NoStop(Fault):
    """When the caller hangs up, the socket closes without a ``stop`` before."""

    kind: ClassVar[str] = "no stop"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """The one there is."""
        return cls()


@dataclass(frozen=True, slots=True)
class Rubbish(Fault):
    """A message that the protocol does not allow, or hardly: everything that an outsider can send."""

    kind: ClassVar[str] = "rubbish"
    at: float
    """When, seconds."""
    what: str
    """One of `voiceloop.sim.line_rubbish.RUBBISH`."""
    count: int = 1
    """How many of it, at once."""

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if self.what not in RUBBISH:
            raise ValueError(f"Rubbish: expected one of {', '.join(RUBBISH)}; got {self.what!r}")

    @property
    def fatal(self) -> bool:
        """Whether it breaks the WebSocket protocol, so that the connection cannot live on."""
        return self.what in FATAL

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        at, what, count = moment(random, length), random.choice(list(RUBBISH)), random.choice((1, 1, 1, 20))
        return cls(at, what, 1 if what.startswith("huge") else count)

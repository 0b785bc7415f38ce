"""The keys of the caller's telephone: who takes them, and whether they are kept out of every log."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from voiceloop.errors import VoiceloopError

__all__ = [
    "HUSHED",
    "KEYS",
    "MOST",
    "SECRECY",
    "TOOL_WORDS",
    "EndedBy",
    "KeyOptions",
    "Keyed",
    "Keypad",
    "collect",
    "secret_keys",
    "without_keys",
]

KEYS: Final = frozenset("0123456789*#ABCD")
"""What a telephone can send."""
MOST: Final = 64
"""Keys of one entry, where no `KeyOptions.count` says; no number that people enter is longer."""
HUSHED: Final = 0.5
"""Seconds before and after a secret key for which recordings hold silence of the caller: its tone may be in there."""

SECRECY: Final = "keys.secrecy"
"""The entrance of `Keypad.secrecy`."""
TOOL_WORDS: Final = "tool.words"
"""The entrance that adds words to the answer whose tools are running."""

_ENTRY: Final = re.compile(r"\[(?:keys: [0-9*#A-D]+|\d+ keys?)\]")

EndedBy = Literal["terminator", "count", "timeout", "speech", "call"]


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """When what a caller enters on the keys is complete, and what is done about it.

    Raises:
        ValueError: there is no such key, or a limit that cannot be.
    """

    terminator: str = "#"
    """The key that ends an entry; it is no part of it. Empty: none does."""
    count: int | None = None
    """So many keys end it; None: as many as the caller likes, 64 at most."""
    timeout: float = 2.0
    """So many seconds after the last key it ends."""
    clear: str = ""
    """The key that takes back what was entered so far, such as ``*``. Empty: none does."""
    interrupts: bool = True
    """Whether a key cuts short what the agent says, unless that may not be interrupted."""
    secret: bool = False
    """Whether keys are kept out of every log, recording and request to the model; see `Call.secret_keys`."""

    def __post_init__(self) -> None:
        for name, key in (("terminator", self.terminator), ("clear", self.clear)):
            if key and key not in KEYS:
                raise ValueError(f"{name} is one key of 0-9 * # A-D, or empty for none; got {key!r:.40}")
        if self.clear and self.clear == self.terminator:
            raise ValueError(f"terminator and clear must be different keys, got {self.clear!r} for both")
        if self.count is not None and not 1 <= self.count <= MOST:
            raise ValueError(f"count is a number of keys from 1 to {MOST}, or None; got {self.count!r:.40}")
        if not 0 < self.timeout <= 600:
            raise ValueError(f"timeout is in seconds, more than 0 and at most 600; got {self.timeout!r:.40}")


class Keyed:
    """What a caller has entered on the keys.

    Args:
        digits: see there.
        ended_by: see there.
        secret: see there.
        started: see there.
        ended: see there.

    No dataclass: of a tool that gives one back as it is, the model would read keys that may be secret.
    """

    __slots__ = ("digits", "ended", "ended_by", "secret", "started", "terminator")

    def __init__(
        self,
        digits: str,
        ended_by: EndedBy,
        *,
        secret: bool = False,
        started: float = 0.0,
        ended: float = 0.0,
        terminator: str = "",
    ) -> None:
        self.digits = digits
        """The keys, without the one that ended the entry; of ``0-9*#A-D``. Empty when none was pressed."""
        self.ended_by = ended_by
        """``terminator``, ``count``, ``timeout``; ``speech``: the caller said something instead; ``call``: it ended."""
        self.secret = secret
        """Whether the keys are kept out of what is written. `digits` are the real ones all the same."""
        self.started = started
        """When the first key came, seconds on the loop's clock; when nothing was pressed, as `ended`."""
        self.ended = ended
        """When the last key came; when nothing was pressed, when the waiting was over."""
        self.terminator = terminator
        """The key that ended it, if one did."""

    @property
    def text(self) -> str:
        """As the caller's words, for a model: ``[keys: 1234]``; ``[4 keys]`` when they are secret; empty for none.

        Who pressed nothing but the terminator has pressed that: ``[keys: #]``.
        """
        keys = self.digits or self.terminator
        if not keys:
            return ""
        if self.secret:
            return f"[{len(keys)} key{'s' if len(keys) != 1 else ''}]"
        return f"[keys: {keys}]"

    def __repr__(self) -> str:
        digits = f"<{len(self.digits)} secret>" if self.secret else repr(self.digits)
        return f"Keyed({digits}, {self.ended_by!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Keyed):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]


def without_keys(text: str) -> str:
    """The words of a turn, without what was entered on the keys."""
    return _ENTRY.sub(" ", text)


class Keypad:
    """What a call knows of its keys. `Call.keypad` is one."""

    def __init__(self) -> None:
        self.always = False
        """Every key of the call is secret. Set by turn-taking, before the first message is read."""
        self.structure = frozenset[str]()
        """Keys that are kept in masked messages: those that end an entry, or clear it, and are no part of it."""
        self.collect: Callable[[KeyOptions, float, str], Awaitable[Keyed]] | None = None
        """Collects an entry: what ends it, seconds to the first key, what is said first. Set by the stage that is given
        the keys."""
        self.waiting = False
        """Whether an entry is being collected: the caller is busy, and nobody waits for the agent."""
        self._windows = 0
        self._hushed = float("-inf")  # until when the caller's audio is left out

    def use(self, options: KeyOptions) -> None:
        """What makes keys the caller's turn."""
        self.always = options.secret
        self.structure = frozenset(options.terminator + options.clear)

    @property
    def secret(self) -> bool:
        """Whether a key that comes now is kept out of what is written."""
        return self.always or self._windows > 0

    def secrecy(self, change: int) -> None:
        """One more (1) who wants keys to be secret, or one less (-1)."""
        self._windows += change

    def pressed(self, at: float) -> None:
        """A secret key came at that time: its tone may still be in the audio for a while."""
        self._hushed = max(self._hushed, at + HUSHED)

    def hushed(self, now: float) -> bool:
        """Whether the caller's audio is left out of what is written: while somebody collects secret keys, and shortly
        after each secret key."""
        return self._windows > 0 or now < self._hushed

    def cut(self) -> None:
        """Let go of what may lead back to the call."""
        self.collect = None

    # --- what is written of a message ---

    def loggable(self, message: str | bytes, now: float) -> str | bytes:
        """A message of the carrier as it may be written down: itself, unless something in it is secret."""
        if not self._windows and not self.always and now >= self._hushed:
            return message
        return self._masked(message, now)

    def _masked(self, message: str | bytes, now: float) -> str | bytes:
        try:
            data = json.loads(message)
        except (ValueError, RecursionError):
            return "(not written: it is no JSON, and keys are secret)"
        event = data.get("event") if isinstance(data, dict) else None
        if event == "media" and self.hushed(now):
            return '{"event":"media","secret":true}'
        if event in ("media", "mark", "stop", "start", "connected"):
            return message
        if event != "dtmf":
            return '{"event":"?","secret":true}'  # unknown: it might hold anything
        return json.dumps({**_scalars(data), "dtmf": {**self._key(data.get("dtmf")), "secret": True}})

    def _key(self, dtmf: Any) -> dict[str, str]:
        key = dtmf.get("digit") if isinstance(dtmf, dict) else None
        if not isinstance(key, str) or key not in KEYS:
            return {"digit": ""}  # refused, and refused again when it is read back
        return {"track": "inbound_track", "digit": self.mask(key)}

    def mask(self, key: str) -> str:
        """A key that stands for this one in a recording, so that a replay takes the same course."""
        return key if key in self.structure else next(each for each in "012" if each not in self.structure)


def _scalars(data: dict[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in ("event", "sequenceNumber", "streamSid") if isinstance(data.get(name), str)}


class _Call(Protocol):
    """What of a `Call` is needed here: turn-taking's machine knows this module, and no call."""

    keypad: Keypad
    entrances: dict[str, Callable[..., None]]

    def enter(self, name: str, *arguments: Any) -> None: ...


@contextmanager
def secret_keys(call: _Call) -> Iterator[None]:
    """See `Call.secret_keys`."""
    call.enter(SECRECY, 1)
    try:
        yield
    finally:
        if SECRECY in call.entrances:  # else the call is over
            call.enter(SECRECY, -1)


async def collect(call: _Call, options: KeyOptions, first: float, prompt: str) -> Keyed:
    """See `Call.collect_digits`."""
    if not 0 < first <= 600:
        raise ValueError(f"first is in seconds, more than 0 and at most 600; got {first!r:.40}")
    if call.keypad.collect is None:
        raise VoiceloopError("call.collect_digits needs a running call with TurnTaking(keys=...) in its pipeline")
    return await call.keypad.collect(options, first, prompt)

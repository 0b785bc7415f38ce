"""Who is let in when many come, and what is not answered twice: pure decisions, with the time as an argument.

- `Handshakes`: WebSockets that have not shown a valid token yet. The oldest goes when there are too many.
- `Connections`: all TCP connections. One that only waits goes when there are too many.
- `Webhooks`: requests that Twilio has signed. Its signature has no time, so one that somebody has kept is genuine for
  ever; but nothing else than the same request can be made of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

__all__ = ["Connections", "Handshakes", "WebhookOptions", "Webhooks"]

Key = TypeVar("Key", bound=Hashable)

_BYTES_OF_A_SIGNATURE: Final = 24


class Handshakes(Generic[Key]):
    """Sockets that have not shown a valid token: so many that Twilio has signed, and so many that it has not.

    A newcomer is always let in; when its kind is full, the oldest of the kind has to go. So those who are silent cannot
    keep out those who speak, and those who cannot sign cannot keep out those who can.

    Args:
        most: sockets of each kind at a time.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"expected room for at least one handshake, got {most}")
        self._most = most
        self._in: dict[bool, dict[Key, None]] = {True: {}, False: {}}

    def __len__(self) -> int:
        return len(self._in[True]) + len(self._in[False])

    def enter(self, key: Key, *, signed: bool) -> Key | None:
        """Let a socket in. Returns the one that has to go for it."""
        kind = self._in[signed]
        gone = None
        if len(kind) >= self._most:
            gone = next(iter(kind))
            del kind[gone]
        kind[key] = None
        return gone

    def leave(self, key: Key) -> None:
        """It has shown its token, or is gone. Harmless when it had to go before."""
        for kind in self._in.values():
            kind.pop(key, None)


class Connections(Generic[Key]):
    """TCP connections, of which those that only wait have to go when there are too many.

    A connection waits for the headers of a request, or for the rest of its body. What it does otherwise is our work: it
    stays.

    Args:
        most: connections at a time.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"expected room for at least one connection, got {most}")
        self._most = most
        self._waiting: dict[Key, None] = {}  # who waits longest comes first
        self._asking: dict[Key, None] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._asking)

    @property
    def full(self) -> bool:
        """Whether a further one needs the place of another."""
        return len(self) >= self._most

    def opened(self, key: Key) -> None:
        """A connection is there, and its first request is awaited."""
        self._waiting[key] = None

    def asks(self, key: Key) -> None:
        """The headers of a request are there."""
        if key in self._waiting:
            del self._waiting[key]
            self._asking[key] = None

    def answered(self, key: Key) -> None:
        """Its request is answered, and another is awaited."""
        if key in self._asking:
            del self._asking[key]
            self._waiting[key] = None

    def gone(self, key: Key) -> None:
        """It is closed."""
        self._waiting.pop(key, None)
        self._asking.pop(key, None)

    def keep(self, alive: Iterable[Key]) -> None:
        """All others are closed."""
        known = set(alive)
        for key in [key for key in (*self._waiting, *self._asking) if key not in known]:
            self.gone(key)

    def victim(self, incomplete: Callable[[Key], bool]) -> Key | None:
        """Which one has to go for a newcomer: the one that waits longest; None when none does.

        Args:
            incomplete: whether the body of a connection's request has not come to its end.
        """
        for key in self._waiting:
            return key
        for key in self._asking:
            if incomplete(key):
                return key
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """When a request that was answered is answered again."""

    again: float = 15.0
    """Seconds after the first time in which the very same request is answered again: Twilio asks twice when the first
    answer did not reach it, for which it waits 15 s."""
    asks: int = 3
    """How often the same request is answered in that time."""
    remembered: float = 86_400.0
    """Seconds that an answered request is remembered."""
    most: int = 50_000
    """Requests that are remembered; of more the oldest are forgotten. About 150 bytes each."""


@dataclass(slots=True)
class _Answered:
    since: float
    call_sid: str
    times: int = 1


class Webhooks:
    """Remembers which requests were answered.

    Two requests of Twilio's never have the same signature, unless they are the same: URL and fields are signed. The
    reverse does not hold: names and values are signed without anything between them, so whoever has a signed request
    can move the border between two of them. That is why the signature is what is remembered, with the call it was for.
    """

    def __init__(self, options: WebhookOptions | None = None) -> None:
        self.options = options or WebhookOptions()
        self._answered: OrderedDict[str, _Answered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answered)

    def refusal(self, signature: str, call_sid: str, now: float) -> str:
        """Why a genuine request is not answered; empty when it is. Then it counts as answered.

        Args:
            signature: its own, which has been checked.
            call_sid: the call that it names.
            now: seconds.
        """
        options = self.options
        self._forget(now)
        key = signature[:_BYTES_OF_A_SIGNATURE]
        before = self._answered.get(key)
        if before is None:
            self._answered[key] = _Answered(now, call_sid)
            if len(self._answered) > options.most:
                self._answered.popitem(last=False)
            return ""
        if before.call_sid != call_sid:
            return "it was for another call"
        if now - before.since > options.again:
            return f"it was answered {now - before.since:.0f} s ago"
        if before.times >= options.asks:
            return f"it was answered {before.times} times"
        before.times += 1
        return ""

    def was_answered(self, signature: str, call_sid: str, since: float, now: float) -> None:
        """Another process has answered this request first."""
        if now - since > self.options.remembered:
            return
        entry = self._answered.setdefault(signature[:_BYTES_OF_A_SIGNATURE], _Answered(since, call_sid, 0))
        entry.since = min(entry.since, since)

    def _forget(self, now: float) -> None:
        while self._answered:
            key, oldest = next(iter(self._answered.items()))
            if now - oldest.since <= self.options.remembered:
                return
            del self._answered[key]

"""A recording that is gone through, entry by entry, beside a call that is to do the same."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Final

from voiceloop.flight.entries import Entry, Kind
from voiceloop.flight.reader import Flight
from voiceloop.replay.difference import Difference, shown, side_by_side

__all__ = ["Parted", "Tape"]

_PASSED: Final = frozenset({Kind.PART, Kind.VAD})
"""What stands anywhere."""
_READING: Final = frozenset({Kind.ASK, Kind.TOOK})
"""What a voice does at its own pace."""
BEFORE: Final = 6
"""Things shown in front of a difference."""


class Parted(Exception):
    """The call has left its recording: raised in its code, to end it."""


class Tape:
    """Where the call is in its recording, and whether it did what stands there.

    Args:
        flight: the recording.
    """

    def __init__(self, flight: Flight) -> None:
        self.free = False
        """True when the recording is over: what is left of the call runs by itself."""
        self.difference: Difference | None = None
        self.compared = 0
        """Entries that came to pass."""
        self.names: dict[int, str] = {}
        """Of the call's tasks, by their numbers."""
        self._entries = flight.entries
        self._place = 0
        self._zero = float(flight.header["at"])
        self._at = self._zero
        self._last: deque[Entry] = deque(maxlen=BEFORE)
        self._asks: dict[tuple[Kind, int], asyncio.Future[None]] = {}
        self._allowed: Counter[tuple[Kind, int]] = Counter()
        self._parts = {entry.content[:32]: entry.content[32:] for entry in flight.entries if entry.kind is Kind.PART}

    def _end(self) -> None:
        """Let what is left of the call run by itself to its end."""
        raise NotImplementedError

    def peek(self) -> Entry | None:
        """The next entry; None behind the last one."""
        while self._place < len(self._entries):
            entry = self._entries[self._place]
            if entry.kind in _READING:
                self._allow((entry.kind, entry.number))
            elif entry.kind not in _PASSED:
                return entry
            self._place += 1
        return None

    def next_in(self, *kinds: Kind) -> Entry | None:
        """The next entry, when it is one of these kinds and happened in the course of what runs now."""
        entry = None if self.free else self.peek()
        return entry if entry is not None and entry.kind in kinds else None

    def take(self) -> Entry:
        """Go past the next entry."""
        entry = self.peek()
        assert entry is not None
        self._place += 1
        self._at = entry.at
        self.compared += 1
        self._last.append(entry)
        return entry

    def _expect(self, kind: Kind, number: int, content: bytes, what: str) -> Entry | None:
        """Something comes to pass: the recording must have it here. Gives its entry; None once the call runs free."""
        if self.free:
            return None
        entry = self.peek()
        today = Entry(kind, number, self._at, content)
        if entry is None:
            self._end()
            return None
        if entry.kind is not kind or entry.number != number or entry.content != content:
            self._differ(entry, today, what)
        return self.take()

    def _differ(self, entry: Entry, today: Entry | str, what: str) -> None:
        one = shown(entry, self.names)
        other = today if isinstance(today, str) else shown(today, self.names)
        if not isinstance(today, str) and today.kind is Kind.REQUEST and entry.kind is Kind.REQUEST:
            one, other = self._requests(entry, today)
        elif one == other:  # the same but for what is not shown
            other += " (of other content)"
        self._part(
            Difference(entry.at - self._zero, what, one, other, [shown(each, self.names) for each in self._last])
        )

    def _part(self, difference: Difference) -> None:
        """The call has left its recording."""
        if self.difference is None:
            self.difference = difference
            self._end()
        raise Parted(difference.what)

    def _behind(self) -> Entry | None:
        """The entry behind the next one."""
        for place in range(self._place + 1, len(self._entries)):
            if self._entries[place].kind not in _PASSED | _READING:
                return self._entries[place]
        return None

    def _allow(self, what: tuple[Kind, int]) -> None:
        """A voice may ask for text, or take it."""
        self._allowed[what] += 1
        if (future := self._asks.pop(what, None)) is not None and not future.done():
            future.set_result(None)

    def _requests(self, *entries: Entry) -> tuple[str, str]:
        texts = []
        for entry in entries:
            hashes = [entry.content[start : start + 32] for start in range(0, len(entry.content), 32)]
            texts.append([self._parts.get(each, each.hex().encode()).decode("utf-8", "replace") for each in hashes])
        return side_by_side(*texts)

"""Keys that a caller presses, one after the other, and what they come to. Pure: no I/O and no clock.

`Keys` says when an entry is complete. `Mixed` puts entries and words in the order in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass

from voiceloop.keypad import MOST, EndedBy, Keyed, KeyOptions

__all__ = ["EndedBy", "KeyOptions", "Keyed", "Keys", "Mixed"]


class Keys:
    """Takes keys, and says when an entry is complete.

    How to drive it: report every key with `press`, set one timer to `deadline()`, which calls `tick`. Each gives what
    was entered once it is complete; then the next entry begins. All times are seconds on one clock; `now` never falls.

    Args:
        options: what completes an entry.
    """

    def __init__(self, options: KeyOptions | None = None) -> None:
        self.options = options or KeyOptions()
        self._digits: list[str] = []
        self._secret = False
        self._started: float | None = None  # the first key
        self._pressed = 0.0  # the last one
        self._due: float | None = None

    @property
    def going_on(self) -> bool:
        """Whether an entry has begun and is not complete."""
        return self._started is not None

    def deadline(self) -> float | None:
        """When `tick` must be called, seconds; None when only a key can change anything."""
        return self._due

    def await_first(self, now: float, within: float) -> None:
        """The first key is expected within so many seconds from now: else the entry ends without any. It has no effect
        once a key was pressed; said again, it counts anew."""
        if not self.going_on:
            self._due = now + within

    def press(self, now: float, key: str, *, secret: bool = False) -> list[Keyed]:
        """A key was pressed; `secret`: this one is, whatever the options say. More than one entry is complete when the
        time-out of the one before is learnt of with this key."""
        late = self.tick(now)
        self._started = now if self._started is None else self._started
        self._pressed = now
        self._secret = self._secret or secret
        keyed = self._take(now, key)
        return [each for each in (late, keyed) if each is not None]

    def tick(self, now: float) -> Keyed | None:
        """Time passes."""
        return self._end(now, "timeout") if self._due is not None and now >= self._due else None

    def end(self, now: float, why: EndedBy) -> Keyed:
        """Nothing more is awaited: what was entered so far."""
        return self._end(now, why)

    def _take(self, now: float, key: str) -> Keyed | None:
        options = self.options
        if key == options.terminator:
            return self._end(now, "terminator", key)
        self._due = now + options.timeout
        if key == options.clear:
            self._digits.clear()
            return None
        self._digits.append(key)
        return self._end(now, "count") if len(self._digits) >= (options.count or MOST) else None

    def _end(self, now: float, why: EndedBy, terminator: str = "") -> Keyed:
        pressed = self._started is not None
        keyed = Keyed(
            "".join(self._digits),
            why,
            secret=self._secret or self.options.secret,
            started=now if self._started is None else self._started,
            ended=self._pressed if pressed else now,
            terminator=terminator,
        )
        self._digits, self._secret, self._started, self._due = [], False, None, None
        return keyed


@dataclass(slots=True)
class _Placed:
    text: str
    words: int | None
    """How many of the words stand in front of it; None: all."""


class Mixed:
    """Entries on the keys among the words of a turn, each in its place in time.

    A recogniser answers late, and does not always say when a word was spoken. So words belong in front of an entry
    unless the caller began to speak again after it.
    """

    def __init__(self) -> None:
        self._entries: list[_Placed] = []
        self._before = (0, 0)  # entries and words of a turn that was taken back

    def begin(self) -> None:
        """The first key of an entry is pressed: here is its place. Of more than 64 in a turn the last counts."""
        del self._entries[MOST - 1 :]
        self._entries.append(_Placed("", None))

    def add(self, text: str) -> None:
        """The last entry that was begun is complete."""
        if not self._entries:  # the words around it were set aside
            self.begin()
        self._entries[-1].text = text

    def spoke(self, said: str) -> None:
        """The caller begins to speak; `said` are the words so far."""
        words = len(said.split()) if self._entries else 0
        for entry in self._entries:
            entry.words = words if entry.words is None else entry.words

    def join(self, said: str) -> str:
        """The words with the entries in their places; one that is not complete, or came to nothing, is left out."""
        if not any(entry.text for entry in self._entries):
            return said
        words, parts, place = said.split(), list[str](), 0
        for entry in self._entries:
            following = len(words) if entry.words is None else max(place, entry.words)
            parts += words[place:following]
            parts += [entry.text] if entry.text else []
            place = following
        return " ".join(parts + words[place:])

    def followed_by(self, later: Mixed, said: str) -> Mixed:
        """This turn and what came after it as one; `said` are the words of this one."""
        self.spoke(said)
        joined, count = Mixed(), len(said.split())
        joined._entries = [
            *self._entries,
            *(_Placed(entry.text, _plus(entry.words, count)) for entry in later._entries),
        ]
        joined._before = len(self._entries), count
        return joined

    def rest(self) -> Mixed:
        """What came after the turn that was taken back: that stands for itself after all."""
        entries, words = self._before
        rest = Mixed()
        rest._entries = [_Placed(each.text, _plus(each.words, -words)) for each in self._entries[entries:]]
        return rest


def _plus(words: int | None, count: int) -> int | None:
    return None if words is None else max(0, words + count)

"""When a worker process is started, replaced, killed or given up: a machine without processes and without a clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Do", "Supervision", "SupervisionOptions"]

What = Literal["start", "leave", "kill", "tell", "give up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionOptions:
    """How patient a supervisor is with its workers."""

    tries: int = 3
    """Workers that may die one after the other before any was ever ready."""
    first_delay: float = 0.5
    """Seconds before a worker that died while starting is started again; twice as many each further time."""
    longest_delay: float = 30.0
    """Seconds, at most."""
    steady: float = 60.0
    """Seconds of work after which a worker's earlier deaths are forgotten."""
    start_limit: float = 900.0
    """Seconds that a worker may take to start. Models may have to be fetched."""
    beat_limit: float = 60.0
    """Seconds without a heartbeat after which a worker is killed: something holds its event loop."""


@dataclass(frozen=True, slots=True)
class Do:
    """What is to be done."""

    what: What
    slot: int = 0
    """Number of the worker, from 1: one that takes another's place has the same."""
    process: int = 0
    """Counts the processes from 1."""
    text: str = ""
    """For a person."""


@dataclass(slots=True)
class _Process:
    slot: int
    number: int
    since: float
    """When it was started, or became ready."""
    beat: float
    ready: bool = False
    killed: bool = False


@dataclass(slots=True)
class _Slot:
    number: int
    current: _Process | None = None
    successor: _Process | None = None
    due: float | None = None
    """When it is started again."""
    deaths: int = 0


class Supervision:
    """Keeps a number of workers at work.

    Events go in with their time, what is to be done comes out. The first worker starts alone: what is wrong is told
    once, and what has to be fetched is fetched once.

    Args:
        workers: how many.
        options: how patient it is.
    """

    def __init__(self, workers: int, options: SupervisionOptions | None = None) -> None:
        self.stopping = False
        """No worker is started any more."""
        self._options = options or SupervisionOptions()
        self._slots: Final = {number: _Slot(number) for number in range(1, workers + 1)}
        self._processes: dict[int, _Process] = {}
        self._counted = 0
        self._ever_ready = False
        self._rolling: deque[int] = deque()
        self._looked: float | None = None

    @property
    def ready(self) -> int:
        """Workers that take calls."""
        return sum(slot.current is not None and slot.current.ready for slot in self._slots.values())

    @property
    def rolling(self) -> bool:
        """Whether workers are still to be replaced."""
        return bool(self._rolling) or self._is_rolling()

    @property
    def alive(self) -> int:
        """Processes that have not ended."""
        return len(self._processes)

    # --- what happens --------------------------------------------------------------------------------------

    def begin(self, now: float) -> list[Do]:
        """Start."""
        self._looked = now
        return [self._start(self._slots[1], now)]

    def is_ready(self, process: int, now: float) -> list[Do]:
        """A worker takes calls."""
        found = self._processes.get(process)
        if found is None or found.ready:
            return []
        found.ready, found.since, found.beat = True, now, now
        slot = self._slots[found.slot]
        todo: list[Do] = []
        if slot.successor is found:
            old, slot.current, slot.successor = slot.current, found, None
            slot.deaths, slot.due = 0, None
            if old is not None:
                todo.append(Do("leave", old.slot, old.number))
            todo += self._roll_on(now)
        if not self._ever_ready:
            self._ever_ready = True
            if not self.stopping:
                todo += [self._start(each, now) for each in self._slots.values() if each.current is None]
        return todo

    def has_beaten(self, process: int, now: float) -> None:
        """A worker's event loop goes round."""
        if (found := self._processes.get(process)) is not None:
            found.beat = now

    def wants_to_leave(self, process: int, now: float) -> list[Do]:
        """A worker was told by somebody else to end: another one is to take its place first."""
        found = self._processes.get(process)
        slot = self._slots[found.slot] if found is not None else None
        if found is None or slot is None or self.stopping or slot.current is not found or slot.successor is not None:
            return []
        if found.slot not in self._rolling:
            self._rolling.append(found.slot)
        return [] if self._is_rolling() else self._roll_on(now)

    def roll(self, now: float) -> list[Do]:
        """Replace all, one after the other."""
        if self.stopping:
            return []
        self._rolling.extend(number for number in self._slots if number not in self._rolling)
        return [] if self._is_rolling() else self._roll_on(now)

    def has_ended(self, process: int, now: float, how: str, *, told: bool = False) -> list[Do]:
        """A process is gone.

        Args:
            how: ``with status 1``, ``by signal SIGKILL``.
            told: whether it has said why it cannot start.
        """
        found = self._processes.pop(process, None)
        if found is None or self.stopping:
            return []
        slot = self._slots[found.slot]
        if slot.successor is found:
            slot.successor = None
            self._rolling.clear()
            return [
                Do("tell", slot.number, process, f"its successor ended {how} before it was ready: the old one stays")
            ]
        if slot.current is not found:  # it had been told to leave
            return []
        if slot.successor is not None:  # it is replaced already
            slot.current, slot.successor = slot.successor, None
            return [
                Do("tell", slot.number, process, f"it ended {how} before its successor was ready"),
                *self._roll_on(now),
            ]
        slot.current = None
        if found.ready and now - found.since >= self._options.steady:
            slot.deaths = 0
        slot.deaths += 1
        if not self._ever_ready and told:
            return [Do("give up", slot.number, process, "it cannot start: mend what it has told above")]
        if not self._ever_ready and slot.deaths >= self._options.tries:
            times = "" if slot.deaths == 1 else f", the {_nth(slot.deaths)} time in a row"
            return [Do("give up", slot.number, process, f"it ended {how} before it was ready{times}: it is given up")]
        if slot.number in self._rolling:
            self._rolling.remove(slot.number)
        if found.ready and slot.deaths == 1:
            return [
                Do("tell", slot.number, process, f"it ended {how}: another one takes its place"),
                self._start(slot, now),
            ]
        delay = min(self._options.first_delay * 2 ** (slot.deaths - 1), self._options.longest_delay)
        slot.due = now + delay
        return [Do("tell", slot.number, process, f"it ended {how}: another one is started in {delay:g} s")]

    def look(self, now: float) -> list[Do]:
        """Time has passed. To be called every second or so."""
        late = now - self._looked if self._looked is not None else 0.0
        self._looked = now
        if late > self._options.beat_limit / 4:  # the machine slept, or we did: nobody's heartbeat could be heard
            for process in self._processes.values():
                process.beat += late
        todo: list[Do] = []
        for slot in self._slots.values():
            if slot.due is not None and slot.due <= now and not self.stopping:
                slot.due = None
                if slot.current is None:
                    todo.append(self._start(slot, now))
        return todo + [kill for each in self._processes.values() for kill in self._overdue(each, now)]

    def stop(self) -> None:
        """Start nothing any more. Workers are told to end by whoever says so."""
        self.stopping = True
        self._rolling.clear()

    # --- inside --------------------------------------------------------------------------------------------

    def _overdue(self, process: _Process, now: float) -> list[Do]:
        silent = now - process.beat
        limit = self._options.beat_limit if process.ready else self._options.start_limit
        if process.killed or silent < limit:
            return []
        process.killed = True
        why = "its event loop has been held" if process.ready else "it has been starting"
        return [Do("kill", process.slot, process.number, f"{why} for {silent:.0f} s: it is killed")]

    def _is_rolling(self) -> bool:
        return any(slot.successor is not None for slot in self._slots.values())

    def _roll_on(self, now: float) -> list[Do]:
        while self._rolling and not self.stopping:
            slot = self._slots[self._rolling.popleft()]
            if slot.current is not None:
                slot.successor = self._new(slot, now)
                return [Do("start", slot.number, slot.successor.number)]
        return []

    def _start(self, slot: _Slot, now: float) -> Do:
        slot.current = self._new(slot, now)
        return Do("start", slot.number, slot.current.number)

    def _new(self, slot: _Slot, now: float) -> _Process:
        self._counted += 1
        process = self._processes[self._counted] = _Process(slot.number, self._counted, now, now)
        return process


def _nth(count: int) -> str:
    return {2: "second", 3: "third"}.get(count, f"{count}th")

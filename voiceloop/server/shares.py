"""What each worker of a server has on the line, for the others to see: who has fewest takes what comes next.

A file that all workers map into their memory has a place for each. A worker writes into its own and reads the others':
no process stands between them, and none waits for another's answer. A place that is silent, because its process hangs
or is dead, is not looked at.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "BEAT",
    "LONGEST",
    "PLACES",
    "SILENT",
    "Share",
    "Shares",
    "forget_share",
    "make_table",
    "seconds_to_leave",
    "table_of",
]

PLACES: Final = 512
"""As many as workers there may be, twice while they are replaced."""
LONGEST: Final = 0.03
"""Seconds that a connection is left to the others, at most."""
HALF: Final = 2.0
"""Calls more than the fewest with which half of that is waited."""
BEAT: Final = 0.1
"""Seconds between two times that a worker writes its share."""
SILENT: Final = 0.25
"""Seconds after which a share that was not written again is not looked at."""
UNDECIDED: Final = 0.5
"""Seconds in which a new connection shows what it is: a call, or a request that is answered."""
_PLACE: Final = struct.Struct("=dII")
_SIZE: Final = PLACES * _PLACE.size
_NOBODY: Final = bytes(_PLACE.size)
_FREE, _FULL = 1, 2
_MOST: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker has."""

    calls: int
    """Calls on the line, and connections that may become one."""
    full: bool = False
    """Whether it would refuse a further one."""


def seconds_to_leave(own: Share, others: Iterable[Share]) -> float:
    """How long a worker leaves a connection to the others before it takes it.

    0 for who has fewest; more for who has more, so that the next one comes next, and never more than `LONGEST`. Who is
    full leaves all to those that are not.
    """
    others = list(others)
    free = [other for other in others if not other.full]
    if own.full and free:
        return LONGEST
    fewest = min((other.calls for other in (others if own.full else free)), default=own.calls)
    ahead = own.calls - fewest
    return LONGEST * ahead / (ahead + HALF) if ahead > 0 else 0.0


def table_of(folder: str | os.PathLike[str]) -> Path:
    """Where the file is in the folder that the workers of a server share."""
    return Path(folder) / "shares"


def make_table(folder: str | os.PathLike[str]) -> Path:
    """Make the file, before the first worker opens it. Returns its path.

    Raises:
        OSError: there is no room for its few kilobytes.
    """
    path = table_of(folder)
    path.write_bytes(bytes(_SIZE))  # written, not only sized: a page of a mapped file must not turn out to be missing
    return path


def forget_share(folder: str | os.PathLike[str], place: int) -> None:
    """Clear the place of a process that has ended, so that nobody waits for it. For the supervisor.

    Raises:
        OSError: the file is gone.
    """
    if place < PLACES:
        with open(table_of(folder), "r+b") as file:
            file.seek(place * _PLACE.size)
            file.write(_NOBODY)


class Shares:
    """The share of one worker among the others'. Times are the loop's: monotonic, the same in all processes.

    Args:
        path: of `make_table`.
        place: of this process alone, below `PLACES`.
        calls: how many this worker has on the line.
        full: whether it would refuse a further one.

    Raises:
        OSError: there is no such file.
        ValueError: there is no such place.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        place: int,
        calls: Callable[[], int],
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        if not 0 <= place < PLACES:
            raise ValueError(f"expected a place from 0 to {PLACES - 1}, got {place}")
        self._place = place
        self._calls = calls
        self._full = full
        self._taken: deque[float] = deque()
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SIZE)
        self._begins, self._ends = place * _PLACE.size, (place + 1) * _PLACE.size

    def close(self) -> None:
        """Leave: the others wait for this worker no more. Harmless when said twice."""
        if not self._memory.closed:
            self._memory[self._begins : self._ends] = _NOBODY
            self._memory.close()

    def taken(self, now: float) -> None:
        """This worker has taken a connection."""
        self._taken.append(now)

    def own(self, now: float, connections: int) -> Share:
        """What this worker has.

        Args:
            now: the loop's time.
            connections: that are open here. Those beyond calls and beyond what came lately only wait for requests.
        """
        while self._taken and now - self._taken[0] >= UNDECIDED:
            self._taken.popleft()
        calls = self._calls()
        return Share(calls + max(0, min(len(self._taken), connections - calls)), self._full())

    def write(self, now: float, connections: int) -> Share:
        """Let the others know; at each connection that is taken, and every `BEAT` seconds."""
        own = self.own(now, connections)
        # In one piece. A reader that sees half of it waits a little too long or too short, once.
        self._memory[self._begins : self._ends] = _PLACE.pack(now, min(own.calls, _MOST), _FULL if own.full else _FREE)
        return own

    def others(self, now: float) -> list[Share]:
        """What the others have, but for those that hang or are dead."""
        written = self._memory[:].rstrip(b"\0")
        used = written.ljust(-(-len(written) // _PLACE.size) * _PLACE.size, b"\0")
        return [
            Share(calls, state == _FULL)
            for place, (beat, calls, state) in enumerate(_PLACE.iter_unpack(used))
            if state and abs(now - beat) < SILENT and place != self._place
        ]

    def wait(self, now: float, connections: int) -> float:
        """Seconds that this worker leaves a connection to the others; see `seconds_to_leave`."""
        return seconds_to_leave(self.own(now, connections), self.others(now))

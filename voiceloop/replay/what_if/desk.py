"""The gate of a what-if's call: what comes from outside is given from the recording, by what it is and not by when."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from statistics import median
from types import SimpleNamespace
from typing import Any, TypeVar

from voiceloop.call import Call
from voiceloop.conversation import ToolResult
from voiceloop.flight.items import hashed, parts_of
from voiceloop.flight.notes import FlightNotes
from voiceloop.journal import Judged
from voiceloop.processor import Processor
from voiceloop.registry import Handle
from voiceloop.replay.outside import arguments_of
from voiceloop.replay.read_back import RecordedFailure, failure_of_entry
from voiceloop.replay.what_if.ground import Ground, Standing
from voiceloop.replay.what_if.recorded import Act, Recorded, Tool
from voiceloop.report import CallReport
from voiceloop.runtime import Canned

log = logging.getLogger("voiceloop.replay")

__all__ = ["Desk", "sleep_until"]

R = TypeVar("R")
T = TypeVar("T")

FIRST_SOUND = 1.0
"""Seconds from a request to the first sound of the answer, where the recording has no answer that was heard."""


async def sleep_until(when: float) -> None:
    """Wait for a time on the loop's clock; passes at once when that is over, and never where it is infinite."""
    loop = asyncio.get_running_loop()
    if when == math.inf:
        await loop.create_future()
    waiting = when - loop.time()
    if waiting > 0:
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_at(when, _wake, future)
        try:
            await future
        finally:
            timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Desk:
    """The journal of a call that runs on live timers. It writes nothing down but what is noted.

    Args:
        recorded: what is given.
        ground: learns where that does not reach.
        judged: how likely each window of the caller's audio held speech, by its number.
        lead: windows of silence in front of these.
        hang_up: ends the what-if; called when it cannot go on.
    """

    def __init__(
        self,
        recorded: Recorded,
        ground: Ground,
        judged: Mapping[int, float],
        lead: int,
        hang_up: Callable[[], None],
    ) -> None:
        self.inside = False
        self.recorded = recorded
        self.ground = ground
        self.notes: list[dict[str, Any]] = []
        self.request: tuple[bytes, ...] = ()
        """The hashes of the request to the model that is being made."""
        self.round = -1
        """Its number among those to the turn."""
        self.parts: dict[bytes, bytes] = dict(recorded.parts)
        self.known_until: float | None = None
        """When the what-if had to stop, seconds on the loop's clock; None while it goes on."""
        self.report: CallReport | None = None
        self.judges = True
        """Whether the recorded probabilities of speech are taken."""
        self._hang_up = hang_up
        self._loop = asyncio.get_running_loop()
        self._numbers: dict[str, int] = {}
        self._judged = judged
        self._windows = -lead
        self._later: deque[int] = deque()  # windows that wait for what was said of them
        self._handed = 0
        self._call: Call | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._silent: set[int] = set()  # answers of which nothing can be heard now
        self._free = asyncio.Event()
        self._free.set()

    def stop(self) -> None:
        """Nothing more can be said of this call."""
        if self.known_until is None:
            self.known_until = self._loop.time()
            self._loop.call_soon(self._hang_up)

    def beyond(self, at: float) -> None:
        """The recorded call was over then, and today's is not."""
        what = "the recorded call was over here, today's goes on: the caller is taken to be silent from here on"
        self.ground.turn = None
        self.ground.leave(at, Standing.STAND_IN, what)

    @property
    def first_sound(self) -> float:
        """Seconds from a request to the first sound of its answer, as a rule."""
        waits = [note["latency_ms"] for note in self.recorded.notes if note["k"] == "turn" and note["latency_ms"]]
        return median(w["total"] - w["endpoint"] - w["stt"] for w in waits) / 1000 if waits else FIRST_SOUND

    # --- what is noted ---

    def observers(self) -> Sequence[Processor]:
        """What notes what passes."""
        return (FlightNotes(self._note, lambda answer, at, position: None),)

    def _note(self, note: dict[str, Any]) -> None:
        note["noted"] = self._loop.time()
        self.notes.append(note)
        if note["k"] == "said":
            self.ground.turn = note["times"][1]
            self.round = -1
        if note["k"] == "held" or note.get("speculative"):
            self._silent.add(note["answer"])
            self._free.clear()
        elif note["k"] in ("resumed", "commit", "ended"):
            self._silent.discard(note["answer"])
            if not self._silent:
                self._free.set()

    async def may_be_heard(self) -> None:
        """Wait while no answer can be heard: the caller speaks over it, or it is not certain yet that they are done."""
        await self._free.wait()

    def began(self, call: Call, processors: Sequence[Processor]) -> None:
        """The call is about to run: what others did to it is done again when they did it."""
        self._call = call
        acts = [each for each in self.recorded.acts if each.name != "enter" and not _of_the_line(each)]
        queued = [each for each in self.recorded.acts if each.name == "enter" and each.arguments[:1] != ["loop_held"]]
        if queued:
            what = f"call.enter({queued[0].arguments[0]!r}, …): what others put into the call by hand is left out"
            self.ground.leave(queued[0].at, Standing.STAND_IN, what)
        ended = self.recorded.ended
        for each in acts:
            if ended is None or each.at < ended:
                self._timers.append(self._loop.call_at(max(each.at, self._loop.time()), self._act, each))

    def _act(self, act: Act) -> None:
        call = self._call
        if call is None or call._engine is None:
            return
        given, named = arguments_of(act.arguments, {"options": act.options}, call)
        try:
            getattr(call, act.name)(*given, **named)
        except Exception as error:  # as it was for whoever did it
            log.debug("call.%s: %s", act.name, error)

    def close(self, report: CallReport) -> None:
        """The call is over."""
        self.report = report
        self._call = None
        for timer in self._timers:
            timer.cancel()

    # --- what goes by live timers ---

    def now(self) -> float:
        """The time."""
        return self._loop.time()

    def number(self, kind: str) -> int:
        """The next of its kind."""
        number = self._numbers.get(kind, 0)
        self._numbers[kind] = number + 1
        return number

    def steps(self, coroutine: Coroutine[Any, Any, Any], name: str) -> tuple[Coroutine[Any, Any, Any], int]:
        """A task goes on when it can."""
        return coroutine, self.number("task")

    def finished(self, number: int, failure: BaseException | None, act: Callable[[], None]) -> None:
        """It is over."""
        act()

    def timer(self, when: float, name: str, act: Callable[[], None]) -> Handle:
        """A timer fires when it is due."""
        return self._loop.call_at(when, act)

    async def moment(self, name: str, act: Callable[[], T]) -> T:
        """The call begins to hear when it did: what was warmed and rendered took its time."""
        if name == "start" and self.recorded.started is not None:
            await sleep_until(self.recorded.started)
        return act()

    def outside(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any], act: Callable[[], R]) -> R:
        """Somebody does something to the call."""
        return act()

    def message(self, message: str | bytes, take: Callable[[str | bytes], None]) -> None:
        """A message of the carrier."""
        take(message)

    def inbound(self, message: str | bytes, event: object) -> None:
        """What it says."""

    def item(self, kind: str, item: object) -> None:
        """A provider gave something."""

    def ended(self, kind: str, failure: tuple[str, str] | None) -> None:
        """A provider has given all."""

    def sent(self, kind: str, detail: str | bytes) -> None:
        """A message for the carrier."""

    async def asked(self, number: int) -> None:
        """Nothing holds a voice."""

    async def took(self, number: int) -> None:
        """Nothing holds a voice."""

    # --- what the recording gives ---

    def requested(self, kind: str, request: Mapping[str, Any]) -> None:
        """The model is about to be asked."""
        if kind != "llm":
            return
        parts = [hashed(name, part) for name, part in parts_of(request)]
        self.parts.update(parts)
        self.request = tuple(digest for digest, _ in parts)
        self.round += 1

    def canned(self, text: str, found: Canned | None) -> Canned | None:
        """What had been rendered by then; a text that was never looked for had not been."""
        looked = self.recorded.canned.get(text)
        if not looked:
            return None
        now = self._loop.time()
        return next((each for each in reversed(looked) if each.at <= now), looked[0]).speech

    def probability(self, value: Callable[[bytes], float], window: bytes) -> float:
        """What the model said of the same window; later where it did so later."""
        number = self._windows
        self._windows += 1
        said = value(window)
        if not self.judges:
            return said
        if said == said:
            return self._judged.get(number, 0.0)
        self._later.append(number)
        return said

    def judging(self, take: Judged) -> Judged:
        """It says so at the next tick."""

        def judged(probability: float, error: Exception | None) -> None:
            take(self._judged.get(self._later.popleft(), 0.0) if self.judges else probability, error)

        return judged

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """What stands in for it takes no time."""
        return await work()

    async def tool(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """What the tool gave, after as long; it is not run."""
        asked = next(iter(getattr(run, "args", ())), None)
        name, arguments, number = (getattr(asked, each, "") for each in ("name", "arguments", "id"))
        tool = self._tool(name, arguments)
        if tool is None or tool.outcome is None:
            why = "was not run with these arguments" if tool is None else "had not ended when the call was over"
            self.ground.leave(
                self._loop.time(), Standing.UNKNOWN, f"the tool {name}({arguments}) {why}: see no further"
            )
            self.stop()
            return await self._loop.create_future()
        began = self._loop.time()
        for act in tool.acts:
            await sleep_until(began + act.at - tool.began)
            self._act(act)
        await sleep_until(began + tool.at - tool.began)
        fault = tool.outcome["fault"]
        result = ToolResult(**{**tool.outcome["result"], "id": number})
        return SimpleNamespace(
            result=result, fault=None if fault is None else tuple(fault), seconds=tool.outcome["seconds"]
        )

    def _tool(self, name: str, arguments: str) -> Tool | None:
        """A run of that tool, one that was not given yet before one that was."""
        same = [each for each in self.recorded.tools if (each.name, each.arguments) == (name, arguments)]
        found = next((each for each in same if not each.used), same[-1] if same else None)
        if found is not None:
            found.used = True
        return found

    async def hand_over(self, step: Callable[[], Awaitable[None]]) -> None:
        """What the carrier said, after as long; it is not asked."""
        recorded, number = self.recorded.hand_overs, self._handed
        self._handed += 1
        if number >= len(recorded):
            what = "the call is handed over here, and was not then: taken as refused"
            self.ground.leave(self._loop.time(), Standing.STAND_IN, what)
            raise RecordedFailure("the recording does not say what the carrier did")
        seconds, entry = recorded[number]
        await sleep_until(self._loop.time() + seconds)
        if entry.content:
            raise failure_of_entry(entry)


def _of_the_line(act: Act) -> bool:
    """The caller's hang-up without a ``stop``: the carrier does that."""
    return act.name == "end" and act.arguments[:1] == ["disconnected"]

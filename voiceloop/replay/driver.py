"""Drives a call from its recording: lets each thing happen when the recording has it, and compares what comes of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from array import array
from binascii import b2a_base64
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from voiceloop.call import Call
from voiceloop.conversation import ToolResult
from voiceloop.errors import VoiceloopError
from voiceloop.flight.entries import TURNS, Entry, Kind
from voiceloop.flight.items import encode_item, from_json, part_of, to_json
from voiceloop.flight.notes import FlightNotes
from voiceloop.flight.reader import Flight
from voiceloop.flight.recorder import PROVIDERS, SENT_PLACE, failure_text
from voiceloop.flight.report import report_values
from voiceloop.frames import Word
from voiceloop.processor import Processor
from voiceloop.registry import Handle
from voiceloop.replay.difference import Difference, shown, side_by_side
from voiceloop.replay.loop import ReplayLoop
from voiceloop.replay.outside import arguments_of
from voiceloop.replay.steps import HeldSteps
from voiceloop.report import CallReport
from voiceloop.runtime import Canned

__all__ = ["Driver", "RecordedFailure"]

log = logging.getLogger("voiceloop.replay")

R = TypeVar("R")
T = TypeVar("T")

EARLY: Final = 0.005
"""Seconds by which a timer of other code may have fired before its time."""
_PASSED: Final = frozenset({Kind.PART, Kind.VAD})
"""What stands anywhere."""
BEFORE: Final = 6
"""Things shown in front of a difference."""


class RecordedFailure(VoiceloopError):
    """Stands for an error that something outside raised when the call was recorded."""


class Parted(Exception):
    """The call has left its recording: raised in its code, to end it."""


class _Timer:
    def __init__(self, driver: Driver, number: int, name: str, act: Callable[[], None]) -> None:
        self.driver, self.number, self.name, self.act = driver, number, name, act

    def cancel(self) -> None:
        """Do not fire."""
        self.driver.timers.pop(self.number, None)


class Driver:
    """The journal of a call that is driven from a recording.

    Args:
        flight: the recording.
        loop: on which the call runs.
    """

    def __init__(self, flight: Flight, loop: ReplayLoop) -> None:
        self.loop = loop
        self.inside = False
        self.running = -1
        """The number of the task that runs, or ran last."""
        self.free = False
        """True when the recording is over: what is left of the call runs by itself."""
        self.difference: Difference | None = None
        self.messages = 0
        """Messages to the carrier that were the same."""
        self.compared = 0
        """Entries that came to pass."""
        self.timers: dict[int, _Timer] = {}
        self.names: dict[int, str] = {}
        self._entries = flight.entries
        self._place = 0
        self._zero = float(flight.header["at"])
        self._at = self._zero
        self._call: Call | None = None
        self._tasks: dict[int, HeldSteps] = {}
        self._held: dict[int, HeldSteps] = {}
        self._over: dict[int, Callable[[], None]] = {}
        self._arrivals: dict[int, asyncio.Future[None]] = {}
        self._moments: dict[str, asyncio.Future[None]] = {}
        self._asks: dict[tuple[Kind, int], asyncio.Future[None]] = {}
        self._allowed: Counter[tuple[Kind, int]] = Counter()
        self._numbers: dict[str, int] = {}
        self._parts = {entry.content[:32]: entry.content[32:] for entry in flight.entries if entry.kind is Kind.PART}
        self._judged = _probabilities(flight.entries)
        self._canned: dict[str, Canned] = {}
        self._last: deque[Entry] = deque(maxlen=BEFORE)
        self._notes = FlightNotes(self._note, self._note_sent)
        self.report: dict[str, Any] | None = None
        loop.set_time(self._zero)
        loop.advance = self.advance

    # --- the recording ---

    def peek(self) -> Entry | None:
        """The next entry; None behind the last one."""
        while self._place < len(self._entries):
            entry = self._entries[self._place]
            if entry.kind in (Kind.ASK, Kind.TOOK):
                self._allow((entry.kind, entry.number))
            elif entry.kind not in _PASSED:
                return entry
            self._place += 1
        return None

    def next_in(self, *kinds: Kind) -> Entry | None:
        """The next entry, when it is one of these kinds and happened in the course of what runs now."""
        entry = self.peek()
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

    def _end(self) -> None:
        """Let what is left of the call run by itself to its end."""
        if self.free:
            return
        self.free = True
        for task in list(self._held.values()):
            task.grant()
        self._held.clear()
        waiting = [*self._arrivals.values(), *self._moments.values(), *self._asks.values()]
        for future in waiting:
            if not future.done():
                future.set_result(None)
        over, self._over = self._over, {}
        for act in over.values():
            self.loop.call_soon(act)
        if self._call is not None and self._call.ending is None:
            self.loop.call_soon(self._give_up)

    def _give_up(self) -> None:
        if self._call is not None and self._call._ended is not None:
            self._call.end("replay ended")

    # --- driving ---

    def advance(self) -> bool:
        """Nothing is ready to run: let the next thing happen. False when the recording is over."""
        if self.free:
            return False
        entry = self.peek()
        if entry is None or entry.kind is Kind.REPORT:
            self._end()
            return True
        due = self.loop.next_timer()
        if due is not None and due <= entry.at:
            self.loop.set_time(due)
            return True
        self.loop.set_time(entry.at)
        try:
            if entry.kind not in TURNS:
                self._differ(entry, "nothing", "something that came to pass does not any more")
            _DRIVE[entry.kind](self, entry)
        except Parted:
            pass
        return True

    def _later(self) -> bool:
        """Something is not ready when it should be: have timers of other code fire that may have been early."""
        due = self.loop.next_timer()
        if due is not None and due <= self.loop.time() + EARLY:
            self.loop.set_time(due)
            return True
        return False

    def _step(self, entry: Entry) -> None:
        number = entry.number
        task = self._held.pop(number, None)
        if task is not None:
            self.take()
            task.grant()
            return
        following = self._behind()
        if following is None or following.kind in TURNS:  # nothing came of it
            self.take()
            return
        if (arrival := self._arrivals.pop(number, None)) is not None:
            arrival.set_result(None)
        elif not self._later():
            name = self.names.get(number, f"task {number}")
            self._differ(entry, f"{name} still waits", f"{name} went on and does not any more")

    def _behind(self) -> Entry | None:
        """The entry behind the next one."""
        for place in range(self._place + 1, len(self._entries)):
            if self._entries[place].kind not in (*_PASSED, Kind.ASK, Kind.TOOK):
                return self._entries[place]
        return None

    def _done(self, entry: Entry) -> None:
        number = entry.number
        if (act := self._over.pop(number, None)) is not None:
            self._enter(entry, act)
            return
        task = self._tasks.get(number)
        if task is not None and not task.free:  # what it waits for outside does not come: its end is known
            task.free = True
            task_held = self._held.pop(number, None)
            if task_held is not None:
                task_held.grant()
            if (arrival := self._arrivals.pop(number, None)) is not None:
                arrival.set_result(None)
            return
        if not self._later():
            name = self.names.get(number, f"task {number}")
            self._differ(entry, f"{name} still runs", f"{name} was over here and is not any more")

    def _timer_fires(self, entry: Entry) -> None:
        timer = self.timers.pop(entry.number, None)
        if timer is None:
            self._differ(entry, "no such timer is set", f"the timer {entry.text!r} fired and is not set any more")
        elif timer.name != entry.text:
            self._differ(entry, f"timer {timer.name!r}", "another timer is set")
        else:
            self._enter(entry, timer.act)

    def _moment(self, entry: Entry) -> None:
        future = self._moments.pop(entry.text, None)
        if future is not None:
            self.take()
            future.set_result(None)
        elif not self._later():
            self._differ(entry, "it is not there yet", f"the call went on here: {entry.text}")

    def _api(self, entry: Entry) -> None:
        name, arguments, options = from_json(entry.content)
        call = self._call
        assert call is not None
        given, named = arguments_of(arguments, options, call)
        method = getattr(call, name)

        def act() -> None:
            try:
                method(*given, **named)
            except Exception as error:  # as it was for whoever did it
                log.debug("call.%s: %s", name, error)

        self._enter(entry, act)

    def _message(self, entry: Entry) -> None:
        call = self._call
        assert call is not None
        transport: Any = call.transport
        self._enter(entry, lambda: transport.receive(message_of(entry, transport.started.stream_sid)))

    def _enter(self, entry: Entry, act: Callable[[], None]) -> None:
        self.take()
        self._within(act)

    def _within(self, act: Callable[[], R]) -> R:
        self.inside = True
        try:
            return act()
        finally:
            self.inside = False

    # --- tasks and timers of the call ---

    def hold(self, task: HeldSteps) -> None:
        """A task could go on."""
        self._held[task.number] = task

    def number(self, kind: str) -> int:
        """The next of its kind."""
        number = self._numbers.get(kind, 0)
        self._numbers[kind] = number + 1
        return number

    def steps(self, coroutine: Coroutine[Any, Any, Any], name: str) -> tuple[Coroutine[Any, Any, Any], int]:
        """A task begins."""
        number = self.number("task")
        self.names[number] = name
        try:
            self._expect(Kind.SPAWN, number, name.encode(), "another task begins")
        except Parted:
            coroutine.close()
            raise
        task = self._tasks[number] = HeldSteps(coroutine, number, self)
        return task, number

    def finished(self, number: int, failure: BaseException | None, act: Callable[[], None]) -> None:
        """It is over."""
        if self.free:
            self._within(act)
        else:
            self._over[number] = act

    def timer(self, when: float, name: str, act: Callable[[], None]) -> Handle:
        """The recording says when."""
        number = self.number("timer")
        if self.free:
            return self.loop.call_at(when, lambda: self._within(act))
        timer = self.timers[number] = _Timer(self, number, name, act)
        return timer

    async def moment(self, name: str, act: Callable[[], T]) -> T:
        """The recording says when."""
        if not self.free:
            self._moments[name] = self.loop.create_future()
            await self._moments[name]
        return self._within(act)

    def outside(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any], act: Callable[[], R]) -> R:
        """Code that is no part of the call does something to it now: the recording has that already, or never had."""
        if self.free:
            return self._within(act)
        entry = self.peek()
        today = f"call.{name}() from outside of the call"
        if entry is None:
            raise Parted(today)
        self._differ(entry, today, f"{today}: in a replay only the recording does that")
        raise AssertionError

    async def arrival(self) -> None:
        """Wait, in a task of the call, until the recording has something for it."""
        if not self.free:
            future = self._arrivals[self.running] = self.loop.create_future()
            await future

    @property
    def leaving(self) -> bool:
        """Whether the task that runs is to end: nothing more comes for it."""
        task = self._tasks.get(self.running)
        return self.free or (task is not None and task.free)

    # --- the journal ---

    def observers(self) -> Sequence[Processor]:
        """What notes what passes, to compare."""
        return (self._notes,)

    def began(self, call: Call, processors: Sequence[Processor]) -> None:
        """The call is about to run."""
        self._call = call

    def now(self) -> float:
        """The recording's time."""
        return self.loop.time() if self.free else self._at

    def item(self, kind: str, item: object) -> None:
        """It was given."""
        self._expect(Kind.ITEM, PROVIDERS[kind], encode_item(item), f"{kind} gives something else")

    def message(self, message: str | bytes, take: Callable[[str | bytes], None]) -> None:
        """Messages come from the recording only."""

    def inbound(self, message: str | bytes, event: object) -> None:
        """It was given."""

    def ended(self, kind: str, failure: tuple[str, str] | None) -> None:
        """It was given."""
        self._expect(Kind.ENDED, PROVIDERS[kind], failure_text(failure), f"{kind} ends otherwise")

    def sent(self, kind: str, detail: str | bytes) -> None:
        """A message for the carrier."""
        if isinstance(detail, bytes):
            self._expect(Kind.MEDIA_OUT, 0, detail, "the caller gets other audio")
        else:
            made = Kind.MARK_OUT if kind == "mark" else Kind.CLEAR_OUT
            self._expect(made, 0, detail.encode(), "the carrier gets another message")
        if not self.free:
            self.messages += 1

    def requested(self, kind: str, request: Mapping[str, Any]) -> None:
        """A request, by its hash."""
        hashes = b""
        for name, value in request.items():
            for part in value if isinstance(value, list | tuple) else [value]:
                content = part_of(name, part)
                digest = hashlib.sha256(content).digest()
                self._parts.setdefault(digest, content)
                hashes += digest
        self._expect(Kind.REQUEST, PROVIDERS[kind], hashes, f"{kind} is asked something else")

    def _requests(self, *entries: Entry) -> tuple[str, str]:
        texts = []
        for entry in entries:
            hashes = [entry.content[start : start + 32] for start in range(0, len(entry.content), 32)]
            texts.append([self._parts.get(each, each.hex().encode()).decode("utf-8", "replace") for each in hashes])
        return side_by_side(*texts)

    def _allow(self, what: tuple[Kind, int]) -> None:
        """A voice may ask for text, or take it."""
        self._allowed[what] += 1
        if (future := self._asks.pop(what, None)) is not None and not future.done():
            future.set_result(None)

    async def _may(self, what: tuple[Kind, int]) -> None:
        while not self.free and not self._allowed[what]:
            self._asks[what] = self.loop.create_future()
            await self._asks[what]
        if not self.free:
            self._allowed[what] -= 1

    async def asked(self, number: int) -> None:
        """The voice asks for text: it does when the recording says so."""
        await self._may((Kind.ASK, number))

    async def took(self, number: int) -> None:
        """It gets some, likewise."""
        await self._may((Kind.TOOK, number))

    def canned(self, text: str, found: Canned | None) -> Canned | None:
        """What the recording had."""
        if self.free:
            return None
        entry = self.peek()
        if entry is None:
            return None
        if entry.kind is not Kind.CANNED:
            self._differ(entry, f"{text!r} is to be said", "something is said that was not")
        size = int.from_bytes(entry.content[:4], "little")
        recorded, *words = from_json(entry.content[4 : 4 + size])
        if recorded != text:
            self._differ(entry, f"{text!r} is to be said", f"something else is said than {recorded!r}")
        self.take()
        if not entry.number:
            return None
        if words:
            made = tuple(Word(*word) for word in words[0])
            self._canned[text] = Canned(entry.content[4 + size :], made)
        return self._canned[text]

    def probability(self, value: Callable[[bytes], float], window: bytes) -> float:
        """What the model said."""
        return 0.0 if self.free else next(self._judged, 0.0)

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """Wait until it came; what stands in for it takes no time."""
        while not self.free and self.next_in(Kind.AWAITED) is None and not self.leaving:
            await self.arrival()
        if self.next_in(Kind.AWAITED) is not None and not self.free:
            self.take()
        return await work()

    async def tool(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """What the tool gave; it is not run again."""
        while (entry := self.next_in(Kind.TOOL)) is None:
            if self.leaving:
                raise RecordedFailure("the recording does not say what the tool gave")
            await self.arrival()
        self.take()
        outcome = from_json(entry.content)
        fault = outcome["fault"]
        result = ToolResult(**outcome["result"])
        return SimpleNamespace(result=result, fault=None if fault is None else tuple(fault), seconds=outcome["seconds"])

    async def hand_over(self, step: Callable[[], Awaitable[None]]) -> None:
        """What the carrier said; it is not asked again."""
        while (entry := self.next_in(Kind.HAND_OVER)) is None:
            if self.leaving:
                raise RecordedFailure("the recording does not say what the carrier did")
            await self.arrival()
        self.take()
        if entry.content:
            raise failure_of_entry(entry)

    def close(self, report: CallReport) -> None:
        """The call is over."""
        self.report = report_values(report)

    # --- notes ---

    def _note(self, note: dict[str, Any]) -> None:
        self._expect(Kind.NOTE, 0, to_json(note), "the call takes another course")

    def _note_sent(self, answer: int, at: float, position: int) -> None:
        self._expect(Kind.SENT, answer, SENT_PLACE.pack(at, position), "audio belongs elsewhere")


def _probabilities(entries: Sequence[Entry]) -> Iterator[float]:
    """What the model of voice activity said, window by window."""
    for entry in entries:
        if entry.kind is Kind.VAD:
            values = array("d")
            values.frombytes(entry.content)
            yield from values


def message_of(entry: Entry, stream_sid: str) -> str:
    """A message of the carrier as it may have been written."""
    if entry.kind is Kind.OTHER_IN:
        return entry.content.decode("utf-8", "surrogatepass")
    media = {"payload": b2a_base64(entry.content, newline=False).decode(), "timestamp": str(entry.number)}
    return json.dumps({"event": "media", "streamSid": stream_sid, "media": {"track": "inbound", **media}})


def failure_of_entry(entry: Entry) -> Exception:
    """The error that an entry tells of: of the same name, so that it reads the same."""
    name, _, message = entry.text.partition("\n")
    if name == "CancelledError":
        raise asyncio.CancelledError(message)
    builtin = {each.__name__: each for each in (ConnectionError, ConnectionResetError, TimeoutError, OSError)}
    if name in builtin:
        return builtin[name](message)
    made: type[Exception] = type(name, (RecordedFailure,), {})
    return made(message)


_DRIVE: Final[dict[Kind, Callable[[Driver, Entry], None]]] = {
    Kind.STEP: Driver._step,
    Kind.DONE: Driver._done,
    Kind.TIMER: Driver._timer_fires,
    Kind.MOMENT: Driver._moment,
    Kind.API: Driver._api,
    Kind.MEDIA_IN: Driver._message,
    Kind.OTHER_IN: Driver._message,
}

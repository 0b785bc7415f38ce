"""The engine of one call: delivers frames and runs handlers. Its answers are kept in `voiceloop.answers`.

Dispatch runs to completion: a frame pushed inside a handler waits until that handler has returned and is delivered
before control goes back to the event loop. So no handler is ever re-entered, and no depth of pushes can recurse.
What came of a frame is delivered before the frame behind it, so that content stays in order however often it is
replaced on its way.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voiceloop.answer import Answer
from voiceloop.answers import Answers
from voiceloop.faults import describe
from voiceloop.frames import AnswerEnd, Broadcast, Content, Fault, Frame, Signal
from voiceloop.gate import Gate
from voiceloop.handlers import Kind
from voiceloop.ports import BoundStop, Opening, Plan, Port
from voiceloop.processor import NotRunning
from voiceloop.registry import Registry, Work
from voiceloop.routes import table

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.processor import Processor

__all__ = ["Engine"]

RETURNED = "a handler of content returns nothing; send frames on with self.push(frame)"
SETTLE_LIMIT = 200_000
"""Frames delivered in one go before a loop of processors that push at each other is cut."""


class Engine(Answers):
    """Routes frames between the processors of one call."""

    def __init__(self, call: Call, processors: tuple[Processor, ...]) -> None:
        super().__init__(call)
        self.loop = asyncio.get_running_loop()
        journal = call.journal
        self.time = self.loop.time if journal is None else journal.now
        """The clock of the call, seconds."""
        self.registry = Registry(self.loop, call.wake, journal)
        self.processors = processors
        self.observed = len(processors)
        """Index of the first processor that only observes: what those do is no part of the call."""
        self.closed = False
        self._table = table(tuple(type(processor) for processor in processors))
        self._gates = [Gate(self, index) if closes else None for index, closes in enumerate(self._table.gates)]
        self._queue: deque[tuple[Frame, Port]] = deque()
        self._pushed: list[tuple[Frame, Port]] = []
        self.delivering = False
        self._ports: list[tuple[Port, Port]] = []
        self.head = Port(self, -1, False)
        for index, processor in enumerate(processors):
            down, up = Port(self, index, False), Port(self, index, True)
            self._ports.append((down, up))
            processor._engine, processor._index, processor._down, processor._up = self, index, down, up

    # --- delivering ----------------------------------------------------------------------------------------

    def dispatch(self, frame: Frame, port: Port) -> None:
        """Deliver a frame, or queue it behind the one that is being delivered."""
        if self.delivering:
            self._pushed.append((frame, port))
        else:
            self._queue.append((frame, port))
            self._drain()

    def within(self, action: Callable[[], None]) -> None:
        """Run an action of the engine as if a handler did: what it pushes is delivered when it has returned."""
        if self.delivering:
            action()
        else:
            self._drain(action)

    def _drain(self, action: Callable[[], None] | None = None) -> None:
        queue, pushed, fresh = self._queue, self._pushed, self._fresh
        failure: Exception | None = None
        self.delivering = True
        self.call._now = self.time()
        budget = SETTLE_LIMIT
        try:
            if action is not None:
                try:
                    action()
                except Exception as error:  # the caller's, once what was pushed has been delivered
                    failure = error
                queue.extend(pushed)
                pushed.clear()
            if self.closed:
                queue.clear()
            while queue:
                frame, port = queue.popleft()
                plan = port[frame.__class__]
                if plan.content:
                    self._content(frame, plan)  # type: ignore[arg-type]
                else:
                    for handler, kind, index in plan.steps:
                        if kind:
                            replaced = self._special(frame, handler, kind, index)
                            if replaced.__class__ is not frame.__class__:  # other handlers want it from here on
                                pushed.insert(0, (replaced, self._ports[index][port.up]))
                                break
                            frame = replaced
                        else:
                            try:
                                handler(frame)
                            except (Exception, CancelledError) as error:
                                self._failed(error, index, handler.__name__, frame)
                if pushed:
                    pushed.reverse()
                    queue.extendleft(pushed)
                    pushed.clear()
                if fresh:
                    fresh.clear()
                budget -= 1
                if not budget:
                    budget = SETTLE_LIMIT
                    self._unsettled()
            if failure is not None:
                raise failure
        finally:
            failure = None  # its traceback holds this frame
            fresh.clear()
            self.delivering = False

    def _special(self, frame: Frame, handler: Callable[[Any], Any], kind: int, index: int) -> Frame:
        """A signal's handler that is not a plain one; returns the frame that goes on."""
        try:
            if kind == Kind.ASYNC:
                name = f"{self.processors[index].name}.{handler.__name__}"
                on_done = self._fault_handler_done if isinstance(frame, Fault) else self._handler_done
                self.spawn(handler(frame), name, origin=index, on_done=on_done)
                return frame
            replaced = handler(frame)
            if not isinstance(replaced, Signal):
                raise TypeError(f"@transforms must return a signal, got {type(replaced).__name__}")
            if type(replaced) is not type(frame) and (isinstance(frame, Broadcast) or isinstance(replaced, Broadcast)):
                raise TypeError(
                    f"@transforms cannot turn {type(frame).__name__} into {type(replaced).__name__}: "
                    f"one of them is a broadcast, which reaches every processor"
                )
            return replaced
        except (Exception, CancelledError) as error:
            self._failed(error, index, handler.__name__, frame)
            return frame

    def _content(self, frame: Content, plan: Plan) -> None:
        answer = frame.answer
        for stop in plan.stops:
            if answer.outcome is not None:  # dead, or over: nothing of it may come any more
                return
            if stop.gate is not None:
                stop.gate.offer(frame, stop)
                return
            if stop.watchers:
                self.look(frame, stop)
                if self._pushed and frame.__class__ is AnswerEnd:  # the last words of an answer go in front of its end
                    self._pushed.append((frame, self._ports[stop.index][0]))
                    return
            handler = stop.handler
            if handler is not None:  # as in `run`, without the call
                if answer.outcome is None:
                    try:
                        if handler(frame) is not None:
                            raise TypeError(RETURNED)
                    except (Exception, CancelledError) as error:
                        self._failed(error, stop.index, handler.__name__, frame)
                return
        if frame.__class__ is AnswerEnd:
            answer.delivered = True
            self._settle(answer)

    def look(self, frame: Content, stop: BoundStop) -> None:
        """Run the watchers of a stop."""
        for watcher in stop.watchers:
            try:
                watcher(frame)
            except (Exception, CancelledError) as error:
                self._failed(error, stop.index, watcher.__name__, frame)

    def run(self, frame: Content, stop: BoundStop) -> None:
        """Run the plain content handler of a stop."""
        handler = stop.handler
        assert handler is not None
        if frame.answer.outcome is not None:
            return
        try:
            if handler(frame) is not None:
                raise TypeError(RETURNED)
        except (Exception, CancelledError) as error:
            self._failed(error, stop.index, handler.__name__, frame)

    def pass_on(self, frame: Content, index: int) -> None:
        """Send content on from behind the gate of a processor."""
        self.dispatch(frame, self._ports[index][0])

    def open(self, gate: Gate) -> None:
        """Let content go on from a gate, as soon as no handler runs."""
        self.dispatch(Opening(gate), self.head)

    def _plan(self, frame_type: type[Frame], origin: int, up: bool) -> Plan:
        if frame_type is Opening:
            return Plan(False, ((_open, 0, -1),), ())
        stops = self._table.route(frame_type, origin, up)
        if issubclass(frame_type, Content):
            bound = tuple(BoundStop(s, self.processors[s.place], self._gates[s.place]) for s in stops)
            return Plan(True, (), bound)
        steps = tuple((getattr(self.processors[s.place], s.handler), int(s.kind), s.place) for s in stops if s.handler)
        return Plan(False, steps, ())

    def _unsettled(self) -> None:
        """So many frames were delivered in one go: drop what is still coming."""
        if not self._queue:
            return
        names = ", ".join(sorted({type(frame).__name__ for frame, _ in self._queue}))
        self._queue.clear()
        self.call.fault(
            "dispatch.unsettled",
            f"{SETTLE_LIMIT} frames were pushed in one go and more were coming ({names}): two handlers push at each "
            f"other without end. They were dropped; break the circle.",
        )
        self._queue.extend(self._pushed)
        self._pushed.clear()

    # --- tasks ---------------------------------------------------------------------------------------------

    def spawn(
        self,
        coroutine: Any,
        name: str,
        *,
        answer: Answer | None = None,
        origin: int = -1,
        kept: bool = False,
        on_done: Callable[[Work], None] | None = None,
        own: bool = True,
    ) -> Work:
        """Run a coroutine as a task of this call. No interruption cancels it when it is `kept`; when it is not the
        call's `own`, the call's journal does not hear of it."""
        if self.closed:
            coroutine.close()
            raise NotRunning(f"{name} cannot begin any more: the call has ended.")
        return self.registry.spawn(
            coroutine,
            name,
            answer=answer,
            origin=origin,
            kept=kept,
            on_done=on_done,
            own=own and origin < self.observed,
        )

    def _handler_done(self, work: Work) -> None:
        self.work_ended(work, None)

    def _fault_handler_done(self, work: Work) -> None:
        """A handler of faults that fails must not feed itself."""
        if work.failure is not None:
            self.call.note_fault(work.name, *describe(work.failure))
            work.failure = None
        self.work_ended(work, None)

    def work_ended(self, work: Work, answer: Answer | None) -> None:
        """The end of a handler's task: report its failure, finish or fail the answers it began."""
        begun, work.begun = work.begun, {}
        failure = work.failure
        if failure is None and work.cancelled and not (work.asked or work.kept):
            failure = CancelledError("cancelled from within: something it awaited was cancelled")
        if failure is not None and not self.closed:
            if work.asked:  # a failure to clean up after an interruption harms nobody
                self.call.note_fault(work.name, *describe(failure))
            else:
                self.call.fault(work.name, *describe(failure), answer=answer or next(iter(begun), None))
            for each in [answer, *begun]:
                if each is not None:
                    self.end(each, "failed")
            return
        for each, origin in begun.items():
            each._work.pop(work, None)
            if work.cancelled:
                self.end(each, "discarded")
            else:
                self.finish(each, origin)

    def _failed(self, error: BaseException, index: int, handler: str, frame: Frame) -> None:
        """A plain handler raised: report it, and fail the answers it had begun and not finished."""
        kind = f"{self.processors[index].name}.{handler}"
        message, detail = describe(error)
        begun = [answer for answer, origin in self._fresh if origin == index and not answer.finished]
        if isinstance(frame, Fault):  # a handler of faults that fails must not feed itself
            self.call.note_fault(kind, message, detail)
        else:
            answer = frame.answer if isinstance(frame, Content) else next(iter(begun), None)
            self.call.fault(kind, message, detail, answer=answer)
        for answer in begun:
            self.end(answer, "failed")

    # --- the end -------------------------------------------------------------------------------------------

    async def close(self, limit: float) -> list[str]:
        """Cancel all tasks and timers; return the names of those that did not end in time."""
        self.closed = True
        return await self.registry.close(limit)

    def cut(self) -> None:
        """Unlink everything, so that nothing of the call survives it."""
        self._queue.clear()
        self._pushed.clear()
        self.answers.clear()
        self.unheard.clear()
        self.head.cut()
        for down, up in self._ports:
            down.cut()
            up.cut()
        self._ports.clear()
        for gate in self._gates:
            if gate is not None:
                gate.cut()
        self._gates.clear()
        for processor in self.processors:
            processor._engine = processor._down = processor._up = None
        self.processors = ()


def _open(opening: Opening) -> None:
    opening.gate.advance()

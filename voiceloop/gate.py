"""A gate: keeps the order of content at a processor whose handlers take time.

Content passes one answer after the other, in the order the answers first arrived; within an answer, frame after
frame. While a task of the processor works, everything behind it waits here. Signals never come here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from voiceloop.frames import AnswerEnd, Content
from voiceloop.handlers import Kind
from voiceloop.registry import Work
from voiceloop.stream import Stream

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.engine import Engine
    from voiceloop.ports import BoundStop

__all__ = ["Gate"]


class Gate:
    """The queue in front of one processor of one call."""

    __slots__ = ("_engine", "_index", "_lines", "_reader", "_sated", "_stream", "_work")

    def __init__(self, engine: Engine, index: int) -> None:
        self._engine: Engine | None = engine
        self._index = index
        self._lines: dict[Answer, deque[tuple[Content, BoundStop]]] = {}
        self._work: Work | None = None
        self._stream: Stream[Any] | None = None
        self._reader: Any = None
        """The handler that reads the open stream: only its frames feed it."""
        self._sated: tuple[Answer, Any] | None = None
        """An answer, and the stream handler that returned before the end of it: it gets no more of that run."""

    def offer(self, frame: Content, stop: BoundStop) -> None:
        """Take a frame; it goes on as soon as it is its turn."""
        self._lines.setdefault(frame.answer, deque()).append((frame, stop))
        self.advance()

    def drop(self, answer: Answer) -> bool:
        """Forget an answer that is over, without waiting for its task to clean up. True when others wait."""
        self._lines.pop(answer, None)
        if self._work is not None and self._work.answer is answer:
            self._open()
        if self._sated is not None and self._sated[0] is answer:
            self._sated = None
        return bool(self._lines)

    def _open(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._work = self._stream = self._reader = None

    def advance(self) -> None:
        """Let everything go on whose turn it is. Only called while no handler runs."""
        while self._lines and self._engine is not None:
            answer, line = next(iter(self._lines.items()))
            if answer.outcome is not None:
                del self._lines[answer]
            elif not line or not self._step(answer, line):
                return

    def _step(self, answer: Answer, line: deque[tuple[Content, BoundStop]]) -> bool:
        """Let the first frame of the line go on; False when it has to wait."""
        engine = self._engine
        assert engine is not None
        frame, stop = line[0]
        if self._work is not None:
            if self._stream is None:
                return False
            if stop.handler != self._reader:
                self._stream.close()  # its consecutive frames are over: the handler may return
                return False
        line.popleft()
        engine.look(frame, stop)
        if answer.outcome is not None:
            return True
        if self._stream is not None:
            self._stream.feed(frame)
            return True
        if self._sated is not None:
            if self._sated == (answer, stop.handler):
                return True
            self._sated = None
        if stop.handler is None:
            if isinstance(frame, AnswerEnd):
                self._lines.pop(answer, None)
            engine.pass_on(frame, self._index)
        elif stop.kind == Kind.INLINE:
            engine.run(frame, stop)
        else:
            self._begin(frame, stop)
        return True

    def _begin(self, frame: Content, stop: BoundStop) -> None:
        engine = self._engine
        assert engine is not None
        assert stop.handler is not None
        answer = frame.answer
        argument: Any = frame
        if stop.kind == Kind.STREAM:
            self._stream = argument = Stream[Any](answer)
            self._reader = stop.handler
            self._stream.feed(frame)
        name = f"{engine.processors[self._index].name}.{stop.handler.__name__}"
        try:
            self._work = engine.spawn(
                stop.handler(argument), name, answer=answer, origin=self._index, on_done=self._done
            )
        except Exception as error:  # not a coroutine after all
            self._open()
            engine._failed(error, stop.index, stop.handler.__name__, frame)

    def _done(self, work: Work) -> None:
        engine = self._engine
        if engine is None:
            return

        def ended() -> None:
            if work is self._work:
                if self._stream is not None and not self._stream.closed and work.answer is not None:
                    self._sated = (work.answer, self._reader)
                self._open()
            engine.work_ended(work, work.answer)
            if self._lines:
                engine.open(self)

        engine.within(ended)

    def cut(self) -> None:
        """Let go of everything at the end of the call."""
        self._engine = None
        self._lines.clear()
        self._work = self._stream = self._reader = self._sated = None

"""A stage of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from voiceloop.errors import VoiceloopError
from voiceloop.frames import Content, Frame, Text, UserTurn
from voiceloop.handlers import Handler, collect

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.call import Call
    from voiceloop.engine import Engine
    from voiceloop.ports import Port

__all__ = ["NotRunning", "Processor"]


class NotRunning(VoiceloopError, RuntimeError):
    """A processor was used outside a running call."""


class Processor:
    """One stage: handles some frames, passes all others.

    Subclass it and write ``on_*`` methods; the annotation of the argument says which frame a method handles::

        class Shout(Processor):
            def on_text(self, text: Text) -> None:
                self.push(Text(text.answer, text.text.upper()))

    A plain ``def`` runs at once. An ``async def`` runs as a task of its own, content one at a time. An
    ``async def`` over ``Stream[Text]`` reads one answer's text as it is written.

    An instance belongs to one call: build it inside ``bot(call)``.
    """

    _handlers: ClassVar[dict[str, Handler]] = {}

    _engine: Engine | None = None
    _down: Port | None = None
    _up: Port | None = None
    _index: int = -1

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._handlers = collect(cls)

    @property
    def name(self) -> str:
        """How reports and errors call it: the class's name."""
        return type(self).__name__

    @property
    def call(self) -> Call:
        """The call it works for. Raises `NotRunning` outside of one."""
        if self._engine is None:
            raise self._not_running("call")
        return self._engine.call

    async def start(self) -> None:
        """Get ready; media flows when every processor has returned from here, or the start limit has passed."""

    async def stop(self) -> None:
        """Give back what `start` took. Runs once if `start` was entered, also when it failed."""

    def push(self, frame: Frame) -> None:
        """Send a frame on, towards the end of the pipeline. A plain call: it is delivered before control returns to
        the event loop, after the handler that is running has returned."""
        if self._engine is None or self._down is None:
            raise self._not_running("push")
        if frame.__class__ not in self._down and not isinstance(frame, Frame):
            raise TypeError(f"push takes a frame, such as Text(answer, 'hello'); got {type(frame).__name__}.")
        self._engine.dispatch(frame, self._down)

    def push_up(self, frame: Frame) -> None:
        """Send a signal back, towards the head of the pipeline."""
        if self._engine is None or self._up is None:
            raise self._not_running("push_up")
        if not isinstance(frame, Frame):
            raise TypeError(f"push_up takes a signal, such as Digit('1', at); got {type(frame).__name__}.")
        if isinstance(frame, Content):
            raise TypeError(f"push_up takes a signal; {type(frame).__name__} is content, which only flows downstream.")
        self._engine.dispatch(frame, self._up)

    def begin_answer(
        self, *, turn: UserTurn | None = None, speculative: bool = False, interruptible: bool = True
    ) -> Answer:
        """Begin an answer of the agent. Inside an ``async def`` handler the engine finishes it when the handler
        returns; a plain handler finishes it with `finish_answer`."""
        if self._engine is None:
            raise self._not_running("begin_answer")
        return self._engine.begin(self._index, turn, speculative, interruptible)

    def finish_answer(self, answer: Answer) -> None:
        """Say that no more content of this answer will be written. Harmless when said twice."""
        if self._engine is None:
            raise self._not_running("finish_answer")
        self._engine.finish(answer, self._index)

    def write(self, answer: Answer, text: str) -> None:
        """Add text to an answer and push it on; nothing happens when the answer is dead.

        Raises:
            VoiceloopError: the answer has been finished.
        """
        if text and not answer.dead:
            if answer.finished:
                raise VoiceloopError(f"{self.name} cannot write {text!r} any more: {answer} has been finished.")
            answer.text += text
            self.push(Text(answer, text))

    def _not_running(self, what: str) -> NotRunning:
        return NotRunning(
            f"{type(self).__name__}.{what} needs a running call: put the processor into a Pipeline and run it. "
            f"After the call has ended nothing can be pushed any more."
        )

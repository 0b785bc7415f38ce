"""The answers of a call, from the outside: begin one, hold it, cut it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceloop.answer import Answer
from voiceloop.call_work import Working
from voiceloop.frames import Pause, Resume
from voiceloop.journal import from_outside
from voiceloop.runtime import Runtime

if TYPE_CHECKING:
    from voiceloop.engine import Engine

__all__ = ["Answering"]


class Answering(Working):
    """The part of a `Call` that has answers."""

    def __init__(self, id: str, runtime: Runtime) -> None:
        super().__init__(id, runtime)
        self._endless: dict[Answer, None] = {}

    def open_answer(self, *, interruptible: bool = True) -> Answer:
        """Begin an answer whose content somebody pushes by hand, until `Processor.finish_answer`."""
        return self._begin(self._running("open_answer"), interruptible)

    def _begin(self, engine: Engine, interruptible: bool) -> Answer:
        self.end_endless()
        return engine.begin(-1, None, False, interruptible, own=False)

    def end_endless(self) -> None:
        """Cut off what is played again and again: something follows."""
        endless, self._endless = list(self._endless), {}
        for each in endless:
            self.interrupt(each)

    def live_answers(self) -> list[Answer]:
        """Answers that have begun and not ended, oldest first."""
        return list(self._running("live_answers").answers)

    def unheard_answers(self) -> list[Answer]:
        """Answers of which anything may still be heard, oldest first: the live ones, and those that have failed and of
        which what was made is still being played."""
        return list(self._running("unheard_answers").unheard)

    @from_outside
    def interrupt(self, answer: Answer | None = None) -> None:
        """Cut an answer off, or every one that is still to be heard and may be interrupted. Its content is dropped from
        this moment."""
        engine = self._running("interrupt")
        cut = [answer] if answer is not None else [each for each in engine.unheard if each.interruptible]

        def end() -> None:  # in one go: all are dead before anyone hears of it, or the next one would begin
            for each in cut:
                if not engine.end(each, "interrupted"):
                    engine.silence(each)

        engine.within(end)

    @from_outside
    def discard(self, answer: Answer) -> None:
        """Drop an answer of which nothing was heard."""
        self._running("discard").end(answer, "discarded")

    @from_outside
    def commit(self, answer: Answer) -> None:
        """Let a speculative answer be heard."""
        self._running("commit").commit(answer)

    @from_outside
    def pause(self, answer: Answer) -> None:
        """Hold the voice of this answer; what was sent and not heard is kept."""
        self.broadcast(Pause(answer))

    @from_outside
    def resume(self, answer: Answer) -> None:
        """Let a paused answer go on, from the first word that was not heard."""
        self.broadcast(Resume(answer))

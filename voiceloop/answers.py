"""The answers of one call: each begins, may be finished, is heard, and ends exactly once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from voiceloop.answer import Answer, AnswerState, Outcome
from voiceloop.frames import AnswerBegan, AnswerEnd, AnswerEnded, Commit, Frame, Interruption, UserTurn

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.gate import Gate
    from voiceloop.ports import Port
    from voiceloop.registry import Registry

__all__ = ["Answers"]


class Answers:
    """The part of the engine that keeps the answers. The rest of it delivers what is told here."""

    registry: Registry
    head: Port
    _gates: list[Gate | None]
    _ports: list[tuple[Port, Port]]
    delivering: bool

    def __init__(self, call: Call) -> None:
        self.call = call
        self.answers: dict[Answer, None] = {}
        """Live answers, oldest first."""
        self.unheard: dict[Answer, None] = {}
        """Answers that live, or have ended and are still being heard."""
        self._count = max((turn.answer for turn in call.turns), default=0)  # on a line before this one
        self._fresh: list[tuple[Answer, int]] = []
        """Answers begun by plain handlers since the frame that is being delivered, and by whom."""

    def dispatch(self, frame: Frame, port: Port) -> None:
        """Deliver a frame."""
        raise NotImplementedError

    def within(self, action: Callable[[], None]) -> None:
        """Run an action as if a handler did."""
        raise NotImplementedError

    def open(self, gate: Gate) -> None:
        """Let content go on from a gate."""
        raise NotImplementedError

    def begin(
        self, origin: int, turn: UserTurn | None, speculative: bool, interruptible: bool, *, own: bool = True
    ) -> Answer:
        """Make an answer. It is the running handler's to finish, unless not its `own`."""
        self._count += 1
        answer = Answer(self._count, speculative=speculative, interruptible=interruptible, turn=turn)
        answer.stamp("begun", self.call.now)
        self.answers[answer] = self.unheard[answer] = None
        if own and self.delivering:
            self._fresh.append((answer, origin))
        elif own and (work := self.registry.current()) is not None:
            work.begun[answer] = origin
            if not work.kept:
                answer._work[work] = None
        self.dispatch(AnswerBegan(answer), self.head)
        return answer

    def finish(self, answer: Answer, origin: int) -> None:
        """No more content of this answer comes from the processor at `origin`."""
        if answer.finished or answer.outcome is not None:
            return
        answer.finished = True
        self.dispatch(AnswerEnd(answer), self.head if origin < 0 else self._ports[origin][0])

    def end(self, answer: Answer, outcome: Outcome) -> bool:
        """End an answer, once: mark it, cancel what works for it, then tell everybody.

        One that fails before it is certain is discarded: nobody knows of it, and the turn is answered anew.
        """
        if outcome == "failed" and answer.state is AnswerState.SPECULATIVE:
            outcome = "discarded"
        if not answer._close(outcome):
            return False
        self.within(partial(self._bury, answer, outcome))
        self._close_heard(answer)
        return True

    def silence(self, answer: Answer) -> None:
        """Stop the sound of an answer that has failed: what was made of it before is still being heard."""
        if answer.outcome == "failed" and answer in self.unheard:
            self.dispatch(Interruption(answer), self.head)

    def _close_heard(self, answer: Answer) -> None:
        if answer.outcome is not None and answer._holds <= 0 and answer in self.unheard:
            del self.unheard[answer]
            self.call._answer_closed(answer)

    def _bury(self, answer: Answer, outcome: Outcome) -> None:
        self.answers.pop(answer, None)
        if answer.dead:
            for work in list(answer._work):
                work.cancel()
        answer._work.clear()
        waiting = [gate for gate in self._gates if gate is not None and gate.drop(answer)]
        if outcome == "interrupted":
            self.dispatch(Interruption(answer), self.head)
        self.dispatch(AnswerEnded(answer), self.head)
        for gate in waiting:
            self.open(gate)

    def commit(self, answer: Answer) -> None:
        """Let a speculative answer be heard."""
        if answer.state is AnswerState.SPECULATIVE:
            answer._commit()
            self.dispatch(Commit(answer), self.head)
            self._settle(answer)

    def hold(self, answer: Answer) -> None:
        """Keep an answer from completing until `release`: something of it is still to be heard."""
        answer._holds += 1

    def release(self, answer: Answer) -> None:
        """Take a `hold` back."""
        answer._holds = max(0, answer._holds - 1)
        self._settle(answer)
        self._close_heard(answer)

    def _settle(self, answer: Answer) -> None:
        if answer.delivered and answer._holds <= 0 and answer.state is AnswerState.COMMITTED:
            self.end(answer, "complete")

    def end_all(self) -> None:
        """The call is over: end and settle every answer of which anything is left."""
        for answer in list(self.unheard):
            self.end(answer, "discarded")
            answer._holds = 0
            self._close_heard(answer)

"""The record of a call while it runs: what was said and heard, its turns, its faults, and who wants to know."""

from __future__ import annotations

import inspect
import logging
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from voiceloop.answer import Answer
from voiceloop.conversation import Conversation, Message
from voiceloop.frames import UserTurn
from voiceloop.latency import latency_of
from voiceloop.report import CallReport, FaultRecord, Turn

__all__ = ["Record"]

log = logging.getLogger("voiceloop.call")
turn_log = logging.getLogger("voiceloop.turns")

T = TypeVar("T")
MAX_FAULTS = 100
"""Faults kept in the report; more are counted only."""


class Record:
    """What `Call` keeps for its report."""

    def __init__(self, call_id: str, *, console: bool = False) -> None:
        self.call_id = call_id
        self._console = console
        self.conversation = Conversation()
        self.turns: list[Turn] = []
        self.usage: Counter[str] = Counter()
        self.faults: list[FaultRecord] = []
        self.started = 0.0
        """When the call began, seconds on the loop's clock."""
        self._messages: dict[Answer, Message | None] = {}
        self._on_turn: list[Callable[[Turn], object]] = []
        self._on_end: list[Callable[[CallReport], object]] = []

    def on_turn(self, callback: Callable[[Turn], object]) -> None:
        """Call this with every finished turn."""
        self._on_turn.append(_plain(callback))

    def on_end(self, callback: Callable[[CallReport], object]) -> None:
        """Call this with the report."""
        self._on_end.append(_plain(callback))

    def remember(self, answer: Answer, heard: str, unheard: str, interrupted: bool) -> None:
        """What was heard of an answer, and what was not."""
        heard, unheard = heard.strip(), unheard.strip()
        message = self._messages.get(answer)
        if message is None:
            if not heard:
                self._messages[answer] = None  # there is a voice, and nothing of it was heard
                return
            message = self._messages[answer] = self.conversation.add("assistant", heard)
        message.text, message.unheard, message.interrupted = heard, unheard, interrupted

    def close_answer(self, answer: Answer, *, ending: bool) -> None:
        """An answer is over and nothing of it is left to be heard: its turn is, too."""
        if answer.outcome == "complete" and answer not in self._messages:
            self.remember(answer, answer.text, "", False)  # a pipeline without a voice: written is heard
        message = self._messages.pop(answer, None)
        if answer.turn is None or answer.provisional:
            return
        if answer.turn.withdrawn and "played" not in answer.milestones and not ending:
            return  # the caller went on speaking: what they said is part of the next turn
        self._close_turn(answer, answer.turn, message)

    def _close_turn(self, answer: Answer, said: UserTurn, message: Message | None) -> None:
        times = {**answer.milestones, "ended": said.ended, "endpointed": said.endpointed, "decided": said.decided}
        turn = Turn(len(self.turns) + 1, said.text, latency=latency_of(times), answer=answer.id)
        if message is not None:
            turn.heard, turn.unheard, turn.interrupted = message.text, message.unheard, message.interrupted
        else:
            turn.unheard, turn.interrupted = answer.text.strip(), answer.outcome == "interrupted"
        self.turns.append(turn)
        turn_log.info("%s", turn.line())
        if self._console:
            print(turn.line(), file=sys.stderr, flush=True)
        self._tell(self._on_turn, turn, "on_turn")

    def fault(self, kind: str, message: str, detail: str, at: float) -> None:
        """A failure, as text; `at` in seconds on the loop's clock."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(FaultRecord(kind, message, detail, at - self.started))
        log.warning("call %s: %s: %s", self.call_id, kind, message)
        if detail:
            log.debug("%s", detail)

    def report(self, reason: str, ended: float, abandoned: list[str]) -> CallReport:
        """Close the record; `ended` in seconds on the loop's clock."""
        report = CallReport(
            call_id=self.call_id,
            reason=reason,
            duration=ended - self.started,
            conversation=self.conversation,
            turns=self.turns,
            usage=dict(self.usage),
            faults=self.faults,
            abandoned=abandoned,
        )
        self._tell(self._on_end, report, "on_end")
        return report

    def _tell(self, hooks: list[Callable[[Any], object]], what: Turn | CallReport, name: str) -> None:
        for hook in hooks:
            try:
                hook(what)
            except Exception as error:
                self.fault(name, f"{type(error).__name__}: {error}", "", self.started)

    def cut(self) -> None:
        """Let go of everything that may lead back to the call."""
        self._messages.clear()
        self._on_turn.clear()
        self._on_end.clear()


def _plain(callback: Callable[[T], object]) -> Callable[[T], object]:
    if inspect.iscoroutinefunction(callback):
        raise TypeError(f"expected a plain function, got async def {callback.__qualname__}; use call.work() in it")
    return callback

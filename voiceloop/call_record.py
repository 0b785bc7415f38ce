"""The record of a call while it runs: what was said and heard, its turns, its faults, and who wants to know."""

from __future__ import annotations

import inspect
import logging
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from voiceloop.answer import Answer
from voiceloop.carried import Carried
from voiceloop.conversation import Conversation, Message, ToolCall
from voiceloop.frames import UserTurn
from voiceloop.latency import latency_of
from voiceloop.prices import Prices
from voiceloop.report import CallReport, FaultRecord, Turn
from voiceloop.served import Served
from voiceloop.speculated import count_gained, count_kept, count_wasted, gained_of
from voiceloop.spoken_answer import Round, SpokenAnswer

__all__ = ["Follower", "Record"]

log = logging.getLogger("voiceloop.call")
turn_log = logging.getLogger("voiceloop.turns")

T = TypeVar("T")
MAX_FAULTS = 100
"""Faults kept in the report; more are counted only."""


class Follower(Protocol):
    """Keeps up with a call's record while it grows: writes it down, so that it outlives the process."""

    def changed(self) -> None:
        """Something of the conversation, the turns, the counts or the faults is new, or another."""

    def ending(self, reason: str) -> None:
        """The call is over: what was heard is settled. Its line is closed after this, and the report comes last."""


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
        """When the call began, seconds on the loop's clock; on this line, if it was on others before."""
        self.before = 0.0
        """Seconds that it lasted on the lines before."""
        self._follower: Follower | None = None
        self.served: dict[str, Counter[str]] = {}
        """Requests by who served them, for each kind of provider (``stt``, ``llm``, ``tts``)."""
        self._serving: dict[str, tuple[str, str]] = {}
        self._spoken: dict[Answer, SpokenAnswer] = {}
        self._withdrawn: tuple[Answer, UserTurn, SpokenAnswer | None] | None = None
        self._closed: UserTurn | None = None
        """The last turn that is in `turns`."""
        self._went_on = 0
        """The last answer to a turn that went on from the one before, of those that are closed."""
        self._on_turn: list[Callable[[Turn], object]] = []
        self._on_end: list[Callable[[CallReport], object]] = []

    def carry(self, carried: Carried) -> None:
        """Go on from what was said and done on the lines before. For a call that has not begun."""
        for message in carried.messages:
            self.conversation.append(message)
        self.turns += carried.turns
        self.faults += carried.faults
        self.usage.update(carried.usage)
        self.before += carried.duration
        for kind, counts in carried.served.items():
            self.served.setdefault(kind, Counter()).update(counts)

    def follow(self, follower: Follower | None) -> None:
        """Have somebody keep up with it; None: nobody any more."""
        self._follower = follower
        self.conversation.watcher = None if follower is None else follower.changed

    def _changed(self) -> None:
        if self._follower is not None:
            self._follower.changed()

    def ending(self, reason: str) -> None:
        """The call is over, and what was heard is settled."""
        if self._follower is not None:
            self._follower.ending(reason)

    def on_turn(self, callback: Callable[[Turn], object]) -> None:
        """Call this with every finished turn."""
        self._on_turn.append(_plain(callback))

    def on_end(self, callback: Callable[[CallReport], object]) -> None:
        """Call this with the report."""
        self._on_end.append(_plain(callback))

    def remember(self, answer: Answer, heard: str, unheard: str, interrupted: bool, bound: int = 0) -> None:
        """What was heard of an answer, and what was not; `bound`: by how many words that may be off."""
        spoken = self._spoken.setdefault(answer, SpokenAnswer())
        spoken.remember(self.conversation, answer.text, heard.strip(), unheard.strip(), interrupted, bound)
        spoken.voiced = True
        self._changed()

    def note_tools(self, answer: Answer, calls: tuple[ToolCall, ...], echo: Any) -> Round:
        """The model asked for tools in the middle of an answer."""
        spoken = self._spoken.setdefault(answer, SpokenAnswer())
        return spoken.add_round(self.conversation, len(answer.text), calls, echo)

    def messages_for(self, answer: Answer | None) -> list[Message]:
        """The conversation for a request of this answer: its own text as written, all else as heard.

        What was said while its tools ran stands in front of them, for their results are what it goes on from.
        """
        spoken = self._spoken.get(answer) if answer is not None else None
        last = spoken.rounds[-1] if spoken is not None and spoken.rounds else None
        messages: list[Message] = []
        asked = given = 0  # where the last round begins and ends
        for message in self.conversation:
            written = message
            if answer is not None and spoken is not None:
                found = spoken.as_written(message, answer.text)
                if found is None:
                    continue
                written = found
            if written is message and message.echo is not None:  # of an earlier answer, of which not all was heard
                written = Message(message.role, message.text, calls=message.calls)
            asked = len(messages) if last is not None and message is last.asked else asked
            messages.append(written)
            given = len(messages) if last is not None and message is last.given else given
        if last is not None and all(message.role == "assistant" for message in messages[given:]):
            messages[asked:] = messages[given:] + messages[asked:given]
        return messages

    def note_served(self, kind: str, served: Served) -> bool:
        """Who did the work of a request. Returns whether another one than before stands in for the first choice."""
        self.served.setdefault(kind, Counter())[served.name] += 1
        before, self._serving[kind] = self._serving.get(kind), (served.name, served.instead_of)
        return bool(served.instead_of) and before != self._serving[kind]

    def close_answer(self, answer: Answer) -> None:
        """An answer is over and nothing of it is left to be heard: its turn is, too."""
        spoken = self._spoken.get(answer)
        if answer.outcome == "complete" and (spoken is None or not spoken.voiced):
            self.remember(answer, answer.text, "", False)  # a pipeline without a voice: written is heard
        spoken = self._spoken.pop(answer, None)
        self._count_waste(answer, spoken)
        if answer.turn is None or answer.provisional:
            return
        self._settle_withdrawn(answer, answer.turn)
        if not answer.turn.withdrawn or (spoken is not None and spoken.known):
            self._close_turn(answer, answer.turn, spoken)
        elif self._withdrawn is None and answer.id > self._went_on:  # they go on in the next turn, if that comes
            self._withdrawn = answer, answer.turn, spoken
        if answer.turn.continued:
            self._went_on = max(self._went_on, answer.id)

    def _settle_withdrawn(self, later: Answer, turn: UserTurn) -> None:
        """What was said in a withdrawn turn is in the one that goes on from it; without that it is a turn itself."""
        withdrawn = self._withdrawn
        if withdrawn is None or withdrawn[1] is turn or later.id < withdrawn[0].id:
            return
        self._withdrawn = None
        if not turn.continued:
            self._close_turn(*withdrawn)

    def _count_waste(self, answer: Answer, spoken: SpokenAnswer | None) -> None:
        """What was written, and perhaps spoken, for nobody."""
        unheard = len(answer.text.strip()) if spoken is None else len(spoken.unheard)
        if answer.dead and unheard:
            self.usage["llm.wasted_characters"] += unheard
            heard = 0 if spoken is None else len(spoken.heard)
            self.usage["tts.wasted_characters"] += max(0, min(unheard, answer.voiced - heard))
        if answer.provisional:
            count_wasted(self.usage, discarded=1, characters=answer.voiced)
        elif answer.speculative:
            count_kept(self.usage)

    def _close_turn(self, answer: Answer, said: UserTurn, spoken: SpokenAnswer | None) -> None:
        times = {**answer.milestones, "ended": said.ended, "endpointed": said.endpointed, "decided": said.decided}
        text = said.text
        before, self._closed = self._closed, said
        if said.continued and before is not None and before.withdrawn and f"{text} ".startswith(f"{before.text} "):
            text = text[len(before.text) :].strip()  # it was taken back when it had been told
        gained = gained_of(times)
        turn = Turn(len(self.turns) + 1, text, latency=latency_of(times), answer=answer.id, gained=gained)
        count_gained(self.usage, gained)
        if spoken is not None and spoken.known:
            turn.heard, turn.unheard, turn.interrupted = spoken.heard, spoken.unheard, spoken.interrupted
            turn.heard_bound = spoken.bound if spoken.interrupted else 0
        else:
            turn.unheard, turn.interrupted = answer.text.strip(), answer.outcome == "interrupted"
        self.turns.append(turn)
        turn_log.info("%s", turn.line(), extra={"call": self.call_id})
        if self._console:
            print(turn.line(), file=sys.stderr, flush=True)
        self._changed()
        self._tell(self._on_turn, turn, "on_turn")

    def fault(self, kind: str, message: str, detail: str, at: float, *, level: int = logging.WARNING) -> None:
        """A failure, as text; `at` in seconds on the loop's clock, `level` of the line in the log."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(FaultRecord(kind, message, detail, at - self.started + self.before))
            self._changed()
        log.log(level, "call %s: %s: %s", self.call_id, kind, message, extra={"call": self.call_id})
        if detail:
            log.debug("%s", detail, extra={"call": self.call_id})

    def report(self, reason: str, ended: float, abandoned: list[str], prices: Prices | None = None) -> CallReport:
        """Close the record; `ended` in seconds on the loop's clock."""
        duration = ended - self.started + self.before
        if self._withdrawn is not None:
            self._close_turn(*self._withdrawn)
        report = CallReport(
            call_id=self.call_id,
            reason=reason,
            duration=duration,
            conversation=self.conversation,
            turns=self.turns,
            usage=dict(self.usage),
            faults=self.faults,
            abandoned=abandoned,
            cost=None if prices is None else prices.cost(self.usage, duration),
            served={kind: dict(counts) for kind, counts in self.served.items()},
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
        self._spoken.clear()
        self._withdrawn = self._closed = None
        self.follow(None)
        self._on_turn.clear()
        self._on_end.clear()


def _plain(callback: Callable[[T], object]) -> Callable[[T], object]:
    if inspect.iscoroutinefunction(callback):
        raise TypeError(f"expected a plain function, got async def {callback.__qualname__}; use call.work() in it")
    return callback

"""One turn of the agent, across every stage and tool round."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Literal

from voiceloop.frames import UserTurn

if TYPE_CHECKING:
    from voiceloop.registry import Work

__all__ = ["Answer", "AnswerState", "Outcome"]

Outcome = Literal["complete", "interrupted", "failed", "discarded"]

ROOM_SECONDS = 10.0
"""A provider waits in `Answer.room` while more than this much of the answer's audio is not yet played."""


class AnswerState(Enum):
    """Where an answer stands."""

    SPECULATIVE = "speculative"
    """Begun before it was certain that the caller is done; nothing of it is heard."""
    COMMITTED = "committed"
    """May be heard."""
    ENDED = "ended"
    """Complete: all of it was delivered."""
    DEAD = "dead"
    """Interrupted, failed or discarded: its content is dropped wherever it is."""


class Answer:
    """What the agent says in one turn. Made by `Processor.begin_answer`, `Call.say` and `Call.play`."""

    __slots__ = (
        "__weakref__",
        "_buffered",
        "_certain",
        "_holds",
        "_room",
        "_work",
        "dead",
        "delivered",
        "finished",
        "id",
        "interruptible",
        "milestones",
        "outcome",
        "provisional",
        "read",
        "script",
        "speculative",
        "state",
        "text",
        "turn",
        "voiced",
        "working",
        "written",
    )

    def __init__(
        self, id: int, *, speculative: bool = False, interruptible: bool = True, turn: UserTurn | None = None
    ) -> None:
        self.id = id
        """Number of the answer within its call, from 1."""
        self.state = AnswerState.SPECULATIVE if speculative else AnswerState.COMMITTED
        self.speculative = speculative
        """Whether it was begun before it was certain that the caller is done; also once it is committed."""
        self.dead = False
        """True when content of this answer must be dropped. The same as ``state is AnswerState.DEAD``."""
        self.outcome: Outcome | None = None
        """How it ended; None while it lives."""
        self.interruptible = interruptible
        """False for speech that the caller may not cut off (a legal notice)."""
        self.turn = turn
        """The caller's turn this answers, if it answers one."""
        self.text = ""
        """What was written so far, as the model wrote it."""
        self.script: list[tuple[str, int]] = []
        """What is spoken instead of the text, piece by piece, each with the offset in `text` where what it stands for
        ends. Empty when the text is spoken as it is. Written by `voiceloop.text.SpokenText`."""
        self.milestones: dict[str, float] = {}
        """First time each stage was reached, seconds on the loop's clock; see `voiceloop.latency`."""
        self.provisional = False
        """True once it ended while it was still speculative: it never was a turn of the agent."""
        self.finished = False
        """True once its producer will write no more."""
        self.delivered = False
        """True once its last content has passed the whole pipeline."""
        self.voiced = 0
        """Characters that were handed to a voice: they are paid for, heard or not."""
        self.read = 0
        """Tokens that the model has read for it, as far as it is known by now."""
        self.written = 0
        """Tokens that the model has written for it, heard or not; likewise."""
        self.working = 0
        """Tools that run for it: more of it comes when they are done, however long it is silent."""
        self._holds = 0
        self._work: dict[Work, None] = {}
        self._buffered = 0.0
        self._room: asyncio.Future[None] | None = None
        self._certain: asyncio.Future[None] | None = None

    def stamp(self, milestone: str, at: float) -> None:
        """Note the first time a milestone was reached."""
        self.milestones.setdefault(milestone, at)

    @property
    def playing(self) -> bool:
        """Whether something of it is still to be heard, or to be settled, at the streamer."""
        return self._holds > 0

    # --- back-pressure -------------------------------------------------------------------------------------

    @property
    def buffered(self) -> float:
        """Audio of this answer that was made but not yet played, seconds. Set by the streamer."""
        return self._buffered

    @buffered.setter
    def buffered(self, seconds: float) -> None:
        self._buffered = seconds
        if seconds <= ROOM_SECONDS:
            self._open()

    async def room(self) -> None:
        """Wait until less than about 10 s of this answer are waiting to be played. Returns at once when it is over."""
        while self._buffered > ROOM_SECONDS and self.outcome is None:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    def _open(self) -> None:
        if self._room is not None:
            room, self._room = self._room, None
            if not room.done():
                room.set_result(None)

    # --- certainty -----------------------------------------------------------------------------------------

    async def committed(self) -> bool:
        """Wait until it is certain whether it may be heard. Returns at once when it is not speculative.

        Returns: True for an answer that may be heard; False when it was over before that.
        """
        while self.state is AnswerState.SPECULATIVE:
            if self._certain is None:
                self._certain = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._certain)
        return not self.provisional

    # --- the engine's side ---------------------------------------------------------------------------------

    def _commit(self) -> None:
        """It may be heard. The engine calls this, nobody else."""
        self.state = AnswerState.COMMITTED
        self._decide()

    def _decide(self) -> None:
        if self._certain is not None:
            certain, self._certain = self._certain, None
            if not certain.done():
                certain.set_result(None)

    def _close(self, outcome: Outcome) -> bool:
        """Set the outcome; False when it already had one. The engine calls this, nobody else."""
        if self.outcome is not None:
            return False
        self.outcome = outcome
        self.provisional = self.state is AnswerState.SPECULATIVE
        self.dead = outcome != "complete"
        self.state = AnswerState.DEAD if self.dead else AnswerState.ENDED
        self._open()
        self._decide()
        return True

    def __repr__(self) -> str:
        return f"<Answer {self.id} {self.outcome or self.state.value}>"

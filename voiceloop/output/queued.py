"""Audio that no pipeline made: `queue_audio`, and which answer each piece of it belongs to.

The payloads of one `Utterance` are one answer. Once that was interrupted, the rest of them is dropped, and whoever
makes them is told to stop. Pieces without an utterance have only their time to go by: those that follow each other
within half a second are one answer, and, if it was interrupted, dropped for as long as they do.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

from voiceloop.answer import ROOM_SECONDS, Answer
from voiceloop.frames import Audio, CallStart, Word
from voiceloop.output.events import RATE
from voiceloop.output.payload import Payload, Utterance, audio_of
from voiceloop.processor import Processor
from voiceloop.registry import Timer

__all__ = ["QueuedAudio"]

QUIET_AFTER = 0.5
"""Seconds after the last piece of no utterance when their answer is held to be over."""


@dataclass(slots=True, eq=False)
class _Queued:
    """An answer whose audio comes by `queue_audio`."""

    answer: Answer
    utterance: Utterance | None
    size: int = 0  # bytes queued
    reached: int = 0  # bytes of the utterance, from its first sample, up to the end of the last piece
    shift: float = 0.0  # what a time in the utterance must be moved by to be one in the answer, seconds
    words: int = 0  # of the utterance, that were handed on
    last: float = 0.0  # when a piece of it was in hand
    timer: Timer | None = None
    tell: Callable[[], None] | None = None  # what the utterance calls at its end

    @property
    def open(self) -> bool:
        return self.answer.outcome is None and not self.answer.finished

    @property
    def given_up(self) -> bool:
        """Not all of its text is in the audio."""
        return self.utterance is not None and self.utterance.ended == "closed"

    def still(self) -> None:
        """Stop the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class QueuedAudio(Processor):
    """The part of `AudioStreamer` that takes audio by hand. The rest of it plays what is told here."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._over = False
        self._queued: dict[int, _Queued] = {}
        self._plain: _Queued | None = None  # the last one without an utterance
        self._answer_of: WeakKeyDictionary[Utterance, Answer] = WeakKeyDictionary()
        self._space: asyncio.Future[None] | None = None

    @abstractmethod
    def on_audio(self, audio: Audio) -> None:
        """Take a piece of an answer's voice."""

    @abstractmethod
    def _add_words(self, answer: Answer, words: Sequence[Word]) -> None:
        """Words of an answer became known, in seconds from its first sample."""

    @abstractmethod
    def _finish_voice(self, answer: Answer) -> None:
        """No more audio of this answer comes."""

    def on_call_start(self, start: CallStart) -> None:
        """From here on the line plays."""
        self._begun.set()

    async def queue_audio(self, payload: bytes | bytearray | memoryview | str, words: Iterable[Word] = ()) -> bool:
        """Play audio that no pipeline made, behind what is being said, and wait until there is room for more.

        Room: less than about 10 s of what was queued wait to be played. So a loop over a voice's audio is slowed to
        the pace of speech. Before the call has begun it waits for that.

        The payloads of one `TTSStream.generate`, or of one `Utterance`, are one answer; it ends with the utterance.
        Pieces without one are an answer as long as each comes within half a second of the one before.

        Args:
            payload: a `Payload`, bytes (mu-law, 8000 Hz, mono, no header), or the same as base64 text.
            words: what it says, with times from its own first sample; they enter the conversation as they are heard.
                A payload of an utterance knows its words itself.

        Returns: True when it is played. False when it is not, or no further: the caller has interrupted, or the call
            has ended meanwhile. The rest of the same speech would be dropped, too; there is no need to make it.

        Raises:
            PayloadError: it is not audio.
            NotRunning: the call is over, or was never begun.
        """
        audio = audio_of(payload)
        if self._engine is None:
            raise self._not_running("queue_audio")
        if not audio and not words and not isinstance(payload, Payload):
            return True
        await self._begun.wait()
        if self._over:
            raise self._not_running("queue_audio")
        self.call.wake("queue_audio", audio)
        utterance, position = (payload.utterance, payload.position) if isinstance(payload, Payload) else (None, 0)
        queued = await self._place(utterance, position)
        if queued is None:
            return False
        queued.still()
        try:
            self._put(queued, audio, words, position)
            await self._room(queued.answer)
        finally:
            self._expect(queued)
        return not queued.answer.dead

    # --- where it belongs ----------------------------------------------------------------------------------

    async def _place(self, utterance: Utterance | None, position: int) -> _Queued | None:
        """The answer to put a piece to, once there is room; None when it is not to be heard."""
        while not self._over:
            queued = self._find(utterance, position)
            if queued is None:
                return None
            await self._room(queued.answer)  # others may be queueing, too
            if queued.open:
                return queued
        return None

    def _find(self, utterance: Utterance | None, position: int) -> _Queued | None:
        now = self.call.now
        if utterance is None:
            queued = self._plain
            if queued is not None and queued.answer.dead and now - queued.last < QUIET_AFTER:
                queued.last = now
                return None
        else:
            answer = self._answer_of.get(utterance)
            if answer is not None and answer.dead and position > 0:  # at 0 it is said anew
                return None
            queued = None if answer is None else self._queued.get(answer.id)
        return queued if queued is not None and queued.open else self._open(utterance)

    def _open(self, utterance: Utterance | None) -> _Queued | None:
        engine = self._engine
        if engine is None:
            raise self._not_running("queue_audio")
        turn = None if utterance is None else utterance.turn
        answer = engine.begin(-1, turn, False, True, own=False)
        queued = _Queued(answer, utterance, last=self.call.now)
        if utterance is None:
            self._plain = queued
        else:
            self._answer_of[utterance] = answer
            queued.tell = partial(self._utterance_ended, queued)
            utterance.join(queued.tell)
        if answer.outcome is None:
            self._queued[answer.id] = queued
            return queued
        self._part(queued)  # the caller speaks: it was interrupted as it began
        return None

    def _put(self, queued: _Queued, audio: bytes, words: Iterable[Word], position: int) -> None:
        answer, offset = queued.answer, queued.size / RATE
        timed = tuple(Word(word.text, word.start + offset, word.end + offset) for word in words)
        if queued.utterance is None:
            answer.text = " ".join(filter(None, [answer.text, *(word.text for word in timed)]))
        else:
            queued.shift = (queued.size - position) / RATE
            queued.reached = position + len(audio)
        queued.size += len(audio)
        self._follow(queued)
        assert self._engine is not None
        self._engine.within(partial(self.on_audio, Audio(answer, audio, timed, silent=not answer.text)))

    def _follow(self, queued: _Queued) -> None:
        """Learn what the utterance knows by now."""
        if (utterance := queued.utterance) is None or queued.tell is None:
            return
        queued.answer.text = utterance.text
        for milestone, at in utterance.milestones.items():
            queued.answer.stamp(milestone, at)
        if queued.size and (fresh := utterance.words[queued.words :]):
            queued.words = len(utterance.words)
            shift = queued.shift
            moved = [Word(word.text, word.start + shift, word.end + shift) for word in fresh if word.end + shift > 0]
            self._add_words(queued.answer, moved)

    # --- room ----------------------------------------------------------------------------------------------

    def _ahead(self) -> float:
        return sum(queued.answer.buffered for queued in self._queued.values())

    async def _room(self, answer: Answer) -> None:
        while self._ahead() > ROOM_SECONDS and answer.outcome is None:
            if self._space is None:
                self._space = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._space)

    def _look_for_room(self) -> None:
        """Something was played, or an answer has ended."""
        if self._space is not None:
            space, self._space = self._space, None
            space.set_result(None)

    # --- its end -------------------------------------------------------------------------------------------

    def _expect(self, queued: _Queued) -> None:
        """What ends the answer: the end of its utterance, or that nothing more comes."""
        queued.last = asyncio.get_running_loop().time()
        queued.still()
        if self._over or not queued.open:
            return
        utterance = queued.utterance
        if utterance is not None and utterance.ended is None:
            return  # it will tell
        if utterance is not None and queued.reached >= utterance.size:
            self._finish(queued)
        else:
            quiet = queued.last + self._ahead() + QUIET_AFTER
            queued.timer = self.call.timer(quiet, partial(self._finish, queued), "queue_audio")

    def _utterance_ended(self, queued: _Queued) -> None:
        """The utterance has ended."""
        assert self._engine is not None
        assert queued.utterance is not None
        self.call.wake("utterance", queued.utterance.ended)
        self._follow(queued)
        if queued.utterance.ended == "failed":
            self._engine.end(queued.answer, "failed")
        else:
            self._expect(queued)

    def _finish(self, queued: _Queued) -> None:
        """Its end begins here: nothing in front of this processor knows of it."""
        queued.timer = None
        if queued.answer.outcome is None:
            self._follow(queued)
            self._finish_voice(queued.answer)

    def _part(self, queued: _Queued) -> None:
        """An answer is over: its utterance need not know of it any more."""
        queued.still()
        if queued.utterance is not None and queued.tell is not None:
            self._follow(queued)
            utterance, tell, queued.tell = queued.utterance, queued.tell, None
            self.call.usage["tts.characters"] += utterance.characters
            utterance.characters = 0
            utterance.leave(tell, cut=queued.answer.dead)
        self._look_for_room()

    def _end_queue(self) -> None:
        """The call is over: nobody waits any more."""
        self._over = True
        self._begun.set()
        for queued in list(self._queued.values()):
            self._part(queued)
        self._queued.clear()
        self._plain = None
        self._look_for_room()

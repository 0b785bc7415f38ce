"""Recognition in a pipeline: the caller's audio in, transcripts out."""

from __future__ import annotations

from voiceloop.frames import CallEnd, CallerAudio, CallStart, SpeechPaused, SpeechStarted, Transcript, UserTurn
from voiceloop.processor import Processor
from voiceloop.pull import pour
from voiceloop.registry import Work
from voiceloop.stt.base import STT, Flush
from voiceloop.stt.feed import AudioFeed

__all__ = ["STTProcessor"]

RATE = 8000
PRE_ROLL = 0.35
"""Seconds of audio from before speech was noticed that the recogniser hears too."""
KEEP_SECONDS = 60.0
"""Of an utterance, kept so that it can be recognised again after a failure."""


class _Utterance:
    """One stream of audio at a recogniser."""

    def __init__(self, feed: AudioFeed, keep: bool) -> None:
        self.feed = feed
        self.keep = keep
        self.audio = bytearray()
        self.last = Transcript("")
        self.asked: Flush | None = None
        self.settled = False
        self.tries = 1
        self.work: Work | None = None

    def hear(self, audio: bytes) -> None:
        self.feed.feed(audio)
        if self.keep and len(self.audio) < KEEP_SECONDS * RATE:
            self.audio += audio


class STTProcessor(Processor):
    """Runs a recogniser on the caller's speech and pushes `Transcript`.

    Recognition of a pause begins at once, while the silence is still being judged, so that its result is there when
    the turn ends. An utterance whose recogniser fails is recognised a second time from the audio that was kept.
    """

    def __init__(self, stt: STT) -> None:
        self._named = stt
        self._stt = stt
        self._pre_roll = bytearray()
        self._utterance: _Utterance | None = None

    async def start(self) -> None:
        """Warm the recogniser."""
        self._stt = self.call.runtime.provider(self._named)
        await self.call.runtime.warm(self._stt)

    def on_call_start(self, start: CallStart) -> None:
        """A recogniser that listens to the whole call begins now."""
        if self._stt.per_call:
            self._open(b"")

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Feed the recogniser while somebody speaks; remember a little for when somebody will."""
        utterance = self._utterance
        if utterance is not None:
            utterance.hear(audio.audio)
        else:
            self._pre_roll += audio.audio
            excess = len(self._pre_roll) - round(PRE_ROLL * RATE)
            if excess > 0:
                del self._pre_roll[:excess]

    def on_speech_started(self, speech: SpeechStarted) -> None:
        """Open a stream, unless one is open."""
        utterance = self._utterance
        if utterance is not None and not self._stt.per_call and utterance.settled and not utterance.last.text:
            self._close()  # what was there before was noise
            utterance = None
        if utterance is None:
            self._open(bytes(self._pre_roll))
        else:
            utterance.asked = None
            utterance.settled = False

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        """Ask for what there is."""
        if self._utterance is not None:
            self._utterance.asked = self._utterance.feed.flush()
            self._utterance.settled = False

    def on_user_turn(self, turn: UserTurn) -> None:
        """The utterance is over."""
        if self._stt.per_call:
            if self._utterance is not None:
                self._utterance.last = Transcript("")
        else:
            self._close()

    def on_call_end(self, end: CallEnd) -> None:
        """Nobody listens any more."""
        self._utterance = None

    def _open(self, before: bytes) -> None:
        utterance = self._utterance = _Utterance(AudioFeed(self._stt.chunk), keep=not self._stt.per_call)
        self._pre_roll.clear()
        utterance.hear(before)
        self._run(utterance)

    def _run(self, utterance: _Utterance) -> None:
        assert self._engine is not None
        items = self._stt.transcribe(utterance.feed)
        utterance.work = pour(
            self._engine,
            items,
            "stt",
            lambda item: self._heard(utterance, item),
            lambda failure: self._ended(utterance, failure),
        )

    def _close(self) -> None:
        """Let go of the utterance: at once when all of it was answered for, else when it has been."""
        utterance, self._utterance = self._utterance, None
        if utterance is None:
            return
        self.call.usage["stt.seconds"] += round(len(utterance.audio) / RATE, 3)  # type: ignore[assignment]
        utterance.feed.close()
        if utterance.settled and utterance.work is not None and utterance.work.task is not None:
            utterance.work.task.cancel()

    def _heard(self, utterance: _Utterance, item: Transcript | Flush) -> None:
        if self._engine is None:
            return
        if isinstance(item, Transcript):
            utterance.last = item
            self.push(item)
        elif item is utterance.asked:
            utterance.settled = True
            last = utterance.last
            self.push(Transcript(last.text, last.final, last.segment, settled=True))

    def _ended(self, utterance: _Utterance, failure: tuple[str, str] | None) -> None:
        if self._engine is None or (failure is None and utterance is not self._utterance):
            return
        if failure is None:
            failure = ("the recogniser ended while the caller's audio was still coming", "")
        self.call.fault(f"{type(self._stt).__name__}.failed", *failure)
        if self._engine is None or (utterance is not self._utterance and utterance.settled):
            return
        if utterance.tries < 2 and self.call.ending is None:
            self._again(utterance)
        elif utterance is self._utterance:
            self._utterance = None
            self.push(Transcript("", True, utterance.last.segment, settled=True))

    def _again(self, utterance: _Utterance) -> None:
        utterance.tries += 1
        closed = utterance is not self._utterance
        utterance.feed = AudioFeed(self._stt.chunk)
        utterance.feed.feed(bytes(utterance.audio))
        if utterance.asked is not None:
            utterance.asked = utterance.feed.flush()
        if closed:
            utterance.feed.close()
        self._run(utterance)

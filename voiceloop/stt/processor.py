"""Recognition in a pipeline: the caller's audio in, transcripts out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voiceloop.frames import (
    Backchannel,
    CallEnd,
    CallerAudio,
    CallStart,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    UserTurn,
)
from voiceloop.processor import Processor
from voiceloop.pull import pour
from voiceloop.registry import Timer, Work
from voiceloop.served import Served
from voiceloop.stt.base import STT, Flush
from voiceloop.stt.feed import AudioFeed

__all__ = ["STTOptions", "STTProcessor"]

RATE = 8000
PRE_ROLL = 0.35
"""Seconds of audio from before speech was noticed that the recogniser hears too."""
_PRE_ROLL_BYTES: Final = round(PRE_ROLL * RATE)
KEEP_SECONDS = 60.0
"""Of an utterance, kept so that it can be recognised again after a failure."""


@dataclass(frozen=True, slots=True)
class STTOptions:
    """How long to wait for a recogniser, and how often to ask."""

    stall: float = 3.0
    """Seconds from a pause of the caller's until the recogniser has answered for all of it."""
    tries: int = 2
    """Streams per utterance; another one gets the audio that was kept, from the beginning."""


class _Utterance:
    """One stream of audio at a recogniser."""

    def __init__(self, number: int, feed: AudioFeed, keep: bool) -> None:
        self.number = number
        self.feed = feed
        self.keep = keep
        self.audio = bytearray()
        self.size = 0
        self.last = Transcript("")
        self.asked: Flush | None = None
        self.anew = False  # what comes next is of another stream, from the begin
        self.first_final = False  # its segment 0 is
        self.counts_anew = False  # a segment 0 that comes now is another one
        self.settled = False
        self.broken = False
        self.tries = 1  # since it last answered for everything
        self.attempt = 1
        self.work: Work | None = None
        self.timer: Timer | None = None

    def hear(self, audio: bytes) -> None:
        self.feed.feed(audio)
        self.size += len(audio)
        if self.keep and len(self.audio) < KEEP_SECONDS * RATE:
            self.audio += audio

    def stop_waiting(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def give_up(self) -> None:
        """Cancel the recogniser, without waiting for it to clean up."""
        self.stop_waiting()
        if self.work is not None:
            self.work.cancel()


class STTProcessor(Processor):
    """Runs a recogniser on the caller's speech and pushes `Transcript`.

    Recognition of a pause begins at once, while the silence is still being judged, so that its result is there when
    the turn ends. An utterance whose recogniser fails or stalls is recognised a second time from the audio that was
    kept.
    """

    def __init__(self, stt: STT, options: STTOptions | None = None) -> None:
        self._named = stt
        self._stt = stt
        self.options = options or STTOptions()
        self._pre_roll = bytearray()
        self._utterance: _Utterance | None = None
        self._count = 0  # utterances so far

    async def start(self) -> None:
        """Warm the recogniser."""
        self._stt = self.call.runtime.provider(STT, self._named).for_language(self.call.language)
        await self.call.awaited(lambda: self.call.runtime.warm(self._stt))

    def on_call_start(self, start: CallStart) -> None:
        """A recogniser that listens to the whole call begins now."""
        if self._stt.per_call:
            self._open(b"")

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Feed the recogniser while somebody speaks; remember a little for when somebody will."""
        heard = audio.audio
        if self._utterance is not None:
            self._utterance.hear(heard)
        # Also now: the next one may follow so closely that it has begun before this one is closed.
        pre_roll = self._pre_roll
        pre_roll += heard
        excess = len(pre_roll) - _PRE_ROLL_BYTES
        if excess > 0:
            del pre_roll[:excess]

    def on_speech_started(self, speech: SpeechStarted) -> None:
        """Open a stream, unless one is open."""
        utterance = self._utterance
        if utterance is not None and not self._stt.per_call and utterance.settled and not utterance.last.text:
            self._close()  # what was there before was noise
            utterance = None
        if utterance is None:
            self._open(bytes(self._pre_roll))
        else:
            utterance.stop_waiting()
            utterance.asked = None
            utterance.settled = False

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        """Ask for what there is."""
        if self._utterance is not None:
            self._utterance.settled = False
            self._ask(self._utterance)
            if self._utterance.broken:
                self._again(self._utterance)

    def on_user_turn(self, turn: UserTurn) -> None:
        """The utterance is over."""
        self._utterance_over()

    def on_backchannel(self, said: Backchannel) -> None:
        """So it is when no turn was taken."""
        self._utterance_over()

    def _utterance_over(self) -> None:
        if self._stt.per_call:
            if self._utterance is not None:
                self._utterance.last = Transcript("")
        else:
            self._close()

    def on_call_end(self, end: CallEnd) -> None:
        """Nobody listens any more."""
        self._close()

    def _open(self, before: bytes) -> None:
        feed = AudioFeed(self._stt.chunk)
        utterance = self._utterance = _Utterance(self._next_number(), feed, keep=not self._stt.per_call)
        utterance.hear(before)
        self._run(utterance)

    def _next_number(self) -> int:
        self._count += 1
        return self._count - 1

    def _run(self, utterance: _Utterance) -> None:
        assert self._engine is not None
        attempt = utterance.attempt
        utterance.work = pour(
            self._engine,
            self._stt.transcribe(utterance.feed),
            "stt",
            lambda item: self._heard(utterance, attempt, item),
            lambda failure: self._ended(utterance, attempt, failure),
        )

    def _ask(self, utterance: _Utterance) -> None:
        """Ask for everything up to now, and wait for it only so long."""
        utterance.stop_waiting()
        utterance.asked = utterance.feed.flush()
        limit = self.options.stall
        failure = (f"it did not answer for what was said within {limit:g} s", "")

        def late() -> None:
            attempt = utterance.attempt
            utterance.give_up()
            self._ended(utterance, attempt, failure)

        utterance.timer = self.call.timer(self.call.now + limit, late, "stt stalled")

    def _close(self) -> None:
        """Let go of the utterance: at once when all of it was answered for, else when it has been."""
        utterance, self._utterance = self._utterance, None
        if utterance is None:
            return
        self.call.usage["stt.seconds"] += round(utterance.size / RATE, 3)  # type: ignore[assignment]
        utterance.feed.close()
        if utterance.settled:
            utterance.give_up()

    def _heard(self, utterance: _Utterance, attempt: int, item: Transcript | Flush | Served) -> None:
        if self._engine is None or attempt != utterance.attempt:
            return
        if isinstance(item, Served):
            self.call.note_served("stt", item)
        elif isinstance(item, Transcript):
            self._place(utterance, item)
            utterance.last = item
            self.push(item)
            return
        elif not isinstance(item, Flush):
            raise TypeError(f"transcribe yields Transcript, Flush or Served, and gave {item!r:.100}")
        # A final is not revised. So a recogniser of whole calls that begins with 0 again means another segment.
        utterance.counts_anew = utterance.first_final and not utterance.keep
        if item is utterance.asked:
            utterance.stop_waiting()
            utterance.settled, utterance.tries = True, 1
            last = utterance.last
            self.push(Transcript(last.text, last.final, last.segment, settled=True, utterance=utterance.number))

    def _place(self, utterance: _Utterance, item: Transcript) -> None:
        """Say which utterance of the call a transcript is of."""
        if utterance.counts_anew and item.segment == 0:
            self._count_anew(utterance)
        utterance.first_final = utterance.first_final or (item.final and item.segment == 0)
        item.utterance = utterance.number
        if utterance.anew and item.text.strip():
            item.anew, utterance.anew = True, False

    def _count_anew(self, utterance: _Utterance) -> None:
        utterance.number = self._next_number()
        utterance.first_final = utterance.counts_anew = False

    def _ended(self, utterance: _Utterance, attempt: int, failure: tuple[str, str] | None) -> None:
        current = utterance is self._utterance
        if self._engine is None or attempt != utterance.attempt or (failure is None and not current):
            return
        utterance.stop_waiting()
        message, detail = failure or ("it ended while the caller's audio was still coming", "")
        kind = f"{type(self._stt).__name__}.failed"
        if utterance.settled and utterance.keep:  # it had answered for everything: nobody misses it yet
            self.call.note_fault(kind, message, detail)
            utterance.broken = True
        elif utterance.tries < self.options.tries and self.call.ending is None:
            self.call.note_fault(kind, f"{message}; asking again", detail)
            if current and utterance.keep and utterance.asked is None:
                utterance.broken = True  # with the next pause: by then it may be well again
            else:
                self._again(utterance)
        else:
            utterance.attempt += 1  # nothing of it is heard any more
            if current:
                self._utterance = None
            self.call.fault(kind, message, detail)
            if current and utterance.last.text:  # the turn is what was understood; else the caller is asked again
                last = utterance.last
                self.push(Transcript("", True, last.segment, settled=True, utterance=utterance.number))

    def _again(self, utterance: _Utterance) -> None:
        utterance.tries += 1
        utterance.attempt += 1
        utterance.broken = False
        closed = utterance is not self._utterance
        utterance.feed = AudioFeed(self._stt.chunk)
        utterance.feed.feed(bytes(utterance.audio))
        if not utterance.keep:
            utterance.asked = None  # what was said is lost: nobody can answer for it
            self._count_anew(utterance)
            utterance.last = Transcript("")
        else:
            utterance.anew = True
            if utterance.asked is not None:
                self._ask(utterance)
        if closed:
            utterance.feed.close()
        self._run(utterance)

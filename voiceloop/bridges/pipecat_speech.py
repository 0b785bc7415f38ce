"""What a Pipecat voice sends for one answer, as `Speech`: mu-law audio, and words at their places in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pipecat.frames.frames import Frame, TTSAudioRawFrame, TTSStartedFrame, TTSStoppedFrame, TTSTextFrame

from voiceloop.audio import mulaw
from voiceloop.audio.mulaw import RATE
from voiceloop.audio.resample import Resampler, to_float32, to_int16
from voiceloop.bridges.pipecat_frames import lookup
from voiceloop.bridges.pipecat_island import MediaClock
from voiceloop.frames import Word
from voiceloop.tts.base import Speech

__all__ = ["SpeechReader"]

KEPT: Final = 20 * RATE
"""Samples of audio in which the end of a word is looked for."""
AUDIBLE: Final = 128
"""Magnitude of a sample that is sound, of 32768: -48 dBFS."""


class SpeechReader:
    """Reads the frames of one answer.

    A service stamps a word with the time on its clock at which it begins to be spoken. That clock is a `MediaClock`,
    so the stamp is the word's place in the audio. A word ends with the last sound before the next one begins; it is
    told as soon as the audio up to there has come.
    """

    def __init__(self, clock: MediaClock) -> None:
        self._clock = clock
        self._seconds = 0.0  # of audio that came in
        self._samples = 0  # of audio that was given out
        self._recent = bytearray()  # the end of it
        self._words: deque[tuple[str, float]] = deque()  # and where each begins
        self._open: set[str | None] = set()
        self._resampler: Resampler | None = None

    @property
    def whole(self) -> bool:
        """Whether everything that was begun has been spoken to its end."""
        return not self._open

    def read(self, frame: Frame) -> Speech | None:
        """What a frame brings; None when that is nothing."""
        translate: Callable[[SpeechReader, Any], bytes | None] | None = lookup(_TABLE, frame)
        audio = (translate(self, frame) if translate is not None else None) or b""
        words: list[Word] = []
        while len(self._words) > 1 and self._words[1][1] <= self._samples / RATE:
            words += self._told(self._words[1][1])
        return Speech(audio, tuple(words)) if audio or words else None

    def end(self) -> Speech | None:
        """The rest, when everything was spoken."""
        audio = b"" if self._resampler is None else self._encoded(to_int16(self._resampler.flush()))
        words: list[Word] = []
        while self._words and self._words[0][1] < self._samples / RATE:
            behind = self._words[1][1] if len(self._words) > 1 else self._samples / RATE
            words += self._told(min(behind, self._samples / RATE))
        return Speech(audio, tuple(words)) if audio or words else None

    # --- audio --------------------------------------------------------------------------------------------------

    def _audio(self, frame: TTSAudioRawFrame) -> bytes:
        samples = np.frombuffer(frame.audio[: len(frame.audio) // 2 * 2], dtype="<i2")
        if frame.num_channels > 1:
            whole = len(samples) // frame.num_channels * frame.num_channels
            samples = samples[:whole].reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
        self._seconds += len(samples) / frame.sample_rate
        self._clock.advance(self._seconds)
        if frame.sample_rate != RATE:
            samples = to_int16(self._resampled(samples, frame.sample_rate))
        return self._encoded(samples)

    def _resampled(self, samples: npt.NDArray[np.int16], rate: int) -> npt.NDArray[np.float32]:
        if self._resampler is None or self._resampler.src != rate:
            self._resampler = Resampler(rate, RATE)
        return self._resampler.push(to_float32(samples))

    def _encoded(self, samples: npt.NDArray[np.int16]) -> bytes:
        audio = mulaw.encode(samples)
        self._samples += len(audio)
        self._recent += audio
        if len(self._recent) > 2 * KEPT:
            del self._recent[:-KEPT]
        return audio

    # --- words --------------------------------------------------------------------------------------------------

    def _word(self, frame: TTSTextFrame) -> None:
        if frame.pts is None or not frame.text.strip():  # of a service that knows no times
            return
        self._clock.seen(frame.pts)
        start = max(0.0, (frame.pts - self._clock.began) / 1e9)
        if self._words and start <= self._words[-1][1]:
            text, start = self._words.pop()
            self._words.append((f"{text} {frame.text.strip()}", start))
        else:
            self._words.append((frame.text.strip(), start))

    def _told(self, end: float) -> list[Word]:
        """The words that begin at one stamp, each its part of the time up to the last sound before `end`."""
        text, start = self._words.popleft()
        words = text.split()
        length = (self._last_sound(start, end) - start) / len(words)
        return [Word(word, start + i * length, start + (i + 1) * length) for i, word in enumerate(words)]

    def _last_sound(self, start: float, end: float) -> float:
        first = self._samples - len(self._recent)
        low, high = max(round(start * RATE), first), round(end * RATE)
        loud = np.flatnonzero(np.abs(mulaw.decode(self._recent[low - first : high - first])) > AUDIBLE)
        return min(end, (low + int(loud[-1]) + 1) / RATE) if len(loud) else end

    # --- contexts -----------------------------------------------------------------------------------------------

    def _started(self, frame: TTSStartedFrame) -> None:
        self._open.add(frame.context_id)

    def _stopped(self, frame: TTSStoppedFrame) -> None:
        if frame.context_id is None:
            self._open.clear()
        self._open.discard(frame.context_id)


_TABLE: dict[type, Callable[[SpeechReader, Any], bytes | None]] = {
    TTSAudioRawFrame: SpeechReader._audio,
    TTSTextFrame: SpeechReader._word,
    TTSStartedFrame: SpeechReader._started,
    TTSStoppedFrame: SpeechReader._stopped,
}

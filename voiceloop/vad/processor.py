"""Voice activity in a pipeline: the caller's audio in, speech started and speech paused out."""

from __future__ import annotations

from voiceloop.frames import CallerAudio, SpeechPaused, SpeechStarted
from voiceloop.processor import Processor
from voiceloop.vad.base import Line, VADModel
from voiceloop.vad.detector import SpeechDetector, Started, VADOptions
from voiceloop.vad.echo import EchoGuard, EchoOptions
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.silero import SileroModel
from voiceloop.vad.speech_end import SpeechEnd

__all__ = ["EnergyVAD", "SileroVAD", "VADProcessor"]

RATE = 8000
LOST = 0.1
"""A jump of the audio's time by more than this, seconds, means that audio was lost in between."""


class VADProcessor(Processor):
    """Watches the caller's audio and pushes `SpeechStarted` and `SpeechPaused`.

    Args:
        model: shared by all calls.
        options: when speech is held to begin and to pause; the default suits a telephone.
        echo: where echoes of the agent's own voice are expected; what is one is no speech.
    """

    def __init__(self, model: VADModel, options: VADOptions | None = None, *, echo: EchoOptions | None = None) -> None:
        self._named = model
        self._detector = SpeechDetector(options)
        self._line: Line | None = None
        self._echo = echo
        self._guard: EchoGuard | None = None
        self._window = 0
        self._buffer = bytearray()
        self._end = SpeechEnd()
        self._position = 0  # samples before the buffer
        self._time = 0.0  # when the sample at the end of the buffer is spoken

    @property
    def options(self) -> VADOptions:
        """When speech is held to begin and to pause. May be set before the call begins."""
        return self._detector.options

    @options.setter
    def options(self, options: VADOptions) -> None:
        self._detector = SpeechDetector(options)

    async def start(self) -> None:
        """Load the model, off the loop where that takes time."""
        self._guard = EchoGuard(self.call.playing, self._echo)
        self._model = self.call.runtime.provider(VADModel, self._named)
        self._line = await self.call.awaited(lambda: self.call.runtime.offload(self._model.new_line))
        self._window = self._model.window

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Judge every window that is complete."""
        guard = self._guard
        if self._line is None or guard is None:
            return
        buffer = self._buffer
        if audio.at - self._time > LOST:
            self._jump(audio.at)
        buffer += audio.audio
        self._end.hear(audio.audio)
        self._time = audio.at + len(audio.audio) / RATE
        window, release = self._window, self._detector.options.release
        while len(buffer) >= window:
            heard = bytes(buffer[:window])
            judge, journal = self._line.probability, self.call.journal
            probability = judge(heard) if journal is None else journal.probability(judge, heard)
            del buffer[:window]
            # Behind the journal: what a recording holds is the model's own word, and a replay judges alike.
            if guard.hear(heard, self._time - len(buffer) / RATE, probability >= release):
                probability = 0.0
            events = self._detector.feed(probability, self._position, window)
            self._position += window
            for event in events:
                ago = self._position + len(buffer) - event.at_sample
                if isinstance(event, Started):
                    self.push(SpeechStarted(self._time - ago / RATE))
                else:
                    self.push(SpeechPaused(self._time - self._end.before(ago) / RATE))

    def _jump(self, at: float) -> None:
        """Audio is missing: count it as silence, and let the model start afresh."""
        if self._time:
            self._position += len(self._buffer) + round((at - self._time) * RATE)
            self._line = self._model.new_line()
            if self._guard is not None:
                self._guard.lost()
        self._buffer.clear()


class SileroVAD(VADProcessor):
    """Silero's neural model at 8 kHz. Needs ``voiceloop[silero]``; one session serves the whole process."""

    def __init__(self, options: VADOptions | None = None, *, echo: EchoOptions | None = None) -> None:
        super().__init__(SileroModel(), options, echo=echo)


class EnergyVAD(VADProcessor):
    """Loudness above an adapting noise floor. Needs nothing, and mistakes any noise for speech."""

    def __init__(self, options: VADOptions | None = None, *, echo: EchoOptions | None = None) -> None:
        super().__init__(EnergyModel(), options, echo=echo)

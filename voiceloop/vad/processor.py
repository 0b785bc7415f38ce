"""Voice activity in a pipeline: the caller's audio in, speech started and speech paused out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

from voiceloop.faults import describe, drop_frames
from voiceloop.frames import CallerAudio, Signal, SpeechPaused, SpeechStarted
from voiceloop.processor import Processor
from voiceloop.vad.base import Line, SharedLine, SharedModel, VADModel
from voiceloop.vad.detector import Event, SpeechDetector, Started, VADOptions
from voiceloop.vad.echo import EchoGuard, EchoOptions
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.silero import SileroModel
from voiceloop.vad.speech_end import SpeechEnd
from voiceloop.vad.tick import Seat, VADTick

__all__ = ["EnergyVAD", "SileroVAD", "VADProcessor"]

RATE = 8000
LOST = 0.1
"""A jump of the audio's time by more than this, seconds, means that audio was lost in between."""


@dataclass(slots=True)
class _Window:
    """What is to be known of a window when it has been judged."""

    heard: bytes
    fresh: bool
    """Whether audio was lost in front of it."""
    start: int
    """The position of its first sample."""
    end: float
    """When its last sample was spoken."""
    rest: int
    """Samples that had come behind it when it was handed in."""
    time: float
    """When the last of these was spoken."""
    total: int
    """Samples of the line up to there."""


class VADProcessor(Processor):
    """Watches the caller's audio and pushes `SpeechStarted` and `SpeechPaused`.

    Windows of a `voiceloop.vad.base.SharedModel` are judged together with those of other calls, within 10 ms.

    Args:
        model: shared by all calls.
        options: when speech is held to begin and to pause; the default suits a telephone.
        echo: where echoes of the agent's own voice are expected; what is one is no speech.
    """

    def __init__(self, model: VADModel, options: VADOptions | None = None, *, echo: EchoOptions | None = None) -> None:
        self._named = model
        self._detector = SpeechDetector(options)
        self._line: Line | None = None
        self._know: Callable[[bytes], float] = _later  # what can be said of a window at once
        self._seat: Seat | None = None
        self._echo = echo
        self._guard: EchoGuard | None = None
        self._window = 0
        self._buffer = b""
        self._waiting: deque[_Window] = deque()  # those that were handed in and not judged yet
        self._fresh = False
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
        call = self.call
        self._guard = EchoGuard(call.playing, self._echo)
        self._model = call.runtime.provider(VADModel, self._named)
        line = await call.awaited(lambda: call.runtime.offload(self._model.new_line))
        self._window = self._model.window
        take = self._judged if call.journal is None else call.journal.judging(self._judged)
        if isinstance(self._model, SharedModel) and isinstance(line, SharedLine):
            self._seat = VADTick.join(self._model, take)
        self._listen(line)

    async def stop(self) -> None:
        """Wait for no judgement any more."""
        if self._seat is not None:
            self._seat.leave()
            self._seat = None
        self._line, self._know = None, _later
        self._waiting.clear()

    def _listen(self, line: Line) -> None:
        self._line = line
        self._know = line.probability if self._seat is None else line.known  # type: ignore[attr-defined]

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Have every window judged that is complete."""
        if self._line is None:
            return
        if audio.at - self._time > LOST:
            self._jump(audio.at)
        heard = audio.audio
        self._end.hear(heard)
        self._time = audio.at + len(heard) / RATE
        buffer = self._buffer + heard if self._buffer else heard
        if len(buffer) < self._window:
            self._buffer = buffer
        else:
            self._cut(buffer)

    def _cut(self, buffer: bytes) -> None:
        """Hand in the windows of the buffer."""
        size, position, journal = self._window, self._position, self.call.journal
        until = len(buffer) // size * size
        self._buffer = buffer[until:]
        self._position += until
        for at in range(0, until, size):
            heard = buffer[at : at + size]
            rest = len(buffer) - at - size
            window = _Window(
                heard, self._fresh, position + at, self._time - rest / RATE, rest, self._time, self._end.heard
            )
            self._fresh = False
            know = _later if self._waiting else self._know
            probability = know(heard) if journal is None else journal.probability(know, heard)
            if probability == probability:
                for event in self._feed(window, probability):
                    self.push(event)
            else:
                self._waiting.append(window)
                if self._seat is not None:  # a replay's journal says it by itself
                    self._seat.hear(self._line, heard)  # type: ignore[arg-type]

    def _judged(self, probability: float, error: Exception | None) -> None:
        """The word of the model on the window that waits longest."""
        engine = self._engine
        if engine is None or engine.closed or not self._waiting:
            return
        self.call.wake("vad", "")
        window = self._waiting.popleft()
        if error is not None:
            fault = describe(error)
            drop_frames(error)
            self.call.fault(f"{self.name}.judge", *fault)
            return
        try:
            events = self._feed(window, probability)
            if events:
                engine.within(lambda: self._push_all(events))
        except Exception as failure:
            self.call.fault(f"{self.name}.judge", *describe(failure))

    def _push_all(self, events: Sequence[Signal]) -> None:
        for event in events:
            self.push(event)

    def _feed(self, window: _Window, probability: float) -> Sequence[Signal]:
        """What a judged window brings about."""
        guard, detector = self._guard, self._detector
        assert guard is not None
        if window.fresh:
            guard.lost()
        # Behind the journal: what a recording holds is the model's own word, and a replay judges alike.
        if guard.hear(window.heard, window.end, probability >= detector.options.release):
            probability = 0.0
        events = detector.feed(probability, window.start, self._window)
        return [self._frame(event, window) for event in events] if events else ()

    def _frame(self, event: Event, window: _Window) -> Signal:
        ago = window.start + self._window + window.rest - event.at_sample
        if isinstance(event, Started):
            return SpeechStarted(window.time - ago / RATE)
        return SpeechPaused(window.time - self._end.before(ago, self._end.heard - window.total) / RATE)

    def _jump(self, at: float) -> None:
        """Audio is missing: count it as silence, and let the model start afresh."""
        if self._time:
            self._position += len(self._buffer) + round((at - self._time) * RATE)
            self._listen(self._model.new_line())
            self._fresh = True
        self._buffer = b""


def _later(window: bytes) -> float:
    """A model is asked."""
    return nan


class SileroVAD(VADProcessor):
    """Silero's neural model at 8 kHz. Needs ``voiceloop[silero]``; one session serves the whole process."""

    def __init__(self, options: VADOptions | None = None, *, echo: EchoOptions | None = None) -> None:
        super().__init__(SileroModel(), options, echo=echo)


class EnergyVAD(VADProcessor):
    """Loudness above an adapting noise floor. Needs nothing, and mistakes any noise for speech."""

    def __init__(self, options: VADOptions | None = None, *, echo: EchoOptions | None = None) -> None:
        super().__init__(EnergyModel(), options, echo=echo)

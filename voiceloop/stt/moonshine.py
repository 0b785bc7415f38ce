"""Speech recognition on this machine, without key and network: Moonshine base, English."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw, resample
from voiceloop.offload import Limit, offload
from voiceloop.stt.activity import activity, quietest, speaks
from voiceloop.stt.base import STT, Flush, Transcript
from voiceloop.stt.hints import Hints
from voiceloop.stt.moonshine_model import RATE, MoonshineModel

__all__ = ["Moonshine", "MoonshineOptions"]

_PHONE_RATE = 8000
_PEAK = 0.9
"""Speech is brought to this share of full scale: a soft caller is understood as well as a loud one."""

_INVENTED = "you"
"""What the model writes for a short sound that is no word: for each of 40 coughs, slams, breaths, hums and throats."""
_INVENTS_UP_TO = round(1.5 * _PHONE_RATE)
"""Samples of audio, with what is kept around the sound, up to which that word alone is not believed."""


@dataclass(slots=True, frozen=True)
class MoonshineOptions:
    """How `Moonshine` works. Lengths in seconds of audio."""

    concurrency: int = 2
    """Utterances recognised at the same time in this process; further ones wait in order. One core each."""
    longest: float = 20.0
    """An utterance is cut into segments of at most this length, at the quietest place in their last half."""
    close_after: float = 10.0
    """A segment of at least this length ends at the next flush, so that it is not recognised over and over."""
    hints: tuple[str, ...] = ()
    """Words the caller is likely to say (see `voiceloop.stt.hints`): names of dishes, of people, of places."""
    cost: float = 0.15
    """How long one recognition is said to take in virtual time, seconds."""

    def __post_init__(self) -> None:
        if not 1.0 <= self.close_after <= self.longest <= 28.0:  # the model knows up to about 30 s
            raise ValueError(f"expected 1 <= close_after <= longest <= 28, got {self.close_after} and {self.longest}")


class Moonshine(STT):
    """Recognises an utterance whenever it is flushed, and once more at its end if anything new was said.

    At a flush the words so far come as a transcript that is not final (the same words may come out better with
    what follows), then the flush itself. When the audio ends, the last segment comes as final. Only an utterance
    longer than `MoonshineOptions.longest` has more than one segment.

    Audio in which nothing stands out from silence or steady noise gives no words and runs no model. A cough, for which
    this model always writes "You", gives none either.

    The weights (55 MB to fetch) and packages come with ``voiceloop[local]``. One object serves all calls.

    Raises, from `warm` and `transcribe`: `MissingExtra`, `WeightsError`, `ModelError`.
    """

    languages = ("en",)

    def __init__(self, options: MoonshineOptions | None = None, *, model: MoonshineModel | None = None) -> None:
        """`model`: one that is loaded already, to share it."""
        self.options = options or MoonshineOptions()
        self._model = model
        self._hints = Hints(self.options.hints)
        self._limit = Limit(self.options.concurrency)
        self._loading = Limit(1)

    async def warm(self) -> None:
        """Fetch the weights if they are not in the cache (once, 55 MB and 15 s of preparation), load the model."""
        async with self._loading:
            if self._model is None:
                self._model = await offload(_loaded)

    async def aclose(self) -> None:
        """Forget the model; the next use loads it again."""
        self._model = None

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        utterance = _Utterance(self)
        async for item in audio:
            if isinstance(item, Flush):
                text = await utterance.text()
                close = utterance.seconds >= self.options.close_after
                if text or utterance.reported:
                    yield utterance.transcript(text, final=close)
                if close:
                    utterance.next_segment(utterance.length)
                yield item
                continue
            utterance.add(item)
            while utterance.seconds > self.options.longest:
                cut = utterance.cut()
                text = await utterance.text(cut)
                if text or utterance.reported:
                    yield utterance.transcript(text, final=True)
                utterance.next_segment(cut)
        text = await utterance.text()
        if text or utterance.reported:
            yield utterance.transcript(text, final=True)

    async def recognise(self, samples: npt.NDArray[np.int16]) -> str:
        """The words in 8000 Hz samples that hold speech, at most 30 s of them."""
        if self._model is None:
            await self.warm()
        model = self._model
        assert model is not None
        async with self._limit:
            text = await offload(_run, model, samples, virtual_cost=self.options.cost)
        if len(samples) <= _INVENTS_UP_TO and text.strip(".?! ").lower() == _INVENTED:
            return ""
        return self._hints.correct(text)


class _Utterance:
    """The audio of the current segment and what was last understood of it."""

    def __init__(self, stt: Moonshine) -> None:
        self._stt = stt
        self._audio = bytearray()
        self._segment = 0
        self._text = ""
        self._known = 0  # bytes that `_text` answers for; 0 when nothing was recognised yet
        self._threshold = -math.inf  # the level of speech in them, dB under full scale
        self.reported = False
        """Whether a transcript of this segment is out, so that an empty one would take words back."""

    @property
    def length(self) -> int:
        return len(self._audio)

    @property
    def seconds(self) -> float:
        return len(self._audio) / _PHONE_RATE

    def add(self, audio: bytes) -> None:
        self._audio += audio

    def transcript(self, text: str, *, final: bool) -> Transcript:
        self.reported = True
        return Transcript(text, final=final, segment=self._segment)

    def cut(self) -> int:
        """Where a segment that got too long ends best, in bytes."""
        longest = round(self._stt.options.longest * _PHONE_RATE)
        return quietest(mulaw.decode(self._audio[:longest]), longest // 2, longest)

    def next_segment(self, start: int) -> None:
        del self._audio[:start]
        if self.reported:
            self._segment += 1
        self._text, self._known, self._threshold, self.reported = "", 0, -math.inf, False

    async def text(self, end: int | None = None) -> str:
        """The words up to `end`. Runs no model when only silence has come since the last time."""
        end = len(self._audio) if end is None else end
        if (
            self._known
            and end >= self._known
            and not speaks(mulaw.decode(self._audio[self._known : end]), self._threshold)
        ):
            return self._text
        samples = mulaw.decode(self._audio[:end])
        found = activity(samples)
        if not found:
            return ""
        self._text = await self._stt.recognise(samples[found.start : found.end])
        self._known, self._threshold = end, found.threshold
        return self._text


def _loaded() -> MoonshineModel:
    model = MoonshineModel.load()
    model.transcribe(np.zeros(RATE, np.float32))  # the first run allocates; let no caller wait for it
    return model


def _run(model: MoonshineModel, samples: npt.NDArray[np.int16]) -> str:
    speech = resample.resample(resample.to_float32(samples), _PHONE_RATE, RATE)
    peak = float(np.abs(speech).max(initial=0.0))
    return model.transcribe(speech * (_PEAK / peak) if peak > 0 else speech)

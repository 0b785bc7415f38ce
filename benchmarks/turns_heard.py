"""What voice activity and the recogniser make of the calls of `turns_corpus.py`, kept on disk between runs.

As in a call: Silero's detector finds speech and short silences, and at each of these the recogniser (Moonshine) is
asked for the utterance so far. Recognising takes minutes, so its words are kept in the library's cache directory, by
the audio they stand for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from turns_corpus import RecordedCall
from turns_noise import RATE

from voiceloop.audio import mulaw
from voiceloop.audio.resample import to_int16
from voiceloop.cache import cache_dir
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.moonshine import Moonshine
from voiceloop.tune.clips import Clip, TrueTurn
from voiceloop.tune.listening import Track, listen, notice, stretches_of
from voiceloop.tune.words import Answer, Stretch
from voiceloop.vad.silero import SileroModel

__all__ = ["Memory", "clip_of", "hear", "stretches"]

VERSION = "1"
"""Of what is kept; another one forgets it all."""
PRE_ROLL = 0.35
"""Seconds before speech was noticed that the recogniser hears too, as `voiceloop.stt.processor` has it."""
LAG, LAG_PER_SECOND = 0.05, 0.045
"""Seconds a recognition is said to take, and more for each second of speech: an assumption near what was seen (some
0.1 s for 2 s of speech), no fit. Fixed, so that the figures do not depend on what else the machine does."""


class Memory:
    """Words by the audio they stand for, in one file each."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_dir() / "benchmarks" / "turns"
        self._stt = Moonshine()
        self._known: dict[str, str] = {}
        self.recognised = 0
        """Pieces of audio for which the recogniser had to be run."""

    def words(self, audio: bytes) -> str:
        """The words of an utterance, or of its begin. Mu-law, 8000 Hz."""
        name = hashlib.sha256(VERSION.encode() + audio).hexdigest()
        if name not in self._known:
            self._known[name] = self._kept(self._folder / f"{name}.json", audio)
        return self._known[name]

    def _kept(self, path: Path, audio: bytes) -> str:
        with suppress(OSError, ValueError):
            return str(json.loads(path.read_text()))
        text = asyncio.run(_recognised(self._stt, audio))
        self.recognised += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(text))
        return text

    def text(self, samples: npt.NDArray[np.float32]) -> str:
        """The words in 8000 Hz samples of speech."""
        room = np.zeros(2400, np.float32)
        return self.words(mulaw.encode(to_int16(np.concatenate([room, samples, room]))))


async def _recognised(stt: Moonshine, audio: bytes) -> str:
    async def stream() -> AsyncIterator[bytes | Flush]:
        yield audio
        yield Flush()

    segments: dict[int, str] = {}
    async for item in stt.transcribe(stream()):
        if isinstance(item, Flush):
            break
        if isinstance(item, Transcript):
            segments[item.segment] = item.text
    return " ".join(text for text in segments.values() if text)


class _Remembered:
    """A recogniser for `voiceloop.tune`: Moonshine on the audio of one call."""

    def __init__(self, audio: bytes, stretches: Sequence[Stretch], memory: Memory) -> None:
        self._audio, self._stretches, self._memory = audio, stretches, memory

    def answers(self, first: int, last: int) -> list[Answer]:
        """See `voiceloop.tune.words.Recogniser`."""
        begins, ends = self._stretches[first].noticed - PRE_ROLL, self._stretches[last].paused
        text = self._memory.words(self._audio[max(0, round(begins * RATE)) : round(ends * RATE)])
        return [Answer(ends + LAG + LAG_PER_SECOND * (ends - begins), text, True)]


def stretches(samples: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """Where a recording holds speech, by the same detector: first sample and one past the last of each stretch."""
    before = 4000
    line = np.concatenate([np.zeros(before, np.float32), samples, np.zeros(2 * before, np.float32)])
    found = stretches_of(notice(mulaw.encode(to_int16(np.clip(line, -1, 1))), SileroModel()))
    return [(round(each.started * RATE) - before, round(each.ended * RATE) - before) for each in found]


def hear(call: RecordedCall, memory: Memory) -> Track:
    """A call as the library hears it, with the truth beside it."""
    return listen(clip_of(call), lambda clip, stretches: _Remembered(call.audio, stretches, memory), SileroModel())


def clip_of(call: RecordedCall) -> Clip:
    """The same for `voiceloop.tune`."""
    return Clip(call.name, call.audio, tuple(TrueTurn(turn.text, turn.begins, turn.ends) for turn in call.turns))

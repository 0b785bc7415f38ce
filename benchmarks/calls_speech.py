"""What the callers of ``calls.py`` say: recordings as the phone carries them, or an embedded voice without any.

Pauses inside an utterance are shortened, so that nobody's turn ends in the middle of it: how turns are told apart is
measured elsewhere (``turns.py``). The line has a little noise, always.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw, resample
from voiceloop.audio.wav import read_wav

__all__ = ["make"]

Floats = npt.NDArray[np.float32]

RATE: Final = 8000
FRAME: Final = 80
"""Samples over which a level is taken: 10 ms."""
LEVEL: Final = -22.0
"""dBFS of speech."""
SOFT: Final = 32.0
"""dB below the loudest frame from which on a frame is a pause."""
HEARD: Final = 20.0
"""dB below it from which on the first sound is heard as speech: a breath before it is none."""
LONGEST: Final = 6
"""Frames of a pause that stay."""
SPOKEN: Final = (1.2, 3.2)
"""Seconds of an utterance that is taken."""
SENTENCES: Final = (
    "Do you have a table for two tonight?",
    "We would like to come at seven, please.",
    "Is there any place outside for us to sit?",
    "Thank you, that is all I wanted to know.",
)


def make(path: Path, recordings: Path | None, noise: float) -> dict[str, object]:
    """Write the file that callers read.

    Args:
        recordings: a folder with ``manifest.tsv``; None: an embedded voice speaks, which needs ``voiceloop[local]``.
        noise: of the line, dBFS.
    """
    rng = np.random.default_rng(7)
    spoken = list(_recorded(recordings) if recordings is not None else _made())
    utterances = [mulaw.encode(resample.to_int16(_on_line(each, noise, rng))) for each in spoken]
    hiss = mulaw.encode(resample.to_int16(_hiss(RATE * 7 // 10, noise, rng)))
    np.savez(
        path,
        lengths=np.array([len(each) for each in utterances]),
        audio=np.frombuffer(b"".join(utterances), dtype=np.uint8),
        noise=np.frombuffer(hiss, dtype=np.uint8),
    )
    seconds = [len(each) / RATE for each in utterances]
    return {
        "speech": "recordings" if recordings is not None else "an embedded voice",
        "utterances": len(utterances),
        "seconds_of_speech": [round(min(seconds), 1), round(max(seconds), 1)],
        "line_noise_dbfs": noise,
    }


def _recorded(folder: Path) -> Iterator[Floats]:
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file, delimiter="\t")]
    for name in names:
        wav = read_wav(folder / name)
        if wav.samples.ndim == 1 and len(wav.samples) / wav.rate < 2 * SPOKEN[1]:
            speech = _without_pauses(resample.resample(wav.samples, wav.rate, RATE))
            if SPOKEN[0] <= len(speech) / RATE <= SPOKEN[1]:
                yield speech


def _made() -> Iterator[Floats]:
    import asyncio

    from voiceloop.tts.hibari import Hibari

    async def speak(text: str) -> bytes:
        async def words() -> AsyncIterator[str]:
            yield text

        return b"".join([piece.audio async for piece in voice.generate(words())])

    voice = Hibari()
    for sentence in SENTENCES:
        yield _without_pauses(resample.to_float32(mulaw.decode(asyncio.run(speak(sentence)))))


def _without_pauses(speech: Floats) -> Floats:
    frames = speech[: len(speech) // FRAME * FRAME].reshape(-1, FRAME)
    levels = 10 * np.log10(np.einsum("ij,ij->i", frames, frames) / FRAME + 1e-12)
    loud = np.flatnonzero(levels > levels.max() - SOFT)
    kept, quiet = [], 0
    for index in range(int(np.argmax(levels > levels.max() - HEARD)), loud[-1] + 1):
        quiet = 0 if index in loud else quiet + 1
        if quiet <= LONGEST:
            kept.append(index)
    found: Floats = frames[kept].reshape(-1)
    return found * np.float32(10 ** (LEVEL / 20) / np.sqrt(np.mean(found**2)))


def _hiss(samples: int, level: float, rng: np.random.Generator) -> Floats:
    return (rng.standard_normal(samples) * 10 ** (level / 20)).astype(np.float32)


def _on_line(speech: Floats, noise: float, rng: np.random.Generator) -> Floats:
    heard: Floats = np.clip(speech + _hiss(len(speech), noise, rng), np.float32(-0.95), np.float32(0.95))
    return heard

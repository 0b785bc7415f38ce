"""The recordings that the calls of `turns_corpus.py` are made of, and where pauses can be put into them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from turns_noise import RATE, Floats, band, room_of

from voiceloop.audio.resample import resample
from voiceloop.audio.wav import read_wav

__all__ = ["APART", "LEVEL", "Recording", "places", "recordings"]

GOES_ON = {"ps_librivox_0880": "ps_librivox_0890", "lj_0006": "lj_0008"}
"""Files whose sentence goes on in another. (Of the second sentence a file is missing in between; nobody notices.)"""
CUT_SHORT = ("lj_0004",)
"""Files that stop inside a sentence whose next file is missing: they are left out."""
FRAME = 80
"""Samples judged together: 10 ms."""
LEVEL = -22.0
"""Of speech, dB under full scale."""
APART = 0.35
"""Seconds of speech before, between and after pauses, at least."""
DIP = 9.0
"""dB by which a dip lies below the speech on both sides of it."""

Stretches = Callable[[Floats], Sequence[tuple[int, int]]]
"""Where 8000 Hz samples hold speech, short pauses between: first and one past the last sample of each stretch."""
BEFORE, AFTER = 0.15, 0.1
"""Seconds around these in which soft sounds still belong to the speech; a click or a breath beyond does not."""
Recognise = Callable[[Floats], str]
"""The words in 8000 Hz samples."""
Alike = Callable[[str, str], int]
"""By how many words a text differs from a reference: reference, text."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One file of the folder, on the band of a phone, from its first sound to its last."""

    name: str
    text: str
    kind: str
    """``order``, ``digits``, ``read`` or ``command`` (questions with them)."""
    speech: Floats
    """At `LEVEL`."""
    room: Floats
    """Spectrum of its background: amplitude for each frequency of a frame of 256 samples."""
    own: tuple[tuple[int, int], ...]
    """Pauses it has itself: first and one past the last sample."""
    joints: tuple[int, ...] = ()
    """Where two files meet, samples."""


def recordings(folder: Path, stretches: Stretches) -> list[Recording]:
    """All of a folder's manifest.

    Args:
        folder: with ``manifest.tsv`` (see benchmarks/README.md).
        stretches: finds speech.
    """
    with (folder / "manifest.tsv").open(newline="") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t"))
    found = {each.name: each for each in (_recording(folder / row["file"], row, stretches) for row in rows)}
    for name, following in GOES_ON.items():
        if name in found and following in found:
            found[name] = _joined(found[name], found.pop(following))
    return [each for each in found.values() if each.name not in CUT_SHORT]


def _joined(first: Recording, second: Recording) -> Recording:
    at = len(first.speech)
    return replace(
        first,
        text=f"{first.text} {second.text}",
        speech=np.concatenate([first.speech, second.speech]),
        own=(*first.own, *((begin + at, end + at) for begin, end in second.own)),
        joints=(at,),
    )


def _recording(path: Path, row: dict[str, str], stretches: Stretches) -> Recording:
    wav = read_wav(path)
    samples = band(resample(wav.samples, wav.rate, RATE))
    samples = samples * np.float32(10 ** ((LEVEL - _active_level(samples)) / 20))
    db, spoken = _levels(samples), stretches(samples)
    loud = np.flatnonzero(db > max(float(db.max()) - 35, float(np.percentile(db, 5)) + 10))
    first = max(int(loud[0] - 1) * FRAME, spoken[0][0] - round(BEFORE * RATE), 0)
    last = min(int(loud[-1] + 2) * FRAME, spoken[-1][1] + round(AFTER * RATE))
    return Recording(
        path.stem,
        row["transcript"],
        {"question": "command"}.get(row["kind"], row["kind"]),
        np.clip(samples[first:last], -0.98, 0.98),
        room_of(samples),
        tuple((one[1] - first, following[0] - first) for one, following in pairwise(spoken)),
    )


def _active_level(samples: Floats) -> float:
    """Mean power of what is within 25 dB of the loudest frame, dB."""
    db = _levels(samples)
    return float(10 * np.log10((10 ** (db[db > db.max() - 25] / 10)).mean()))


def places(recording: Recording, recognise: Recognise, differs: Alike) -> list[int]:
    """Where a pause can be put in, samples: dips of the sound that lie between two words."""
    words = recording.text.split()
    least = differs(recording.text, recognise(recording.speech))
    found: dict[int, tuple[float, int]] = {}  # between which words: how soft, where
    for at, level in _dips(recording.speech):
        kept = (*recording.own, *((joint, joint) for joint in recording.joints))
        if any(begin - APART * RATE < at < end + APART * RATE for begin, end in kept):
            continue
        before, after = recognise(recording.speech[:at]), recognise(recording.speech[at:])
        errors, split = min(
            (
                (differs(" ".join(words[:split]), before) + differs(" ".join(words[split:]), after), split)
                for split in range(1, len(words))
            ),
            default=(99, 0),
        )
        if errors <= least:
            found[split] = min(found.get(split, (level, at)), (level, at))
    return sorted(at for _, at in found.values())


def _dips(speech: Floats) -> list[tuple[int, float]]:
    """Middles of what is `DIP` softer than the loudest of the 150 ms on either side, one for each 100 ms, and how
    loud they are, dB."""
    db = np.convolve(_levels(speech), np.ones(3) / 3, mode="same")
    edge, near = round(APART * RATE / FRAME), 15
    dips = [
        int(at)
        for at in range(edge, len(db) - edge)
        if db[at] <= db[at - 5 : at + 6].min()
        and db[at] <= min(db[at - near : at].max(), db[at + 1 : at + near + 1].max()) - DIP
    ]
    apart = (dip for n, dip in enumerate(dips) if n == 0 or dip - dips[n - 1] >= 10)
    return [(dip * FRAME + FRAME // 2, float(db[dip])) for dip in apart]


def _levels(samples: Floats) -> npt.NDArray[np.float64]:
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    return np.asarray(10 * np.log10((frames**2).mean(axis=1) + 1e-10))

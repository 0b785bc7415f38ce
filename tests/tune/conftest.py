"""Folders of artificial recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.audio.wav import write_wav
from voiceloop.sim.artificial import Lexicon

RATE = 8000
QUIET = b"\xff"
LEXICON = Lexicon()

Spoken = str | float
"""Words, or seconds of silence."""


def spoken(*parts: Spoken) -> bytes:
    """Words and pauses as audio, without the silence that artificial speech puts behind its last word."""
    audio = bytearray()
    for part in parts:
        if isinstance(part, str):
            audio += LEXICON.speak(part)[0].rstrip(QUIET)
        else:
            audio += QUIET * round(part * RATE)
    return bytes(audio)


def save(path: Path, audio: bytes) -> None:
    """As a WAV of 16 bits."""
    write_wav(path, mulaw.decode(audio).astype(np.int16), RATE)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder: ``folder(order=(0.5, "a latte", 0.6, "please", 0.5))``; what is said stands in NAME.txt."""

    def make(**recordings: tuple[Spoken, ...]) -> Path:
        place = tmp_path / "calls"
        place.mkdir(exist_ok=True)
        for name, parts in recordings.items():
            save(place / f"{name}.wav", spoken(*parts))
            (place / f"{name}.txt").write_text(" ".join(each for each in parts if isinstance(each, str)))
        return place

    return make

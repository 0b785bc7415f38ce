"""The tones of telephone keys."""

from __future__ import annotations

import numpy as np
import pytest

from voiceloop.audio.dtmf import KEYS, tones
from voiceloop.audio.mulaw import decode


def loudest(audio: bytes) -> list[int]:
    """The two strongest frequencies of some audio, Hz."""
    spectrum = np.abs(np.fft.rfft(decode(audio).astype(float)))
    rate = 8000 / len(audio)
    low = round(1050 / rate)
    return [round(int(spectrum[1:low].argmax() + 1) * rate), round(int(spectrum[low:].argmax() + low) * rate)]


@pytest.mark.parametrize("key", sorted(KEYS))
def test_each_key_is_its_two_frequencies(key: str) -> None:
    tone = tones(key)[:800]
    assert loudest(tone) == pytest.approx(list(KEYS[key]), abs=10)
    assert int(np.abs(decode(tone)).max()) < 20000


def test_keys_are_apart_by_silence_and_w_waits() -> None:
    audio = tones("1w2")
    assert len(audio) == 1600 + 4000 + 1600
    assert not np.any(decode(audio[800:5600]))
    assert loudest(audio[5600:6400]) == pytest.approx(list(KEYS["2"]), abs=10)


@pytest.mark.parametrize("digits", ["", "  ", "12x", "1" * 101, "+49"])
def test_what_cannot_be_pressed_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="expected 1 to 100 keys"):
        tones(digits)

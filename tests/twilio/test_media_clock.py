"""When the caller's words were spoken: jitter, bunches, stalls and drift."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.twilio.media_clock import MediaClock

FRAME = 0.02  # seconds
START = 1000.0  # loop time at timestamp 0


def spoken(index: int) -> float:
    return START + index * FRAME


def test_first_message_is_taken_at_its_word() -> None:
    assert MediaClock().speech_time(500, FRAME, 77.0) == pytest.approx(76.98)


def test_frames_in_time_are_exact() -> None:
    clock = MediaClock()
    times = [clock.speech_time(i * 20, FRAME, spoken(i + 1)) for i in range(2000)]
    assert times == pytest.approx([spoken(i) for i in range(2000)], abs=1e-6)


def test_late_frames_do_not_move_it() -> None:
    clock = MediaClock()
    rng = random.Random(1)
    for i in range(100):
        clock.speech_time(i * 20, FRAME, spoken(i + 1))
    arrival = spoken(101)
    for i in range(100, 400):
        arrival = max(arrival, spoken(i + 1) + rng.random() * 0.2)
        assert clock.speech_time(i * 20, FRAME, arrival) == pytest.approx(spoken(i), abs=1e-6)


@pytest.mark.parametrize("stall", [0.5, 5.0, 60.0])
def test_bunch_after_stall_of_any_length_does_not_move_it(stall: float) -> None:
    clock = MediaClock()
    for i in range(100):
        clock.speech_time(i * 20, FRAME, spoken(i + 1))
    until = 100 + round(stall / FRAME)
    for i in range(100, until):
        assert clock.speech_time(i * 20, FRAME, spoken(until)) == pytest.approx(spoken(i), abs=1e-6)


def test_late_start_is_corrected_by_first_frame_in_time() -> None:
    clock = MediaClock()
    assert clock.speech_time(0, FRAME, spoken(10)) == pytest.approx(spoken(9))
    for i in range(1, 10):
        clock.speech_time(i * 20, FRAME, spoken(10))
    assert clock.speech_time(200, FRAME, spoken(11)) == pytest.approx(spoken(10))


def test_drift_is_followed() -> None:
    clock = MediaClock()
    slow = 1.0001  # their second is this long on our clock: 100 ppm
    for i in range(50 * 600):
        time = clock.speech_time(i * 20, FRAME, START + (i + 1) * FRAME * slow)
        assert abs(time - (START + i * FRAME * slow)) < 0.0011


def test_longer_route_is_followed_after_the_window() -> None:
    clock = MediaClock(window=10.0)
    for i in range(2000):
        late = 0.0 if i < 1000 else 0.1
        time = clock.speech_time(i * 20, FRAME, spoken(i + 1) + late)
    assert time == pytest.approx(spoken(1999) + 0.1)


def test_stream_clock_set_back_starts_again() -> None:
    clock = MediaClock()
    for i in range(100):
        clock.speech_time(i * 20, FRAME, spoken(i + 1))
    assert clock.speech_time(0, FRAME, spoken(102)) == pytest.approx(spoken(101))


@given(
    first=st.integers(0, 10**7),
    delay=st.floats(0, 0.5),
    jitters=st.lists(st.floats(0, 3.0), min_size=1, max_size=200),
)
def test_estimate_is_monotonic_and_within_the_least_delay_seen(first: int, delay: float, jitters: list[float]) -> None:
    clock = MediaClock()
    arrival, last, least = 0.0, float("-inf"), float("inf")
    for i, jitter in enumerate(jitters):
        arrival = max(arrival, spoken(i + 1) + delay + jitter)  # TCP keeps order
        least = min(least, arrival - spoken(i + 1))
        time = clock.speech_time(first + i * 20, FRAME, arrival)
        assert time >= last
        assert time <= arrival - FRAME + 1e-6  # nothing is heard before it is spoken
        assert time >= spoken(i) - 1e-6
        if time > last:  # not held to stay monotonic
            assert time == pytest.approx(spoken(i) + least, abs=1e-6)
        last = time

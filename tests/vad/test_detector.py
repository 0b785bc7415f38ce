from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.vad.detector import Event, Paused, SpeechDetector, Started, VADOptions

WINDOW = 256


def run(probabilities: Sequence[float], options: VADOptions | None = None, window: int = WINDOW) -> list[Event]:
    detector = SpeechDetector(options)
    return [
        event
        for index, probability in enumerate(probabilities)
        for event in detector.feed(probability, index * window, window)
    ]


def test_speech_starts_at_its_first_sample_and_pauses_at_its_last() -> None:
    assert run([0.1] * 10 + [0.9] * 20 + [0.1] * 10) == [Started(10 * WINDOW), Paused(30 * WINDOW)]


@pytest.mark.parametrize(
    ("probabilities", "events"),
    [
        ([0.9], []),
        ([0.9, 0.9], [Started(0)]),
        ([0.9, 0.1, 0.9, 0.1], []),
        ([0.9, 0.49, 0.9, 0.9], [Started(512)]),  # a run is of windows at the threshold, all of them
        ([0.9, 0.9, 0.1, 0.1, 0.1, 0.1], [Started(0)]),  # 128 ms of silence
        ([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1], [Started(0), Paused(512)]),  # 160 ms
        ([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.36], [Started(0)]),  # between the thresholds whatever was goes on
        ([0.9, 0.9] + [0.36] * 30, [Started(0)]),
        ([0.36] * 30, []),
        ([0.9] * 2 + [0.1] * 9 + [0.9] * 2, [Started(0), Paused(512), Started(11 * 256)]),
        ([float("nan")] * 9, []),
        ([0.9] * 2 + [float("nan")] * 5, [Started(0), Paused(512)]),
    ],
)
def test_runs_of_windows(probabilities: list[float], events: list[Event]) -> None:
    assert run(probabilities) == events


def test_the_event_comes_with_the_window_that_completes_it() -> None:
    detector = SpeechDetector()
    fed = [detector.feed(p, i * WINDOW, WINDOW) for i, p in enumerate([0.9, 0.9, 0.9, 0, 0, 0, 0, 0, 0])]
    assert [i for i, events in enumerate(fed) if events] == [1, 7]


def test_limits_are_in_seconds_whatever_the_window() -> None:
    options = VADOptions(min_speech=0.06, min_silence=0.1)
    assert run([1] * 2 + [0] * 9, options, window=160) == []
    assert run([1] * 3 + [0] * 4, options, window=160) == [Started(0)]
    assert run([1] * 3 + [0] * 5, options, window=160) == [Started(0), Paused(480)]


def test_without_limits_every_window_counts() -> None:
    options = VADOptions(min_speech=0, min_silence=0)
    assert run([0.9, 0.1, 0.9], options) == [Started(0), Paused(256), Started(512)]


def test_lost_audio_is_silence() -> None:
    detector = SpeechDetector()
    assert detector.feed(0.9, 8000, 256) == ()
    assert detector.feed(0.9, 8256, 256) == (Started(8000),)
    assert detector.feed(0.9, 8672, 256) == ()  # 20 ms were lost
    assert detector.speaking
    assert detector.feed(0.9, 16000, 512) == (Paused(8928), Started(16000))  # much was, and speech is back at once
    assert detector.feed(0.1, 24000, 256) == (Paused(16512),)


def test_speech_before_a_long_gap_does_not_count_after_it() -> None:
    detector = SpeechDetector()
    assert detector.feed(0.9, 0, 256) == ()
    assert detector.feed(0.9, 8000, 256) == ()
    assert detector.feed(0.9, 8256, 256) == (Started(8000),)


def test_the_end_of_the_line_pauses_speech_once() -> None:
    detector = SpeechDetector()
    assert detector.finish() == ()
    detector.feed(0.9, 0, 512)
    detector.feed(0.1, 512, 256)
    assert detector.finish() == (Paused(512),)
    assert detector.finish() == ()
    assert detector.feed(0.9, 768, 512) == (Started(768),)


def test_windows_that_overlap_are_refused() -> None:
    detector = SpeechDetector()
    detector.feed(0.1, 0, 256)
    with pytest.raises(ValueError, match="a window at sample 256 or later, got 256 samples at 255"):
        detector.feed(0.1, 255, 256)
    with pytest.raises(ValueError, match="got 0 samples at 256"):
        detector.feed(0.1, 256, 0)


@pytest.mark.parametrize("wrong", [{"release": 0.6}, {"threshold": 1.1}, {"min_speech": -1}, {"rate": 0}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        VADOptions(**wrong)  # type: ignore[arg-type]


@given(
    windows=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 0, 0, 160, 1280, 5000])), max_size=80),
    samples=st.sampled_from([80, 160, 256, 1000]),
    min_speech=st.sampled_from([0, 0.02, 0.064, 0.2]),
    min_silence=st.sampled_from([0, 0.02, 0.16, 0.5]),
)
def test_events_alternate_in_order_and_rest_on_enough_windows(
    windows: list[tuple[float, int]], samples: int, min_speech: float, min_silence: float
) -> None:
    options = VADOptions(min_speech=min_speech, min_silence=min_silence)
    detector = SpeechDetector(options)
    events: list[Event] = []
    fed: list[tuple[int, float]] = []
    position = 0
    for probability, gap in windows:
        position += gap
        speaking = detector.speaking
        new = detector.feed(probability, position, samples)
        fed.append((position, probability))
        position += samples
        assert detector.speaking == (speaking if len(new) % 2 == 0 else not speaking)
        for event in new:
            if isinstance(event, Started):
                run = [p for start, p in fed if start >= event.at_sample]
                assert min(run) >= options.threshold
                assert len(run) * samples >= round(min_speech * 8000)
            else:
                assert all(p < options.release for start, p in fed[:-1] if start >= event.at_sample)
                assert any(start + samples == event.at_sample and p >= options.release for start, p in fed)
                assert position - event.at_sample >= round(min_silence * 8000)
        events.extend(new)
    events.extend(detector.finish())
    assert [type(event) for event in events] == [Started, Paused] * (len(events) // 2)
    assert all(a.at_sample <= b.at_sample for a, b in pairwise(events))
    if min_silence:
        assert all(a.at_sample < b.at_sample for a, b in pairwise(events))

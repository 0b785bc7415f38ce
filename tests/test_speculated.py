"""What is reported of answers that were begun before the caller's turn was over."""

from __future__ import annotations

from collections import Counter

import pytest

from voiceloop.conversation import Conversation
from voiceloop.latency import latency_of
from voiceloop.report import CallReport, Turn
from voiceloop.speculated import Speculated, count_gained, count_kept, count_wasted, gained_of, split_speculated

MILESTONES = {"begun": 1.0, "decided": 1.4, "audio": 1.3, "played": 1.42}


@pytest.mark.parametrize(
    ("changes", "gained"),
    [
        ({}, 0.3),  # the voice was ready before: all that model and voice took
        ({"audio": 1.5, "played": 1.52}, 0.4),  # it was not: all that the guess was earlier
        ({"asked": 1.2, "audio": 1.9, "played": 1.92}, 0.2),  # a tool had to wait: only the way to it
        ({"asked": 1.2, "audio": 1.9, "decided": 1.1, "played": 1.92}, 0.1),
        ({"begun": 1.4}, 0.0),  # not begun early
        ({"begun": 1.5}, 0.0),
    ],
)
def test_the_gain_is_the_part_of_the_work_that_was_done_before_the_turn_was_over(
    changes: dict[str, float], gained: float
) -> None:
    assert gained_of({**MILESTONES, **changes}) == pytest.approx(gained)


@pytest.mark.parametrize("missing", ["begun", "decided", "audio", "played"])
def test_nothing_is_gained_by_what_was_not_heard(missing: str) -> None:
    assert gained_of({name: at for name, at in MILESTONES.items() if name != missing}) == 0.0


def test_the_parts_of_a_wait_stay_whole_when_text_and_audio_came_before_the_turn_was_over() -> None:
    times = {**MILESTONES, "ended": 1.0, "endpointed": 1.35, "text": 1.2, "sent": 1.41}
    latency = latency_of(times)
    assert latency is not None
    assert (latency.llm, latency.tts) == (0.0, 0.0)
    assert latency.total == pytest.approx(0.42)


def test_counts_of_a_running_call_stand_apart_in_its_report() -> None:
    usage: Counter[str] = Counter({"llm.output_tokens": 40})
    count_kept(usage)
    count_gained(usage, 0.25)
    count_wasted(usage, discarded=1, written=4, characters=20)
    count_wasted(usage, written=6, read=100)
    report = CallReport("CA1", "completed", 1.0, Conversation(), usage=dict(usage))
    assert report.speculation == Speculated(1, 1, 10, 100, 40, 20, 0.25)
    assert report.usage == {"llm.output_tokens": 40}
    assert (report.speculation.made, report.speculation.wasted_share) == (2, 0.25)
    assert str(report.speculation) == (
        "1 of 2 speculative answers kept, 250 ms gained, 10 tokens (25%) and 20 characters wasted"
    )


def test_a_report_that_is_read_back_keeps_what_it_says() -> None:
    found = Speculated(kept=2, tokens=7)
    assert CallReport("CA1", "completed", 1.0, Conversation(), speculation=found).speculation is found
    assert split_speculated({}) == Speculated()
    assert Speculated().wasted_share == 0.0


def test_a_turn_says_what_it_gained_when_it_gained_anything() -> None:
    assert Turn(1, "a latte", "Fine.", gained=0.29).line() == "turn 1  caller: 'a latte'  agent: 'Fine.'  gained 290 ms"
    assert Turn(1, "a latte", "Fine.").line() == "turn 1  caller: 'a latte'  agent: 'Fine.'"
    assert Turn(1, "a latte", "Fine.", gained=0.29).as_dict()["gained_ms"] == 290.0

"""Which settings are tried, which are best, and what is recommended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from voiceloop.language import Cues
from voiceloop.tune import sweeping
from voiceloop.tune.folder import read_folder
from voiceloop.tune.joining import join
from voiceloop.tune.listening import listen
from voiceloop.tune.scoring import Score
from voiceloop.tune.sweeping import FIXED, Outcome, Sweep, front, recommend, sweep
from voiceloop.tune.words import Known
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.energy import EnergyModel

Folder = Callable[..., Path]
TODAY = TurnOptions()
NOTICED = 0.08
"""Seconds after which speech is noticed: until then a turn still ends."""


def outcome(cut_offs: int, wait: float, **silences: float) -> Outcome:
    return Outcome(replace(TODAY, **silences), Score(cut_offs, 10, (wait,) * 10))  # type: ignore[arg-type]


def swept(today: Outcome, *adaptive: Outcome) -> Sweep:
    return Sweep(today, (), adaptive, (0.5,) * 50)


def test_fixed_silences_cut_off_whoever_pauses_longer_and_all_wait_as_long(folder: Folder) -> None:
    path = folder(a=(0.3, "a latte", 0.35, "please", 0.5), b=(0.3, "a mocha", 0.95, "please", 0.5), c=(0.3, "tea", 0.5))
    tracks = [listen(clip, Known, EnergyModel()) for clip in read_folder(path).clips]
    result = sweep(tracks, Cues())
    assert [each.options.silence for each in result.fixed] == list(FIXED)
    assert {each.options.silence: each.score.cut_offs for each in result.fixed} == {
        silence: (silence < 0.35 + NOTICED) + (silence < 0.95 + NOTICED) for silence in FIXED
    }
    assert [each.score.median for each in result.fixed[1:]] == pytest.approx(FIXED[1:])
    assert result.fixed[0].score.median == pytest.approx(0.26)  # the recogniser has answered no sooner
    assert [round(pause, 2) for pause in result.pauses] == [0.35, 0.95]
    assert result.today.options == TODAY


def test_every_adaptive_setting_is_in_order_and_keeps_all_other_options() -> None:
    today = TurnOptions(barge_in=0.3)
    for each in sweep([], Cues(), today).adaptive:
        assert each.options.finished <= each.options.unsure <= each.options.unfinished
        assert each.options.barge_in == 0.3


def test_of_very_many_turns_fewer_settings_are_tried(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = [listen(clip, Known, EnergyModel()) for clip in read_folder(folder(a=(0.3, "tea", 0.5))).clips]
    monkeypatch.setattr(sweeping, "MANY", 2)
    every = len(sweep(tracks, Cues()).adaptive)
    monkeypatch.setattr(sweeping, "MANY", 1)
    assert 20 < len(sweep(tracks, Cues()).adaptive) < every / 4


def test_the_front_holds_what_nothing_betters_and_of_equals_what_is_closest_to_today() -> None:
    far, near = outcome(2, 0.5, unfinished=2.5), outcome(2, 0.5, unfinished=1.4)
    quick, worse, safe = outcome(5, 0.3, unsure=0.3), outcome(3, 0.6, unsure=0.6), outcome(0, 1.0, unsure=1.0)
    nothing = Outcome(TODAY, Score(0, 0, ()))
    assert front([worse, far, safe, nothing, near, quick], outcome(3, 0.5)) == [quick, near, safe]


def test_the_safest_is_no_slower_and_the_quickest_cuts_off_no_more() -> None:
    today = outcome(4, 0.5)
    safer, quicker = outcome(1, 0.5, unfinished=2.0), outcome(4, 0.3, finished=0.3)
    others = [outcome(0, 0.51), outcome(2, 0.4), outcome(5, 0.2), outcome(4, 0.4)]
    better = recommend(swept(today, today, *others, safer, quicker))
    assert (better.safer, better.quicker) == (safer, quicker)


def test_nothing_is_recommended_where_nothing_is_better() -> None:
    today = outcome(0, 0.3)
    better = recommend(swept(today, today, outcome(0, 0.3, unfinished=2.0), outcome(1, 0.2)))
    assert (better.safer, better.quicker) == (None, None)


def test_a_setting_that_misses_turns_is_not_recommended() -> None:
    deaf = Outcome(TODAY, Score(0, 10, (0.1,) * 8, missed=2))
    assert recommend(swept(outcome(3, 0.5), deaf)).quicker is None


def test_a_setting_that_lets_turns_run_into_the_next_is_none_of_the_best() -> None:
    endless = Outcome(TODAY, Score(0, 10, (0.1,) * 10, merged=1))
    today = outcome(3, 0.5)
    assert front([endless, today], today) == [today]
    assert recommend(swept(today, endless)).safer is None


def test_what_makes_one_caller_in_ten_wait_much_longer_is_not_recommended() -> None:
    slow = Outcome(TODAY, Score(0, 10, (0.4,) * 8 + (1.1,) * 2))
    fair = Outcome(TODAY, Score(1, 10, (0.4,) * 8 + (1.0,) * 2))
    assert recommend(swept(outcome(3, 0.5), slow, fair)).safer == fair


def test_the_options_are_shown_as_they_are_pasted() -> None:
    adaptive = outcome(0, 0.5, unsure=0.8, unfinished=2.0, barge_in=0.2)
    assert adaptive.line == "TurnOptions(finished=0.35, unsure=0.8, unfinished=2, barge_in=0.2)"
    assert eval(adaptive.line) == adaptive.options
    assert replace(outcome(0, 0.5, silence=0.6), fixed=True).line == "TurnOptions(silence=0.6)"


def test_utterances_are_joined_into_calls_with_pauses_and_the_same_seed_joins_them_alike(folder: Folder) -> None:
    words = "two large lattes with oat milk and a small cappuccino please"
    clips = read_folder(folder(a=(0.2, words, 0.2), b=(0.2, words, 0.2), c=(0.2, words, 0.2))).clips
    calls = join(clips, 1)
    assert [len(call.turns) for call in calls] == [8, 4]
    assert calls == join(clips, 1)
    assert calls != join(clips, 2)
    pauses = [pause for call in calls for pause in listen(call, Known, EnergyModel()).pauses]
    assert len(pauses) >= 5
    assert all(0.15 < pause < 2.6 for pause in pauses)
    spoken = clips[0].turns[0].ended - clips[0].turns[0].started
    for call in calls:
        for before, after in zip(call.turns, call.turns[1:], strict=False):
            assert before.text == words
            assert before.ended - before.started >= spoken - 0.001
            assert 3.2 <= round(after.started - before.ended, 3) <= 4.2


def test_calls_and_recordings_of_several_turns_are_not_joined(folder: Folder) -> None:
    path = folder(call=(0.5, "latte", 1.0, "thank", 1.0))
    (path / "call.tsv").write_text("0.4\t1.2\ta latte\n1.3\t2.9\tthank you\n")
    clips = read_folder(path).clips
    assert join(clips) == list(clips)

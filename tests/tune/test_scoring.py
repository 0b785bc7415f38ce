"""What counts as cutting a caller off, and how long they waited."""

from __future__ import annotations

from math import isnan

import pytest

from voiceloop.tune.clips import Clip, TrueTurn
from voiceloop.tune.driving import Ended
from voiceloop.tune.scoring import Score, score, total

FIRST, SECOND = TrueTurn("a latte please", 1.0, 4.0), TrueTurn("thank you", 8.0, 9.0)


def ended(at: float, last: float) -> Ended:
    return Ended(at, "words", at - last, "", last)


def test_a_turn_held_to_be_over_after_its_end_is_waited_for_and_not_cut_off() -> None:
    assert score([ended(4.5, 4.0), ended(9.75, 9.0)], [FIRST, SECOND]) == Score(0, 2, (0.5, 0.75))


def test_a_turn_cut_off_twice_counts_once_and_its_wait_is_that_of_the_last_piece() -> None:
    pieces = [ended(2.0, 1.5), ended(3.0, 2.5), ended(4.5, 4.0)]
    assert score(pieces, [FIRST]) == Score(1, 1, (0.5,))


def test_a_turn_whose_rest_is_never_noticed_is_cut_off_and_has_no_wait() -> None:
    assert score([ended(3.5, 3.0)], [FIRST]) == Score(1, 1, (), missed=1)


def test_a_turn_that_runs_into_the_next_waited_at_least_until_that_began() -> None:
    assert score([ended(9.5, 9.0)], [FIRST, SECOND]) == Score(0, 2, (4.0, 0.5), merged=1)


def test_a_turn_nobody_noticed_has_no_wait_and_is_no_cut_off() -> None:
    assert score([], [FIRST]) == Score(0, 1, (), missed=1)


def test_noises_before_the_first_word_and_after_the_last_are_no_turns() -> None:
    pieces = [ended(0.9, 0.4), ended(4.5, 4.0), ended(6.5, 6.0)]
    assert score(pieces, [FIRST]) == Score(0, 1, (0.5,), stray=2)


def test_a_detector_that_hears_a_turn_end_a_little_late_does_not_make_it_another_one() -> None:
    assert score([ended(4.6, 4.1), ended(9.5, 9.0)], [FIRST, SECOND]).waits == pytest.approx((0.6, 0.5))


def test_several_clips_are_counted_together() -> None:
    both = total([Score(1, 2, (0.5, 0.7)), Score(0, 1, (0.9,), missed=0, stray=1)])
    assert both == Score(1, 3, (0.5, 0.7, 0.9), stray=1)
    assert (both.rate, both.median, both.mean, both.p90) == (1 / 3, 0.7, pytest.approx(0.7), 0.9)


def test_nine_of_ten_waits_do_not_exceed_the_p90() -> None:
    assert Score(0, 10, tuple(each / 10 for each in range(1, 11))).p90 == 0.9


def test_where_nothing_was_waited_for_there_is_no_number() -> None:
    none = Score(0, 0, ())
    assert all(isnan(each) for each in (none.rate, none.median, none.mean, none.p90))


def test_a_turn_must_end_after_it_started_and_turns_must_not_overlap() -> None:
    with pytest.raises(ValueError, match="expected a turn that ends after it started, got 2 to 2 s"):
        TrueTurn("x", 2, 2)
    with pytest.raises(ValueError, match=r"call: a turn starts at 3 s, before the last ended"):
        Clip("call", b"", (FIRST, TrueTurn("y", 3, 5)))

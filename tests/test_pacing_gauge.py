"""The gauge that says how late outbound audio leaves."""

from __future__ import annotations

import math

from voiceloop.pacing_gauge import PacingGauge
from voiceloop.runtime import Runtime


def test_nothing_sent_is_nothing_late() -> None:
    gauge = PacingGauge()
    assert (gauge.worst_margin(0.0), gauge.worst_late(0.0), gauge.count(0.0)) == (math.inf, 0.0, 0)


def test_the_worst_of_the_last_five_seconds_counts() -> None:
    gauge = PacingGauge()
    gauge.note(10.0, 0.2, 0.4)
    gauge.note(10.1, 0.6, 0.0)
    gauge.note(13.0, 0.5, 0.1)
    assert (gauge.worst_margin(13.0), gauge.worst_late(13.0), gauge.count(13.0)) == (0.2, 0.4, 3)
    assert (gauge.worst_margin(14.9), gauge.worst_late(14.9)) == (0.2, 0.4)
    assert (gauge.worst_margin(15.0), gauge.worst_late(15.0), gauge.count(15.0)) == (0.5, 0.1, 1)
    assert gauge.count(18.0) == 0


def test_a_slice_of_time_does_not_keep_what_was_in_it_five_seconds_before() -> None:
    gauge = PacingGauge()
    gauge.note(1.2, -0.3, 0.9)
    gauge.note(6.3, 0.6, 0.0)
    assert (gauge.worst_margin(6.3), gauge.worst_late(6.3), gauge.count(6.3)) == (0.6, 0.0, 1)


def test_holes_are_counted_for_good() -> None:
    gauge = PacingGauge()
    for now, margin in ((1.0, 0.0), (2.0, 0.1), (3.0, -0.2), (100.0, 0.6)):
        gauge.note(now, margin, 0.0)
    assert (gauge.holes, gauge.sent) == (2, 4)


def test_all_calls_of_a_runtime_share_one_and_so_do_runtimes_that_share() -> None:
    one, other = Runtime(), Runtime()
    assert one.pacing is not other.pacing
    other.share(one)
    assert other.pacing is one.pacing

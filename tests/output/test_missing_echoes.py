"""Marks that come late or never: the clock says what was played, and nothing waits for them for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.output.events import Assumed, Finished, PlayoutOptions, Settled, Started
from voiceloop.output.playout import Playout
from voiceloop.output.voice_limit import VoiceLimit

Line = Callable[..., Any]
SECOND = 8000


def about(value: float, within: float = 0.05) -> Any:
    """A time, as exactly as it matters."""
    return pytest.approx(value, abs=within)


def say(call: Any, key: int, seconds: float, at: float = 0.0) -> None:
    def queue() -> None:
        call.playout.queue(key, bytes([key]) * round(seconds * SECOND))
        call.playout.finish(key)

    call.at(at, queue)


def mute(name: str) -> bool:
    return True


def test_a_long_answer_without_any_echo_is_known_to_have_begun_after_the_limit(line: Line) -> None:
    call = line(lose=mute)
    say(call, 1, 9.0)
    call.run(2.2)
    assumed, started = call.news
    assert assumed == Assumed(1, about(2.0), 2.0, never=True)
    assert started == Started(1, about(0.06, 0.01), assumed=True)


def test_when_none_has_ever_come_nothing_more_is_waited_for(line: Line) -> None:
    call = line(lose=mute)
    say(call, 1, 1.0)
    say(call, 2, 1.0, at=5.0)
    call.run(6.3)
    finished = [(news.key, news.assumed) for news in call.news if isinstance(news, Finished)]
    assert finished == [(1, True), (2, True)]
    assert call.news[-1].at == pytest.approx(call.last_sound[2], abs=0.06)
    assert [news.waited for news in call.news if isinstance(news, Assumed)] == pytest.approx([2.0, 0.0], abs=0.02)
    assert call.playout.next_wakeup() is None


def test_an_interruption_settles_at_once_where_nothing_is_echoed(line: Line) -> None:
    call = line(lose=mute)
    say(call, 1, 1.0)
    say(call, 2, 9.0, at=4.0)
    call.at(6.0, lambda: call.playout.clear(6.0))
    call.run(6.01)
    settled = call.news[-1]
    assert (type(settled), settled.key) == (Settled, 2)
    assert call.heard[2] - 2 * 1600 <= call.playout.position(2, 6.01).played <= call.heard[2]


def test_the_first_interruption_waits_for_its_fence_and_then_goes_by_the_clock(line: Line) -> None:
    call = line(lose=mute)
    say(call, 1, 9.0)
    call.at(1.5, lambda: call.playout.clear(1.5))
    call.run(2.4)
    assert call.news == []
    call.run(2.6)
    assert [type(news) for news in call.news] == [Assumed, Started, Settled]
    assert call.news[0] == Assumed(1, about(1.0), 2.0, never=True)
    assert call.heard[1] - 2 * 1600 <= call.playout.position(1, 2.6).played <= call.heard[1]


def test_an_echo_that_comes_after_all_makes_them_worth_waiting_for_again(line: Line) -> None:
    call = line(lose=lambda name: not name.startswith("end"))
    say(call, 1, 3.0)
    say(call, 2, 9.0, at=4.0)
    call.run(4.5)
    assert not any(isinstance(news, Started) and news.key == 2 for news in call.news)
    call.run(6.3)
    late = next(news for news in call.news if isinstance(news, Assumed) and news.key == 2)
    assert late == Assumed(2, about(2.0), 2.0, never=False)


def test_a_process_that_stood_still_reads_its_mail_before_it_gives_up() -> None:
    playout = Playout()
    playout.queue(1, bytes(4000))
    playout.finish(1)
    playout.pump(0.0)
    assert playout.next_wakeup() == pytest.approx(2.12)
    assert playout.pump(5.0) == []  # nothing could be read since 0.0
    assert playout.next_wakeup() == pytest.approx(5.1)
    news = playout.echo("end:1", 30, 5.01)
    assert [type(each) for each in news] == [Started, Finished, Settled]
    assert not playout.position(1, 5.1).assumed


@pytest.mark.parametrize("echo_limit", [0.5, 2.0])
def test_marks_that_are_later_than_the_limit_hold_nothing_up(line: Line, echo_limit: float) -> None:
    call = line(PlayoutOptions(echo_limit=echo_limit), down=3.0)
    say(call, 1, 2.0)
    call.run(8.0)
    assert sum(isinstance(news, Settled) for news in call.news) == 1
    assert sum(isinstance(news, Assumed) for news in call.news) == 1
    assert sum(isinstance(news, Started) for news in call.news) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.1, 4.0), min_size=1, max_size=4),
    st.lists(st.floats(0.1, 15.0), max_size=3),
    st.floats(0.0, 0.12),
    st.data(),
)
def test_where_nothing_is_echoed_each_answer_settles_and_memory_is_close_to_the_truth(
    line: Line, lengths: list[float], cuts: list[float], delay: float, data: st.DataObject
) -> None:
    call = line(lose=mute, up=delay, down=delay)
    for key, seconds in enumerate(lengths, start=1):
        say(call, key, seconds, at=(key - 1) * 4.0)
    for cut in sorted(cuts):
        call.at(cut, lambda cut=cut: call.playout.clear(cut))
    call.run(40.0)
    for key in range(1, len(lengths) + 1):
        news = [each for each in call.news if getattr(each, "key", None) == key]
        position = call.playout.position(key, 40.0)
        assert sum(isinstance(each, Settled) for each in news) == 1
        assert sum(isinstance(each, Assumed) for each in news) <= 1
        assert position.played <= call.heard.get(key, 0) + 160
        # Marks stand every 0.2 s, and a mark counts when it was due 0.05 s before.
        assert call.heard.get(key, 0) - position.played <= (0.2 + 0.2 + 0.05 + 0.02) * SECOND
    assert call.playout.next_wakeup() is None


def test_a_voice_is_silent_when_its_sound_has_been_over_for_the_limit() -> None:
    voices = VoiceLimit(15.0)
    voices.sounds(1, 10.0)
    assert voices.due(1) == 25.0
    assert voices.silent(1, 24.9) is None
    voices.sounds(1, 12.0)
    voices.sounds(1, 11.0)  # nothing takes away what is known
    assert voices.due(1) == 27.0
    assert voices.silent(1, 27.5) == pytest.approx(15.5)
    voices.forget(1)
    voices.forget(1)

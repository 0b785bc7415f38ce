"""Playout: sends ahead by a bounded lead, knows what was played, takes back what was not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.frames import Word
from voiceloop.output.events import (
    Finished,
    PlayoutOptions,
    Position,
    SendClear,
    SendMark,
    SendMedia,
    Settled,
    Started,
)
from voiceloop.output.marks import Echo, Mark, MarkKind, count_played
from voiceloop.output.playout import Playout

SECOND = 8000


def words(*spans: tuple[float, float]) -> tuple[Word, ...]:
    return tuple(Word(f"w{index}", start, end) for index, (start, end) in enumerate(spans))


def say(line, key, seconds, spoken=(), at=0.0):
    """Queue a whole answer at once."""

    def queue():
        line.playout.queue(key, bytes([key]) * round(seconds * SECOND), spoken)
        line.playout.finish(key)

    line.at(at, queue)


def test_the_first_audio_leaves_at_once_behind_a_start_mark():
    playout = Playout()
    playout.queue(3, b"\x01" * 80)
    assert playout.pump(5.0) == [SendMark("s:3"), SendMedia(b"\x01" * 80)]
    assert playout.next_wakeup() == pytest.approx(7.12)  # when the mark's echo is 2 s late


def test_marks_stand_exactly_behind_each_word_and_behind_the_end():
    playout = Playout()
    playout.queue(1, bytes(2400), words((0.0, 0.1), (0.12, 0.25)))
    playout.finish(1)
    sizes = [out.name if isinstance(out, SendMark) else len(out.payload) for out in playout.pump(0.0)]
    assert sizes == ["s:1", 800, "w:1:1", 1200, "w:1:2", 400, "end:1"]


def test_where_no_words_are_known_marks_stand_at_even_distance():
    playout = Playout()
    playout.queue(1, bytes(80000), words((0.0, 0.1)))
    sizes = [out.name if isinstance(out, SendMark) else len(out.payload) for out in playout.pump(0.0)]
    assert sizes == ["s:1", 800, "w:1:1", *(each for n in range(2, 5) for each in (1600, f"w:1:{n}"))]


def media(outputs):
    """Bytes of audio that were sent, message by message."""
    return [len(out.payload) for out in outputs if isinstance(out, SendMedia)]


def test_no_more_than_the_lead_is_sent_and_the_next_step_when_there_is_room_for_it():
    playout = Playout(PlayoutOptions(lead=0.5, step=0.2, chunk=0.1))
    playout.queue(1, bytes(16000))
    assert media(playout.pump(0.0)) == [1600, 1600]  # a step is a mark's distance here: another does not fit
    assert playout.next_wakeup() == pytest.approx(0.101)
    assert playout.pump(0.09) == []
    assert media(playout.pump(0.101)) == [1600]


def test_a_step_ends_behind_a_word_so_that_each_word_is_one_message():
    playout = Playout()
    playout.queue(1, bytes(24000), words(*((n * 0.3, n * 0.3 + 0.27) for n in range(10))))
    assert media(playout.pump(0.0)) == [2160, 2400, 2400]
    assert [playout.next_wakeup(), media(playout.pump(0.171))] == [pytest.approx(0.171), [2400]]


def test_several_short_words_go_in_one_step_and_a_long_one_in_two():
    playout = Playout()
    ends = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.8, 2.8]
    playout.queue(1, bytes(24000), words(*zip([0.0, *ends], ends, strict=False)))
    assert media(playout.pump(0.0)) == [800] * 9
    assert media(playout.pump(playout.next_wakeup())) == [3200]
    assert playout.next_wakeup() == pytest.approx(0.9 + 0.4 - 1.0 + 0.4 + 0.001)
    assert media(playout.pump(playout.next_wakeup())) == [3200]


def test_the_rest_of_a_finished_voice_goes_in_one_step():
    playout = Playout()
    playout.queue(1, bytes(10800))
    playout.finish(1)
    assert sum(media(playout.pump(0.0))) == 6400
    assert playout.next_wakeup() == pytest.approx(0.201)
    assert sum(media(playout.pump(0.201))) == 3200
    assert playout.next_wakeup() == pytest.approx(1.2 - 1.0 + 0.15 + 0.001)
    assert playout.pump(0.351)[1:] == [SendMark("end:1")]


def test_before_each_step_the_margin_lies_ahead():
    playout, head, now = Playout(), 0.0, 0.0
    playout.queue(1, bytes(80000), words(*((n * 0.23, n * 0.23 + 0.2) for n in range(43))))
    assert playout.options.margin == 0.6
    while head < 9.0:
        assert now == 0.0 or head - now >= 0.598
        head = max(head, now) + sum(media(playout.pump(now))) / SECOND
        now = playout.next_wakeup()


def test_a_timer_that_fires_a_hair_early_finds_its_room():
    playout = Playout()
    playout.queue(1, bytes(16000))
    playout.pump(0.0)
    now = playout.next_wakeup() - 0.0009
    assert media(playout.pump(now)) == [1600, 1600]
    assert playout.next_wakeup() > now + 0.3


def test_pieces_wait_for_a_whole_step_while_enough_is_still_to_be_played():
    playout = Playout()
    playout.queue(1, bytes(7200), words((0.0, 0.3), (0.3, 0.6), (0.6, 0.9)))
    assert media(playout.pump(0.0)) == [2400, 2400, 2400]
    playout.queue(1, bytes(800))
    assert playout.pump(0.01) == []
    assert playout.due is None  # it is for the voice to give more
    assert playout.next_wakeup() == pytest.approx(0.3)  # 0.6 s before all is played
    assert media(playout.pump(0.3)) == [800]


def test_pieces_smaller_than_a_chunk_wait_longer():
    playout = Playout()
    playout.queue(1, bytes(2400), words((0.0, 0.1), (0.1, 0.2), (0.2, 0.3)))
    playout.pump(0.0)
    playout.queue(1, bytes(100))
    assert playout.pump(0.01) == []
    assert playout.next_wakeup() == pytest.approx(0.1)  # 0.2 s before all is played
    assert media(playout.pump(0.1)) == [100]


@pytest.mark.parametrize("stall_at", [0.3, 0.85, 1.234, 2.0])
def test_a_process_that_stands_still_for_half_a_second_is_not_heard_to(line, stall_at):
    call = line(up=0.04, down=0.04)
    say(call, 1, 4.0)

    def stall():
        call.stalled_until = stall_at + 0.5
        call.at(stall_at + 0.5, lambda: None)

    call.at(stall_at, stall)
    call.run(6.0)
    assert [round(b - a, 6) for (a, _), (b, _) in zip(call.frames, call.frames[1:], strict=False)] == [0.02] * 199
    assert sum(size for _, size in call.frames) == 32000


def test_after_a_longer_stall_nothing_is_caught_up():
    playout = Playout()
    playout.queue(1, bytes(80000))
    playout.pump(0.0)
    sent = sum(len(out.payload) for out in playout.pump(5.0) if isinstance(out, SendMedia))
    assert 0.6 * SECOND < sent <= 1.0 * SECOND


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6000), st.floats(0, 0.9)), min_size=1, max_size=12), st.floats(0.2, 1.0))
def test_nothing_is_ever_sent_beyond_the_lead_nor_lost_nor_reordered(pieces, lead):
    options = PlayoutOptions(lead=lead, chunk=0.1, gather=0.05)
    playout, now, source, sent, head = Playout(options), 0.0, b"", b"", 0.0
    names = set()

    def carry(outputs):
        nonlocal sent, head
        for out in outputs:
            if isinstance(out, SendMedia):
                assert 0 < len(out.payload) <= 1600
                head = max(head, now) + len(out.payload) / SECOND
                sent += out.payload
                assert head - now <= lead + 1e-6
            elif isinstance(out, SendMark):
                assert out.name not in names
                names.add(out.name)

    for index, (size, wait) in enumerate(pieces):
        playout.queue(1, bytes([index]) * size)
        source += bytes([index]) * size
        carry(playout.pump(now))
        until = now + wait
        while (wake := playout.next_wakeup()) is not None and wake <= until:
            assert wake > now
            now = wake
            carry(playout.pump(now))
        now = until
    playout.finish(1)
    carry(playout.pump(now))
    while "end:1" not in names:
        now = playout.next_wakeup()
        carry(playout.pump(now))
    assert sent == source


def test_answers_speak_one_after_the_other_and_a_later_one_waits_for_the_end_of_the_earlier():
    playout = Playout()
    playout.queue(1, b"\x01" * 80)
    playout.queue(2, b"\x02" * 80)
    assert SendMedia(b"\x02" * 80) not in playout.pump(0.0)
    playout.finish(2)
    playout.finish(1)
    assert playout.pump(0.0) == [SendMark("end:1"), SendMark("s:2"), SendMedia(b"\x02" * 80), SendMark("end:2")]


def test_a_held_answer_waits_and_is_overtaken_until_it_is_released():
    playout = Playout()
    playout.hold(1)
    playout.queue(1, b"\x01" * 80)
    assert playout.pump(0.0) == []
    assert playout.next_wakeup() is None
    playout.queue(2, b"\x02" * 80)
    playout.finish(2)
    assert playout.pump(0.0)[1] == SendMedia(b"\x02" * 80)
    playout.release(1)
    assert playout.pump(0.0) == [SendMark("s:1"), SendMedia(b"\x01" * 80)]


def test_an_answer_without_sound_finishes_in_its_turn_and_never_starts():
    playout = Playout()
    playout.finish(7)
    assert playout.pump(1.0) == [SendMark("end:7")]
    assert playout.echo("end:7", 5, 1.1) == [Finished(7, 1.05), Settled(7, 1.05, complete=True)]


def test_audio_behind_the_end_is_an_error_that_says_so():
    playout = Playout()
    playout.finish(1)
    with pytest.raises(ValueError, match="answer 1 is finished: expected no more audio, got 5 bytes"):
        playout.queue(1, bytes(5))


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.0), (0.03, 0.03), (0.1, 0.1), (0.15, 0.15)])
def test_start_and_end_are_reported_when_they_were_played(line, up, down):
    call = line(up=up, down=down, tick=0.007)
    say(call, 1, 1.0, at=0.5)
    say(call, 2, 0.5, at=0.6)
    call.run(4.0)
    started, finished, settled = call.news[0], call.news[1], call.news[2]
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert settled == Settled(1, finished.at, complete=True)
    assert started.at == pytest.approx(call.first_sound[1], abs=0.021)
    assert finished.at == pytest.approx(call.last_sound[1], abs=0.021)
    assert [type(news).__name__ for news in call.news] == ["Started", "Finished", "Settled"] * 2
    assert call.news[3].at == pytest.approx(call.first_sound[2], abs=0.021)
    assert call.playout.round_trip == pytest.approx(up + down)


def test_an_interruption_takes_back_what_was_not_played_and_settles_on_the_echo_of_the_fence(line):
    call = line()
    say(call, 1, 3.0, words(*((n * 0.2, n * 0.2 + 0.2) for n in range(15))))
    call.at(1.1, lambda: call.playout.clear(1.1, keys=[1]))
    call.run(1.2)
    assert not any(isinstance(news, Settled) for news in call.news)
    assert not call.playout.position(1, 1.2).settled
    call.run(3.0)
    assert call.news[-1] == Settled(1, pytest.approx(1.16), complete=False)
    assert [type(out) for when, out in call.sent if when >= 1.1] == [SendClear, SendMark]
    position = call.playout.position(1, 3.0)
    assert position == Position(8000, position.bound, 24000, finished=True, settled=True)
    assert position.played <= call.heard[1] <= position.bound


def test_audio_of_an_interrupted_answer_is_ignored():
    playout = Playout()
    playout.queue(1, bytes(8000))
    playout.pump(0.0)
    playout.clear(0.1)
    playout.queue(1, bytes(8000))
    assert playout.pump(0.2) == []
    assert playout.echo("f:1", 9, 0.3) == [Settled(1, pytest.approx(0.2), complete=False)]
    playout.queue(1, bytes(8000))
    assert playout.pump(0.4) == []


def test_an_answer_of_which_nothing_was_sent_is_dropped_without_a_clear():
    playout = Playout()
    playout.hold(1)
    playout.queue(1, bytes(800))
    assert playout.clear(0.5, keys=[1, 99]) == [Settled(1, 0.5, complete=False)]
    assert playout.clear(0.6) == []


def test_a_new_answer_speaks_at_once_behind_the_fence():
    playout = Playout()
    playout.queue(1, bytes(8000))
    playout.pump(0.0)
    playout.queue(2, bytes(80))
    assert playout.clear(0.3, keys=[1]) == [SendClear(), SendMark("f:1"), SendMark("s:2"), SendMedia(bytes(80))]


def test_a_clear_of_one_answer_sends_again_what_it_took_of_another(line):
    call = line()
    say(call, 1, 0.5)
    say(call, 2, 2.0)
    call.at(0.2, lambda: call.playout.clear(0.2, keys=[2]))  # the lead holds the rest of 1 and the begin of 2
    call.run(3.0)
    assert call.playout.position(1, 3.0).complete
    assert 4000 <= call.heard[1] <= 4000 + 1600 + 160  # at most one mark's distance twice
    assert 2 not in call.heard
    assert Settled(2, pytest.approx(0.26), complete=False) in call.news


def test_a_paused_answer_goes_on_from_the_first_word_not_heard(line):
    call = line(tick=0.003)
    source = random.Random(1).randbytes(24000)
    call.key_of = lambda piece: 1
    call.playout.queue(1, source, words(*((n * 0.3, n * 0.3 + 0.25) for n in range(10))))
    call.playout.finish(1)
    call.at(0.0, lambda: None)
    call.at(1.0, lambda: call.playout.clear(1.0, keep=True))
    call.at(2.0, lambda: call.playout.resume(2.0))
    call.run(6.0)
    heard = b"".join(call.pieces)
    first = next(n for n in range(len(heard)) if heard[n] != source[n])  # where the pause cut
    assert 0.9 * SECOND <= first <= 1.1 * SECOND
    again = heard[first:]
    assert source.endswith(again)
    edges = [n * 2400 for n in range(10)] + [n * 2400 + 2000 for n in range(10)]
    assert len(source) - len(again) in edges  # a word's start, or the pause before it
    assert len(source) - len(again) <= first
    assert call.news[-1].complete
    assert sum(isinstance(news, Started) for news in call.news) == 1


def test_a_resume_before_the_fence_came_back_waits_for_it():
    playout = Playout()
    playout.queue(1, bytes(8000))
    playout.pump(0.0)
    playout.clear(0.2, keep=True)
    assert playout.resume(0.25) == []
    assert [type(out) for out in playout.echo("f:1", 30, 0.32)][:2] == [SendMark, SendMedia]  # not started: s:1:1


def test_an_answer_that_was_paused_after_all_of_it_was_sent_is_not_mixed_with_the_next_one(line):
    call = line()
    say(call, 1, 1.0)  # all of it is on its way when it is paused
    call.at(0.7, lambda: call.playout.clear(0.7, keep=True, keys=(1,)))
    call.at(0.71, lambda: call.playout.resume(0.71))
    say(call, 2, 1.0, at=0.72)  # before the fence comes back
    call.run(5.0)
    heard = b"".join(call.pieces)
    assert heard == bytes([1]) * call.heard[1] + bytes([2]) * SECOND
    assert call.heard[1] >= SECOND
    assert [news.complete for news in call.news if isinstance(news, Settled)] == [True, True]


def test_a_paused_answer_can_be_dropped(line):
    call = line()
    say(call, 1, 3.0)
    call.at(1.0, lambda: call.playout.clear(1.0, keep=True))
    call.at(2.0, lambda: call.playout.clear(2.0))
    call.run(4.0)
    assert sum(isinstance(out, SendClear) for _, out in call.sent) == 1
    assert call.news[-1] == Settled(1, pytest.approx(1.06), complete=False)  # when it fell silent


def test_an_end_that_is_never_echoed_counts_as_played_after_its_limit(line):
    call = line(lose=lambda name: name.startswith("end"))
    say(call, 1, 1.0)
    call.run(10.0)
    assert call.news[-2] == Finished(1, pytest.approx(1.06, abs=0.03), assumed=True)
    assert call.playout.position(1, 10.0).assumed
    assert call.playout.next_wakeup() is None


def test_a_lost_end_is_known_from_a_later_mark(line):
    call = line(lose=lambda name: name == "end:1")
    say(call, 1, 1.0)
    say(call, 2, 1.0)
    call.run(1.5)
    assert call.news[1] == Finished(1, pytest.approx(call.last_sound[1], abs=0.03))


def test_without_any_echo_an_interruption_settles_by_the_clock_and_not_ahead(line):
    call = line(lose=lambda name: True)
    say(call, 1, 9.0)
    call.at(4.0, lambda: call.playout.clear(4.0))
    call.run(6.0)
    position = call.playout.position(1, 6.0)
    assert position.settled
    assert position.assumed
    assert 0 < position.played <= call.heard[1]
    assert call.news[-1].at == pytest.approx(4.06)


def test_a_fence_that_is_never_echoed_does_not_hold_up_what_is_known(line):
    call = line(lose=lambda name: name.startswith("f:"))
    say(call, 1, 5.0)
    call.at(2.0, lambda: call.playout.clear(2.0))
    call.run(2.9)
    assert not isinstance(call.news[-1], Settled)
    call.run(3.1)
    assert isinstance(call.news[-1], Settled)
    assert call.heard[1] - 2 * 1600 <= call.playout.position(1, 3.1).played <= call.heard[1]


def test_unknown_and_repeated_echoes_change_nothing():
    playout = Playout()
    playout.queue(1, bytes(5120))
    playout.pump(0.0)
    assert playout.echo("nobody's", 3, 0.1) == []
    assert [type(out) for out in playout.echo("s:1", 4, 0.1)] == [Started]
    assert playout.echo("s:1", 5, 0.1) == []
    playout.echo("w:1:2", 18, 0.52)
    playout.echo("w:1:1", 19, 0.53)  # out of order: a later one came before
    assert playout.position(1, 0.53).played == 3200


def test_unplayed_audio_is_what_is_queued_and_what_is_under_way():
    playout = Playout()
    playout.queue(1, bytes(80000))
    playout.pump(0.0)
    assert playout.unplayed(1, 0.0) == pytest.approx(10.0)
    playout.pump(2.06)
    assert playout.unplayed(1, 0.3) == pytest.approx(9.36, abs=0.41)
    assert playout.unplayed(99, 0.0) == 0.0


@pytest.mark.parametrize(
    ("echoes", "fence", "played"),
    [
        # three marks, due at 1.0, 1.3 and 1.6, clear sent at 1.1, round trip 0.1
        ({"a": (50, 1.10), "b": (56, 1.20), "c": (57, 1.20)}, (58, 1.20), 1),  # a in its own time
        ({"a": (55, 1.20), "b": (56, 1.20), "c": (57, 1.20)}, (58, 1.20), 0),  # a in the frame of the clear
        ({"a": (50, 1.10), "b": (56, 1.20), "c": (57, 1.20)}, (59, 1.202), 1),  # inbound media before the fence
        ({"a": (50, 1.10), "b": (56, 1.20), "c": (58, 1.201)}, (59, 1.201), 1),  # inbound media within the burst
        ({"a": (50, 1.10), "b": (56, 1.20), "c": (57, 1.20)}, (70, 1.50), 1),  # fence late: b and c came too early
        ({"a": (0, 1.10), "b": (0, 1.20), "c": (0, 1.20)}, (0, 1.205), 1),  # no numbers: by arrival
        ({"b": (56, 1.42), "c": (57, 1.42)}, (58, 1.42), 0),  # a is not proved by a flushed one
        ({"b": (50, 1.40), "c": (57, 1.50)}, (58, 1.50), 2),  # a is proved by b
        ({"c": (57, 1.20), "b": (56, 1.20), "a": (50, 1.21)}, (58, 1.20), 1),  # arrived out of order
        ({"a": (50, 1.10), "b": (56, 1.20), "c": (57, 1.20)}, None, 1),  # no fence: by the times of sending
        ({"b": (56, 1.66), "c": (57, 1.66)}, (70, 1.80), 0),  # no media between b and c: not 0.3 s of playing either
        ({}, (58, 1.20), 0),
    ],
)
def test_echoes_that_came_in_the_burst_of_the_clear_were_flushed(echoes, fence, played):
    dues = (("a", 1.0), ("b", 1.3), ("c", 1.6))
    marks = [Mark(name, MarkKind.PLACE, 1, 0, 0.5, due, empty=False) for name, due in dues]
    given_echoes = {name: Echo(*echo) for name, echo in echoes.items()}
    assert count_played(marks, given_echoes, Echo(*fence) if fence else None, 1.1, 0.1) == played


@pytest.mark.parametrize(
    "change", [{"chunk": 1.0}, {"gather": 0.91}, {"step": 0.09}, {"echo_limit": 0.0}, {"round_trip": -1.0}]
)
def test_options_that_cannot_work_are_refused(change):
    with pytest.raises(ValueError, match="must"):
        PlayoutOptions(**change)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_whatever_happens_every_answer_settles_once_and_nothing_waits_for_ever(line, seed):
    chance = random.Random(seed)
    lost = chance.choice([0.0, 0.0, 0.3])
    call = line(up=chance.uniform(0, 0.15), down=chance.uniform(0, 0.15), lose=lambda name: chance.random() < lost)
    keys = range(1, 6)
    for key in keys:
        begin = chance.uniform(0, 4)
        if chance.random() < 0.3:
            call.at(begin, lambda key=key: call.playout.hold(key))
            call.at(begin + 2, lambda key=key: call.playout.release(key))
        say(call, key, chance.uniform(0.0, 2.0), at=begin)
    for _ in range(chance.randint(0, 5)):
        when, some = chance.uniform(0, 6), chance.choice([None, *([key] for key in keys)])
        if chance.random() < 0.4:
            call.at(when, lambda some=some: call.playout.clear(call.now, keep=True, keys=some))
        else:
            call.at(when, lambda some=some: call.playout.clear(call.now, keys=some))
    call.at(8.0, lambda: call.playout.resume(8.0))
    call.run(40.0)
    settled = [news.key for news in call.news if isinstance(news, Settled)]
    assert sorted(settled) == list(keys)
    assert call.playout.next_wakeup() is None
    for key in keys:
        started = [news for news in call.news if isinstance(news, Started) and news.key == key]
        assert len(started) <= 1
        assert lost or call.playout.position(key, 40.0).played <= call.heard.get(key, 0)

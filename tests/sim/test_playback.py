"""The playback buffer, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.sim.playback import BLOCK, QUIET, SILENCE, Mark, Playback, Segment
from voiceloop.sim.speech import CallerSpeech
from voiceloop.sim.truth import Truth

A = b"\x10" * BLOCK  # loud
B = b"\x20" * BLOCK


def names(marks: list[Mark]) -> list[str]:
    return [mark.name for mark in marks]


def mark(name: str) -> Mark:
    return Mark(name, 0.0)


def ticks(playback: Playback, count: int) -> list[list[str]]:
    return [names(playback.tick()) for _ in range(count)]


# --- rule 1: one FIFO, in order, any size, ten minutes -----------------------------------------------------------


def test_payloads_of_any_size_play_in_order_at_160_bytes_a_tick() -> None:
    playback = Playback()
    for piece in (b"\x01", b"\x02" * 500, b"\x03" * 19):
        playback.play(piece)
    ticks(playback, 4)
    assert playback.heard == b"\x01" + b"\x02" * 500 + b"\x03" * 19 + b"\xff" * 120


def test_excess_over_capacity_is_discarded_and_counted() -> None:
    playback = Playback(capacity=2 * BLOCK)
    assert playback.play(A + A[:100]) == 0
    assert playback.play(B) == 100
    assert playback.play(B) == 160
    ticks(playback, 3)
    assert playback.heard == A + A[:100] + B[:60] + SILENCE
    assert playback.discarded == 260
    assert playback.play(B) == 0


def test_ten_minutes_fit() -> None:
    assert Playback().play(bytes(600 * 8000 + 1)) == 1


# --- rule 2: an underrun is silence ------------------------------------------------------------------------------


def test_underrun_is_silence_and_the_next_payload_plays_when_it_comes() -> None:
    playback = Playback()
    ticks(playback, 1)
    playback.play(A[:100])
    ticks(playback, 2)
    playback.play(B)
    ticks(playback, 1)
    assert playback.heard == SILENCE + A[:100] + SILENCE[:60] + SILENCE + B
    assert playback.runs == [(160, 100, 0), (480, 160, 100)]


# --- rule 3: marks -----------------------------------------------------------------------------------------------


def test_mark_is_echoed_when_all_before_it_was_played() -> None:
    playback = Playback()
    playback.play(A + A)
    assert playback.mark(mark("m"), 0) == []
    playback.play(B)
    assert ticks(playback, 4) == [[], [], ["m"], []]


def test_mark_within_a_block_is_echoed_at_its_end() -> None:
    playback = Playback()
    playback.play(A[:100])
    playback.mark(mark("m"), 0)
    playback.play(B)
    assert ticks(playback, 2) == [[], ["m"]]
    assert playback.heard[:160] == A[:100] + B[:60]


def test_mark_behind_the_last_byte_waits_until_that_has_been_played() -> None:
    playback = Playback()
    playback.play(A)
    ticks(playback, 1)  # the buffer is empty, its last block is on the line until sample 160
    assert playback.mark(mark("m"), 80) == []
    assert ticks(playback, 1) == [["m"]]


def test_mark_on_an_empty_buffer_is_echoed_at_once() -> None:
    playback = Playback()
    assert names(playback.mark(mark("first"), 0)) == ["first"]
    playback.play(A)
    ticks(playback, 1)
    assert names(playback.mark(mark("after"), 160)) == ["after"]


def test_marks_keep_their_order_even_when_the_buffer_is_empty() -> None:
    playback = Playback()
    playback.play(A)
    playback.mark(mark("1"), 0)
    playback.mark(mark("2"), 0)
    ticks(playback, 1)
    assert playback.mark(mark("3"), 100) == []
    assert ticks(playback, 1) == [["1", "2", "3"]]


# --- rule 4: clear -----------------------------------------------------------------------------------------------


def test_clear_drops_audio_and_echoes_all_pending_marks_in_order() -> None:
    playback = Playback()
    playback.play(A + A)
    first, second, third = mark("1"), mark("2"), mark("3")
    playback.mark(first, 0)
    playback.play(B)
    playback.mark(second, 0)
    playback.mark(third, 0)
    ticks(playback, 1)
    dropped, echoes = playback.clear(200)
    assert (dropped, echoes) == (320, [first, second, third])
    assert [m.flushed for m in echoes] == [True, True, True]
    assert ticks(playback, 1) == [[]]
    assert playback.heard == A + SILENCE


def test_clear_tells_played_marks_from_flushed_ones() -> None:
    playback = Playback()
    playback.play(A[:100])
    played = mark("played")
    playback.mark(played, 0)
    playback.play(B + B)
    flushed = mark("flushed")
    playback.mark(flushed, 0)
    ticks(playback, 1)
    _, echoes = playback.clear(80)
    assert echoes == [played, flushed]
    assert [m.flushed for m in echoes] == [False, True]


def test_clear_on_an_empty_buffer_drops_nothing_and_flushes_no_mark() -> None:
    playback = Playback()
    playback.play(A)
    last = mark("last")
    playback.mark(last, 0)
    ticks(playback, 1)
    assert playback.clear(80) == (0, [last])
    assert last.flushed is False


def test_mark_behind_clear_is_echoed_at_once() -> None:
    playback = Playback()
    playback.play(A + A)
    ticks(playback, 1)
    playback.clear(80)
    assert names(playback.mark(mark("fence"), 80)) == ["fence"]


def test_carrier_that_does_not_echo_on_clear() -> None:
    playback = Playback(echo_on_clear=False)
    playback.play(A)
    lost = mark("lost")
    playback.mark(lost, 0)
    assert playback.clear(0) == (160, [])
    assert lost.flushed
    assert ticks(playback, 2) == [[], []]


# --- rule 5: after clear -----------------------------------------------------------------------------------------


def test_media_after_clear_plays_normally() -> None:
    playback = Playback()
    playback.play(A + A)
    ticks(playback, 1)
    playback.clear(160)
    playback.play(B)
    playback.mark(mark("m"), 160)
    assert ticks(playback, 2) == [[], ["m"]]
    assert playback.heard == A + B + SILENCE


# --- the record --------------------------------------------------------------------------------------------------


def test_segments_tell_the_fate_of_every_byte() -> None:
    playback = Playback()
    playback.play(A[:100])
    playback.play(B + B)
    playback.play(A)
    ticks(playback, 1)
    playback.clear(80)
    playback.play(B)
    ticks(playback, 1)
    assert playback.segments == [
        Segment(0, 0, 100, 0, False),
        Segment(1, 0, 60, 100, False),
        Segment(1, 60, 260, 80, True),
        Segment(2, 0, 160, 80, True),
        Segment(3, 0, 160, 160, False),
    ]


def test_holes_are_underruns_inside_an_answer() -> None:
    playback = Playback()
    ticks(playback, 3)  # silence before the first answer is none
    playback.play(A)
    ticks(playback, 3)
    playback.play(A[:50])  # 40 ms too late
    ticks(playback, 1)
    playback.play(A)  # 110 samples too late
    playback.mark(mark("end:1"), len(playback.heard))
    ticks(playback, 5)
    playback.play(A + A)  # the next answer
    ticks(playback, 1)
    playback.clear(len(playback.heard))
    ticks(playback, 5)
    playback.play(A)  # after a clear
    ticks(playback, 2)
    truth = Truth(playback, 100.0)
    assert playback.underruns == [(640, 320), (1010, 110)]
    assert truth.holes() == [(100.08, 0.04)]
    assert truth.holes(min_ms=10) == [(100.08, 0.04), (pytest.approx(100.12625), 0.01375)]


def test_end_mark_that_comes_after_the_audio_ran_dry_still_ends_the_answer() -> None:
    playback = Playback()
    playback.play(A)
    ticks(playback, 3)
    playback.mark(mark("end:1"), len(playback.heard))
    playback.play(A)
    ticks(playback, 1)
    assert playback.underruns == []


def test_any_predicate_may_say_where_answers_end() -> None:
    playback = Playback(is_answer_end=lambda name: name == "fin")
    for name in ("end:1", "fin"):
        playback.play(A)
        playback.mark(mark(name), 0)
        ticks(playback, 2)
    playback.play(A)
    ticks(playback, 1)
    assert playback.underruns == [(160, 160)]


def test_truth_answers_about_times() -> None:
    playback = Playback()
    playback.play(b"\xff" * 40 + b"\x10" * 200)
    ticks(playback, 3)
    playback.play(B)
    ticks(playback, 2)
    truth = Truth(playback, 10.0)
    assert [truth.played_bytes_at(10.0 + ms / 1000) for ms in (-5, 0, 10, 30, 50, 60, 70, 99)] == [
        *(0, 0, 80, 240, 240, 240, 320, 400)
    ]
    assert truth.heard_between(10.0, 10.01) == b"\xff" * 40 + b"\x10" * 40
    assert truth.first_sound_after(0.0) == pytest.approx(10.005)
    assert truth.first_sound_after(10.02) == pytest.approx(10.02)
    assert truth.first_sound_after(10.04) == pytest.approx(10.06)
    assert truth.first_sound_after(10.08) is None
    assert truth.sounds(gap=0.1)[0] == pytest.approx((10.005, 10.08))
    assert sum(truth.sounds(gap=0.02), ()) == pytest.approx((10.005, 10.03, 10.06, 10.08))


def test_quiet_codes_are_those_below_minus_50_dbfs() -> None:
    from voiceloop.audio.mulaw import decode

    loud = bytes(set(range(256)) - set(QUIET))
    assert abs(decode(QUIET).astype(int)).max() == 96
    assert abs(decode(loud).astype(int)).min() == 104


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.integers(1, 700)),
        st.tuples(st.just("mark"), st.just(0)),
        st.tuples(st.just("clear"), st.just(0)),
        st.tuples(st.just("tick"), st.integers(1, 4)),
    ),
    max_size=40,
)


@given(STEPS)
def test_every_byte_is_played_or_flushed_once_and_every_mark_echoed_once_in_order(steps: list[tuple[str, int]]) -> None:
    playback = Playback()
    sent, set_marks, echoed = 0, 0, []
    for kind, amount in steps:
        now = len(playback.heard)
        if kind == "play":
            playback.play(bytes([1 + sent % 100]) * amount)
            sent += amount
        elif kind == "mark":
            echoed += playback.mark(mark(str(set_marks)), now)
            set_marks += 1
        elif kind == "clear":
            echoed += playback.clear(now)[1]
        else:
            for _ in range(amount):
                echoed += playback.tick()
    for _ in range(playback.buffered // BLOCK + 2):
        echoed += playback.tick()
    assert names(echoed) == [str(number) for number in range(set_marks)]
    assert playback.buffered == 0
    assert sum(part.size for part in playback.segments) == sent
    played = sum(part.size for part in playback.segments if not part.flushed)
    assert played == sum(length for _, length, _ in playback.runs) == len(playback.heard.replace(b"\xff", b""))
    assert Truth(playback, 0.0).played_bytes_at(1e6) == played


def test_caller_speech_is_cut_into_blocks_from_the_next_block_on() -> None:
    speech = CallerSpeech()
    speech.next_block()
    assert speech.say(b"a" * 200) == 160
    assert speech.say(b"b" * 200) == 360
    speech.next_block()
    speech.next_block()
    assert speech.hush() == 80
    speech.next_block()
    assert speech.said == SILENCE + b"a" * 200 + b"b" * 120 + SILENCE
    assert speech.say(b"c") == 640

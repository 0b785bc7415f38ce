"""What was played is found again by its time."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from voiceloop.played import KEPT, PIECES, RATE, Played


def test_nothing_was_played_before_anything_was_sent() -> None:
    played = Played()
    assert played.between(1.0, 1.01) == b"\xff" * 80
    assert played.end == float("-inf")


def test_pieces_stand_where_they_were_sent_with_silence_between() -> None:
    played = Played()
    played.sent(1.0, b"a" * 80, 0.1)
    played.sent(1.02, b"b" * 80, 0.2)
    assert played.between(0.995, 1.035) == b"\xff" * 40 + b"a" * 80 + b"\xff" * 80 + b"b" * 80 + b"\xff" * 40
    assert played.between(1.005, 1.025) == b"a" * 40 + b"\xff" * 80 + b"b" * 40
    assert (played.end, played.round_trip) == (1.03, 0.2)


def test_a_clear_takes_back_what_was_not_played_but_for_the_block_the_carrier_is_at() -> None:
    played = Played()
    for at in range(10):
        played.sent(1 + at / 10, bytes([at]) * 800, 0.1)
    played.cleared(1.25)
    assert played.between(1.2, 1.4) == b"\x02" * 720 + b"\xff" * 880
    assert played.end == 1.29
    played.sent(1.25, b"n" * 80, 0.1)  # what is sent behind the clear stands in its place
    assert played.between(1.2, 1.3) == b"\x02" * 400 + b"n" * 80 + b"\xff" * 320


def test_all_can_be_taken_back() -> None:
    played = Played()
    played.sent(2.0, b"a" * 80, 0.1)
    played.cleared(1.0)
    assert played.end == float("-inf")
    assert played.between(2.0, 2.01) == b"\xff" * 80


def test_its_memory_is_bounded_however_long_the_agent_speaks_and_in_whatever_pieces() -> None:
    for size in (1, 8, 160, 8000):
        played = Played()
        tracemalloc.start()
        for at in range(2 * PIECES):
            played.sent(at * size / RATE, b"x" * size, 0.1)
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert used < 8 * KEPT
        assert played.between(played.end - 0.01, played.end) == b"x" * 80


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=400), st.booleans()), max_size=12),
    st.integers(0, 4000),
    st.integers(0, 2000),
)
def test_between_tells_what_a_plain_line_of_samples_would(
    steps: list[tuple[int, bytes, bool]], start: int, size: int
) -> None:
    played, line = Played(), bytearray(b"\xff" * 8000)
    end = 0
    for at, audio, clear in steps:
        if clear:
            played.cleared(at / RATE - 0.04)
            line[at:] = b"\xff" * (len(line) - at)
            end = min(end, at)
        else:
            played.sent(at / RATE, audio, 0.1)
            if audio and at < end:
                line[at:] = b"\xff" * (len(line) - at)
            line[at : at + len(audio)] = audio
            end = at + len(audio) if audio else end
    assert played.between(start / RATE, (start + size) / RATE) == bytes(line[start : start + size])

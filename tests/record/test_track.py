"""Audio laid on a time axis: seams, cuts, and a beginning that becomes known later."""

from __future__ import annotations

import pytest

from voiceloop.frames import Word
from voiceloop.record.placing import place_words
from voiceloop.record.timeline import AnswerLine, Span
from voiceloop.record.track import Piece, Track

A, B = b"a" * 800, b"b" * 800  # a tenth of a second each


def silence(seconds: float) -> bytes:
    return b"\xff" * round(seconds * 8000)


@pytest.mark.parametrize(
    ("pieces", "track"),
    [
        ([(0.0, A), (0.1, B)], A + B),
        ([(0.5, A)], silence(0.5) + A),
        ([(0.0, A), (0.13, B)], A + B),  # a packet that came late leaves no seam
        ([(0.0, A), (0.07, B)], A + B),  # nor does one that came early lie over the other
        ([(0.0, A), (0.5, B)], A + silence(0.4) + B),
    ],
)
def test_audio_lies_where_it_was_heard(pieces: list[tuple[float, bytes]], track: bytes) -> None:
    line = Track(10.0)
    for at, audio in pieces:
        line.put(at, audio)
    assert bytes(line.audio) == track


def test_a_cut_takes_audio_back_also_in_the_middle_of_a_piece() -> None:
    line = Track(10.0)
    line.put(0.0, A, 1, 0)
    line.put(0.1, B, 1, 800)
    line.cut(0.05)
    assert bytes(line.audio) == A[:400]
    assert line.pieces == [Piece(0, 400, 1, 0)]
    line.put(1.0, B, 2, 0)
    assert (line.sounds(1), line.sounds(2)) == ([Span(0.0, 0.05)], [Span(1.0, 1.1)])


@pytest.mark.parametrize("by", [-0.05, 0.0, 0.2])
def test_an_answer_moves_to_where_it_was_first_heard(by: float) -> None:
    line = Track(10.0)
    line.put(0.0, A, 1, 0)
    line.put(0.5, A, 2, 0)
    line.put(0.6, B, 2, 800)
    line.begins(2, 0.5 + by)
    assert bytes(line.audio) == A + silence(0.4 + by) + A + B
    assert [round(piece.start / 8000, 3) for piece in line.pieces] == [0.0, round(0.5 + by, 3), round(0.6 + by, 3)]


def test_an_answer_never_moves_into_the_one_before_it() -> None:
    line = Track(10.0)
    line.put(0.0, A, 1, 0)
    line.put(0.3, B, 2, 0)
    line.begins(2, 0.0)
    assert bytes(line.audio) == A + B


def test_the_end_fills_or_cuts_and_the_limit_holds() -> None:
    line = Track(0.3)
    line.put(0.0, A)
    line.end(0.2)
    assert bytes(line.audio) == A + silence(0.1)
    line.put(0.25, A)
    line.put(0.4, B)
    assert len(line.audio) == 2400


def test_words_of_an_answer_that_was_paused_stand_on_both_sides_of_the_pause() -> None:
    answer = AnswerLine(1, "one two three", 0.0, heard="one two three")
    # The second word was cut by the pause and spoken again from its start.
    pieces = [Piece(8000, 2000, 1, 0), Piece(24000, 4000, 1, 1600)]
    words = (Word("one", 0.0, 0.2), Word("two", 0.2, 0.4), Word("three", 0.4, 0.7))
    placed = place_words(answer, words, pieces)
    assert [(word.text, round(word.start, 3), round(word.end, 3)) for word in placed] == [
        ("one", 1.0, 1.2),
        ("two", 3.0, 3.2),
        ("three", 3.2, 3.5),
    ]


def test_without_word_times_words_share_the_sound_by_their_letters() -> None:
    answer = AnswerLine(1, "ab ab", 0.0, heard="ab ab")
    placed = place_words(answer, (), [Piece(0, 4000, 1, 0), Piece(16000, 4000, 1, 4000)])
    assert [(word.start, word.end, word.exact) for word in placed] == [(0.0, 0.5, False), (0.5, 2.5, False)]

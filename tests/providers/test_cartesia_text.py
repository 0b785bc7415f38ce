"""The pure parts of `CartesiaTTS`: which text is handed over when, and where an answer that broke off goes on."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.frames import Word
from voiceloop.tts.cartesia_text import Pieces
from voiceloop.tts.cartesia_track import Track
from voiceloop.tts.pace import Pace

TEXT = "Well, I can help you with that. It is 3.50 for a coffee, e.g. a mocha. Anything else?"


def pieces_of(text: str, *, phrases: bool = True) -> list[str]:
    pieces = Pieces(phrases=phrases, idle=0.2)
    got = []
    for number, letter in enumerate(text):
        pieces.feed(letter, number * 0.01)
        pieces.release(number * 0.01)
        while piece := pieces.take():
            got.append(piece)
    pieces.close()
    while piece := pieces.take():
        got.append(piece)
    assert pieces.ended
    return got


def test_pieces_are_phrases_with_the_space_behind_them() -> None:
    assert pieces_of(TEXT) == [
        "Well, ",
        "I can help you with that. ",
        "It is 3.50 for a coffee, e.g. a mocha. ",
        "Anything else?",
    ]


def test_with_managed_buffering_pieces_are_words() -> None:
    assert pieces_of("Well, I can.", phrases=False) == ["Well,", " ", "I ", "can."]


@given(st.text("ab ,.!?\n<>/br3、。你", max_size=60), st.lists(st.integers(1, 9), max_size=20), st.booleans())
def test_pieces_joined_are_the_text_and_divide_no_word(text: str, sizes: list[int], phrases: bool) -> None:
    pieces = Pieces(phrases=phrases, idle=0.2)
    got: list[str] = []
    rest, now = text, 0.0
    for size in [*sizes, len(text)]:
        token, rest = rest[:size], rest[size:]
        pieces.feed(token, now)
        now += 0.05 * size
        pieces.release(now)
        while piece := pieces.take(opening=not got):
            got.append(piece)
    pieces.close()
    while piece := pieces.take():
        got.append(piece)
    assert "".join(got) == text
    for before, after in itertools.pairwise(got):
        # A letter is divided from what follows only where none of the same word can follow.
        assert not (re.search(r"[a-z0-9]\Z", before) and re.match(r"[a-z0-9]", after))


@pytest.mark.parametrize(
    ("text", "released"),
    [
        ("Let me check", "Let me "),
        ("Let me check.", "Let me check."),
        ("It is 3.", "It is "),
        ("At 9 a.m.", "At 9 "),
        ("I. ", "I. "),
        ("Don’t worry,”", "Don’t worry,”"),
        ("coff", ""),
        ("东京", "东京"),
    ],
)
def test_idling_releases_what_is_whole(text: str, released: str) -> None:
    pieces = Pieces(phrases=True, idle=0.2)
    pieces.feed(text, 1.0)
    first = pieces.take()
    assert pieces.due == 1.2
    pieces.release(1.19)
    assert pieces.due == 1.2
    pieces.release(1.2)
    assert first + pieces.take() == released
    assert pieces.due is None


def test_a_rewound_text_is_given_again_from_there() -> None:
    pieces = Pieces(phrases=True, idle=0.2)
    pieces.feed("One two. Three four. Five", 0.0)
    assert [pieces.take(), pieces.take(), pieces.take()] == ["One two. ", "Three four. ", ""]
    pieces.rewind(4)
    assert [pieces.take(opening=True), pieces.take()] == ["two. ", "Three four. "]


def test_the_opening_piece_holds_something_to_speak() -> None:
    pieces = Pieces(phrases=False, idle=0.2)
    pieces.feed("… - ", 0.0)
    assert not pieces.speakable
    assert pieces.take(opening=True) == ""
    pieces.feed("Tea ", 0.1)
    assert pieces.take(opening=True) == "… - Tea "


# --- audio and words ----------------------------------------------------------------------------------------


def track(sent: str = "One two three.") -> Track:
    """Two words of 0.1 s, each followed by 0.02 s of silence, and the beginning of a third."""
    made = Track(base=10.0)
    made.sent = sent
    made.add(b"\x01" * 2200, [Word("One", 0.0, 0.1), Word("two", 0.12, 0.22), Word("three.", 0.24, 0.34)])
    return made


def test_only_whole_words_are_given_unless_all_is_wanted() -> None:
    made = track()
    speech = made.take(all=False)
    assert speech is not None
    assert len(speech.audio) == 1760
    assert [(word.text, word.start, word.end) for word in speech.words] == [
        ("One", 10.0, 10.1),
        ("two", pytest.approx(10.12), pytest.approx(10.22)),
    ]
    assert made.take(all=False) is None
    rest = made.take(all=True)
    assert rest is not None
    assert (len(rest.audio), rest.words) == (440, ())


def test_it_goes_on_after_the_last_whole_word() -> None:
    made = track()
    speech, spoken = made.cut()
    assert speech is not None
    assert len(speech.audio) == 1760
    assert made.sent[spoken:] == " three."


def test_a_word_that_was_given_in_part_is_spoken_again() -> None:
    made = track()
    made.take(all=True)
    speech, spoken = made.cut()
    assert speech is None
    assert made.sent[spoken:] == " three."


def test_words_beyond_the_audio_end_with_it_when_all_has_come() -> None:
    made = track()
    speech = made.finish()
    assert speech is not None
    assert speech.words[-1] == Word("three.", 10.24, 10.275)
    assert not made.covered


def test_words_told_after_their_audio_are_told_all_the_same() -> None:
    made = Track()
    made.sent = "One"
    made.add(b"\x01" * 800, ())
    assert made.take(all=True) is not None
    made.add(b"", [Word("One", 0.0, 0.1)])
    speech = made.take(all=False)
    assert speech is not None
    assert (speech.audio, speech.words) == (b"", (Word("One", 0.0, 0.1),))
    assert made.covered


def test_times_that_go_back_are_put_in_order() -> None:
    made = Track()
    made.add(b"\x01" * 8000, [Word("a", 0.5, 0.6), Word("b", 0.1, 0.2), Word("c", 0.3, 0.7)])
    speech = made.finish()
    assert speech is not None
    assert [(word.start, word.end) for word in speech.words] == [(0.5, 0.6), (0.5, 0.6), (0.5, 0.7)]


def test_where_no_times_came_it_is_not_known_where_to_go_on() -> None:
    made = Track()
    made.sent = "One two"
    made.add(b"\x01" * 8000 * 4, ())
    made.take(all=True)
    with pytest.raises(LookupError, match=r"4\.0 s were spoken and no word times came"):
        made.cut()


def first_pieces(text: str, *, eager: bool) -> list[str]:
    pieces = Pieces(phrases=True, idle=0.2, eager=eager)
    got = []
    for number, word in enumerate(text.split(" ")):
        pieces.feed(word if number == 0 else f" {word}", number * 0.02)
        while piece := pieces.take(opening=not got):
            got.append(piece)
    return got


@pytest.mark.parametrize(
    ("text", "eager", "pieces"),
    [
        ("It is ready in five minutes, thank you. Goodbye then.", True, ["It ", "is ready "]),
        ("It is ready in five minutes, thank you. Goodbye then.", False, ["It is ready "]),
        ("Sure, one large latte with milk.", True, ["Sure,"]),
        ("... well, I think so.", True, ["... well,"]),
    ],
)
def test_an_eager_answer_begins_with_its_first_word_and_goes_on_in_phrases(
    text: str, eager: bool, pieces: list[str]
) -> None:
    assert first_pieces(text, eager=eager)[: len(pieces)] == pieces


def test_the_pace_is_that_of_the_text_without_its_pauses() -> None:
    pace = Pace()
    assert not pace.within(1.0)
    pace.note(None, 1.0)
    pace.note(1.0, 1.02)
    assert pace.gap == pytest.approx(0.02)
    pace.note(1.02, 9.0)
    assert pace.gap == pytest.approx(0.02)
    for _ in range(50):
        pace.note(0.0, 0.1)
    assert pace.gap == pytest.approx(0.1, abs=0.001)
    assert pace.within(0.11)
    assert not pace.within(0.03)

"""Numbers and spelled words in what was said."""

from __future__ import annotations

import pytest

from voiceloop.languages import LANGUAGES
from voiceloop.turns.cue_words import words
from voiceloop.turns.numbers import Number, read_number, read_spelled


def number(text: str, tag: str = "en") -> Number:
    cues = LANGUAGES[tag].cues
    return read_number(words(text), cues.numbers, cues.grammar.fillers, cues.stops)


@pytest.mark.parametrize(
    ("tag", "text", "groups"),
    [
        ("en", "four one five", (1, 1, 1)),
        ("en", "4 1 5", (1, 1, 1)),
        ("en", "415-555", (3, 3)),
        ("en", "415", (3,)),
        ("en", "twenty three", (2,)),
        ("en", "twenty-three forty", (2, 2)),
        ("en", "double five oh", (1, 1, 1)),
        ("en", "triple seven", (1, 1, 1)),
        ("en", "two hundred", (3,)),
        ("en", "two hundred and five", (3,)),
        ("en", "my number is four um one", (1, 1)),
        ("en", "five dash six", (1, 1)),
        ("en", "I want two lattes", ()),
        ("en", "at 3:30", ()),
        ("en", "the 21st", ()),
        ("de", "null eins sieben", (1, 1, 1)),
        ("de", "dreiundzwanzig vierzig", (2, 2)),
        ("nl", "drieëntwintig zes", (2, 1)),
        ("es", "treinta y cinco dos", (2, 1)),
        ("fr", "zéro six quatre-vingt-dix-sept", (1, 1, 2)),
        ("it", "ventitré nove", (2, 1)),
        ("pt", "nove meia quarenta e dois", (1, 1, 2)),
    ],
)
def test_figures_are_counted_as_they_would_be_dialled(tag: str, text: str, groups: tuple[int, ...]) -> None:
    assert number(text, tag).groups == groups


@pytest.mark.parametrize("text", ["four double", "two hundred and", "three point", "triple"])
def test_a_word_that_wants_a_figure_is_half_a_number(text: str) -> None:
    assert number(text).half


def test_figures_said_before_other_words_are_counted_until_taken_back() -> None:
    assert number("area code four one five then five five").before == 3
    assert number("four one five no sorry four one six").before == 0


def test_a_lone_figure_among_words_is_no_number() -> None:
    assert number("this one and then seven seven").before == 0


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("m a r k", "mark"),
        ("it's M-A-R-K", "mark"),
        ("m.a.r.k", "mark"),
        ("b as in boy e", "be"),
        ("m for mike", "m"),
        ("a double l", "all"),
        ("a 4 7 b", "a47b"),
        ("with a view", ""),
        ("", ""),
    ],
)
def test_letters_are_joined(text: str, letters: str) -> None:
    assert read_spelled(words(text) or ["nothing"], LANGUAGES["en"].cues.numbers).letters == letters


@pytest.mark.parametrize("text", ["m as in", "m a double"])
def test_a_letter_may_be_half_said(text: str) -> None:
    assert read_spelled(words(text), LANGUAGES["en"].cues.numbers).half

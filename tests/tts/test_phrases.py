"""Cutting text into phrases."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.tts.phrases import PhraseCutter, PhraseRules


def cut(text: str, rules: PhraseRules | None = None) -> list[str]:
    cutter = PhraseCutter(rules)
    phrases = cutter.feed(text)
    rest = cutter.close()
    return [*phrases, rest] if rest else phrases


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Hi there. How are you?", ["Hi there.", " How are you?"]),
        ("Sure, I can. Bye, now, dear.", ["Sure,", " I can.", " Bye, now, dear."]),
        ("Of course I can, let me look. One, two, three.", ["Of course I can,", " let me look.", " One, two, three."]),
        ("Well, that depends — on you.", ["Well,", " that depends — on you."]),
        ("It is Dr. Smith speaking. Hi.", ["It is Dr. Smith speaking.", " Hi."]),
        ("We serve tea, e.g. Earl Grey. Yes.", ["We serve tea,", " e.g. Earl Grey.", " Yes."]),
        ("That is $3.50 total. Ok?", ["That is $3.50 total.", " Ok?"]),
        (
            "We open at 8 a.m. We close at 6 p.m. sharp. Ok.",
            ["We open at 8 a.m.", " We close at 6 p.m. sharp.", " Ok."],
        ),
        ("It is by J. K. Rowling. Yes.", ["It is by J. K. Rowling.", " Yes."]),
        ("I moved to the U.S. Army base. Ok.", ["I moved to the U.S. Army base.", " Ok."]),
        ("So do I. And you?", ["So do I.", " And you?"]),
        ("Wait... what? Well... maybe. Ok.", ["Wait...", " what?", " Well... maybe.", " Ok."]),
        (
            "Well, if you come before five in the afternoon, we open.",
            ["Well,", " if you come before five in the afternoon,", " we open."],
        ),
        ("Let me think about… yes. Ok.", ["Let me think about…", " yes.", " Ok."]),
        ('He said "Stop!" (Really.) Then left.', ['He said "Stop!"', " (Really.)", " Then left."]),
        ("What?! No way!! Ok", ["What?!", " No way!!", " Ok"]),
        ("Menu:\n1. Coffee\n2. Tea\nThat is all.", ["Menu:", "\n1. Coffee", "\n2. Tea", "\nThat is all."]),
        ("No. We are closed.", ["No.", " We are closed."]),
        ("It is No. 5 on the list. Ok.", ["It is No. 5 on the list.", " Ok."]),
        ("Milk, sugar, etc. are there. Ok.", ["Milk,", " sugar, etc. are there.", " Ok."]),
        ("**Open now.** Come in.", ["**Open now.**", " Come in."]),
        ("1,000 people came today, really.", ["1,000 people came today,", " really."]),
        ("   ", ["   "]),
        ("", []),
    ],
)
def test_where_phrases_end(text: str, phrases: list[str]) -> None:
    assert cut(text) == phrases


def test_a_phrase_comes_with_the_first_character_that_makes_it_certain() -> None:
    cutter = PhraseCutter()
    assert cutter.feed("Hello there!") == []
    assert cutter.feed(" ") == ["Hello there!"]
    assert cutter.feed("At 8 a.m.") == []
    assert cutter.feed(" ") == []
    assert cutter.feed("W") == [" At 8 a.m."]
    assert cutter.close() == " W"


def test_text_without_an_end_is_cut_at_a_space_before_the_limit() -> None:
    phrases = cut("word " * 40, PhraseRules(first_most=30, most=60))
    assert len(phrases[0]) <= 30
    assert all(len(phrase) <= 61 for phrase in phrases)
    assert all(phrase.split() == ["word"] * len(phrase.split()) for phrase in phrases)


def test_a_word_without_end_does_not_grow_for_ever() -> None:
    cutter = PhraseCutter(PhraseRules(first_most=10, most=10))
    assert sum(len(phrase) for phrase in cutter.feed("x" * 1000)) > 700


TEXTS = st.text(alphabet=st.sampled_from("abIDr. ,!?…\n\t\"')*—-:;59$no"), max_size=300) | st.text(max_size=100)


@given(TEXTS)
def test_the_phrases_put_together_are_the_text(text: str) -> None:
    assert "".join(cut(text)) == text


@given(TEXTS, st.lists(st.integers(0, 300), max_size=20))
def test_how_the_text_was_divided_makes_no_difference(text: str, cuts: list[int]) -> None:
    cutter = PhraseCutter()
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    phrases = [phrase for piece in pieces for phrase in cutter.feed(piece)]
    rest = cutter.close()
    assert phrases + ([rest] if rest else []) == cut(text)


@given(st.lists(st.text("abc.,!", min_size=1, max_size=12), max_size=60))
def test_no_word_is_divided(words: list[str]) -> None:
    phrases = cut(" ".join(words), PhraseRules(first_most=20, most=40))
    assert [word for phrase in phrases for word in phrase.split()] == words

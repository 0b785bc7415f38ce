"""Cutting text into phrases."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.tts.joints import ENGLISH
from voiceloop.tts.phrases import Phrase, PhraseCutter, PhraseRules


def cut_up(text: str, rules: PhraseRules | None = None) -> list[Phrase]:
    cutter = PhraseCutter(rules)
    phrases = cutter.feed(text)
    rest = cutter.close()
    return [*phrases, rest] if rest.text else phrases


def cut(text: str, rules: PhraseRules | None = None) -> list[str]:
    return [phrase.text for phrase in cut_up(text, rules)]


def texts(phrases: list[Phrase]) -> list[str]:
    return [phrase.text for phrase in phrases]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("No, we are closed.", ["No,", " we are closed."]),
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
def test_where_phrases_end_at_punctuation(text: str, phrases: list[str]) -> None:
    assert cut(text, PhraseRules(soft=False)) == phrases


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("I can help you with that. Bye.", ["I can help you", " with that.", " Bye."]),
        ("Your table will be ready. Bye.", ["Your table", " will be ready.", " Bye."]),
        ("I'm afraid we are closed today.", ["I'm afraid", " we are closed today."]),
        # One joint is enough, unless the rest has grown long.
        ("You can change your booking online or by phone.", ["You can change", " your booking online or by phone."]),
        (
            "You can pay at the desk when you come in tomorrow or at the machine by the door.",
            ["You can pay", " at the desk when you come in tomorrow", " or at the machine by the door."],
        ),
        ("Yes. We are open from nine. Ok.", ["Yes.", " We are open from nine.", " Ok."]),
    ],
)
def test_the_first_phrase_ends_at_a_joint(text: str, phrases: list[str]) -> None:
    assert cut(text) == phrases


def test_a_joint_is_certain_when_the_word_after_it_is_complete() -> None:
    cutter = PhraseCutter()
    assert cutter.feed("I can help you with") == []
    (phrase,) = cutter.feed(" ")
    assert (phrase.text, phrase.following, phrase.soft) == ("I can help you", "with", True)
    assert cutter.feed("that. ") == [Phrase(" with that.")]
    assert PhraseCutter().feed("I can help you without") == []


def test_a_late_phrase_ends_at_a_clause_only_where_the_voice_would_wait_for_it() -> None:
    clause, rest = " " + "one " * 6 + "thing,", " " + "one " * 4 + "more."
    assert cut("Yes. Go on." + clause + rest) == ["Yes.", " Go on.", clause, rest]
    assert cut("Yes. We do that too." + clause + rest) == ["Yes.", " We do that too.", clause + rest]


def test_a_joint_after_a_comma_is_the_end_of_a_clause() -> None:
    phrases = cut_up("Yes. We can do it all, and in the same week. Ok.", PhraseRules(second_least=20))
    assert [(phrase.text, phrase.soft) for phrase in phrases] == [
        ("Yes.", False),
        (" We can do it all,", False),
        (" and in the same week.", False),
        (" Ok.", False),
    ]


def test_a_language_without_words_for_joints_ends_phrases_at_punctuation() -> None:
    text = "I can help you with that. Sure."
    for language in ("de", "xx-YY"):
        assert cut(text, PhraseRules(language=language)) == ["I can help you with that.", " Sure."]
    assert cut(text, PhraseRules(language="en_GB"))[0] == "I can help you"


def test_words_for_joints_can_be_replaced() -> None:
    words = replace(ENGLISH, openers=frozenset({"für"}), weak=frozenset(), subjects=frozenset(), verbs=frozenset())
    rules = PhraseRules(language="de", joints=words)
    assert cut("Der Tisch wartet für heute. Gut.", rules) == ["Der Tisch wartet", " für heute.", " Gut."]


def test_a_phrase_comes_with_the_first_character_that_makes_it_certain() -> None:
    cutter = PhraseCutter()
    assert cutter.feed("Hello there!") == []
    assert texts(cutter.feed(" ")) == ["Hello there!"]
    assert cutter.feed("At 8 a.m.") == []
    assert cutter.feed(" ") == []
    assert texts(cutter.feed("W")) == [" At 8 a.m."]
    assert cutter.close() == Phrase(" W")


def test_text_without_an_end_is_cut_at_a_space_before_the_limit() -> None:
    phrases = cut("word " * 40, PhraseRules(first_most=30, most=60))
    assert len(phrases[0]) <= 30
    assert all(len(phrase) <= 61 for phrase in phrases)
    assert all(phrase.split() == ["word"] * len(phrase.split()) for phrase in phrases)


def test_a_word_without_end_does_not_grow_for_ever() -> None:
    cutter = PhraseCutter(PhraseRules(first_most=10, most=10))
    assert sum(len(phrase.text) for phrase in cutter.feed("x" * 1000)) > 700


TEXTS = st.text(alphabet=st.sampled_from("abIDr. ,!?…\n\t\"')*—-:;59$no"), max_size=300) | st.text(max_size=100)
SENTENCE = [
    "I can",
    "help",
    "you with",
    "that the",
    "table",
    "is at",
    "nine,",
    "to",
    "inside.",
    "**soup of",
    "and We're",
]
WORDS = st.lists(st.sampled_from(SENTENCE), max_size=40).map(" ".join)


@given(TEXTS | WORDS)
def test_the_phrases_put_together_are_the_text(text: str) -> None:
    assert "".join(cut(text)) == text


@given(TEXTS | WORDS, st.lists(st.integers(0, 300), max_size=20))
def test_how_the_text_was_divided_makes_no_difference(text: str, cuts: list[int]) -> None:
    cutter = PhraseCutter()
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    phrases = [phrase for piece in pieces for phrase in cutter.feed(piece)]
    rest = cutter.close()
    assert phrases + ([rest] if rest.text else []) == cut_up(text)


@given(st.lists(st.text("abc.,!", min_size=1, max_size=12), max_size=60))
def test_no_word_is_divided(words: list[str]) -> None:
    phrases = cut(" ".join(words), PhraseRules(first_most=20, most=40))
    assert [word for phrase in phrases for word in phrase.split()] == words

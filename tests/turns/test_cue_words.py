"""Words that tell something, found in what recognisers write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.language import Cues
from voiceloop.languages import LANGUAGES
from voiceloop.turns.cue_words import only_backchannels, stops_at_once, words

ENGLISH = LANGUAGES["en"].cues


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Uh-huh, that’s M-A-R-K…", ["uh", "huh", "that's", "m", "a", "r", "k"]),
        ("hmmmm sooo YEAHHH", ["hmm", "so", "yeah"]),
        ("at 9 a.m. for $4.50 or 1000", ["at", "9", "am", "for", "4.50", "or", "1000"]),
        ("mark@gmail.com", ["mark@gmail.com"]),
        ("  ?! … ", []),
    ],
)
def test_writing_is_brought_to_one_form(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("en", "Mm-hmm."),
        ("en", "mhm yeah, okay"),
        ("en", "I see. Right."),
        ("en", "UH HUH"),
        ("en", "no problem"),
        ("de", "Ach so, ja ja."),
        ("es", "sí, ya veo"),
        ("fr", "d’accord"),
        ("it", "ho capito"),
        ("nl", "ik snap het"),
        ("pt", "pois é, tá bom"),
    ],
)
def test_sounds_and_words_of_a_listener_take_no_turn(tag: str, text: str) -> None:
    assert only_backchannels(text, LANGUAGES[tag].cues)


@pytest.mark.parametrize(
    "text", ["", "...", "i", "see", "yeah but I wanted two", "okay stop", "no", "a latte", "yeah " * 13]
)
def test_anything_else_takes_one(text: str) -> None:
    assert not only_backchannels(text, ENGLISH)


def test_a_hello_takes_no_turn_from_the_greeting_and_one_later() -> None:
    assert only_backchannels("Hello? Hi there!", ENGLISH, greeting=True)
    assert not only_backchannels("Hello?", ENGLISH)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("en", "Stop!"),
        ("en", "uh, wait a second"),
        ("en", "no no I said two"),
        ("en", "hold on"),
        ("de", "Moment mal"),
        ("es", "espere"),
        ("fr", "attendez"),
        ("it", "aspetti"),
        ("nl", "wacht even"),
        ("pt", "espere"),
    ],
)
def test_stop_words_stop_at_once(tag: str, text: str) -> None:
    assert stops_at_once(text, LANGUAGES[tag].cues)


@pytest.mark.parametrize("text", ["", "yeah", "no problem", "oh no", "unstoppable", "the bus stopped", "knowing"])
def test_what_only_looks_like_a_stop_word_does_not(text: str) -> None:
    assert not stops_at_once(text, ENGLISH)


def test_a_language_without_cues_has_neither() -> None:
    assert not only_backchannels("yeah", Cues())
    assert not stops_at_once("stop", Cues())


def test_a_bots_own_table_may_be_written_as_people_write() -> None:
    cues = Cues(backchannels=frozenset(("Uh-Huh", "That’s so true")), stops=frozenset(("Hold it!",)))
    assert only_backchannels("uh huh, THATS SO TRUE.", cues)
    assert stops_at_once("hold it", cues)


@given(st.text(max_size=3000), st.sampled_from(sorted(LANGUAGES)))
def test_no_text_is_both_and_none_fails(text: str, tag: str) -> None:
    cues = LANGUAGES[tag].cues
    assert not (only_backchannels(text, cues) and stops_at_once(text, cues))

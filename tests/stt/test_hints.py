"""Hints write a word that was spelled by ear the way the bot knows it, and leave all other words alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.stt.hints import Hints

MENU = Hints(["mocha", "cappuccino", "latte", "coffee", "tea"])


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("Get me a dark roast mocker with whole milk.", "Get me a dark roast mocha with whole milk."),
        ("an ice-mooker, please", "an ice-mocha, please"),
        ("one capuchino", "one cappuccino"),
        ("a mocca", "a mocha"),
        ("a Latte", "a latte"),
    ],
)
def test_a_word_that_sounds_like_a_hint_is_written_like_it(heard: str, meant: str) -> None:
    assert MENU.correct(heard) == meant


@pytest.mark.parametrize("text", ["I am late.", "make me a cup", "the team", "", "milk and sugar"])
def test_other_words_stay(text: str) -> None:
    assert MENU.correct(text) == text


@given(st.text())
def test_without_hints_nothing_changes(text: str) -> None:
    assert Hints().correct(text) == text


@given(st.text())
def test_correcting_twice_changes_nothing_more(text: str) -> None:
    once = MENU.correct(text)
    assert MENU.correct(once) == once

"""What of a written word is spoken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.tts.plain import spoken_words


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hello there.", "Hello there."),
        ("**Hello** there", "Hello there"),
        ("It is **really good**, ok", "It is really good, ok"),
        ("so *very* _nice_ and __bold__!", "so very nice and bold!"),
        ("~~old~~ `code` ***all***.", "old code all."),
        ("(*maybe*) “**yes**”", "(maybe) “yes”"),
        ("2*3 snake_case file_name", "2*3 snake_case file_name"),
        ("a * b", "a * b"),
        ("See [our menu](https://x.example/a_(b)) now", "See our menu now"),
        ("![logo](x.png) hi", "logo hi"),
        ("array[0] [sic]", "array[0] [sic]"),
        ("Great! 😀👍🏽 Bye🙂", "Great! Bye"),
        ("call ☎️ us", "call us"),
        ("it's 5°C, £3 — naïve 日本", "it's 5°C, £3 — naïve 日本"),
    ],
)
def test_marks_are_not_spoken_and_words_are(text: str, spoken: str) -> None:
    assert " ".join(word for _, word in spoken_words(text) if word) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("# Menu\n- coffee\n* tea\n+ milk\n• water", "Menu coffee tea milk water"),
        ("> quoted\n---\n```python\nx", "quoted x"),
        ("1. Coffee", "1. Coffee"),
        ("> - both", "both"),
    ],
)
def test_marks_at_the_start_of_a_line_are_not_spoken(text: str, spoken: str) -> None:
    assert " ".join(word for _, word in spoken_words(text, line_start=True) if word) == spoken


def test_a_dash_is_a_bullet_only_where_a_line_begins() -> None:
    assert spoken_words("- so", line_start=False) == [("-", "-"), ("so", "so")]
    assert spoken_words("- so", line_start=True) == [("-", ""), ("so", "so")]


@given(st.text())
def test_every_written_word_keeps_its_place(text: str) -> None:
    assert [written for written, _ in spoken_words(text)] == text.split()


@given(st.text(alphabet="abc xyz,.!?'\n", max_size=80))
def test_plain_text_is_spoken_as_it_is(text: str) -> None:
    assert [spoken for _, spoken in spoken_words(text)] == text.split()

"""Whether words were said: whole words, in whatever case and punctuation."""

from __future__ import annotations

import pytest

from voiceloop.testing.scenario_words import in_order, says, words_of


@pytest.mark.parametrize(
    ("wanted", "said", "held"),
    [
        ("latte", "A large Latte, please.", True),
        ("LARGE latte", "a “large” latte!", True),
        ("large latte", "a latte, a large one", False),
        ("tea", "steam", False),
        ("latte", "lattes", False),
        ("$4.50", "It is $4.50.", True),
        ("4.50", "It is $4.50.", False),
        ("it's", "It’s four", True),
        ("café", "CAFE\u0301", True),
        ("straße", "STRASSE", True),
        ("24/7", "open 24/7.", True),
        ("...", "anything", False),
        ("咖啡", "我要咖啡。", True),
        ("茶", "我要咖啡。", False),
        ("안녕", "안녕 하세요", True),
    ],
)
def test_whole_words_are_found_one_behind_the_other(wanted: str, said: str, held: bool) -> None:
    assert says(wanted, said) is held


def test_words_have_no_punctuation_around_them() -> None:
    assert words_of("Hi — “it's” (really) $4.50!") == ["hi", "it's", "really", "$4.50"]


def test_each_must_come_behind_the_one_before() -> None:
    assert in_order(["tea", "coffee"], "tea and coffee") is None
    assert in_order(["coffee", "tea"], "tea and coffee") == "tea"
    assert in_order(["tea", "tea"], "tea and coffee") == "tea"
    assert in_order([], "tea") is None

"""Words of the agent that the recogniser hears are told from the caller's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.turns.echo_words import is_echo, without_echo

ASKED = "Would you like it small or large? We can have it ready on the tenth of May."


@pytest.mark.parametrize(
    "heard",
    [
        "would you like it small or large",
        "small or large",
        "it ready",
        "Large. We can have it!",
        "we can half it ready",  # one in three misheard
        "ready on the tent of may",
        "would you it small large",  # some not recognised
        "would you like eat small or large",
        "ready on the 10th of May",
    ],
)
def test_the_agents_own_words_are_an_echo(heard: str) -> None:
    assert is_echo(heard, ASKED)
    assert without_echo(heard, ASKED) == ""


@pytest.mark.parametrize(
    "heard",
    [
        "",
        "...",
        "large",
        "large please",
        "yes",
        "no not large",
        "small or large no",  # the last word is the caller's
        "stop small or large",
        "can I have it on Monday instead",
        "may of tenth the on ready",
        "you said the tenth of may",
    ],
)
def test_the_callers_words_are_none(heard: str) -> None:
    assert not is_echo(heard, ASKED)


def test_one_word_is_an_echo_only_where_no_speech_was_detected() -> None:
    assert is_echo("large", ASKED, certain_silence=True)
    assert is_echo("lodge", ASKED, certain_silence=True)
    assert not is_echo("no", ASKED, certain_silence=True)
    assert not is_echo("large", ASKED)


def test_a_word_of_two_letters_is_itself_or_another() -> None:
    assert not is_echo("no", "not now", certain_silence=True)
    assert not is_echo("I am not so", "I am not no")


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ("would you like it small or large large please", "large please"),
        ("I'll have two lattes would you like it small", "I'll have two lattes"),
        ("No, wait: small or large we can. Cancel it!", "No, wait: Cancel it!"),
        ("small or large no", "no"),
        ("small or medium", "small or medium"),  # what the caller may say too
        ("or large thanks", "or large thanks"),  # two words are too few to tell
        ("two lattes please", "two lattes please"),
        ("you said the tenth of May?", "you said"),
    ],
)
def test_the_callers_words_stay_as_they_were_written(heard: str, left: str) -> None:
    assert without_echo(heard, ASKED) == left


def test_only_what_sounded_can_be_an_echo() -> None:
    assert not is_echo("small or large", "")
    assert not is_echo("small or large", "Good morning")
    assert without_echo("small or large", "") == "small or large"


@pytest.mark.parametrize(
    ("heard", "played"),
    [("an ice cream", "We have an icecream today"), ("an icecream today", "an ice cream today")],
)
def test_words_may_be_written_together(heard: str, played: str) -> None:
    assert is_echo(heard, played)


def test_digits_may_be_written_one_by_one() -> None:
    assert is_echo("call 555 12", "Please call 5 5 5 1 2 now")


def test_scripts_without_spaces_count_letters_as_words() -> None:
    assert is_echo("明天上午", "我们明天上午十点见")
    assert without_echo("明天上午好的", "我们明天上午十点见") == "好的"
    assert not is_echo("好的", "我们明天上午十点见")


WORDS = ["a", "the", "may", "large", "small", "no", "yes", "ten", "stop", "ice", "cream", "icecream"]
texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(texts, texts)
def test_what_is_left_is_a_part_of_what_was_heard(heard: str, played: str) -> None:
    rest = iter(heard.split())
    assert all(word in rest for word in without_echo(heard, played).split())


@given(texts)
def test_nothing_is_an_echo_of_nothing_and_everything_of_itself(text: str) -> None:
    assert not is_echo(text, "")
    assert is_echo(text, text) is (len(text.split()) > 1)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_compared_without_an_error(heard: str, played: str) -> None:
    assert is_echo(heard, played) in (True, False)
    assert len(without_echo(heard, played)) <= len(heard) + 1


def test_an_endless_transcript_is_looked_at_only_at_its_end() -> None:
    own = "would you like it small or large"
    long = "so " * 10_000
    assert without_echo(long + own, ASKED) == long.strip()
    assert not is_echo(long, long)

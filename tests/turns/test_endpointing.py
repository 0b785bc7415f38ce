"""How long a silence is waited for: what was said, what was asked, what was expected, who speaks."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.turns.phone_speech import prefixes, wholes
from voiceloop.languages import LANGUAGES
from voiceloop.turns.adaptive import AdaptiveEndpointing
from voiceloop.turns.endpointing import SoFar, Wait
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.expect import Expect

OPTIONS = TurnOptions(finished=0.35, unsure=1.2, unfinished=1.6)
PHONE = "What's your phone number?"


def wait(text: str, asked: str = "", tag: str = "en", expected: Expect | None = None, **more: float) -> Wait:
    turn = SoFar(text, asked, expected, LANGUAGES[tag].cues, **more)
    return AdaptiveEndpointing().wait(turn, OPTIONS)


def kind(found: Wait) -> str:
    if found.seconds < OPTIONS.finished + 0.3 * (OPTIONS.unsure - OPTIONS.finished):
        return "finished"
    return "open" if found.whole else "unfinished"


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        ("", "two lattes, please", "finished"),
        ("", "I'd like a latte and", "unfinished"),
        ("", "I'd like a latte um", "unfinished"),
        ("", "can you", "unfinished"),
        ("", "get me a", "unfinished"),
        ("", "a medium", "unfinished"),
        ("", "with a little bit of", "unfinished"),
        ("", "I wanted to", "unfinished"),
        ("", "the problem is", "unfinished"),
        ("", "if it rains tomorrow", "unfinished"),
        ("", "if it rains tomorrow I will stay home", "finished"),
        ("", "the jacket I ordered", "unfinished"),
        ("", "how much does the premium", "unfinished"),
        ("", "my wife's", "unfinished"),
        ("", "what is that for", "finished"),
        ("", "what is that", "finished"),
        ("", "where are you", "finished"),
        ("", "what do you have", "finished"),
        ("", "how much do I have", "finished"),
        ("", "that is what I have", "finished"),
        ("", "what time is it", "finished"),
        ("", "I don't know where it is", "finished"),
        ("", "go on", "finished"),
        ("", "okay, come on", "finished"),
        ("", "we are going on", "unfinished"),
        ("", "what is it", "finished"),
        ("", "is that it", "finished"),
        ("", "that's it", "finished"),
        ("", "try again", "finished"),
        ("", "count please", "finished"),
        ("", "neither do I", "finished"),
        ("", "not yet", "finished"),
        ("", "turn it on", "finished"),
        ("", "switch the heating on", "finished"),
        ("", "put me on", "unfinished"),
        ("", "I never got the letter you sent", "finished"),
        ("", "the letter you sent", "unfinished"),
        ("", "when does the last bus leave for", "unfinished"),
        ("", "when the letter came", "unfinished"),
        ("", "when the letter came nobody dared to open it", "finished"),
        ("", "had I known the truth", "unfinished"),
        ("", "it has never", "unfinished"),
        ("", "can I have the grilled", "unfinished"),
        ("", "I made a request", "finished"),
        ("", "when is it going to arrive", "finished"),
        ("", "the letters were printed on paper", "finished"),
        ("", "some fries and two", "unfinished"),
        ("Do you have a card?", "I do", "finished"),
        ("Is it blue?", "it is", "finished"),
        ("Are you ready?", "I am", "finished"),
        ("", "two", "open"),
        ("", "yes", "open"),
        ("", "get me twelve", "unfinished"),
        ("How many would you like?", "two", "finished"),
        ("How many would you like?", "three hundred and", "unfinished"),
        ("What size would you like?", "medium", "finished"),
        ("What size would you like?", "the large one", "finished"),
        ("Anything else?", "no, thanks", "finished"),
        ("Is that right?", "yes it is", "finished"),
        ("Is that right?", "yes but", "unfinished"),
        ("", "I would like a table…", "unfinished"),
        ("Can you spell your name?", "M-A-R-K", "unfinished"),
        ("Can you spell your name?", "mark m a r k", "finished"),
        ("Can you spell your name?", "b as in", "unfinished"),
        ("What's your email?", "anna at gmail", "unfinished"),
        ("What's your email?", "anna at gmail dot com", "finished"),
        ("What's your email?", "anna@gmail.com", "finished"),
        ("What is the four-digit code?", "one two three", "unfinished"),
        ("What is the four-digit code?", "one two three four", "finished"),
    ],
)
def test_the_wait_follows_what_was_said_and_asked(asked: str, text: str, expected: str) -> None:
    assert kind(wait(text, asked)) == expected


@pytest.mark.parametrize("asked", [PHONE, "", "How can I help you?"])
@pytest.mark.parametrize("said", ["four one five five five five one two three", "4 1 5 5 5 5 1 2", "double five six"])
def test_digits_with_gaps_of_700_ms_are_one_turn(asked: str, said: str) -> None:
    told = said.split()
    for n in range(2, len(told) + 1):
        assert wait(" ".join(told[:n]), asked).seconds > 0.8, told[:n]


def test_digits_with_gaps_are_one_turn_also_with_short_waits_set() -> None:
    short = TurnOptions(unsure=0.3, finished=0.2, unfinished=0.4)
    turn = SoFar("four one five", cues=LANGUAGES["en"].cues)
    assert AdaptiveEndpointing().wait(turn, short).seconds == 0.9


@pytest.mark.parametrize(
    ("expect", "text", "expected"),
    [
        (Expect.phone_number("US"), "415 555 123", "unfinished"),
        (Expect.phone_number("US"), "415 555 1234", "finished"),
        (Expect.phone_number("US"), "1 415 555 1234", "finished"),
        (Expect.phone_number("US"), "one four one five five five five one two three", "open"),
        (Expect.phone_number(None), "415 555 1234", "open"),
        (Expect.digits(4), "it's four two", "unfinished"),
        (Expect.digits(4), "it's four two four double two", "finished"),
        (Expect.digits(4), "I don't have it", "finished"),
        (Expect.digits(4), "four two is how it begins", "unfinished"),
        (Expect.yes_or_no(), "yes", "finished"),
        (Expect.short_answer(), "green", "finished"),
        (Expect.short_answer(), "a", "unfinished"),
        (Expect.spelled(), "m a", "unfinished"),
        (Expect.date(), "the third of may", "finished"),
        (Expect.date(), "the third", "unfinished"),
        (Expect.date(), "tomorrow", "finished"),
        (Expect.long_story(), "my order arrived yesterday", "open"),
        (Expect.long_story(), "well the thing", "unfinished"),
        (Expect.long_story(), "that's all", "finished"),
    ],
)
def test_what_is_expected_bends_the_wait(expect: Expect, text: str, expected: str) -> None:
    assert kind(wait(text, expected=expect)) == expected


@given(st.text(max_size=200), st.floats(0.01, 30))
def test_an_expected_pause_goes_before_all_rules(text: str, pause: float) -> None:
    assert wait(text, expected=Expect.pause(pause)).seconds == pause


def test_a_caller_who_was_cut_off_is_given_more_time() -> None:
    patient = AdaptiveEndpointing()
    turn = SoFar("two", cues=LANGUAGES["en"].cues)
    before = patient.wait(turn, OPTIONS).seconds
    patient.went_on(1.2)
    after = patient.wait(turn, OPTIONS).seconds
    assert after == pytest.approx(before * 1.5)
    for _ in range(20):
        patient.went_on(0.2)
    assert before <= patient.wait(turn, OPTIONS).seconds < after


def test_a_wait_falls_evenly_as_more_speaks_for_an_end() -> None:
    waits = [wait(text).seconds for text in ("I need a", "book", "main street", "a brand", "yes please")]
    assert waits == sorted(waits, reverse=True)
    assert OPTIONS.unfinished >= waits[0] >= waits[1] > OPTIONS.unsure > waits[2] > waits[4] == OPTIONS.finished


def test_the_longest_wait_is_stretched_least() -> None:
    patient, turn = AdaptiveEndpointing(), SoFar("I'd like a", cues=LANGUAGES["en"].cues)
    for _ in range(5):
        patient.went_on(3.0)
    assert patient.wait(turn, OPTIONS).seconds == pytest.approx(OPTIONS.unfinished * 1.25)


def test_the_same_words_under_another_question_are_judged_anew() -> None:
    patient, cues = AdaptiveEndpointing(), LANGUAGES["en"].cues
    open_, asked = (patient.wait(SoFar("medium", text, cues=cues), OPTIONS).seconds for text in ("", "What size?"))
    assert asked == OPTIONS.finished < open_


def test_a_comma_at_the_end_is_waited_on() -> None:
    assert wait("I'd like a small coffee,").seconds > OPTIONS.unsure


@given(st.lists(st.floats(-1, 1e6)), st.sampled_from([*wholes(), *prefixes()]))
def test_patience_is_bounded_and_never_shortens(pauses: list[float], turn: tuple[str, str]) -> None:
    asked, text = turn
    patient = AdaptiveEndpointing()
    for pause in pauses:
        patient.went_on(pause)
    assert 1 <= patient.patience <= 1.5
    so_far = SoFar(text, asked, cues=LANGUAGES["en"].cues)
    assert patient.wait(so_far, OPTIONS).seconds >= AdaptiveEndpointing().wait(so_far, OPTIONS).seconds


words_of_calls = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(
            [
                "two",
                "four",
                "and",
                "um",
                "a",
                "latte",
                "I'd",
                "like",
                "m",
                "a",
                "r",
                "k",
                "@",
                ".",
                ",",
                "…",
                "double",
                "hundred",
                "dot",
                "gmail.com",
                "415",
                "3:30",
                "if",
                "you",
            ]
        )
    ).map(" ".join),
)


@given(
    words_of_calls,
    words_of_calls,
    st.sampled_from(sorted(LANGUAGES)),
    st.sampled_from(
        [None, Expect.digits((3, 9)), Expect.yes_or_no(), Expect.spelled(), Expect.date(), Expect.long_story()]
    ),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_every_wait_is_bounded_says_why_and_is_the_same_again(
    text: str, asked: str, tag: str, expected: Expect | None, judged: float | None
) -> None:
    turn = SoFar(text, asked, expected, LANGUAGES[tag].cues, judged=judged)
    found = AdaptiveEndpointing().wait(turn, OPTIONS)
    assert OPTIONS.finished <= found.seconds <= OPTIONS.unfinished
    assert found.why
    assert found.whole <= bool(text.strip())
    assert AdaptiveEndpointing().wait(turn, OPTIONS) == found


def test_only_the_end_of_a_long_text_is_read() -> None:
    text = "four one five and the um " * 20_000 + "that is all I wanted to say thank you"
    assert kind(wait(text)) == "finished"


def test_waits_set_in_another_order_are_taken_no_shorter_than_finished() -> None:
    turn = SoFar("two lattes please", cues=LANGUAGES["en"].cues)
    half = SoFar("two lattes and", cues=LANGUAGES["en"].cues)
    options = TurnOptions(finished=0.8, unsure=0.3, unfinished=0.2)
    assert AdaptiveEndpointing().wait(turn, options).seconds == 0.8
    assert AdaptiveEndpointing().wait(half, options).seconds == 0.8


def test_the_sound_moves_what_the_words_leave_open() -> None:
    assert kind(wait("main street", judged=0.95)) == "finished"
    assert kind(wait("main street", judged=0.5)) == "open"
    assert kind(wait("main street", judged=0.05)) == "unfinished"


def test_the_sound_overrules_neither_a_trailing_word_nor_half_a_number() -> None:
    assert kind(wait("I'd like a latte and", judged=0.95)) != "finished"
    assert kind(wait("four one five", judged=1.0)) == "unfinished"


class ByEar(AdaptiveEndpointing):
    """The smallest audio model: whoever falls silent long enough in the sound is done."""

    listens: ClassVar[float] = 1.0

    def judge(self, audio: bytes) -> float:
        return audio.count(0xFF) / max(len(audio), 1)


def test_an_audio_model_is_a_subclass() -> None:
    ear = ByEar()
    quiet, loud = ear.judge(b"\xff" * 8000), ear.judge(b"\x10" * 8000)
    turn = LANGUAGES["en"].cues
    assert ear.wait(SoFar("main street", cues=turn, judged=quiet), OPTIONS).seconds == OPTIONS.finished
    assert ear.wait(SoFar("main street", cues=turn, judged=loud), OPTIONS).seconds == OPTIONS.unfinished


def test_most_whole_turns_sound_finished_and_few_half_ones_do() -> None:
    whole = [kind(wait(text, asked)) for asked, text in wholes()]
    half = [kind(wait(text, asked)) for asked, text in prefixes()]
    assert whole.count("finished") / len(whole) >= 0.9
    assert half.count("finished") / len(half) <= 0.1
    assert half.count("unfinished") / len(half) >= 0.8

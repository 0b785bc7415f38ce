"""How one model goes on with another's answer, and one voice with another's speech."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.fallback.continuing import Joint, Own, WholeWords, continuing, finished, for_model
from voiceloop.fallback.seam import complete, estimated_words, spoken
from voiceloop.fallback.segments import Numbering, Segments
from voiceloop.fallback.tape import Tape, quiet
from voiceloop.frames import Transcript, Word
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import Flush


@given(st.lists(st.text("ab, .\n今日ไทย", max_size=12), max_size=12))
def test_words_come_whole_and_nothing_is_lost(pieces: list[str]) -> None:
    words = WholeWords()
    given_out = [words.feed(piece) for piece in pieces]
    assert "".join(given_out) + words.close() == "".join(pieces)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("I can he", "I can "),
        ("I can help ", "I can help "),
        ("costs 3.", "costs "),
        ("今日は", "今日は"),
        ("今日はvoice", "今日は"),
        ("x" * 61, "x" * 61),
    ],
)
def test_the_word_that_is_being_written_is_held_back(text: str, whole: str) -> None:
    assert WholeWords().feed(text) == whole


@pytest.mark.parametrize(
    ("said", "continuation", "heard"),
    [
        ("We have coffee ", "and tea.", "We have coffee and tea."),
        ("We have coffee ", "coffee and tea.", "We have coffee and tea."),
        ("We have coffee ", "We have coffee, and tea.", "We have coffee and tea."),
        ("We have coffee ", "... and tea.", "We have coffee and tea."),
        ("We have coffee, ", "have Coffee, tea and cake.", "We have coffee, tea and cake."),
        ("We have ", "tea", "We have tea"),
        ("It is very ", "very good.", "It is very very good."),  # a short word may be meant twice
        ("Call five five ", "five one two.", "Call five five five one two."),
        ("Call 5 5 1 2 ", "1 2 7.", "Call 5 5 1 2 1 2 7."),  # so may numbers
        ("The tea and the ", "tea is hot.", "The tea and the tea is hot."),
        ("We have coffee", "and tea", "We have coffee and tea"),
        ("We have coffee", ", and tea", "We have coffee, and tea"),
        ("今日は", "今日は天気がいい。", "今日は天気がいい。"),
        ("All done. ", ".", "All done. "),
        ("We have coffee ", "We have coffee", "We have coffee "),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_repeats_the_end_of_what_was_said_is_left_out(said: str, continuation: str, heard: str, size: int) -> None:
    words, joint = WholeWords(), Joint(said)
    got = said
    for at in range(0, len(continuation), size):
        got += joint.feed(words.feed(continuation[at : at + size]))
    got += joint.feed(words.close()) + joint.close()
    assert got == heard


@pytest.mark.parametrize(
    ("said", "whole"),
    [("Yes.", True), ("Yes. ", True), ('"Yes!"', True), ("はい。", True), ("Yes", False), ("", False)],
)
def test_a_text_may_end_at_the_end_of_a_sentence(said: str, whole: bool) -> None:
    assert finished(said) is whole


def test_a_model_that_goes_on_is_told_what_was_said() -> None:
    messages = [Message("system", "Be kind."), Message("user", "What do you have?")]
    assert continuing(messages, "  ") == messages
    asked = continuing(messages, "We have coffee and ")
    assert asked[:3] == [*messages, Message("assistant", "We have coffee and")]
    assert asked[3].role == "user"
    assert "“We have coffee and”" in asked[3].text
    assert len(asked) == 4


def test_an_echo_goes_back_to_its_own_model_only_and_results_are_told_to_one_without_tools() -> None:
    call = ToolCall("1", "price")
    messages = [
        Message("user", "What is a latte?"),
        Message("assistant", "Let me see.", calls=(call,), echo=Own(0, "signed")),
        Message("tool", "", results=(ToolResult("1", "4 dollars"),)),
    ]
    assert [message.echo for message in for_model(messages, 0, tools=True)] == [None, "signed", None]
    assert [message.echo for message in for_model(messages, 1, tools=True)] == [None, None, None]
    assert for_model(messages, 1, tools=False) == [
        Message("user", "What is a latte?"),
        Message("assistant", "Let me see."),
        Message("user", "(What you looked up: 4 dollars)"),
    ]


# --- voices -------------------------------------------------------------------------------------------------

TEXT = "We have coffee, tea and cake. Also sandwiches."
TIMES = tuple(Word(word, n * 0.5, n * 0.5 + 0.4) for n, word in enumerate(TEXT.split()))


@pytest.mark.parametrize(
    ("known", "seconds", "rest"),
    [
        (8, 0.0, "We have coffee, tea and cake. Also sandwiches."),
        (8, 0.39, "We have coffee, tea and cake. Also sandwiches."),
        (8, 0.4, "have coffee, tea and cake. Also sandwiches."),
        (8, 1.2, "coffee, tea and cake. Also sandwiches."),  # in the middle of "coffee"
        (8, 3.9, ""),
        (2, 1.2, "coffee, tea and cake. Also sandwiches."),
        (2, 2.5, "tea and cake. Also sandwiches."),  # told late: by its pace it is beyond the comma
        (0, 1.0, "We have coffee, tea and cake. Also sandwiches."),
        (0, 1.6, "tea and cake. Also sandwiches."),
        (0, 2.6, "Also sandwiches."),
    ],
)
def test_the_next_voice_begins_with_the_first_word_that_was_not_spoken_whole(
    known: int, seconds: float, rest: str
) -> None:
    assert TEXT[spoken(TEXT, TIMES[:known], seconds, 15.0) :] == rest


@pytest.mark.parametrize(
    ("known", "seconds", "whole"), [(8, 4.0, True), (7, 3.5, False), (0, 3.0, True), (0, 1.0, False)]
)
def test_an_end_in_the_middle_of_the_text_is_noticed(known: int, seconds: float, whole: bool) -> None:
    assert complete(TEXT, TIMES[:known], seconds, 15.0) is whole


def test_estimated_words_share_the_time() -> None:
    words = estimated_words("Yes of course", 1.0, 2.5)
    assert [word.text for word in words] == ["Yes", "of", "course"]
    assert (words[0].start, words[-1].end) == (1.0, 2.5)
    assert all(a.end == b.start for a, b in pairwise(words))
    assert estimated_words("  ", 0.0, 1.0) == ()


# --- recognisers --------------------------------------------------------------------------------------------


def told(transcripts: list[Transcript]) -> list[tuple[int, str, bool]]:
    return [(each.segment, each.text, each.final) for each in transcripts]


def test_words_of_another_recogniser_replace_what_was_not_settled() -> None:
    segments, first, second = Segments(), Numbering(), Numbering()
    segments.hear(first, Transcript("two coffees", False, 0))
    assert told(segments.settle(first)) == []
    heard = [
        segments.hear(first, Transcript(text, final, number))
        for text, final, number in (("two coffees and", False, 0), ("a", True, 1), ("cake", False, 2))
    ]
    assert told(heard) == [(0, "two coffees and", False), (1, "a", False), (2, "cake", False)]
    assert told(segments.taken_over()) == [(0, "two coffees", False)]
    assert told([segments.hear(second, Transcript("and a cake", True, 0))]) == [(1, "and a cake", False)]
    assert told(segments.settle(second)) == [(2, "", False), (1, "and a cake", True)]
    assert told([segments.hear(second, Transcript("please", True, 0))]) == [(3, "please", False)]


def test_the_last_word_is_not_that_there_was_none() -> None:
    segments, first, second = Segments(), Numbering(), Numbering()
    for number, text in enumerate(("two", "coffees")):
        segments.hear(first, Transcript(text, False, number))
    segments.taken_over()
    segments.hear(second, Transcript("two coffees", False, 0))
    assert told(segments.settle(second)) == [(1, "", False), (0, "two coffees", False)]


def test_the_tape_keeps_what_was_not_settled_and_no_silence_before_it() -> None:
    tape, flush = Tape(), Flush()
    sound = Lexicon().sound("coffee")
    for _ in range(50):
        tape.add(b"\xff" * 800)
    assert sum(len(item) for item in tape if isinstance(item, bytes)) == 2800
    tape.add(sound)
    tape.add(flush)
    tape.add(b"\xff" * 800)
    assert list(tape)[-3:] == [sound, flush, b"\xff" * 800]
    tape.settled(flush)
    assert list(tape) == [b"\xff" * 800]
    for _ in range(70):
        tape.add(sound[:1600] * 5)
    assert sum(len(item) for item in tape if isinstance(item, bytes)) == 480_000


@pytest.mark.parametrize(
    ("audio", "is_quiet"), [(b"\xff" * 160, True), (b"\x7f\xff" * 80, True), (b"\x00" * 160, False), (b"", True)]
)
def test_silence_is_known_by_its_level(audio: bytes, is_quiet: bool) -> None:
    assert quiet(audio) is is_quiet

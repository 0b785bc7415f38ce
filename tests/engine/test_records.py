"""The records of a call: latency whose parts add up, the event log and its fingerprint, the conversation."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.answer import Answer
from voiceloop.call_record import Record
from voiceloop.conversation import Conversation
from voiceloop.eventlog import EventLog
from voiceloop.frames import UserTurn
from voiceloop.latency import MILESTONES, latency_of

times = st.floats(min_value=0.0, max_value=1e5)


@given(st.dictionaries(st.sampled_from(MILESTONES), times))
def test_parts_of_a_latency_are_never_negative_and_add_up_to_the_total(milestones):
    latency = latency_of(milestones)
    if "ended" not in milestones or "played" not in milestones:
        assert latency is None
        return
    parts = astuple(latency)
    assert min(parts) >= 0.0
    assert sum(parts) == pytest.approx(latency.total)
    assert latency.total == pytest.approx(max(0.0, milestones["played"] - milestones["ended"]), abs=1e-6)
    shown = latency.as_ms()
    total = shown.pop("total")
    assert sum(shown.values()) == pytest.approx(total, abs=1e-3)


@given(st.lists(times, min_size=7, max_size=7).map(sorted), st.integers(1, 6), st.floats(0.001, 10.0))
def test_delay_in_one_part_is_seen_there_alone(moments, part, delay):
    before = latency_of(dict(zip(MILESTONES, moments, strict=True)))
    later = moments[:part] + [at + delay for at in moments[part:]]
    after = latency_of(dict(zip(MILESTONES, later, strict=True)))
    grown = [b - a for a, b in zip(astuple(before), astuple(after), strict=True)]
    assert grown == pytest.approx([delay if index == part - 1 else 0.0 for index in range(6)], abs=1e-6)


def test_missing_milestone_gives_its_part_to_the_next_one():
    latency = latency_of({"ended": 1.0, "endpointed": 1.5, "text": 2.0, "played": 3.0})
    assert astuple(latency) == (0.5, 0.0, 0.5, 0.0, 0.0, 1.0)
    assert str(latency) == "2000 ms (endpoint 500, stt 0, llm 500, tts 0, output 0, carrier 1000)"


def test_event_log_has_one_fingerprint_for_one_history():
    def log(*events: tuple[float, str, object]) -> EventLog:
        made = EventLog()
        for event in events:
            made.add(*event)
        return made

    one = log((0.1, "in", "a"), (0.2, "timer", "b"))
    assert one.sha256() == log((0.1 + 1e-9, "in", "a"), (0.2, "timer", "b")).sha256()
    for other in (
        log((0.1, "in", "a")),
        log((0.2, "timer", "b"), (0.1, "in", "a")),
        log((0.100002, "in", "a"), (0.2, "timer", "b")),
        log((0.1, "out", "a"), (0.2, "timer", "b")),
        log((0.1, "in", "a"), (0.2, "timer", "c")),
    ):
        assert one.sha256() != other.sha256()


def test_event_log_keeps_a_checksum_of_what_is_no_text():
    log = EventLog()
    log.add(0.0, "in", b"\x00" * 160)
    log.add(0.0, "in", b"\x01" * 160)
    assert [detail[:6] for _, _, detail in log.events] == ["bytes ", "bytes "]
    assert log.events[0] != log.events[1]


def test_conversation_is_a_list_of_messages_kept_up_to_date():
    conversation = Conversation()
    conversation.add("user", "hello")
    spoken = conversation.add("assistant", "good")
    spoken.text, spoken.unheard, spoken.interrupted = "good day", "to you", True
    assert [str(message) for message in conversation] == ["user: hello", "assistant: good day [cut: to you]"]
    assert (len(conversation), conversation[-1] is spoken) == (2, True)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_turn_that_goes_on_in_the_moment_of_its_end_is_one_turn(order):
    """Whichever of its answers is closed first."""
    record = Record("call")
    turns = [
        UserTurn("two coffees", 1.0, 2.0, 2.5, 2.5, withdrawn=True),
        UserTurn("two coffees please", 1.0, 2.0, 2.5, 2.5, continued=True),
    ]
    answers = [Answer(number, turn=turn) for number, turn in enumerate(turns, 1)]
    for place in order:
        answers[place]._close("interrupted")
        record.close_answer(answers[place])
    report = record.report("completed", 9.0, [])
    assert [turn.caller for turn in report.turns] == ["two coffees please"]


def test_a_turn_that_is_taken_back_when_its_answer_has_failed_is_not_told_twice():
    record = Record("call")
    first = UserTurn("two coffees", 1.0, 2.0, 2.5, 2.5)
    second = UserTurn("two coffees please", 1.0, 3.0, 3.5, 3.5, continued=True)
    for number, turn in enumerate((first, second), 1):
        answer = Answer(number, turn=turn)
        answer._close("failed")
        record.close_answer(answer)
        turn.withdrawn = turn is first  # the caller went on, over the apology
    assert [turn.caller for turn in record.report("completed", 9.0, []).turns] == ["two coffees", "please"]


@pytest.mark.parametrize(
    ("heard", "more", "rows"),
    [
        ("", "", ["two coffees"]),  # a part of a word was played: the turn that went on has taken its place
        ("We", "please", ["two coffees", "please"]),
        ("We", "", ["two coffees", ""]),  # a noise was all that came
    ],
)
def test_a_turn_whose_answer_was_heard_after_all_is_not_told_twice(heard, more, rows):
    """The news that something of it was heard came when the next turn had gone on from it."""
    record = Record("call")
    first = UserTurn("two coffees", 1.0, 2.0, 2.5, 2.5, withdrawn=True)
    second = UserTurn(f"two coffees {more}".strip(), 1.0, 3.0, 3.5, 3.5, continued=True)
    third = UserTurn("two coffees to go", 5.0, 6.0, 6.5, 6.5)
    for number, turn in enumerate((first, second, third), 1):
        answer = Answer(number, turn=turn)
        answer.text = "We have some."
        answer.stamp("played", turn.decided)
        record.remember(answer, heard, answer.text.removeprefix(heard), True)
        answer._close("interrupted")
        record.close_answer(answer)
    report = record.report("completed", 9.0, [])
    assert [turn.caller for turn in report.turns] == [*rows, "two coffees to go"]

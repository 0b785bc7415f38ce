"""Why a turn was slow or cut, and why a call ended: each sentence from timelines made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from voiceloop.conversation import Conversation
from voiceloop.record.timeline import AnswerLine, Span, TimelineEvent, TurnLine
from voiceloop.record.why import WhyOptions, why
from voiceloop.record.why_facts import (
    Act,
    Bark,
    DetailedTimeline,
    Failure,
    ModelRequest,
    Stood,
    ToolRun,
)
from voiceloop.report import CallReport, FaultRecord

USUAL = {"endpoint": 0.5, "stt": 0.0, "llm": 0.4, "tts": 0.1, "output": 0.0, "carrier": 0.1}


def timeline(*turns: dict[str, float], text: str = "a large mocha please", **more: Any) -> DetailedTimeline:
    """A call with one turn every ten seconds, each 1 s long, answered by 'One large mocha, coming up.' for 2 s; each
    given with the parts of its wait that are not as usual."""
    line = DetailedTimeline(duration=10.0 * len(turns), providers={"stt": "Ears", "llm": "Mind", "tts": "Mouth"})
    for number, given in enumerate(turns, 1):
        parts = {**USUAL, **given}
        start, end = 10.0 * number - 9, 10.0 * number - 8
        decided = end + parts["endpoint"] + parts["stt"]
        ms = {name: seconds * 1000 for name, seconds in parts.items()}
        line.turns.append(
            TurnLine(
                number,
                text if number == len(turns) else "yes",
                start,
                end,
                end + parts["endpoint"],
                decided,
                answer=number,
                latency_ms={"total": sum(ms.values()), **ms},
            )
        )
        heard = end + sum(parts.values())
        line.answers.append(
            AnswerLine(
                number,
                "One large mocha, coming up.",
                decided,
                "One large mocha, coming up.",
                outcome="complete",
                sounds=[Span(heard, heard + 2)],
            )
        )
        line.speech.append(Span(start, end))
        line.requests.append(ModelRequest(decided, number, first=decided + parts["llm"], ended=decided + parts["llm"]))
    for name, value in more.items():
        setattr(line, name, value)
    return line


def report(reason: str = "caller hung up", faults: tuple[FaultRecord, ...] = ()) -> CallReport:
    return CallReport("CA1", reason, 20.0, Conversation(), faults=list(faults))


def told(line: DetailedTimeline, **options: Any) -> list[str]:
    """All but the end."""
    return [each.text for each in why(line, report(), WhyOptions(**options))][:-1]


# --- waits ---


def test_a_call_as_it_should_be_has_nothing_but_its_end() -> None:
    assert told(timeline({}, {}, {})) == []


WAITS: dict[str, tuple[DetailedTimeline, str]] = {
    "the model, far above the others": (
        timeline({}, {}, {"llm": 2.2}),
        "Turn 3 waited 2.9 s: the model's first words took 2.2 s, 5.5 times as long as in the other turns (0.4 s); "
        "why, the recording does not say.",
    ),
    "below the limit of a slow turn, and standing out": (
        timeline({}, {}, {"tts": 0.8}, {}),
        "Turn 3 waited 1.8 s: the voice's first sound took 0.8 s, eight times as long as in the other turns (0.1 s); "
        "why, the recording does not say.",
    ),
    "silence after an unfinished word": (
        timeline({}, {"endpoint": 1.2}, text="a tea and", unfinished=frozenset({"and"})),
        "Turn 2 waited 1.8 s: 1.2 s of silence were waited for, 2.4 times as long as in the other turns (0.5 s), "
        "because the caller ended with 'and'.",
    ),
    "silence without such a word": (
        timeline({}, {"endpoint": 1.2}, unfinished=frozenset({"and"})),
        "Turn 2 waited 1.8 s: 1.2 s of silence were waited for, 2.4 times as long as in the other turns (0.5 s); "
        "why, the recording does not say.",
    ),
    "the recogniser": (
        timeline({}, {"stt": 0.9}, failures=[Failure(12.3, "stt", "ConnectionError: reset")]),
        "Turn 2 waited 2.0 s: the recogniser settled 0.9 s late (in the other turns 0 ms); at 12.3 s it failed "
        "(ConnectionError: reset).",
    ),
    "a recogniser that gave nothing": (
        timeline(
            {}, {"stt": 3.0}, events=[TimelineEvent(15.0, "fault", "Ears.failed: nothing within 3 s; asking again")]
        ),
        "Turn 2 waited 4.1 s: the recogniser settled 3.0 s late (in the other turns 0 ms); at 15.0 s it was given up "
        "(nothing within 3 s; asking again).",
    ),
    "a tool": (
        timeline({}, {"llm": 2.2}, tools=[ToolRun("price", 12.7, 14.5, answer=2)]),
        "Turn 2 waited 2.9 s: the model's first words took 2.2 s, 5.5 times as long as in the other turns (0.4 s); "
        "a tool (price) ran 1.8 s before the answer.",
    ),
    "a tool of another turn": (
        timeline({}, {"llm": 2.2}, tools=[ToolRun("price", 12.7, 14.5, answer=1)]),
        "Turn 2 waited 2.9 s: the model's first words took 2.2 s, 5.5 times as long as in the other turns (0.4 s); "
        "why, the recording does not say.",
    ),
    "the model asked again after a failure": (
        timeline(
            {},
            {"llm": 2.2},
            requests=[
                ModelRequest(12.5, 2, ended=12.8, failure="ConnectionError: reset"),
                ModelRequest(12.8, 2, first=14.7, ended=15.0),
            ],
        ),
        "Turn 2 waited 2.9 s: the model's first words took 2.2 s, 5.5 times as long as in the other turns (0.4 s); "
        "the model was asked twice: the first request failed after 0.3 s (ConnectionError: reset).",
    ),
    "the model asked again after nothing came": (
        timeline({}, {"llm": 5.6}, requests=[ModelRequest(12.5, 2), ModelRequest(17.5, 2, first=17.9, ended=18.0)]),
        "Turn 2 waited 6.3 s: the model's first words took 5.6 s, 14 times as long as in the other turns (0.4 s); "
        "the model was asked twice: the first request gave nothing for 5.0 s.",
    ),
    "rounds of tools": (
        timeline(
            {},
            {"llm": 1.2},
            requests=[
                ModelRequest(12.5, 2, first=12.9, ended=12.9, calls=1),
                ModelRequest(13.3, 2, first=13.7, ended=14.0),
            ],
            tools=[ToolRun("price", 12.9, 13.3, answer=2)],
        ),
        "Turn 2 waited 1.9 s: the model's first words took 1.2 s, three times as long as in the other turns (0.4 s); "
        "a tool (price) ran 0.4 s before the answer; the model was asked twice and took 0.8 s for that.",
    ),
    "another model": (
        timeline({}, {"llm": 2.2}, stood=[Stood(13.9, "llm", "Spare", "Mind", "it raised ConnectionError")]),
        "Turn 2 waited 2.9 s: the model's first words took 2.2 s, 5.5 times as long as in the other turns (0.4 s); "
        "Spare stood in for Mind (it raised ConnectionError).",
    ),
    "the voice failed": (
        timeline({}, {"tts": 2.0}, failures=[Failure(13.0, "tts", "OSError: gone")]),
        "Turn 2 waited 3.0 s: the voice's first sound took 2.0 s, 20 times as long as in the other turns (0.1 s); "
        "at 13.0 s the voice failed (OSError: gone).",
    ),
    "another answer was heard": (
        timeline(
            {},
            {"output": 1.5},
            answers=[AnswerLine(9, "One moment, please.", 12.0, "One moment, please.", sounds=[Span(13.0, 14.3)])],
        ),
        "Turn 2 waited 2.6 s: the first sound was there and was sent 1.5 s later (in the other turns 0 ms); the agent "
        "was still saying 'One moment, please.' for 1.3 s of that.",
    ),
    "marks": (
        timeline({}, {"carrier": 1.0}, barks=[Bark(16.0, "no_mark", 2.0, 2.0, answer=1)]),
        "Turn 2 waited 2.0 s: from sending to hearing it took 1.0 s, 10 times as long as in the other turns (0.1 s); "
        "why, the recording does not say.",
    ),
    "the loop was held": (
        timeline(
            {},
            {"llm": 1.0},
            barks=[Bark(13.4, "loop_held", 0.6, 0.25, "price (shop.py:41) held the event loop for 0.60 s: nothing …")],
        ),
        "Turn 2 waited 1.7 s: the model's first words took 1.0 s, 2.5 times as long as in the other turns (0.4 s); "
        "the loop was held 0.6 s by price (shop.py:41).",
    ),
    "by what nobody knows": (
        timeline(
            {},
            {"llm": 1.0},
            barks=[Bark(13.4, "loop_held", 0.6, 0.25, "something held the event loop for 0.60 s: nothing else …")],
        ),
        "Turn 2 waited 1.7 s: the model's first words took 1.0 s, 2.5 times as long as in the other turns (0.4 s); "
        "the loop was held 0.6 s (by what is not known).",
    ),
    "the only turn": (
        timeline({"llm": 2.2}),
        "Turn 1 waited 2.9 s: the model's first words took 2.2 s.",
    ),
}


@pytest.mark.parametrize("case", WAITS)
def test_a_slow_turn_is_explained_by_what_stands_out(case: str) -> None:
    line, text = WAITS[case]
    slow = [each for each in why(line, report()) if each.about == "slow"]
    assert [each.text for each in slow] == [text]
    assert slow[0].at == line.turns[slow[0].turn - 1].ended


def test_where_all_turns_are_slow_the_largest_parts_are_named() -> None:
    line = timeline({"llm": 2.0}, {"llm": 2.0})
    assert told(line) == [
        f"Turn {number} waited 2.7 s: the model's first words took 2.0 s, about as in the other turns (2.0 s)."
        for number in (1, 2)
    ]
    assert told(line, slow=3.0) == []


def test_a_mark_that_never_came_makes_the_time_an_estimate() -> None:
    line = timeline({}, {"carrier": 1.0}, barks=[Bark(16.0, "no_mark", 2.0, 2.0, answer=2)])
    slow, watchdog = told(line)
    assert slow.endswith("; no echo of a mark came for 2.0 s, so that this is an estimate.")
    assert watchdog.startswith("No echo of a mark in the answer to turn 2 came for 2.0 s (the limit is 2 s)")


def test_what_was_left_out_is_not_quoted() -> None:
    line = timeline({}, {"endpoint": 1.2}, text="x xxx xxx", unfinished=frozenset({"and"}), redacted=("text",))
    assert told(line)[0].endswith("(0.5 s); why, the recording does not say.")


# --- answers that were not heard ---


def test_a_failed_answer_is_told_with_its_fault() -> None:
    line = timeline({}, {})
    line.turns[1].latency_ms = None
    line.answers[1] = AnswerLine(2, "One", 12.5, outcome="failed")
    line.events = [TimelineEvent(17.5, "fault", "Mind.stalled: llm: nothing came for 5 s", answer=2)]
    assert told(line) == [
        "The answer to turn 2 failed: Mind.stalled: llm: nothing came for 5 s (5.0 s after the turn)."
    ]
    line.events = []
    assert told(line) == ["The answer to turn 2 failed: the recording does not say why."]


def test_a_turn_that_the_end_of_the_call_left_without_an_answer() -> None:
    line = timeline({}, {}, duration=13.0)
    line.turns[1].latency_ms = None
    line.answers[1] = AnswerLine(2, "One", 12.5, outcome="discarded")
    assert told(line) == ["Turn 2 was not answered: the call ended 0.5 s after it was over."]
    line.whole = False
    assert told(line) == ["Turn 2 was not answered: the recording breaks off 0.5 s after it was over."]


# --- cuts ---


def cut(heard: str = "One large", **more: Any) -> DetailedTimeline:
    """Turn 1 is answered, and that is cut at 4.0 s."""
    line = timeline({})
    line.answers[0] = replace(
        line.answers[0], heard=heard, unheard="mocha, coming up.", outcome="interrupted", interrupted=4.0
    )
    line.duration = 20.0
    for name, value in more.items():
        setattr(line, name, value)
    return line


SPOKEN = [Span(1.0, 2.0), Span(3.7, 4.4)]
CUTS: dict[str, tuple[DetailedTimeline, str]] = {
    "by a turn": (
        cut(speech=SPOKEN, turns=[*timeline({}).turns, TurnLine(0, "no, small", 3.7, 4.4, 4.9, 4.9)]),
        "Turn 1 was cut after 'One large', the caller began to speak 0.3 s before: 'no, small'.",
    ),
    "before it was heard": (
        cut("", speech=SPOKEN, turns=[*timeline({}).turns, TurnLine(0, "no, small", 3.7, 4.4, 4.9, 4.9)]),
        "Turn 1 was cut before any of its answer was heard, the caller began to speak 0.3 s before: 'no, small'.",
    ),
    "by words in no turn": (
        cut(speech=SPOKEN, events=[TimelineEvent(4.6, "transcript", "mhm")]),
        "Turn 1 was cut after 'One large', the caller began to speak 0.3 s before: 'mhm', which is in no turn.",
    ),
    "by a noise": (
        cut(speech=SPOKEN, settled=[4.6]),
        "Turn 1 was cut after 'One large': what sounded like speech for 0.7 s was a noise, nothing was recognised.",
    ),
    "by sound for which nobody answered": (
        cut(speech=SPOKEN),
        "Turn 1 was cut after 'One large' by what sounded like speech for 0.7 s: no words for it came.",
    ),
    "shortly before the end": (
        cut(speech=SPOKEN, duration=5.0),
        "Turn 1 was cut after 'One large', the caller began to speak 0.3 s before; what they said was not recognised "
        "before the call ended.",
    ),
    "from outside": (
        cut(acts=[Act(4.0, "interrupt")]),
        "Turn 1 was cut after 'One large': somebody outside of the call interrupted it.",
    ),
    "by a recogniser that changed its mind": (
        cut("", events=[TimelineEvent(4.0, "transcript", "a large mocha to go")]),
        "Turn 1 was cut before any of its answer was heard, because the recogniser had understood more: "
        "'a large mocha to go'.",
    ),
    "by nothing that is known": (
        cut(),
        "Turn 1 was cut after 'One large'; why, the recording does not say: nobody spoke then.",
    ),
    "long": (
        cut("One large mocha with milk,", acts=[Act(4.0, "interrupt")]),
        "Turn 1 was cut after '… large mocha with milk': somebody outside of the call interrupted it.",
    ),
    "what the agent said by itself": (
        cut(acts=[Act(4.0, "interrupt")], turns=[]),
        "What the agent began to say at 2.5 s was cut after 'One large': somebody outside of the call interrupted it.",
    ),
    "left out": (
        cut(
            redacted=("text",),
            speech=SPOKEN,
            turns=[*timeline({}).turns, TurnLine(0, "xx, xxxxx", 3.7, 4.4, 4.9, 4.9)],
        ),
        "Turn 1 was cut after 2 words, the caller began to speak 0.3 s before: 2 words.",
    ),
}


@pytest.mark.parametrize("case", CUTS)
def test_a_cut_is_explained_by_who_spoke(case: str) -> None:
    line, text = CUTS[case]
    found = [each for each in why(line, report()) if each.about == "cut"]
    assert [each.text for each in found] == [text]
    assert found[0].at == 4.0


def paused(*more: TimelineEvent, speech: float = 3.6, **options: Any) -> list[str]:
    """Turn 1's answer, heard from 3.1 s, is paused from 3.72 s to 4.1 s."""
    line = timeline({}, speech=[Span(1.0, 2.0), Span(speech, speech + 0.3)], **options)
    line.events = [TimelineEvent(3.72, "pause", answer=1), *more, TimelineEvent(4.1, "resume", answer=1)]
    return told(line)


def test_a_pause_is_explained_by_what_was_heard() -> None:
    assert paused() == [
        "The answer to turn 1 was paused for 0.4 s by a noise: nothing was recognised; the agent went on."
    ]
    mhm = TimelineEvent(3.95, "transcript", "mhm")
    assert paused(mhm) == ["The answer to turn 1 was paused for 0.4 s by 'mhm'; the agent went on."]
    aside = TimelineEvent(3.6, "aside", "mhm")
    assert paused(aside, mhm) == [
        "The answer to turn 1 was paused for 0.4 s by 'mhm', which only shows that the caller listens; the agent went "
        "on."
    ]
    assert "by a word, which" in paused(TimelineEvent(3.6, "aside", "xxx"), redacted=("text",))[0]


def test_a_pause_of_what_was_not_heard_yet_is_nothing_to_explain() -> None:
    line = timeline({}, speech=[Span(1.0, 2.0), Span(2.6, 2.8)])
    line.events = [TimelineEvent(2.7, "pause", answer=1), TimelineEvent(3.0, "resume", answer=1)]
    assert told(line) == []


def test_what_was_said_explains_the_silence_in_the_words_of_the_endpointing() -> None:
    line = timeline({}, {"endpoint": 1.2})
    line.turns[1].why = "half a number"
    assert told(line)[0].endswith("(0.5 s), because of what was said: half a number.")
    line.redacted = ("text",)
    assert told(line)[0].endswith("(0.5 s); why, the recording does not say.")


def test_what_the_end_of_the_call_cuts_is_told_there() -> None:
    line = cut(over=4.0, duration=4.2)
    line.answers[0].sounds = [Span(3.1, 4.0)]
    (only,) = why(line, report())
    assert only.text == (
        "The call ended because the caller hung up after 4.0 s, while the agent was speaking; they did not hear "
        "'mocha, coming up.'."
    )


# --- watchdogs ---


@pytest.mark.parametrize(
    ("bark", "text"),
    [
        (
            Bark(16.5, "no_transcript", 2.0, 2.0),
            "At 16.5 s the caller had spoken, and nothing was recognised within 2.0 s (the limit is 2 s).",
        ),
        (
            Bark(17.0, "model_silent", 5.0, 5.0, answer=2),
            "At 17.0 s the model had been silent for 5.0 s (the limit is 5 s) in the answer to turn 2.",
        ),
        (
            Bark(17.0, "voice_silent", 15.0, 15.0, answer=9),
            "At 17.0 s the voice had been silent for 15.0 s (the limit is 15 s).",
        ),
        (
            Bark(17.0, "no_mark", 2.1, 2.0, "no mark was ever echoed: from now on none is waited for", 2),
            "No echo of a mark in the answer to turn 2 came for 2.1 s (the limit is 2 s): what was heard is worked out "
            "from the times of sending (no mark was ever echoed: from now on none is waited for).",
        ),
        (
            Bark(19.0, "no_audio", 10.0, 10.0),
            "At 19.0 s nothing had come from the carrier for 10.0 s (the limit is 10 s).",
        ),
        (
            Bark(16.0, "loop_held", 0.6, 0.25, "price (shop.py:41) held the event loop for 0.60 s: …"),
            "At 16.0 s the loop was held 0.6 s by price (shop.py:41).",
        ),
        (Bark(16.0, "new", 0.6, 0.25), "At 16.0 s new: 0.6 s (the limit is 0.25 s)."),
    ],
)
def test_a_watchdog_is_told(bark: Bark, text: str) -> None:
    assert told(timeline({}, {}, barks=[bark])) == [text]


def test_of_many_watchdogs_twenty_are_told() -> None:
    line = timeline({}, {}, barks=[Bark(0.1 * n, "no_audio", 10.0, 10.0) for n in range(30)])
    texts = told(line)
    assert len(texts) == 21
    assert texts[-1] == "10 more watchdogs barked from here on."


# --- the end ---

AFTER = "The call ended after 20.0 s"
BECAUSE = "The call ended because"
ENDS: list[tuple[str, dict[str, Any], str]] = [
    ("caller hung up", {}, f"{BECAUSE} the caller hung up after 20.0 s, 4.9 s after the agent's last sound."),
    (
        "caller hung up",
        {"answers": [], "turns": []},
        f"{BECAUSE} the caller hung up after 20.0 s; the agent was never heard.",
    ),
    ("caller silent", {}, f"{BECAUSE} the caller was silent for 8.0 s: they last spoke at 12.0 s."),
    ("caller silent", {"speech": []}, f"{BECAUSE} the caller was silent for all of its 20.0 s."),
    (
        "not understood",
        {"barks": [Bark(9.0, "no_transcript", 2.0, 2.0)]},
        f"{BECAUSE} the caller spoke and nothing was recognised, 1 time in all.",
    ),
    (
        "disconnected",
        {},
        f"{AFTER} because the carrier closed the socket; it had not said that the caller had hung up.",
    ),
    (
        "disconnected",
        {"barks": [Bark(20.0, "no_audio", 10.0, 10.0)]},
        f"{BECAUSE} nothing came from the carrier for 10.0 s.",
    ),
    ("max length", {}, f"{BECAUSE} it had lasted 20.0 s: the longest that it may."),
    (
        "completed",
        {"tools": [ToolRun("hang_up", 19.0, 19.0)]},
        f"{AFTER} because the model asked for hang_up at 19.0 s (completed).",
    ),
    (
        "closed",
        {"acts": [Act(18.0, "say"), Act(19.0, "hang_up")]},
        f"{AFTER} because somebody outside called call.hang_up at 19.0 s (closed).",
    ),
    ("sold out", {}, f"{AFTER}: sold out. Who ended it, the recording does not say."),
    ("failed", {}, "The call was given up; no fault was recorded."),
]


@pytest.mark.parametrize(("reason", "more", "text"), ENDS)
def test_the_end_is_explained(reason: str, more: dict[str, Any], text: str) -> None:
    line = timeline({}, {}, **more)
    assert why(line, report(reason))[-1].text == text


def test_a_call_that_was_given_up_is_told_with_its_faults() -> None:
    faults = (FaultRecord("Mind.failed", "it broke", "", 4.0), FaultRecord("Mind.failed", "it broke again", "", 9.0))
    end = why(timeline({}), report("failed", faults))[-1]
    assert end.text == ("The call was given up after 2 faults: Mind.failed (2). The last, at 9.0 s: it broke again.")


def test_a_line_that_was_given_up_is_told() -> None:
    faults = (FaultRecord("twilio.unsent", "8000001 bytes could not be written", "", 4.0),)
    end = why(timeline({}), report("disconnected", faults))[-1]
    assert end.text == "The call ended because the line was given up: 8000001 bytes could not be written."


def test_a_recording_that_breaks_off_says_what_was_going_on() -> None:
    line = timeline({}, whole=False, duration=3.5)
    line.answers[0] = replace(line.answers[0], unheard="coming up.", sounds=[Span(3.1, 3.5)])
    assert why(line, None)[-1].text == (
        "The recording breaks off after 3.5 s, while the agent was saying 'One large mocha, coming up.'. "
        "How the call ended it does not say: its process was stopped, or could write no more."
    )
    line = timeline({}, whole=False, duration=2.0, answers=[], turns=[])
    assert "breaks off after 2.0 s, while the caller was speaking." in why(line, None)[-1].text
    line = timeline({}, whole=False, duration=2.9, answers=[])
    line.turns[0].number, line.turns[0].latency_ms = 0, None
    assert (
        "0.9 s after the caller had said 'a large mocha please', before an answer was heard."
        in why(line, None)[-1].text
    )


def test_all_is_in_order_of_time() -> None:
    line = timeline({}, {"llm": 3.0}, {"tts": 2.0}, barks=[Bark(5.0, "no_mark", 2.0, 2.0, answer=1)])
    assert [(each.about, each.turn) for each in why(line, report())] == [
        ("watchdog", 1),
        ("slow", 2),
        ("slow", 3),
        ("end", 0),
    ]

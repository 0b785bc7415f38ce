"""The record of a call is what was heard, and survives JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.call import Call
from voiceloop.carried import Carried
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.latency import Latency
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.prices import Prices
from voiceloop.report import CallReport, FaultRecord, Turn
from voiceloop.runtime import Runtime
from voiceloop.store import CallRecord, RecordError, record_of
from voiceloop.store.record import fault_of, message_dict, message_of, turn_dict, turn_of
from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

texts = st.text()  # with NUL, surrogates are left out by hypothesis: see below
counts = st.one_of(st.integers(0, 2**53), st.floats(allow_nan=False, allow_infinity=False))
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    texts,
    unheard=texts,
    interrupted=st.booleans(),
    aside=st.booleans(),
    bound=st.integers(0, 100),
    calls=st.lists(st.builds(ToolCall, texts, texts, texts), max_size=2).map(tuple),
    results=st.lists(st.builds(ToolResult, texts, texts, st.booleans()), max_size=2).map(tuple),
)
tenths = st.integers(0, 100_000).map(lambda tenth: tenth / 10_000)
turns = st.builds(
    Turn,
    number=st.integers(1, 1000),
    caller=texts,
    heard=texts,
    unheard=texts,
    interrupted=st.booleans(),
    latency=st.none() | st.builds(Latency, tenths, tenths, tenths, tenths, tenths, tenths),
    answer=st.integers(0, 1000),
    heard_bound=st.integers(0, 50),
    gained=tenths,
)
faults = st.builds(FaultRecord, texts, texts, texts, st.floats(0, 1e6))
records = st.builds(
    CallRecord,
    id=texts,
    started=counts.map(float),
    ended=counts.map(float),
    duration=counts.map(float),
    caller=texts,
    number=texts,
    direction=st.sampled_from(["inbound", "outbound"]),
    reason=texts,
    conversation=st.lists(messages.map(message_dict), max_size=3),
    turns=st.lists(turns.map(turn_dict), max_size=2),
    usage=st.dictionaries(texts, counts, max_size=3),
    watchdogs=st.dictionaries(texts, st.integers(), max_size=2),
    served=st.dictionaries(texts, st.dictionaries(texts, st.integers(), max_size=2), max_size=2),
    cost=st.none() | st.dictionaries(texts, counts, max_size=2),
    params=st.dictionaries(texts, texts, max_size=3),
    recordings=st.lists(texts, max_size=2),
    answered_by=texts,
    streams=st.integers(1, 9),
    bot=texts,
)


# --- JSON ---------------------------------------------------------------------------------------------------


@given(records)
def test_a_record_is_the_same_after_json(record: CallRecord) -> None:
    text = record.as_json()
    assert CallRecord.of_json(text) == record
    assert CallRecord.of_json(text.encode()) == record
    assert "\n" not in text


@given(messages)
def test_a_message_is_the_same_after_its_values(message: Message) -> None:
    assert message_of(json.loads(json.dumps(message_dict(message)))) == message


@given(turns)
def test_a_turn_is_the_same_after_its_values(turn: Turn) -> None:
    again = turn_of(json.loads(json.dumps(turn_dict(turn))))
    assert turn_dict(again) == turn_dict(turn)
    assert (again.latency is None) == (turn.latency is None)
    if turn.latency is not None and again.latency is not None:
        assert again.latency.total == pytest.approx(turn.latency.total, abs=1e-6)


@given(faults)
def test_a_fault_is_the_same_after_its_values(fault: FaultRecord) -> None:
    values = {"kind": fault.kind, "message": fault.message, "detail": fault.detail, "at": fault.at}
    assert fault_of(json.loads(json.dumps(values))) == fault


def test_half_a_pair_of_surrogates_and_infinite_numbers_are_written_as_json_can() -> None:
    record = CallRecord(id="a\ud83d", started=1.0, ended=2.0, usage={"a": float("inf"), "b": 1.0}, reason="é")
    again = CallRecord.of_json(record.as_json().encode())
    assert (again.id, again.usage, again.reason) == ("a\ud83d", {"b": 1.0}, "é")


def test_letters_stand_in_the_json_as_they_are() -> None:
    assert "Grüße ☕" in CallRecord(id="CA1", started=1.0, ended=2.0, reason="Grüße ☕").as_json()


def test_a_record_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    values = {**CallRecord(id="CA1", started=1.0, ended=2.0).as_dict(), "version": 2, "mood": "fine"}
    again = CallRecord.of_json(json.dumps(values))
    assert (again.id, again.version) == ("CA1", 2)


def test_a_record_of_an_earlier_version_lacks_fields() -> None:
    assert CallRecord.of_json('{"id": "CA1", "started": 1, "ended": 2}') == CallRecord(id="CA1", started=1, ended=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "got 0 characters"),
        ('{"id": "CA1", "caller": "+1555', "got 30 characters"),
        ("[" * 100_000, "expected the JSON of a call's record"),
        ("[]", "expected an object with the fields of a call's record, got "),
        ("{}", "expected the field 'id'"),
        ('{"id": "CA1", "started": 1}', "expected the field 'ended'"),
        ('{"id": 5, "started": 1, "ended": 2}', "expected str as 'id' of a call's record, got int"),
        ('{"id": "a", "started": "1", "ended": 2}', "expected float as 'started' of a call's record, got 1 characters"),
        ('{"id": "a", "started": true, "ended": 2}', "expected float as 'started'"),
        ('{"id": "a", "started": 1, "ended": 2, "turns": [1]}', "expected list.dict.str, Any.. as 'turns'"),
        ('{"id": "a", "started": 1, "ended": 2, "params": {"pin": 1234}}', "as 'params'"),
        ('{"id": "a", "started": 1, "ended": 2, "served": {"llm": {"A": "1"}}}', "as 'served'"),
        ('{"id": "a", "started": 1, "ended": 2, "cost": []}', "expected dict.str, float. . None as 'cost'"),
    ],
)
def test_what_is_no_record_is_told_without_its_contents(text: str, said: str) -> None:
    with pytest.raises(RecordError, match=said) as raised:
        CallRecord.of_json(text)
    assert "+1555" not in str(raised.value)
    assert "1234" not in str(raised.value)


@pytest.mark.parametrize(
    "values", [{}, {"role": "robot"}, {"role": "user", "calls": [{}]}, {"role": "user", "bound": "many"}]
)
def test_what_is_no_message_is_told(values: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="message"):
        message_of(values)


@pytest.mark.parametrize("values", [{}, {"number": 1, "caller": "x", "latency_ms": {"total": 1}}])
def test_what_is_no_turn_is_told(values: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="turn"):
        turn_of(values)


def test_what_is_no_fault_is_told() -> None:
    with pytest.raises(RecordError, match="fault"):
        fault_of({"kind": "llm"})


# --- of a call ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "party"), [("inbound", "+1555"), ("outbound", "+1666")])
def test_the_party_is_the_person_outside(direction: str, party: str) -> None:
    record = CallRecord(id="CA1", started=1, ended=2, caller="+1555", number="+1666", direction=direction)
    assert record.party == party


LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."


async def test_the_record_of_a_call_holds_what_was_heard_apart_from_what_was_cut(dial: Callable[..., Any]) -> None:
    lexicon, made = Lexicon(), list[CallRecord]()

    def bot(call: Call) -> Pipeline:
        call.params["table"] = "5"
        call.on_end(lambda report: made.append(record_of(call, report, started=1000.0, ended=1030.0)))
        ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking()]
        return Pipeline([*ears, LLMAggregator(script("Okay.")), ScriptedTTS(lexicon), AudioStreamer()])

    runtime = Runtime(prices=Prices(line_minute=60.0))
    async with dial(bot, runtime=runtime, lexicon=lexicon, llm=script(LONG, "Sure.")) as caller:
        await caller.says("what do you have")
        await caller.interrupts("stop please", after=2.0)
        await caller.hears("Sure.")
        report = await caller.hangs_up()

    (record,) = made
    asked, cut, stopped, sure = record.conversation
    assert [each["role"] for each in record.conversation] == ["user", "assistant", "user", "assistant"]
    assert (asked["text"], stopped["text"], sure["text"]) == ("what do you have", "stop please", "Sure.")
    assert cut["interrupted"]
    assert cut["text"].startswith("We have coffee")
    assert cut["unheard"].endswith("until the evening.")
    assert f"{cut['text']} {cut['unheard']}" == LONG
    assert [turn["heard"] for turn in record.turns] == [cut["text"], "Sure."]
    assert record.turns[1]["latency_ms"]["total"] > 0
    assert (record.id, record.started, record.ended) == (report.call_id, 1000.0, 1030.0)
    assert (record.duration, record.reason, record.direction) == (report.duration, report.reason, "inbound")
    assert record.cost is not None
    assert record.cost["line"] == pytest.approx(report.duration, abs=1e-3)
    assert (record.params["table"], record.streams, record.recordings) == ("5", 1, [])
    assert record.bot.endswith(
        "test_record.test_the_record_of_a_call_holds_what_was_heard_apart_from_what_was_cut.<locals>.bot"
    )
    assert CallRecord.of_json(record.as_json()) == record


def test_what_a_call_knows_of_itself_is_in_its_record() -> None:
    class Recorder:
        running = False
        files = ("a.wav", "b.wav")

        def announce(self) -> None: ...
        def start(self) -> None: ...
        def stop(self) -> None: ...

    call = Call(EnergyVAD(), id="CA1", caller="+1555", number="+1666", direction="outbound")
    call.answered_by, call.recording, call.carried = "human", Recorder(), Carried([], streams=2)
    report = CallReport("CA1", "x", 1.0, call.conversation, usage={"speculation.kept": 2, "a": 1})
    record = record_of(call, report, started=1.0, ended=2.0)
    assert (record.answered_by, record.recordings, record.streams) == ("human", ["a.wav", "b.wav"], 3)
    assert (record.party, record.bot) == ("+1666", "")
    assert record.usage == {"speculation.kept": 2, "a": 1}  # by the names they have while the call runs

"""A recorded call, driven again."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.flight.conftest import GREETING, LEXICON, shop
from voiceloop import AudioStreamer, Call, EnergyVAD, Expect, LLMAggregator, Pipeline, TurnTaking
from voiceloop.fallback import Fallback
from voiceloop.flight import BadFlight, FlightOptions, read_flight
from voiceloop.flight.entries import Kind
from voiceloop.flight.writer import MAGIC
from voiceloop.replay import replay
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import Flush
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.turns.endpointing import FixedSilence

Record = Callable[..., Path]
LINE = CarrierOptions(seed=3, delay_to_server=0.05, delay_from_server=0.04, jitter=0.02)
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."


async def asks(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.hears()
    await caller.says("thank you")
    await caller.hears()
    await caller.hangs_up()


async def interrupts(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.interrupts("a mocha please", after=1.3)
    await caller.hears()
    await caller.presses("12")
    await caller.hangs_up()


async def waits(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.waits(40.0)


async def hangs_up_in_the_middle(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    saying = asyncio.ensure_future(caller.says("what do you have and how much is it all"))
    await caller.waits(0.7)
    await caller.hangs_up()
    await saying


async def is_told_by_others(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    answer = caller.call.say("By the way, we close at five.")
    await caller.waits(1.0)
    caller.call.interrupt(answer)
    caller.call.play(LEXICON.speak("music")[0], text="music", interruptible=False)
    await caller.hears()
    await caller.call.send_digits("1w2")
    caller.call.hang_up("closed")
    await caller.report()


async def is_asked_by_others(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    caller.call.expect(Expect.phone_number())
    await caller.says("four one five five five five")
    await caller.hears()
    caller.call.expect(what=Expect.pause(2.0))
    await caller.says("what do you have")
    await caller.hears()
    caller.call.expect(None)
    await caller.hangs_up()


def failing(how: Any, **options: Any) -> Failing:
    return Failing(how, **options)


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "turns": (asks, {"llm": script(MENU, "You are welcome.", first=0.3, rate=40)}),
    "barge-in": (interrupts, {"llm": script(MENU, "Sure.", first=0.3, rate=40), "carrier": LINE}),
    "tools": (asks, {"llm": script(("Let me see.", calls("price", drink="latte")), "Four dollars.", rate=30)}),
    "broken tools": (asks, {"llm": script((calls("price"), calls("nothing")), "I do not know.")}),
    "hang-up by the model": (waits, {"llm": script(("Goodbye then.", calls("hang_up")), rate=20)}),
    "transfer refused": (asks, {"llm": script(calls("transfer", to="+14155550100"), "I cannot do that.")}),
    "silent caller": (waits, {"llm": script("Yes.")}),
    "model stalls": (waits, {"llm": ScriptedLLM([MENU], failing=Failing("stall", after=3), rate=20)}),
    "model is deaf": (waits, {"llm": ScriptedLLM([MENU], failing=Failing("deaf", after=3, requests={0}), rate=20)}),
    "model raises": (asks, {"llm": ScriptedLLM([MENU], failing=Failing("raise", requests={0}))}),
    "voice stalls": (waits, {"tts": ScriptedTTS(LEXICON, failing=Failing("stall", after=2, requests={6, 7}))}),
    "voice stalls at the greeting": (
        asks,
        {"tts": ScriptedTTS(LEXICON, failing=Failing("stall", after=2, requests={0}))},
    ),
    "voice is deaf, ahead": (waits, {"tts": ScriptedTTS(LEXICON, failing=Failing("deaf", after=2, requests={3}))}),
    "voice is deaf at the greeting": (
        waits,
        {"tts": ScriptedTTS(LEXICON, failing=Failing("deaf", after=2, requests={0}))},
    ),
    "voice fails": (asks, {"tts": ScriptedTTS(LEXICON, failing=Failing("raise", requests=range(6, 10)))}),
    "recogniser stalls": (waits, {"stt": ScriptedSTT(LEXICON, failing=Failing("stall"))}),
    "recogniser fails": (asks, {"stt": ScriptedSTT(LEXICON, failing=Failing("raise", requests={0}))}),
    "caller leaves": (hangs_up_in_the_middle, {"carrier": CarrierOptions(drop_stop=True)}),
    "fallback of a model": (
        asks,
        {"llm": Fallback([ScriptedLLM([MENU], rate=20, failing=Failing("raise", after=4)), script("Yes.", rate=20)])},
    ),
    "fallback of a voice": (
        asks,
        {
            "tts": Fallback([ScriptedTTS(LEXICON, failing=Failing("stall", after=2)), ScriptedTTS(LEXICON)]),
            "llm": script(MENU),
        },
    ),
    "fallback of a recogniser": (
        asks,
        {"stt": Fallback([ScriptedSTT(LEXICON, failing=Failing("stall")), ScriptedSTT(LEXICON)]), "llm": script(MENU)},
    ),
    "others": (is_told_by_others, {}),
    "others who expect something": (is_asked_by_others, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_call_takes_the_same_course_again(record: Record, case: str) -> None:
    talk, options = copy.deepcopy(CASES[case], {id(LEXICON): LEXICON})  # scripts count what they are asked
    path = record(talk, **options)
    outcome = replay(path, shop())
    assert outcome.equal, str(outcome)
    flight = read_flight(path)
    assert outcome.messages > 10
    assert outcome.whole
    assert outcome.seconds == pytest.approx(flight.entries[-1].at - flight.header["at"])


class Cold(ScriptedSTT):
    """Is not there when the call begins."""

    async def warm(self) -> None:
        await asyncio.sleep(0.3)
        raise ConnectionError("no such host")


async def hears_the_goodbye(caller: Any) -> None:
    await caller.hears()
    await caller.report()


def test_a_call_that_cannot_begin_takes_the_same_course_again(record: Record) -> None:
    path = record(hears_the_goodbye, stt=Cold(LEXICON))
    report = read_flight(path).report
    assert report is not None
    assert report["reason"] == "failed"
    outcome = replay(path, shop())
    assert outcome.equal, str(outcome)


def test_a_recording_that_does_not_say_how_a_wait_ended_is_replayed_as_before(record: Record) -> None:
    flight = read_flight(record(waits, tts=ScriptedTTS(LEXICON, failing=Failing("stall", after=2, requests={6, 7}))))
    kept = [each for each in flight.entries if each.kind is Kind.AWAITED and each.content]
    assert [each.text.split("\n")[0] for each in kept] == ["CancelledError"]
    flight.entries[:] = [
        replace(each, number=0, content=b"") if each.kind is Kind.AWAITED else each for each in flight.entries
    ]
    assert replay(flight, shop()).equal


def test_nothing_that_the_bot_would_do_to_others_is_done_again(record: Record) -> None:
    done: list[str] = []

    def bot(call: Call) -> Pipeline:
        def book(drink: str) -> str:
            """Book."""
            done.append(drink)
            return "booked"

        model = LLMAggregator(script("x"), tools=[book])
        ears, voice = [call.transport, EnergyVAD(), ScriptedSTT(LEXICON)], [ScriptedTTS(LEXICON), AudioStreamer()]
        return Pipeline([*ears, TurnTaking(GREETING), model, *voice])

    path = record(asks, bot=bot, llm=script(calls("book", drink="latte"), "It is booked.", "Bye."))
    assert done == ["latte"]
    assert replay(path, bot).equal
    assert done == ["latte"]


def test_other_words_of_the_bot_are_found_and_shown_beside_each_other(record: Record) -> None:
    path = record(asks, llm=script(MENU))
    outcome = replay(path, shop("Corner Coffee, hello!"))
    assert not outcome.equal
    assert outcome.difference is not None
    assert outcome.difference.what == "something else is said than 'Corner Coffee, how can I help you?'"
    assert outcome.difference.today == "'Corner Coffee, hello!' is to be said"


def test_other_instructions_are_a_request_that_differs(record: Record) -> None:
    path = record(asks, llm=script(MENU))
    difference = replay(path, shop(instructions="You sell tea.")).difference
    assert difference is not None
    assert difference.what == "llm is asked something else"
    assert "You sell coffee." in difference.recorded
    assert "You sell tea." in difference.today
    shown = str(difference)
    assert "recorded" in shown
    assert "today" in shown


def test_other_turn_taking_is_found_where_it_first_shows(record: Record) -> None:
    path = record(asks, bot=shop(endpointing=FixedSilence), llm=script(MENU))
    difference = replay(path, shop(silence=0.9, endpointing=FixedSilence)).difference
    assert difference is not None
    flight = read_flight(path)
    assert flight.report is not None
    asked = flight.report["turns"][0]["latency_ms"]["endpoint"]
    assert asked == pytest.approx(500, abs=30)
    assert 2.0 < difference.at < 6.0


def test_another_endpointing_is_found(record: Record) -> None:
    path = record(asks, llm=script(MENU))
    difference = replay(path, shop(endpointing=FixedSilence)).difference
    assert difference is not None
    assert 2.0 < difference.at < 6.0


def test_a_recording_that_breaks_off_is_replayed_up_to_there(record: Record, tmp_path: Path) -> None:
    data = record(interrupts, llm=script(MENU, "Sure.", rate=40)).read_bytes()
    path = tmp_path / "torn.vlog"
    for size in range(len(MAGIC) + 4000, len(data), len(data) // 7):
        path.write_bytes(data[:size])
        outcome = replay(path, shop())
        assert outcome.equal, str(outcome)
        assert not outcome.whole


def test_a_recording_with_something_left_out_is_not_replayed(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "call.vlog"
    record(asks, record=FlightOptions(path, redact=["audio"]))
    with pytest.raises(BadFlight, match="was recorded without audio: it can be inspected, not replayed"):
        replay(path, shop())


def test_a_recogniser_that_answers_a_flush_that_is_not_there_is_a_difference_at_most(record: Record) -> None:
    class Wrong(ScriptedSTT):
        async def transcribe(self, audio: Any) -> Any:
            async for item in super().transcribe(audio):
                if isinstance(item, Flush):
                    yield Flush(item.number)
                yield item

    outcome = replay(record(asks, stt=Wrong(LEXICON)), shop())
    assert not outcome.equal  # a recording keeps a flush by its number; what matters is that the replay ends


def test_a_bot_that_cannot_be_found_again_is_asked_for(record: Record) -> None:
    path = record(asks)  # made inside a function
    with pytest.raises(BadFlight, match="say which, --bot FILE"):
        replay(path)


def test_the_bot_of_a_file_is_found_again(record: Record) -> None:
    path = record(asks, bot="examples/coffee_bot.py", llm=script(MENU))
    assert replay(path).equal

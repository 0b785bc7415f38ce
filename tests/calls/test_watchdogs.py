"""Whatever is waited for in vain: the caller hears something within a stated time, or the call ends; and it is counted.

The times are those of `docs/watchdogs.md`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.faults import FaultPolicy
from voiceloop.frames import UserTurn, Watchdog
from voiceloop.language import Phrases
from voiceloop.output.events import PlayoutOptions
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import HalfOpen, MarksLate, MarksNever
from voiceloop.sim.line_stalls import stall
from voiceloop.testing import Dialled, Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, script
from voiceloop.turns.events import TurnOptions

Phone = Callable[..., Any]
SAY = Phrases()
CANNED = len(SAY.all())
"""Requests to a voice before the first answer: the library's own phrases."""
ANSWER = "This is the answer to it and it is a good one."


class Dogs(Processor):
    """Keeps what the watchdogs told."""

    def __init__(self) -> None:
        self.seen: list[Watchdog] = []

    def on_watchdog(self, watchdog: Watchdog) -> None:
        self.seen.append(watchdog)

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.seen]


@pytest.fixture
def dogs() -> Dogs:
    """An observer of one call."""
    return Dogs()


def silences(caller: Dialled, since: float) -> list[float]:
    """Seconds of silence of the agent's, up to the end of its last sound."""
    truth, quiet = caller.carrier.truth, []
    for first, length, _ in caller.carrier.playback.runs:
        start, end = truth.time_of(first), truth.time_of(first + length)
        if start > since:
            quiet.append(start - since)
        since = max(since, end)
    return quiet


# --- one provider stalls, once --------------------------------------------------------------------------------------

STALLS = [
    # who, after so many items, longest silence, what is heard at the end of it
    pytest.param("stt", 0, 2.2, SAY.not_understood, id="recogniser"),
    pytest.param("llm", 0, 5.8, ANSWER, id="model, before its first word"),
    pytest.param("llm", 4, 5.3, SAY.apology, id="model, in the middle"),
    pytest.param("tts", 0, 5.8, ANSWER, id="voice, before its first sound"),
    pytest.param("tts", 3, 5.3, SAY.apology, id="voice, in the middle"),
]


@pytest.mark.parametrize("how", ["stall", "deaf"])
@pytest.mark.parametrize(("who", "after", "longest", "then"), STALLS)
async def test_one_stall_of_any_provider_is_over_within_its_stated_time(
    phone: Phone, lexicon: Lexicon, who: str, after: int, longest: float, then: str, how: Any
) -> None:
    failing = Failing(how, after=after, requests={CANNED if who == "tts" else 0})
    providers: dict[str, Any] = {
        "stt": ScriptedSTT(lexicon, failing=failing if who == "stt" else None),
        "llm": ScriptedLLM([ANSWER], rate=8, failing=failing if who == "llm" else None),
        "tts": ScriptedTTS(lexicon, failing=failing if who == "tts" else None),
    }
    async with phone(silence=6.5, **providers) as caller:
        await caller.waits(0.1)
        said = await caller.says("what do you have")
        reply = await caller.hears(then)
        quiet = silences(caller, said.speech_ended)
        assert max(quiet) <= longest
        await caller.says("and what else")
        await caller.hears(ANSWER)
        report = await caller.hangs_up()
        failing.let_go()
        await asyncio.sleep(0)
    assert report.reason == "caller hung up"
    assert report.watchdogs == {{"stt": "no_transcript", "llm": "model_silent", "tts": "voice_silent"}[who]: 1}
    assert reply.text.endswith(then) or who == "stt"


@pytest.mark.parametrize("how", ["stall", "deaf"])
@pytest.mark.parametrize("who", ["llm", "tts"])
async def test_a_provider_that_never_gives_anything_gets_apologies_and_then_a_goodbye(
    phone: Phone, lexicon: Lexicon, dogs: Dogs, who: str, how: Any
) -> None:
    failing = Failing(how, requests=range(CANNED if who == "tts" else 0, 99))
    providers: dict[str, Any] = {
        "llm": ScriptedLLM([ANSWER], failing=failing if who == "llm" else None),
        "tts": ScriptedTTS(lexicon, failing=failing if who == "tts" else None),
    }
    async with phone(silence=3.0, observers=[dogs], **providers) as caller:
        await caller.waits(0.1)
        for _ in range(2):
            said = await caller.says("what do you have")
            reply = await caller.hears(SAY.apology)
            assert reply.started - said.speech_ended <= 10.7
        await caller.says("what do you have")
        await caller.hears(SAY.failed)
        report = await caller.report()
        failing.let_go()
        await asyncio.sleep(0)
    assert report.reason == "failed"
    kind = {"llm": "model_silent", "tts": "voice_silent"}[who]
    assert report.watchdogs[kind] >= 3
    assert report.watchdogs == {kind: dogs.kinds.count(kind) for kind in dict.fromkeys(dogs.kinds)}


# --- no transcript --------------------------------------------------------------------------------------------------


async def test_words_that_are_not_recognised_in_time_are_told_and_counted(
    phone: Phone, lexicon: Lexicon, dogs: Dogs
) -> None:
    async with phone(stt=ScriptedSTT(lexicon, delay=2.6), observers=[dogs]) as caller:
        said = await caller.says("a tea please")
        reply = await caller.hears(SAY.not_understood)
        report = await caller.hangs_up()
    assert reply.started - said.speech_ended == pytest.approx(2.0, abs=0.1)
    assert [(each.kind, round(each.waited, 1), each.limit) for each in dogs.seen] == [("no_transcript", 2.0, 2.0)]
    assert report.watchdogs == {"no_transcript": 1}
    assert "watchdog.no_transcript" not in report.usage


class Wordless(ScriptedSTT):
    """Hears the sound, and no word in it."""

    def understood(self, audio: bytes, utterance: int) -> str:
        return ""


async def test_noise_without_end_is_told_and_then_the_call_ends_politely(
    phone: Phone, lexicon: Lexicon, dogs: Dogs, heard: Callable[[Dialled], str]
) -> None:
    noise = " ".join(f"noise{index}" for index in range(90))
    nothing = Wordless(lexicon)
    turns = TurnOptions(speech_limit=5.0)
    async with phone(greeting="Hello!", stt=nothing, turns=turns, observers=[dogs]) as caller:
        await caller.hears()
        talking = asyncio.ensure_future(caller.says(noise))
        report = await caller.report()
        talking.cancel()
        await asyncio.wait([talking])
    assert report.reason == "not understood"
    assert report.watchdogs == {"no_transcript": 2}
    assert heard(caller) == f"Hello! {SAY.not_understood} {SAY.not_understood} {SAY.goodbye}"
    assert report.duration < 26


# --- voice silent ---------------------------------------------------------------------------------------------------


class Stuck(Processor):
    """Begins to speak, and never goes on."""

    def speaks(self) -> None:
        self.write(self.begin_answer(), "This is ")


async def test_a_voice_that_says_nothing_more_is_given_up_with_an_apology(phone: Phone, dogs: Dogs) -> None:
    stuck, playout = Stuck(), PlayoutOptions(voice_limit=6.0)
    async with phone(silence=3.0, playout=playout, more=lambda: [stuck], observers=[dogs]) as caller:
        await caller.waits(0.1)
        stuck.speaks()
        reply = await caller.hears("This is")
        again = await caller.hears(SAY.apology)
        report = await caller.hangs_up()
    assert again.started - reply.ended == pytest.approx(6.0, abs=0.3)
    assert dogs.kinds == ["voice_silent"]
    assert report.watchdogs == {"voice_silent": 1}
    assert [fault.kind for fault in report.faults] == ["voice.silent"]


# --- no mark --------------------------------------------------------------------------------------------------------


async def test_a_call_on_a_carrier_that_echoes_no_marks_goes_on_and_hangs_up_in_time(
    phone: Phone, lexicon: Lexicon, dogs: Dogs, heard: Callable[[Dialled], str]
) -> None:
    long = " ".join(f"number{index}" for index in range(50))
    llm = script(long, "Yes, of course.")
    carrier = CarrierOptions(faults=(MarksNever(),))
    async with phone(greeting="Hello!", llm=llm, carrier=carrier, observers=[dogs]) as caller:
        await caller.hears("Hello!")
        await caller.says("count please")
        reply = await caller.hears(timeout=60)
        assert reply.text == long  # no apology into the middle of it
        await caller.says("and again")
        await caller.hears("Yes, of course.")
        caller.call.hang_up()
        report = await caller.report()
    assert report.reason == "completed"
    assert [turn.heard for turn in report.turns] == [long, "Yes, of course."]
    assert report.watchdogs == {"no_mark": 3}
    waits = [round(each.waited, 1) for each in dogs.seen]
    assert waits[1:] == [0.0, 0.0]
    assert report.faults == []


async def test_without_marks_memory_of_an_interrupted_answer_is_close_to_what_was_heard(
    phone: Phone, lexicon: Lexicon, heard: Callable[[Dialled], str]
) -> None:
    long = " ".join(f"number{index}" for index in range(50))
    carrier = CarrierOptions(faults=(MarksNever(),), delay_to_server=0.06, delay_from_server=0.06)
    async with phone(greeting="Hello!", llm=script(long, "All right."), carrier=carrier) as caller:
        await caller.hears("Hello!")
        await caller.says("count please")
        await caller.interrupts("stop it", after=4.0)
        await caller.hears()
        report = await caller.hangs_up()
        truth = [word for word in heard(caller).split() if word.startswith("number")]
    remembered = report.turns[0].heard.split()
    assert report.turns[0].interrupted
    assert remembered == truth[: len(remembered)]
    assert len(truth) - len(remembered) <= 2


async def test_marks_that_come_late_hold_up_neither_the_conversation_nor_the_hang_up(phone: Phone) -> None:
    carrier = CarrierOptions(faults=(MarksLate(by=5.0),))
    async with phone(greeting="Hello!", llm=script("Yes, of course."), carrier=carrier) as caller:
        await caller.hears("Hello!")
        await caller.says("two coffees please")
        reply = await caller.hears("Yes, of course.")
        before = asyncio.get_running_loop().time()
        caller.call.hang_up()
        report = await caller.report()
        assert asyncio.get_running_loop().time() - before < 2.5
        assert reply.latency is not None
    assert report.turns[0].heard == "Yes, of course."
    assert report.watchdogs["no_mark"] >= 1


# --- no audio -------------------------------------------------------------------------------------------------------


async def test_a_line_that_is_dead_but_open_ends_cleanly_in_time(phone: Phone, dogs: Dogs) -> None:
    carrier, turns = CarrierOptions(faults=(HalfOpen(at=3.0),)), TurnOptions(reprompt_after=60.0)
    async with phone(greeting="Hello!", turns=turns, carrier=carrier, observers=[dogs]) as caller:
        await caller.hears("Hello!")
        report = await caller.report()
        assert 12.9 <= report.duration <= 17.0
    assert report.reason == "disconnected"
    assert report.watchdogs == {"no_audio": 1}
    assert [(each.kind, each.limit) for each in dogs.seen] == [("no_audio", 10.0)]
    assert [fault.kind for fault in report.faults] == ["twilio.silent"]
    assert report.abandoned == []


# --- the loop -------------------------------------------------------------------------------------------------------


async def test_a_process_that_stands_still_is_told_and_a_hole_is_noted(phone: Phone, dogs: Dogs) -> None:
    async with phone(llm=script(ANSWER), observers=[dogs]) as caller:
        await caller.says("what do you have")
        await caller.waits(1.2)
        stall(asyncio.get_running_loop(), 0.45)
        await caller.waits(0.3)
        stall(asyncio.get_running_loop(), 0.9)
        await caller.waits(1.0)
        report = await caller.hangs_up()
    assert report.watchdogs["loop_held"] == 2
    assert [round(each.waited, 1) in (0.4, 0.8, 0.9) for each in dogs.seen if each.kind == "loop_held"] == [True, True]
    (hole,) = [fault for fault in report.faults if fault.kind == "output.hole"]
    assert "longer than the 0.6 s that always lie ahead" in hole.message
    assert not [fault for fault in report.faults if fault.kind == "loop.held"]  # nobody knows who


class PriceBoard(Processor):
    """Looks a price up while everybody waits."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_user_turn(self, turn: UserTurn) -> None:
        threading.Event().wait(self.seconds)


@pytest.mark.realtime
@pytest.mark.parametrize(("seconds", "counted"), [(0.45, False), pytest.param(1.0, True, marks=pytest.mark.long)])
async def test_a_stage_that_holds_the_loop_is_named_and_counted_when_it_can_be_heard(
    phone: Phone, dogs: Dogs, seconds: float, counted: bool
) -> None:
    runtime = Runtime(faults=FaultPolicy(per_kind=1))
    async with runtime, phone(more=lambda: [PriceBoard(seconds)], observers=[dogs], runtime=runtime) as caller:
        await caller.says("tea")
        if counted:
            await caller.hears(SAY.failed)
            report = await caller.report()
        else:
            await caller.waits(1.3)
            report = await caller.hangs_up()
    assert report.reason == ("failed" if counted else "caller hung up")
    found = [fault for fault in report.faults if fault.kind == "loop.held"]
    assert len(found) == 1
    assert found[0].message.startswith("PriceBoard.on_user_turn (test_watchdogs.py:")
    assert "nothing else could run" in found[0].message
    assert "test_watchdogs.py" in found[0].detail
    assert report.watchdogs["loop_held"] == 1
    assert dogs.seen[0].detail == found[0].message


# --- the end of a call ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0.0, 0.3, 0.49])
async def test_what_was_said_last_is_in_the_record_although_nobody_answers_it(phone: Phone, after: float) -> None:
    async with phone(greeting="Hello!", llm=script("Yes, of course.")) as caller:
        await caller.hears("Hello!")
        await caller.says("two coffees please")
        await caller.hears("Yes, of course.")
        await caller.says("and a cake")
        await caller.waits(0.25 + after / 3)
        report = await caller.hangs_up()
    assert [(message.role, message.text) for message in report.conversation][-2:] == [
        ("assistant", "Yes, of course."),
        ("user", "and a cake"),
    ]
    assert report.unanswered == "and a cake"


async def test_a_turn_that_ends_with_the_call_is_in_the_record(phone: Phone) -> None:
    class Leaves(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            self.call.end("enough")

    async with phone(llm=script("Yes."), more=lambda: [Leaves()]) as caller:
        await caller.says("two coffees please")
        report = await caller.report()
    assert [message.text for message in report.conversation] == ["two coffees please"]
    assert report.unanswered == "two coffees please"


async def test_what_was_said_before_an_answer_was_heard_is_in_the_record_once(phone: Phone) -> None:
    async with phone(llm=script("Yes.", first=2.0)) as caller:
        await caller.says("two coffees please")
        await caller.waits(0.7)
        await caller.says("and a cake")
        await caller.waits(0.3)
        report = await caller.hangs_up()
    assert [message.text for message in report.conversation] == ["two coffees please and a cake"]


async def test_thanks_over_a_goodbye_do_not_cut_it(phone: Phone) -> None:
    llm = script("It is booked for seven. Goodbye and thank you for calling us.")
    async with phone(llm=llm) as caller:
        await caller.says("book a table please")
        await caller.waits(0.8)
        caller.call.hang_up()  # as the model's tool does
        await caller.says("thanks bye")
        report = await caller.report()
    assert report.turns[0].heard == "It is booked for seven. Goodbye and thank you for calling us."
    assert not report.turns[0].interrupted
    assert report.reason == "completed"
    assert report.conversation[-1].text == "thanks bye"


async def test_after_the_greatest_length_an_answer_can_be_cut_and_the_goodbye_follows(phone: Phone) -> None:
    answer = " ".join(f"number{index}" for index in range(60))
    async with phone(llm=script(answer), turns=TurnOptions(max_length=6.0)) as caller:
        await caller.says("count please")
        await caller.interrupts("stop it now", after=7.0)
        report = await caller.report()
    assert report.turns[0].interrupted
    assert [message.text for message in report.conversation][2:] == [SAY.goodbye, "stop it now"]
    assert report.reason == "max length"
    assert report.duration < 14


async def test_a_goodbye_does_not_overtake_an_answer_that_is_being_made(phone: Phone) -> None:
    async with phone(llm=script("Yes, of course.", first=2.0), turns=TurnOptions(max_length=3.0)) as caller:
        await caller.says("two coffees please")
        reply = await caller.hears()
        report = await caller.report()
    assert reply.text == f"Yes, of course. {SAY.goodbye}"
    assert report.reason == "max length"


async def test_a_goodbye_is_heard_although_the_model_never_says_its_last_words(phone: Phone) -> None:
    async with phone(llm=ScriptedLLM(["Well."], failing=Failing("stall"))) as caller:
        await caller.says("bye")
        await caller.waits(0.7)
        caller.call.hang_up()
        await caller.hears(SAY.goodbye, timeout=20)
        report = await caller.report()
    assert report.reason == "completed"
    assert set(report.watchdogs) == {"model_silent"}

"""The last word is heard before the line drops, whoever speaks meanwhile, and whatever the carrier takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.audio.dtmf import tones
from voiceloop.call import Call
from voiceloop.filler import Filler
from voiceloop.frames import UserTurn
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.testing.dial import dial
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Phone = Callable[..., Any]
Heard = Callable[[Dialled], str]
GOODBYE = "Thank you for calling the corner shop today. Goodbye and have a nice evening."
ANN = "+14155550100"


class Exchange:
    """A carrier that takes some seconds to hand a call over, and then does it or does not."""

    def __init__(self, seconds: float = 0.0, error: str = "") -> None:
        self.seconds = seconds
        self.error = error
        self.asked: list[float] = []

    async def transfer(self, call_id: str, to: str) -> None:
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.seconds)
        if self.error:
            raise ConnectionError(self.error)


@pytest.fixture
def shop(lexicon: Lexicon) -> Phone:
    """``shop(llm)`` is a call with a bot whose model may hang up, transfer the call and press keys."""

    def call(llm: Any, exchange: Exchange | None = None, filler: Filler | None = None, **more: Any) -> Any:
        def bot(call: Call) -> Pipeline:
            call.carrier = exchange
            tools = [call.hang_up, call.transfer, call.send_digits]
            model = LLMAggregator(script("Okay."), tools=tools, filler=filler)
            turns = TurnTaking(endpointing=FixedSilence())
            voice = ScriptedTTS(lexicon)
            return Pipeline([call.transport, EnergyVAD(), ScriptedSTT(lexicon), turns, model, voice, AudioStreamer()])

        return dial(bot, llm=llm, lexicon=lexicon, silence=1.0, **more)

    return call


def last_sound(caller: Dialled) -> float:
    """When the agent was last heard, seconds on the loop's clock."""
    return caller.carrier.truth.time_of(caller.carrier.playback.sound_end)


# --- hanging up ---------------------------------------------------------------------------------------------


async def test_a_goodbye_in_the_round_that_hangs_up_is_heard_whole(shop: Phone, heard: Heard) -> None:
    async with shop(script((GOODBYE, calls("hang_up")))) as caller:
        await caller.says("that is all")
        report = await caller.report()
        ended = asyncio.get_running_loop().time()
    assert heard(caller) == GOODBYE
    assert 0 <= ended - last_sound(caller) < 1.0
    assert report.reason == "completed"


async def test_a_goodbye_behind_the_round_that_hangs_up_is_heard_whole(shop: Phone, heard: Heard) -> None:
    async with shop(script(calls("hang_up"), GOODBYE)) as caller:
        await caller.says("that is all")
        report = await caller.report()
    assert heard(caller) == GOODBYE
    assert report.conversation[-1].text == GOODBYE


async def test_hanging_up_in_the_middle_of_an_answer_lets_it_be_heard(shop: Phone, heard: Heard) -> None:
    async with shop(script(GOODBYE)) as caller:
        await caller.says("what do you have")
        await caller.waits(1.5)
        caller.call.hang_up()
        await caller.report()
    assert heard(caller) == GOODBYE


@pytest.mark.parametrize("words", ["thank you bye", "wait I have one more question for you", "mhm"])
@pytest.mark.parametrize("after", [0.3, 2.0])
async def test_a_caller_who_speaks_over_the_goodbye_does_not_cut_it_and_the_line_drops_behind_it(
    shop: Phone, heard: Heard, words: str, after: float
) -> None:
    """The rule: once the call has been hung up its last words are said to their end, whoever speaks over them, and
    nobody is answered any more. What the caller says is remembered."""
    async with shop(script((GOODBYE, calls("hang_up")), "More.")) as caller:
        await caller.says("that is all")
        while not caller.carrier.playback.sound_end:
            await caller.waits(0.02)
        await caller.waits(after)
        await caller.begins(words)
        report = await caller.report()
    assert heard(caller) == GOODBYE
    assert report.reason == "completed"
    said = " ".join(message.text for message in report.conversation if message.role == "user")
    assert words.split()[0] in said.split()


async def test_who_speaks_before_the_call_is_hung_up_cuts_the_goodbye_and_is_answered(
    lexicon: Lexicon, shop: Phone, heard: Heard
) -> None:
    """The model has begun to say goodbye and not asked to hang up yet: the caller may still have the floor."""
    llm = ScriptedLLM([(GOODBYE, calls("hang_up")), "Of course.", ("Bye.", calls("hang_up"))], rate=3)
    async with shop(llm) as caller:
        await caller.says("that is all")
        await caller.interrupts("wait no stop one more thing", after=0.8)
        await caller.hears("Of course.")
        assert caller.call.ending is None
        await caller.says("that is all now")
        report = await caller.report()
    assert report.turns[0].interrupted
    assert heard(caller).endswith("Of course. Bye.")
    assert report.reason == "completed"


async def test_keys_pressed_last_are_sent_before_the_line_drops(shop: Phone) -> None:
    async with shop(script((calls("send_digits", digits="12#"), calls("hang_up")), "Bye.")) as caller:
        await caller.says("press the keys")
        report = await caller.report()
    assert tones("12#") in bytes(caller.carrier.heard)
    assert report.reason == "completed"


# --- handing over -------------------------------------------------------------------------------------------


async def test_the_model_hands_the_caller_over_when_its_words_and_the_announcement_were_heard(
    shop: Phone, heard: Heard
) -> None:
    exchange = Exchange()
    llm = script(("Let me see.", calls("transfer", to=ANN, announce="I connect you with Ann.")), "More.")
    async with shop(llm, exchange) as caller:
        await caller.says("give me a person")
        report = await caller.report()
    assert heard(caller) == "Let me see. I connect you with Ann."
    assert report.reason == "transferred"
    assert 0 <= exchange.asked[0] - last_sound(caller) < 0.7


async def test_a_slow_carrier_is_not_waited_for_in_silence_and_nobody_is_answered_meanwhile(
    shop: Phone, heard: Heard
) -> None:
    exchange = Exchange(6.0)
    async with shop(script("Not this."), exchange) as caller:
        await caller.waits(0.5)
        await caller.call.transfer(ANN, "I connect you.")
        while not exchange.asked:
            await caller.waits(0.1)
        await caller.says("hello are you there")
        report = await caller.report()
        ended = asyncio.get_running_loop().time()
    assert heard(caller) == "I connect you. One moment, please."
    assert ended - exchange.asked[0] == pytest.approx(6.0, abs=0.2)  # "One moment" closes behind it, the call does not
    assert report.reason == "transferred"
    assert report.turns == []


async def test_a_filler_is_heard_while_a_slow_carrier_hands_over(shop: Phone, heard: Heard) -> None:
    async with shop(script("Not this."), Exchange(4.0), Filler()) as caller:
        await caller.waits(0.5)
        await caller.call.transfer(ANN, "I connect you.")
        report = await caller.report()
    typed = [sent.at for sent in caller.witness.sent if sent.answer == 0]
    assert len(typed) * 0.04 > 0.7
    assert report.reason == "transferred"


@pytest.mark.parametrize("seconds", [0.0, 4.0])
async def test_when_the_carrier_refuses_the_caller_is_told_and_the_call_goes_on(
    shop: Phone, heard: Heard, seconds: float
) -> None:
    async with shop(script("I am here."), Exchange(seconds, "no such number"), Filler()) as caller:
        await caller.waits(0.5)
        await caller.call.transfer(ANN, "I connect you.")
        await caller.waits(seconds + 7.0)
        waiting = [sent.at for sent in caller.witness.sent if sent.answer == 0]
        await caller.says("are you there")
        await caller.waits(3.0)
        report = await caller.hangs_up()
    meanwhile = "One moment, please. " if seconds else ""
    sorry = "Sorry, something went wrong. Could you say that again?"
    assert heard(caller) == f"I connect you. {meanwhile}{sorry} I am here."
    assert bool(waiting) == bool(seconds)
    assert [fault.kind for fault in report.faults] == ["transfer.failed"]
    assert [sent.at for sent in caller.witness.sent if sent.answer == 0] == waiting  # it has fallen silent
    assert report.reason == "caller hung up"


async def test_a_caller_who_hangs_up_before_the_carrier_was_asked_has_hung_up(shop: Phone) -> None:
    exchange = Exchange()
    async with shop(script("Okay."), exchange) as caller:
        await caller.waits(0.5)
        await caller.call.transfer(ANN, "I connect you with Ann, who knows everything about coffee and tea.")
        await caller.waits(1.0)
        report = await caller.hangs_up()
    assert exchange.asked == []
    assert report.reason == "caller hung up"


async def test_a_stream_that_the_carrier_closes_while_it_hands_over_is_a_transfer(shop: Phone) -> None:
    exchange = Exchange(3.0)  # Twilio stops the stream, and its reply comes later
    async with shop(script("Okay."), exchange) as caller:
        await caller.waits(0.5)
        await caller.call.transfer(ANN, "I connect you.")
        while not exchange.asked:
            await caller.waits(0.1)
        await caller.waits(0.3)
        report = await caller.hangs_up()
    assert report.reason == "transferred"
    assert report.faults == []


async def test_a_second_transfer_is_refused_while_the_first_is_under_way(shop: Phone) -> None:
    exchange = Exchange()
    llm = script((calls("transfer", to=ANN), calls("transfer", to="+14155550101")), "Goodbye.")
    async with shop(llm, exchange) as caller:
        await caller.says("give me a person")
        report = await caller.report()
    results = [result for message in report.conversation for result in message.results]
    assert [result.error for result in results] == [False, True]
    assert "ending already" in results[1].text
    assert len(exchange.asked) == 1


async def test_words_that_are_never_heard_do_not_keep_a_caller_from_being_handed_over(
    lexicon: Lexicon, phone: Phone
) -> None:
    class Hangs(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            self.call.open_answer()  # nobody will ever say anything of it

    exchange = Exchange()
    async with phone(more=lambda: [Hangs()], llm=script("Yes."), invariants=None) as caller:
        await caller.says("hello")
        caller.call.carrier = exchange
        await caller.waits(3.0)
        await caller.call.transfer(ANN)
        report = await caller.report()
    assert len(exchange.asked) == 1
    assert report.reason == "transferred"

"""What the bot says by itself: order, protection, pauses, back-pressure, and hanging up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import UserTurn
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import Dialled, Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, dial, script
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Phone = Callable[..., Any]
LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."
NOTICE = "This call may be recorded for quality and training purposes, and by staying you agree to that."


def record(caller: Dialled) -> list[str]:
    """The conversation so far, as lines."""
    return [str(message) for message in caller.call.conversation]


async def test_what_is_said_waits_for_the_current_answer_to_end(phone: Phone, lexicon: Lexicon) -> None:
    tone = lexicon.speak("ping pong")[0]
    async with phone(llm=script(LONG)) as caller:
        await caller.says("what do you have")
        await caller.waits(1.5)
        caller.call.say("One moment.")
        caller.call.play(tone, text="ping pong")
        caller.call.play(tone)  # a sound that says nothing
        caller.call.say("There you are.")
        reply = await caller.hears()
        assert reply.text == f"{LONG} One moment. ping pong ping pong There you are."
        assert record(caller) == [
            "user: what do you have",
            f"assistant: {LONG}",
            "assistant: One moment.",
            "assistant: ping pong",
            "assistant: There you are.",
        ]
        assert caller.carrier.truth.holes() == []
        await caller.hangs_up()


async def test_interrupting_drops_what_was_queued_behind_as_well(phone: Phone) -> None:
    async with phone(llm=script(LONG, "Sure.")) as caller:
        await caller.says("what do you have")
        await caller.waits(1.5)
        caller.call.say("One moment.")
        await caller.interrupts("no thank you", after=1.3)
        reply = await caller.hears()
        assert reply.text == "Sure."
        assert "One moment." not in " ".join(record(caller))
        await caller.hangs_up()


async def test_protected_speech_is_not_cut_and_what_was_said_over_it_is_answered_after_it(phone: Phone) -> None:
    llm = script("Two coffees, certainly.")
    async with phone(llm=llm) as caller:
        await caller.waits(0.1)
        caller.call.say(NOTICE, interruptible=False)
        await caller.waits(1.0)
        said = await caller.says("two coffees please")
        await caller.waits(8.0)
        assert caller.carrier.truth.clears == []
        notice, answer = caller.carrier.truth.sounds(0.1)
        assert notice[1] > said.speech_ended + 1.0
        assert record(caller) == [
            f"assistant: {NOTICE}",
            "user: two coffees please",
            "assistant: Two coffees, certainly.",
        ]
        assert answer[0] - notice[1] < 0.25  # it had been understood long before
        await caller.hangs_up()
    assert [m.text for m in llm.requests[0]] == [NOTICE, "two coffees please"]


async def test_a_hang_up_waits_for_the_last_words(phone: Phone) -> None:
    async with phone(llm=script(LONG), delay=0.05) as caller:
        await caller.says("what do you have")
        await caller.waits(1.0)
        caller.call.say("Goodbye and thank you.")
        caller.call.hang_up()
        reply = await caller.hears()
        report = await caller.report()
    assert reply.text == f"{LONG} Goodbye and thank you."
    assert report.reason == "completed"
    assert report.conversation[-1].text == "Goodbye and thank you."
    assert caller.carrier.end == "closed by the server (1000)"
    assert caller.carrier.truth.time_of(len(caller.carrier.heard)) - reply.ended < 0.5


async def test_a_hang_up_with_nothing_to_say_is_at_once(phone: Phone) -> None:
    async with phone(greeting="Hello!") as caller:
        await caller.hears()
        await caller.waits(1.0)
        before = asyncio.get_running_loop().time()
        caller.call.hang_up("done")
        report = await caller.report()
        assert asyncio.get_running_loop().time() - before < 0.1
    assert report.reason == "done"


async def test_a_hang_up_does_not_wait_for_ever_for_words_that_are_never_played(phone: Phone) -> None:
    class Endless(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            self.call.open_answer()  # and nobody ever finishes it
            self.call.hang_up()

    async with phone(more=lambda: [Endless()], turns=None) as caller:
        said = await caller.says("bye now")
        report = await caller.report()
        assert asyncio.get_running_loop().time() - said.speech_ended < 62.0
    assert report.reason == "completed"


@pytest.mark.parametrize("deaf", [False, True])
async def test_nobody_is_answered_any_more_once_the_call_is_ending(
    phone: Phone, lexicon: Lexicon, heard: Callable[[Dialled], str], deaf: bool
) -> None:
    llm = script("Certainly.")
    stt = ScriptedSTT(lexicon, failing=Failing("stall") if deaf else None)
    async with phone(llm=llm, stt=stt) as caller:
        await caller.waits(0.1)
        goodbye = "Goodbye, we are closing the shop for today and wish you a very nice evening."
        caller.call.say(goodbye, interruptible=False)
        caller.call.hang_up()
        await caller.waits(1.0)
        await caller.says("wait I need something")
        report = await caller.report()
        assert heard(caller) == goodbye
    assert llm.requests == []
    assert report.reason == "completed"
    assert report.duration < 12.0


def bot_with(streamers: list[AudioStreamer], lexicon: Lexicon) -> Callable[[Call], Pipeline]:
    """A plain bot whose streamer is at hand."""

    def bot(call: Call) -> Pipeline:
        streamers.append(AudioStreamer())
        stt, tts = ScriptedSTT(lexicon), ScriptedTTS(lexicon)
        return Pipeline([call.transport, EnergyVAD(), stt, TurnTaking(), LLMAggregator(script("x")), tts, *streamers])

    return bot


async def test_queued_audio_is_slowed_to_the_pace_of_speech(lexicon: Lexicon) -> None:
    streamers: list[AudioStreamer] = []
    audio, _ = lexicon.speak(" ".join(f"word{number}" for number in range(120)))
    most = 0.0
    async with dial(bot_with(streamers, lexicon), lexicon=lexicon, silence=0.4) as caller:
        await caller.waits(0.1)
        began = asyncio.get_running_loop().time()
        for start in range(0, len(audio), 4000):
            await streamers[0].queue_audio(audio[start : start + 4000])
            most = max(most, *(answer.buffered for answer in caller.call.live_answers()))
        took = asyncio.get_running_loop().time() - began
        assert took == pytest.approx(len(audio) / 8000 - 10, abs=0.7)
        assert 9.0 < most <= 10.6
        reply = await caller.hears(timeout=60)
        assert reply.text.split() == [f"word{number}" for number in range(120)]
        assert caller.carrier.truth.holes() == []
        await caller.waits(1.0)
        assert caller.call.live_answers() == []
        await caller.hangs_up()


async def test_queued_audio_can_be_interrupted_and_goes_on_as_a_new_answer(lexicon: Lexicon) -> None:
    streamers: list[AudioStreamer] = []
    one, words = lexicon.speak("one two three four five six seven eight nine ten")
    async with dial(bot_with(streamers, lexicon), lexicon=lexicon, llm=script("Sure."), silence=0.4) as caller:
        await caller.waits(0.1)
        await streamers[0].queue_audio(one, words)
        await caller.interrupts("stop that please", after=0.6)
        await caller.hears("Sure.")
        for word in ("eleven", "twelve"):
            await streamers[0].queue_audio(*lexicon.speak(word))
        reply = await caller.hears()
        assert reply.text == "eleven twelve"
        heard = [str(message) for message in caller.call.conversation if message.role == "assistant"]
        assert heard[1:] == ["assistant: Sure.", "assistant: eleven twelve"]
        assert heard[0].startswith("assistant: one two ")
        assert "[cut: " in heard[0]
        await caller.hangs_up()


async def test_audio_queued_while_the_caller_speaks_is_dropped_and_silences_nobody(lexicon: Lexicon) -> None:
    streamers: list[AudioStreamer] = []
    async with dial(bot_with(streamers, lexicon), lexicon=lexicon, llm=script("Sure."), silence=0.4) as caller:
        speaking = asyncio.ensure_future(caller.says("two coffees and a cake please"))
        await caller.waits(0.6)
        await streamers[0].queue_audio(*lexicon.speak("one two three"))
        await speaking
        reply = await caller.hears()
        assert reply.text == "Sure."
        report = await caller.hangs_up()
    assert [str(message) for message in report.conversation][1:] == ["assistant: Sure."]


@pytest.mark.parametrize("delay", [0.0, 0.06])
@pytest.mark.parametrize("after", [0.8, 1.5, 2.21])
async def test_a_paused_answer_goes_on_from_the_first_unheard_word(
    phone: Phone, lexicon: Lexicon, delay: float, after: float
) -> None:
    async with phone(
        llm=script(LONG), carrier=CarrierOptions(delay_to_server=delay, delay_from_server=delay)
    ) as caller:
        await caller.says("what do you have")
        await caller.waits(0.5 + after)
        (answer,) = caller.call.live_answers()
        caller.call.pause(answer)
        await caller.waits(2 * delay + 0.1)
        paused = lexicon.listen(bytes(caller.carrier.heard))
        await caller.waits(2.0)
        assert lexicon.listen(bytes(caller.carrier.heard)) == paused  # silence
        caller.call.resume(answer)
        await caller.waits(9.0)
        played = lexicon.listen(bytes(caller.carrier.heard))
        before = [word.text for word in paused if word.whole]
        after_pause = [word.text for word in played if word.whole][len(before) :]
        words = LONG.split()
        first = words.index(after_pause[0]) if after_pause[0] != "and" else len(before)
        assert len(before) - 1 <= first <= len(before)  # at most a word that ended in the frame of the cut comes twice
        assert after_pause[-1] == words[-1]
        assert caller.call.conversation[-1].text == LONG
        report = await caller.hangs_up()
    assert report.turns[0].interrupted is False
    assert report.turns[0].unheard == ""


async def test_a_paused_answer_can_still_be_interrupted(phone: Phone) -> None:
    async with phone(llm=ScriptedLLM([LONG, "Sure."])) as caller:
        await caller.says("what do you have")
        await caller.waits(1.5)
        (answer,) = caller.call.live_answers()
        caller.call.pause(answer)
        await caller.waits(0.5)
        await caller.says("never mind that")
        await caller.waits(2.0)
        assert record(caller)[-1] == "assistant: Sure."
        report = await caller.hangs_up()
    assert report.turns[0].interrupted
    assert report.turns[0].heard + " " + report.turns[0].unheard == LONG

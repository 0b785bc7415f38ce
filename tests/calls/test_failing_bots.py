"""A bot's own code fails, or the library's last words do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import CallerAudio, CallStart, Digit, Fault, Text, UserTurn
from voiceloop.language import Phrases
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.report import CallReport
from voiceloop.runtime import Limits, Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.stream import Stream
from voiceloop.testing import Dialled, Failing, ScriptedSTT, ScriptedTTS, dial, script
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Phone = Callable[..., Any]
SAY = Phrases()


def faults(report: CallReport) -> list[tuple[str, str]]:
    """Kind and message of each."""
    return [(fault.kind, fault.message) for fault in report.faults]


class Fragile(Processor):
    """Raises in a plain handler of signals, in a task, and in a handler of content."""

    def on_digit(self, digit: Digit) -> None:
        if digit.digit == "1":
            raise KeyError("no menu")

    async def on_user_turn(self, turn: UserTurn) -> None:
        if "lookup" in turn.text:
            raise LookupError("no such customer")

    async def on_text(self, text: Stream[Text]) -> None:
        async for piece in text:
            if "broken" in piece.text:
                raise ValueError("cannot say that")
            self.push(piece)


@pytest.fixture
def fragile_bot(phone: Phone) -> Callable[..., Any]:
    """A call with a bot whose processor behind the model is fragile."""
    return lambda **options: phone(more=lambda: [Fragile()], **options)


async def test_a_handler_of_a_key_that_raises_is_reported_and_the_call_goes_on(fragile_bot: Callable[..., Any]) -> None:
    async with fragile_bot(llm=script("Certainly.")) as caller:
        await caller.waits(0.1)
        await caller.presses("1")
        await caller.says("a coffee please")
        await caller.hears("Certainly.")
        report = await caller.hangs_up()
    assert faults(report) == [("Fragile.on_digit", "KeyError: 'no menu'")]
    assert "no menu" in report.faults[0].detail
    assert report.reason == "caller hung up"


async def test_a_task_of_the_bot_that_raises_is_reported_and_the_caller_still_answered(
    fragile_bot: Callable[..., Any],
) -> None:
    async with fragile_bot(llm=script("Certainly.")) as caller:
        await caller.says("lookup my order")
        await caller.hears("Certainly.")
        report = await caller.hangs_up()
    assert faults(report) == [("Fragile.on_user_turn", "LookupError: no such customer")]


async def test_a_handler_that_fails_again_and_again_ends_the_call_politely(fragile_bot: Callable[..., Any]) -> None:
    async with fragile_bot(llm=script("Certainly.")) as caller:
        await caller.waits(0.5)
        await caller.presses("111")
        reply = await caller.hears()
        report = await caller.report()
    assert reply.text == SAY.failed
    assert report.reason == "failed"
    assert report.duration < 6.0


async def test_content_that_a_processor_cannot_handle_is_excused(
    plain_bot: Callable[..., Any], lexicon: Lexicon
) -> None:
    def bot(call: Call) -> Pipeline:
        stages = list(plain_bot()(call))
        return Pipeline([*stages[:-2], Fragile(), *stages[-2:]])

    async with dial(bot, lexicon=lexicon, silence=0.4, llm=script("this is broken today", "Better.")) as caller:
        await caller.says("say it please")
        await caller.hears(SAY.apology)
        await caller.says("say it again")
        reply = await caller.hears()
        assert reply.text == "Better."
        report = await caller.hangs_up()
    assert faults(report) == [("Fragile.on_text", "ValueError: cannot say that")]


async def test_a_handler_of_every_frame_of_audio_that_raises_ends_the_call_within_seconds(phone: Phone) -> None:
    class Broken(Processor):
        def on_caller_audio(self, audio: CallerAudio) -> None:
            raise ZeroDivisionError("level of nothing")

    async with phone(more=lambda: [Broken()]) as caller:
        reply = await caller.hears()
        report = await caller.report()
    assert reply.text == SAY.failed
    assert report.reason == "failed"
    assert report.duration < 7.0
    assert {fault.kind for fault in report.faults} == {"Broken.on_caller_audio"}


async def test_a_handler_of_faults_that_raises_does_not_feed_itself(phone: Phone) -> None:
    class Watcher(Processor):
        def on_fault(self, fault: Fault) -> None:
            raise RuntimeError("the pager is down")

        def on_digit(self, digit: Digit) -> None:
            raise KeyError("no menu")

    async with phone(llm=script("Certainly."), more=lambda: [Watcher()]) as caller:
        await caller.waits(0.1)
        await caller.presses("1")
        await caller.says("a coffee please")
        await caller.hears("Certainly.")
        report = await caller.hangs_up()
    assert [kind for kind, _ in faults(report)] == ["Watcher.on_digit", "Watcher.on_fault"]


async def test_a_processor_that_swallows_cancellation_is_abandoned_by_name_and_hinders_nobody(phone: Phone) -> None:
    let_go = asyncio.Event()

    class Deaf(Processor):
        async def on_call_start(self, start: CallStart) -> None:
            while not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    continue

    async with phone(llm=script("Certainly."), more=lambda: [Deaf()], invariants=None) as caller:
        await caller.says("a coffee please")
        await caller.hears("Certainly.")
        before = asyncio.get_running_loop().time()
        report = await caller.hangs_up()
        assert asyncio.get_running_loop().time() - before == pytest.approx(3.0, abs=0.1)
        let_go.set()
        await asyncio.sleep(0)
    assert report.abandoned == ["Deaf.on_call_start"]


@pytest.mark.parametrize("made", ["raises", "async raises", "no pipeline", "hangs"])
async def test_a_bot_that_cannot_be_made_ends_the_call_at_once_with_a_report(lexicon: Lexicon, made: str) -> None:
    async def hangs() -> Pipeline:
        await asyncio.sleep(1000)
        raise AssertionError

    async def fails() -> Pipeline:
        raise LookupError("no such shop")

    def bot(call: Call) -> Any:
        if made == "raises":
            raise LookupError("no such shop")
        return {"async raises": fails, "hangs": hangs, "no pipeline": lambda: [call.transport]}[made]()

    async with dial(bot, lexicon=lexicon) as caller:
        report = await caller.report()
        await caller.carrier.wait_ended()
        assert asyncio.get_running_loop().time() <= (10.1 if made == "hangs" else 0.1)
        assert caller.carrier.end == "closed by the server (1000)"
    assert report.reason == "failed"
    expected = {
        "raises": "LookupError: no such shop",
        "async raises": "LookupError: no such shop",
        "no pipeline": "PipelineError: bot(call) must return a Pipeline, got list",
        "hangs": "TimeoutError",
    }
    assert faults(report) == [("bot", expected[made])]


async def test_a_processor_that_cannot_start_ends_the_call_with_a_goodbye(phone: Phone) -> None:
    class Broken(Processor):
        async def start(self) -> None:
            raise ConnectionError("no database")

    async with phone(greeting="Hello!", more=lambda: [Broken()]) as caller:
        reply = await caller.hears()
        report = await caller.report()
    assert SAY.failed in reply.text
    assert report.reason == "failed"
    assert faults(report) == [("Broken.start", "ConnectionError: no database")]


# --- the last words ------------------------------------------------------------------------------------------


async def test_a_voice_that_cannot_render_the_phrases_still_speaks_answers(phone: Phone, lexicon: Lexicon) -> None:
    tts = ScriptedTTS(lexicon, failing=Failing("raise", requests=range(len(SAY.all()) + 1)))
    async with phone(greeting="Hello!", tts=tts, llm=script("Certainly.")) as caller:
        reply = await caller.hears()
        assert reply.text == "Hello!"  # not rendered ahead, so it is spoken now
        await caller.says("a coffee please")
        await caller.hears("Certainly.")
        report = await caller.hangs_up()
    kinds = [kind for kind, _ in faults(report)]
    assert kinds == ["canned speech"] * (len(SAY.all()) + 1)
    assert faults(report)[0][1] == "'Hello!' could not be rendered: ConnectionError: broken, as scripted"


async def test_a_voice_that_hangs_while_rendering_the_greeting_delays_the_call_by_its_limit(
    phone: Phone, lexicon: Lexicon
) -> None:
    tts = ScriptedTTS(lexicon, failing=Failing("stall", requests={0}))
    async with phone(greeting="Hello!", tts=tts, llm=script("Certainly.")) as caller:
        reply = await caller.hears()
        assert reply.text == "Hello!"
        assert reply.started == pytest.approx(5.0, abs=0.1)
        report = await caller.hangs_up()
    assert faults(report) == [("canned speech", "'Hello!' could not be rendered: nothing after 5 s")]


async def test_a_greeting_that_cannot_be_spoken_is_excused_once(phone: Phone, lexicon: Lexicon) -> None:
    # The greeting is tried once ahead and twice live; the phrases between are rendered.
    failing = Failing("stall", requests={0, 1 + len(SAY.all()), 2 + len(SAY.all())})
    async with phone(greeting="Hello!", tts=ScriptedTTS(lexicon, failing=failing), llm=script("Certainly.")) as caller:
        await caller.waits(0.1)
        reply = await caller.hears()
        assert reply.text == SAY.apology
        assert reply.started <= 5.0 + 10.1
        await caller.says("a coffee please")
        reply = await caller.hears()
        assert reply.text == "Certainly."
        report = await caller.hangs_up()
    assert [(fault.kind, round(fault.at)) for fault in report.faults] == [
        ("canned speech", 5),
        ("ScriptedTTS.failed", 10),
        ("model.silent", 15),
    ]


@pytest.mark.parametrize(("how", "within"), [("raise", 1.0), ("empty", 1.0), ("stall", 21.0), ("deaf", 24.0)])
async def test_a_call_whose_voice_never_works_ends_instead_of_staying_silent(
    phone: Phone, lexicon: Lexicon, heard: Callable[[Dialled], str], how: Any, within: float
) -> None:
    failing = Failing(how)
    async with phone(tts=ScriptedTTS(lexicon, failing=failing), llm=script("Certainly.")) as caller:
        said = await caller.says("a coffee please")
        report = await caller.report()
        assert asyncio.get_running_loop().time() - said.speech_ended <= within
        assert heard(caller) == ""
        failing.let_go()
        await asyncio.sleep(0)
    assert report.reason == "failed"


async def test_the_limits_of_the_runtime_are_kept(phone: Phone, lexicon: Lexicon) -> None:
    failing = Failing("deaf")
    limits = Limits(start=1.0, close=0.5)
    async with Runtime(limits=limits) as runtime:
        tts = ScriptedTTS(lexicon, failing=failing)
        async with phone(greeting="Hello!", runtime=runtime, tts=tts) as caller:
            await caller.waits(1.5)
            assert caller.call.faults[0].kind == "start.slow"
            before = asyncio.get_running_loop().time()
            report = await caller.hangs_up()
            assert asyncio.get_running_loop().time() - before <= 0.6
            failing.let_go()
            await asyncio.sleep(0)
    assert "TTSProcessor.start" in report.abandoned


@pytest.mark.parametrize("order", ["no streamer", "streamer first"])
async def test_a_voice_that_nobody_would_hear_is_told_when_the_call_begins(lexicon: Lexicon, order: str) -> None:
    def bot(call: Call) -> Pipeline:
        ears: list[Any] = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("Hello!")]
        if order == "streamer first":
            ears.insert(1, AudioStreamer())
        return Pipeline([*ears, LLMAggregator(script("Yes.")), ScriptedTTS(lexicon)])

    async with dial(bot, lexicon=lexicon) as caller:
        report = await caller.report()
    assert report.reason == "failed"
    assert any("put AudioStreamer() last" in fault.message for fault in report.faults)

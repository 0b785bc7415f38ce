"""`dial`: what it takes, what a test may see of a call, and what is said of bad use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, FixedSilence, LLMAggregator, Pipeline, TurnTaking
from voiceloop.errors import VoiceloopError
from voiceloop.frames import AnswerBegan, CallerAudio, Digit, Fault, Interruption, MarkSent, Text, UserTurn
from voiceloop.llm.base import LLM
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.sim.caller import CallEnded, GaveUp
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import STT
from voiceloop.testing import (
    Dial,
    Dialled,
    Failing,
    Lexicon,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    ToolUse,
    calls,
    script,
)
from voiceloop.testing.bounds import Bounds, BrokenInvariants
from voiceloop.testing.dial_bot import loaded as _loaded
from voiceloop.testing.faulty import FaultyLLM, FaultySTT, LLMFault
from voiceloop.tts.base import TTS
from voiceloop.turns.events import TurnOptions

MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."


async def price(drink: str) -> str:
    """Look up what a drink costs."""
    return {"latte": "four dollars", "tea": "two dollars"}[drink]


PATIENT = TurnOptions(reprompt_after=60.0)


def bot(call: Call) -> Pipeline:
    lexicon = Lexicon()
    turns = TurnTaking("Hello!", PATIENT, endpointing=FixedSilence())
    ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), turns]
    model = LLMAggregator(script("Okay."), tools=[price, call.hang_up])
    return Pipeline([*ears, model, ScriptedTTS(lexicon), AudioStreamer()])


# --- what it takes ------------------------------------------------------------------------------------------


async def test_a_module_its_function_and_the_path_of_its_file_are_the_same_bot(dial: Dial, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking\n"
        "from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script\n"
        "ears, voice, answered = ScriptedSTT(Lexicon()), ScriptedTTS(Lexicon()), []\n"
        "def bot(call):\n"
        "    answered.append(call.id)\n"
        "    ears_ = [call.transport, EnergyVAD(), ears, TurnTaking('Shop, hello!')]\n"
        "    return Pipeline([*ears_, LLMAggregator(script('Okay.')), voice, AudioStreamer()])\n"
    )
    for given in (tmp_path / "shop.py", str(tmp_path / "shop.py")):
        async with dial(given) as caller:
            await caller.hears("Shop, hello!")
            assert caller.name == "shop"
    loaded: Any = _loaded(str((tmp_path / "shop.py").resolve()))
    assert len(loaded.answered) == 2  # loaded once
    for given in (loaded, loaded.bot):
        async with dial(given) as caller:
            await caller.hears("Shop, hello!")
            assert caller.name == "shop"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (
            {"bot": 17},
            VoiceloopError,
            r"dial needs the function bot\(call\), a module that has one, or the path of its",
        ),
        ({"bot": "nowhere.py"}, VoiceloopError, r"expected a bot file, .* but there is no file .*nowhere\.py"),
        ({"bot": "scenario_shp.py"}, VoiceloopError, r"no file .*\. Did you mean \S+/scenario_shop\.py\?$"),
        (
            {"bot": "shop"},
            VoiceloopError,
            r"dial\('shop'\): a module is given as the module, not its name: import shop",
        ),
        ({"llm": "gpt"}, TypeError, r"dial\(llm=…\) takes an instance of LLM, got 'gpt'\. Write llm=script\(\"gpt\"\)"),
        (
            {"carrier": {"jitter": 0.1}},
            TypeError,
            r"dial\(carrier=…\) takes an instance of CarrierOptions, .* Write carrier=CarrierOptions\(jitter=0\.1\)",
        ),
        ({"invariants": False}, TypeError, r"dial\(invariants=…\) takes an instance of Bounds, .* invariants=None"),
        (
            {"stt": ScriptedSTT(Lexicon()), "lexicon": Lexicon()},
            TypeError,
            r"dial\(stt=…\): this recogniser has another Lexicon: give dial\(lexicon=…\) the same",
        ),
        (
            {"stt": ScriptedSTT(Lexicon()), "tts": ScriptedTTS(Lexicon())},
            TypeError,
            r"dial\(stt=…, tts=…\): each has another Lexicon, .*: make one, and give it to all of them",
        ),
        ({"llm": ScriptedLLM}, TypeError, r"takes an instance of LLM, .* Did you mean ScriptedLLM\(…\)\?"),
        ({"tts": script("no voice")}, TypeError, r"dial\(tts=…\) takes an instance of TTS"),
        ({"observers": [Processor]}, TypeError, r"dial\(observers=\[…\]\) takes instances of Processor, got <class"),
    ],
)
async def test_bad_use_is_told(dial: Dial, given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        async with dial(**{"bot": bot, **given}):
            raise AssertionError("it was taken")


@pytest.mark.parametrize("given", ["stt", "tts", "voice", "broken stt", "runtime"])
async def test_the_lexicon_of_the_only_scripted_provider_is_that_of_the_call(dial: Dial, given: str) -> None:
    lexicon = Lexicon()
    providers: dict[str, dict[str, Any]] = {
        "stt": {"stt": ScriptedSTT(lexicon)},
        "tts": {"tts": ScriptedTTS(lexicon)},
        "voice": {"voice": ScriptedTTS(lexicon)},
        "broken stt": {"stt": FaultySTT(ScriptedSTT(lexicon))},
        "runtime": {},
    }
    own = providers[given]
    async with Runtime() as runtime:
        runtime.substitutes = {STT: ScriptedSTT(lexicon), TTS: ScriptedTTS(lexicon)} if given == "runtime" else {}
        async with dial(bot, runtime=runtime, **own) as caller:
            assert caller.lexicon is lexicon
            await caller.hears("Hello")
            await caller.says("Is there tea?")
            await caller.hears("Okay")
            await caller.hangs_up()
    assert caller.turns[0].caller == "Is there tea?"


async def test_a_bot_file_is_looked_for_beside_the_test(dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    async with dial("scenario_shop.py") as caller:
        assert caller.name == "scenario_shop"


async def test_a_call_that_is_awaited_or_entered_without_async_says_how(dial: Dial) -> None:
    call: Any = dial(bot)
    said = r"^dial is asynchronous: async def test_x\(dial\): async with dial\(bot\) as caller:$"
    with pytest.raises(TypeError, match=said), call:
        pass
    with pytest.raises(TypeError, match=r"^dial is not awaited but entered: async def test_x\(dial\): async with"):
        await call


async def test_what_hears_expects_must_be_text(dial: Dial) -> None:
    async with dial(bot) as caller:
        with pytest.raises(TypeError, match=r"hears takes words that are expected, as text; got 2\.0"):
            await caller.hears(2.0)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"hears takes words that are expected; there is none in '\?'"):
            await caller.hears("?")
        with pytest.raises(ValueError, match=r"after= counts from the agent's first sound .* got -1"):
            await caller.interrupts("no", after=-1)


# --- what the caller does -----------------------------------------------------------------------------------


async def test_what_was_expected_and_heard_is_said(dial: Dial) -> None:
    async with dial(bot) as caller:
        with pytest.raises(AssertionError, match=r"^expected to hear 'Goodbye', heard 'Hello!'$"):
            await caller.hears("hello", "Goodbye")


@pytest.mark.parametrize("wanted", ["kitten, attention", "KITTEN", "attention now"])
async def test_whole_words_are_heard_whatever_their_capitals_and_punctuation(dial: Dial, wanted: str) -> None:
    async with dial(bot, llm=script("Kitten: attention, now!")) as caller:
        await caller.hears("hello")
        await caller.says("What?")
        await caller.hears(wanted)


@pytest.mark.parametrize("wanted", ["ten", "kitten now", "now kitten"])
async def test_a_part_of_a_word_and_words_apart_are_not_heard(dial: Dial, wanted: str) -> None:
    async with dial(bot, llm=script("Kitten: attention, now!")) as caller:
        await caller.hears()
        await caller.says("What?")
        hint = r" \(whole words are compared\)" if wanted == "ten" else ""
        with pytest.raises(
            AssertionError, match=f"^expected to hear '{wanted}', heard 'Kitten: attention, now!'{hint}$"
        ):
            await caller.hears(wanted)


async def test_an_answer_that_hears_took_is_not_confused_with_the_question_that_follows(dial: Dial) -> None:
    async with dial(bot, llm=script("No.")) as caller:
        await caller.hears()
        await caller.says("Is there tea?")
        await caller.hears("No")
        with pytest.raises(
            GaveUp,
            match=r"^interrupts: nothing was being said; what came \d+\.\d s later was the bot's "
            r"'Are you still there\?'\. The last answer had been taken by hears: leave out that hears\.",
        ):
            await caller.interrupts("Stop", after=0.5, timeout=90.0)


async def test_the_question_itself_can_be_interrupted_by_who_waits_for_it(dial: Dial) -> None:
    async with dial(bot, llm=script("Yes.")) as caller:
        await caller.hears()
        await caller.waits(58.0)
        cut = await caller.interrupts("Is there tea?", after=0.5)
        assert cut.text.startswith("Are")


@pytest.mark.parametrize("delay", [0.0, 0.15])
async def test_after_an_interruption_the_record_of_what_was_heard_is_there(dial: Dial, delay: float) -> None:
    line = CarrierOptions(delay_to_server=delay, delay_from_server=delay)
    async with dial(bot, llm=script(MENU, "Fine."), carrier=line) as caller:
        await caller.hears("Hello!")
        await caller.says("What do you have?")
        cut = await caller.interrupts("tea", after=1.5)
        last = caller.call.conversation[-1]
        assert (last.role, last.interrupted) == ("assistant", True)
        assert f"{last.text} {last.unheard}" == MENU
        assert last.unheard.endswith("Every drink is four dollars.")
        assert cut.text.startswith("We have coffee,")
        assert abs(len(cut.text.split()) - len(last.text.split())) <= 1
        assert 0.1 < cut.stopped_after == pytest.approx(cut.agent_stopped - cut.speech.speech_started)
        assert cut.stopped_after < 0.3 + 2 * delay


async def test_to_interrupt_what_is_over_is_an_error(dial: Dial) -> None:
    async with dial(bot, llm=script("No.")) as caller:
        await caller.hears("Hello!")
        await caller.says("Is there tea?")
        with pytest.raises(
            GaveUp, match=r"expected to interrupt the agent 0\.6 s after .* it said 'No\.'\. Interrupt it"
        ):
            await caller.interrupts("really?", after=0.6)


async def test_the_bot_says_why_the_call_ended_before_anything_was_heard(dial: Dial) -> None:
    def broken(call: Call) -> Pipeline:
        raise LookupError("no menu")

    with pytest.raises(
        CallEnded, match=r"before the agent was heard; the bot's side: failed, bot: LookupError: no menu"
    ):
        async with dial(broken) as caller:
            await caller.hears()


async def test_a_report_that_never_comes_is_given_up_with_a_hint(dial: Dial) -> None:
    async with dial(bot) as caller:
        with pytest.raises(GaveUp, match=r"has not ended after 120 s; nobody has hung up: use caller\.hangs_up\(\)"):
            await caller.report()
        with pytest.raises(GaveUp, match=r"has not ended after 3 s"):
            await caller.report(timeout=3.0)


async def test_the_call_is_told_to_be_missing_before_the_bot_has_taken_it(dial: Dial) -> None:
    async with dial(bot) as caller:
        caller._call = None
        with pytest.raises(VoiceloopError, match=r"the bot has not taken the call yet: wait until the caller hears it"):
            caller.call.say("x")
        assert not caller.taken


# --- what was heard -----------------------------------------------------------------------------------------


async def test_the_audio_of_a_reply_can_be_measured(dial: Dial) -> None:
    lexicon = Lexicon(letter=0.05, gap=0.1)
    async with dial(bot, lexicon=lexicon, llm=script("One two. Three")) as caller:
        await caller.hears()
        await caller.says("Count.")
        reply = await caller.hears()
    assert reply.duration == pytest.approx(0.15 + 0.1 + 0.2 + 0.3 + 0.25, abs=0.001)
    assert reply.duration == pytest.approx(reply.ended - reply.started)
    assert [round(seconds, 2) for _, seconds in reply.silences()] == [0.3]
    assert [round(at - reply.started, 2) for at, _ in reply.silences(0.05)] == [0.15, 0.45]
    assert reply.silences(0.31) == []
    assert -15 < reply.level < 0
    assert [(word.text, word.whole) for word in reply.words] == [("One", True), ("two.", True), ("Three", True)]


async def test_a_reply_has_the_parts_of_its_wait(dial: Dial) -> None:
    lexicon = Lexicon()
    slow: dict[str, Any] = {
        "stt": ScriptedSTT(lexicon, delay=0.7),
        "llm": script("Yes.", first=0.3),
        "tts": ScriptedTTS(lexicon, first=0.2),
    }
    async with dial(bot, lexicon=lexicon, carrier=CarrierOptions(delay_to_server=0.1), **slow) as caller:
        greeting = await caller.hears()
        await caller.says("Is there tea?")
        reply = await caller.hears()
        assert (greeting.latency, greeting.parts) == (None, None)
        assert reply.parts is not None
        assert reply.parts.endpoint == pytest.approx(0.5, abs=0.03)
        assert reply.parts.stt == pytest.approx(0.3, abs=0.1)
        assert reply.parts.llm == pytest.approx(0.3)
        assert reply.parts.tts == pytest.approx(0.2)
        assert reply.parts.total == pytest.approx(reply.latency, abs=0.05)
        assert caller.turns[0].latency == reply.parts
        await caller.waits(1.0)
        caller.call.say("By the way.")
        assert (await caller.hears("By the way.")).parts is None
    assert [each.text for each in caller.replies] == ["Hello!", "Yes.", "By the way."]


# --- memory, tools, marks, frames ---------------------------------------------------------------------------


async def test_memory_is_plain_lines(dial: Dial) -> None:
    async with dial(bot, llm=script(MENU)) as caller:
        await caller.hears("Hello!")
        await caller.says("What do you have?")
        await caller.interrupts("Just tea", after=0.75)
        await caller.hangs_up()
    assert caller.memory == [
        "assistant: Hello!",
        "user: What do you have?",
        "assistant: We have coffee, [cut: latte, cappuccino, mocha, and tea. Every drink is four dollars.]",
        "user: Just tea",
    ]


async def test_tools_tell_what_was_asked_what_came_back_and_in_which_turn(dial: Dial) -> None:
    llm = script(
        ("Let me see.", calls("price", drink="latte"), calls("price", drink="tea")),
        "Four, and two.",
        calls("price", drink="mocha"),
        "No.",
        ("Bye.", calls("price", "{broken"), calls("hang_up")),
    )
    async with dial(bot, llm=llm) as caller:
        await caller.hears("Hello!")
        for said in ("Latte?", "Latte?", "Bye."):
            await caller.says(said)
            await caller.hears()
        await caller.report()
    latte, tea, mocha, broken, over = caller.tools
    assert [latte, tea] == [
        ToolUse("price", {"drink": "latte"}, "four dollars", turn=1),
        ToolUse("price", {"drink": "tea"}, "two dollars", turn=1),
    ]
    assert mocha == ToolUse("price", {"drink": "mocha"}, "price failed: KeyError: 'mocha'", error=True, turn=2)
    assert (broken.arguments, broken.error, broken.turn) == ("{broken", True, 3)
    assert over == ToolUse("hang_up", {}, "done", turn=3)
    assert latte.asked == pytest.approx(caller.replies[1].started, abs=0.05)


async def test_a_tool_that_runs_has_no_result_yet_and_then_tells_how_long_it_took(dial: Dial) -> None:
    async def slow_price(drink: str) -> str:
        """Look up what a drink costs."""
        await asyncio.sleep(1.25)
        return "four dollars"

    def patient(call: Call) -> Pipeline:
        pipeline = bot(call)
        *ears, _, voice, mouth = pipeline.processors
        return Pipeline([*ears, LLMAggregator(script("x"), tools=[slow_price]), voice, mouth])

    async with dial(patient, llm=script(("Hm.", calls("slow_price", drink="tea")), "Four.")) as caller:
        await caller.hears("Hello!")
        await caller.says("Tea?")
        await caller.hears("Hm.")
        assert caller.tools == [ToolUse("slow_price", {"drink": "tea"}, None, turn=1)]
        await caller.hears("Four.")
        (used,) = caller.tools
    assert used.result == "four dollars"
    assert used.took == pytest.approx(1.25)


async def test_marks_are_those_of_the_carrier_with_their_true_fate(dial: Dial) -> None:
    async with dial(bot, llm=script(MENU)) as caller:
        await caller.hears("Hello!")
        await caller.says("What do you have?")
        await caller.interrupts("Just tea", after=0.7)
        await caller.hangs_up()
    assert [mark.name for mark in caller.marks] == [mark.name for mark in caller.frames(MarkSent)]
    assert any(mark.flushed for mark in caller.marks)
    assert not all(mark.flushed for mark in caller.marks)
    assert all(mark.echoed_at is not None for mark in caller.marks)


async def test_frames_are_the_signals_that_passed_in_order(dial: Dial) -> None:
    async with dial(bot, llm=script(MENU)) as caller:
        await caller.hears("Hello!")
        await caller.says("What do you have?")
        await caller.interrupts("Just tea", after=1.0)
        await caller.presses("7")
        await caller.waits(0.1)
        await caller.hangs_up()
    (turn,) = caller.frames(UserTurn)
    assert turn.text == "What do you have?"
    assert [type(frame).__name__ for frame in caller.frames(AnswerBegan, Interruption, Digit)] == [
        "AnswerBegan",  # the greeting
        "AnswerBegan",
        "Interruption",
        "Digit",
    ]
    assert caller.frames(Fault) == []
    assert len(caller.frames(CallerAudio)) > 100


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            lambda: Text,
            r"caller\.frames\(Text\): expected a signal, got content, which is consumed inside the pipeline",
        ),
        (lambda: str, r"caller\.frames takes types of signals, such as UserTurn; got <class 'str'>"),
        (lambda: Digit("1", 0.0), r"such as UserTurn; got Digit\(.*\) \(give its class\)"),
    ],
)
async def test_frames_that_cannot_be_had_are_told(dial: Dial, wanted: Callable[[], Any], said: str) -> None:
    async with dial(bot) as caller:
        with pytest.raises(VoiceloopError, match=said):
            caller.frames(wanted())


async def test_an_observer_of_ones_own_stands_behind_the_pipeline(dial: Dial) -> None:
    class Counter(Processor):
        def __init__(self) -> None:
            self.said: list[str] = []

        def on_user_turn(self, turn: UserTurn) -> None:
            self.said.append(f"{self.call.caller}: {turn.text}")

    counter = Counter()
    async with dial(bot, observers=[counter], parameters={"caller": "+15550100"}) as caller:
        await caller.hears()
        await caller.says("Is there tea?")
        await caller.hears("Okay.")
    assert counter.said == ["+15550100: Is there tea?"]


async def test_the_calls_of_a_runtime_of_ones_own_have_a_log_of_events_too(dial: Dial) -> None:
    async with Runtime() as runtime, dial(bot, runtime=runtime) as caller:
        await caller.hears("Hello!")
        await caller.hangs_up()
    assert caller.call.log is not None
    assert {"in", "out"} <= {kind for _, kind, _ in caller.call.log.events}


# --- what holds of every call -------------------------------------------------------------------------------


async def interrupted(dial: Dial, **options: Any) -> Dialled:
    async with dial(bot, llm=script(MENU), **options) as caller:
        await caller.hears("Hello!")
        await caller.says("What do you have?")
        await caller.interrupts("Just tea", after=1.0)
    return caller


async def test_a_call_that_breaks_an_invariant_fails_the_test_unless_it_is_loosened_or_left(dial: Dial) -> None:
    with pytest.raises(BrokenInvariants, match=r"the agent stops for the caller at \d\.\d+ s: .* expected .*0\.01"):
        await interrupted(dial, invariants=Bounds(barge_in=0.01))
    for loose in (Bounds(), Bounds(barge_in=0.01, slack=0.5), None):
        await interrupted(dial, invariants=loose)


async def test_an_error_of_the_test_is_not_hidden_by_the_invariants(dial: Dial) -> None:
    async def fails() -> None:
        async with dial(bot, invariants=Bounds(dead_air=0.0)) as caller:
            await caller.hears("Hello!")
            raise LookupError("the test's own")

    with pytest.raises(LookupError, match="the test's own"):
        await fails()


@pytest.mark.parametrize("kind", ["scripted", "faulty"])
async def test_what_is_left_of_a_provider_that_swallows_cancellation_is_excused(dial: Dial, kind: str) -> None:
    if kind == "scripted":
        llm: LLM = ScriptedLLM(["Yes."], failing=Failing("deaf", requests={0}))
    else:
        llm = FaultyLLM(script("Yes."), [LLMFault("deaf")])
    async with dial(bot, llm=llm) as caller:
        await caller.hears("Hello!")
        await caller.says("Is there tea?")
        await caller.hears("Yes.")
        report = await caller.hangs_up()
    assert report.abandoned == ["llm provider"]
    assert len(caller.injected) == 1

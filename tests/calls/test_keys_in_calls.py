"""Keys as a way to take a turn, alone and mixed with speech, and collected by a tool; in whole calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.frames import UserTurn
from voiceloop.keypad import Keyed, KeyOptions
from voiceloop.llm.aggregator import LLMAggregator, LLMOptions
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import NotRunning
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.testing.dial import dial
from voiceloop.tools import Tool
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Line = Callable[..., Any]
MENU = "For a latte press one and for a mocha press two and for tea press three."


@pytest.fixture
def line(lexicon: Lexicon) -> Line:
    """``line(model, tools)`` is a call with a bot; more arguments are those of its turn-taking."""

    def call(model: Any, tools: Any = (), slow: float = 1.5, **turns: Any) -> Any:
        def bot(call: Call) -> Pipeline:
            taking = TurnTaking(turns.pop("greeting", "Corner Coffee."), **turns)
            llm = LLMAggregator(model, tools=tools, options=LLMOptions(slow=slow))
            voice = ScriptedTTS(lexicon)
            return Pipeline([call.transport, EnergyVAD(), ScriptedSTT(lexicon), taking, llm, voice, AudioStreamer()])

        return dial(bot, llm=model, lexicon=lexicon, silence=1.0)

    return call


def turns(caller: Dialled) -> list[str]:
    return [turn.text for turn in caller.frames(UserTurn)]


def said(caller: Dialled, role: str) -> list[str]:
    return [message.text for message in caller.call.conversation if message.role == role and message.text]


async def test_keys_and_the_terminator_are_a_turn_at_once(line: Line) -> None:
    async with line(script("A mocha.")) as caller:
        await caller.hears("Corner Coffee")
        await caller.presses("12#")
        pressed = asyncio.get_running_loop().time()
        await caller.hears("mocha")
        (turn,) = caller.frames(UserTurn)
        assert turn.text == "[keys: 12]"
        assert turn.decided - pressed < 0.1
        assert turn.ended == turn.endpointed == turn.decided
        assert turn.ended - turn.started == pytest.approx(0.5, abs=0.03)
        await caller.hangs_up()


async def test_without_a_terminator_a_pause_ends_the_turn(line: Line) -> None:
    async with line(script("A mocha."), keys=KeyOptions(terminator="", timeout=1.0)) as caller:
        await caller.hears("Corner Coffee")
        await caller.presses("12")
        await caller.hears("mocha")
        (turn,) = caller.frames(UserTurn)
        assert turn.text == "[keys: 12]"
        assert turn.decided - turn.ended == pytest.approx(1.0, abs=0.01)
        await caller.hangs_up()


async def test_a_single_key_of_a_menu_is_a_turn_when_one_is_asked_for(line: Line) -> None:
    async with line(script("A latte."), keys=KeyOptions(count=1), greeting=MENU) as caller:
        await caller.waits(1.0)
        await caller.presses("1")
        await caller.hears("latte")
        assert turns(caller) == ["[keys: 1]"]
        await caller.hangs_up()
    greeting = caller.call.conversation[0]
    assert greeting.interrupted
    assert len(greeting.text) < len(MENU)


async def test_a_key_does_not_cut_the_agent_short_where_it_should_not(line: Line) -> None:
    async with line(script("A latte."), keys=KeyOptions(count=1, interrupts=False), greeting=MENU) as caller:
        await caller.waits(1.0)
        await caller.presses("1")
        await caller.hears("latte")
        assert turns(caller) == ["[keys: 1]"]
        await caller.hangs_up()
    assert caller.call.conversation[0].text == MENU


async def test_a_protected_answer_is_heard_out_and_the_keys_are_answered_after_it(line: Line) -> None:
    async with line(script("A latte."), keys=KeyOptions(count=1), greeting="") as caller:
        await caller.waits(0.2)
        caller.call.say(MENU, interruptible=False)
        await caller.waits(1.0)
        await caller.presses("1")
        await caller.hears("latte")
        assert said(caller, "assistant") == [MENU, "A latte."]
        assert turns(caller) == ["[keys: 1]"]
        await caller.hangs_up()


async def test_speech_and_keys_right_after_it_are_one_turn(line: Line) -> None:
    async with line(script("Thank you.")) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("my number is")
        await caller.presses("1234#")
        await caller.hears("Thank you")
        assert turns(caller)[-1] == "my number is [keys: 1234]"
        assert said(caller, "user") == ["my number is [keys: 1234]"]
        await caller.hangs_up()


async def test_keys_pressed_while_speaking_join_the_turn(line: Line) -> None:
    async with line(script("Thank you.")) as caller:
        await caller.hears("Corner Coffee")
        speaking = asyncio.ensure_future(caller.says("my number is the one that I press now on my telephone"))
        await caller.waits(0.6)
        await caller.presses("12#")
        await speaking
        await caller.hears("Thank you")
        assert turns(caller) == ["my number is the one that I press now on my telephone [keys: 12]"]
        await caller.hangs_up()


async def test_keys_then_speech_join_in_the_order_of_time(line: Line) -> None:
    async with line(script("Thank you."), keys=KeyOptions(terminator="")) as caller:
        await caller.hears("Corner Coffee")
        await caller.presses("12")
        await caller.says("is my number")
        await caller.hears("Thank you")
        assert turns(caller)[-1] == "[keys: 12] is my number"
        await caller.hangs_up()


async def test_keys_take_no_turn_where_they_should_not(line: Line) -> None:
    async with line(script("Never said."), keys=None) as caller:
        await caller.hears("Corner Coffee")
        await caller.presses("12#")
        await caller.waits(3.0)
        assert turns(caller) == []
        assert said(caller, "user") == []
        await caller.hangs_up()


async def test_keys_of_a_call_that_ends_before_they_are_complete_are_on_record(line: Line) -> None:
    async with line(script("Never said.")) as caller:
        await caller.hears("Corner Coffee")
        await caller.presses("12")
        await caller.hangs_up()
    assert said(caller, "user") == ["[keys: 12]"]


# --- collected ---------------------------------------------------------------------------------------------------


class Checks:
    """A tool that collects, and what it got."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.got: list[Keyed] = []
        self.at: list[float] = []

    def tool(self) -> Any:
        async def check(call: Call) -> str:
            """Check the PIN."""
            self.got.append(await call.collect_digits(**self.options))
            self.at.append(call.now)
            return "right"

        return Tool(check)


async def test_a_tool_collects_keys_that_are_in_no_turn(line: Line) -> None:
    checks = Checks(count=4, prompt="Please enter your pin.")
    async with line(script(("Sure.", calls("check")), "That is right."), [checks.tool()]) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("check my pin")
        await caller.hears("enter your pin")
        await caller.waits(4.0)  # longer than a tool may be silent: the caller is not told to wait
        await caller.presses("1234")
        await caller.hears("That is right")
        await caller.hangs_up()
    assert [(keyed.digits, keyed.ended_by) for keyed in checks.got] == [("1234", "count")]
    assert turns(caller) == ["check my pin"]
    assert said(caller, "assistant") == ["Corner Coffee.", "Sure.", "Please enter your pin. That is right."]


async def test_the_wait_for_the_first_key_begins_when_the_prompt_was_heard(line: Line) -> None:
    prompt = "Please enter the sixteen digits that stand on the front of your card."
    checks = Checks(first=3.0, prompt=prompt)
    async with line(script(calls("check"), "Never mind."), [checks.tool()]) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("check my pin")
        await caller.hears("of your card")
        await caller.hears("Never mind")
        await caller.hangs_up()
    assert [(keyed.digits, keyed.ended_by) for keyed in checks.got] == [("", "timeout")]
    heard = [end for start, end in caller.carrier.truth.sounds(0.3) if end < checks.at[0]][-1]
    assert checks.at[0] - heard == pytest.approx(3.0, abs=0.6)


async def test_speech_ends_the_collecting_with_what_was_entered_so_far(line: Line) -> None:
    checks = Checks(prompt="Please enter your pin.")
    async with line(script(calls("check"), "No matter.", "No matter."), [checks.tool()]) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("check my pin")
        await caller.hears("your pin")
        await caller.presses("12")
        await caller.says("I have forgotten the rest of it")
        await caller.hears("No matter")
        await caller.hangs_up()
    assert [(keyed.digits, keyed.ended_by) for keyed in checks.got] == [("12", "speech")]
    assert turns(caller)[-1].endswith("I have forgotten the rest of it")


async def test_a_prompt_outside_of_a_tool_is_cut_by_the_first_key(line: Line) -> None:
    async with line(script("Never said."), greeting="") as caller:
        await caller.waits(0.2)
        waiting = asyncio.ensure_future(caller.call.collect_digits(prompt=MENU, terminator="", timeout=1.0))
        await caller.waits(2.0)
        await caller.presses("12")
        keyed = await waiting
        await caller.waits(0.5)
        assert (keyed.digits, keyed.ended_by) == ("12", "timeout")
        assert caller.call.conversation[0].interrupted
        await caller.presses("5")
        await caller.waits(0.1)
        await caller.hangs_up()
    assert said(caller, "user") == ["[keys: 5]"]  # after it keys are the caller's turn again


async def test_only_one_may_wait_for_keys(line: Line) -> None:
    async with line(script("Never said.")) as caller:
        await caller.hears("Corner Coffee")
        waiting = asyncio.ensure_future(caller.call.collect_digits())
        await caller.waits(0.1)
        with pytest.raises(VoiceloopError, match="waits for keys already: one at a time"):
            await caller.call.collect_digits()
        await caller.presses("7#")
        assert (await waiting).digits == "7"
        await caller.hangs_up()


async def test_who_gives_up_waiting_leaves_the_keys_to_the_turn(line: Line) -> None:
    async with line(script("Seven.")) as caller:
        await caller.hears("Corner Coffee")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await caller.call.collect_digits(secret=True)
        assert not caller.call.keypad.waiting
        assert not caller.call.keypad.secret
        await caller.presses("7#")
        await caller.hears("Seven")
        assert turns(caller) == ["[keys: 7]"]
        await caller.hangs_up()


async def test_the_end_of_the_call_ends_the_collecting(line: Line) -> None:
    async with line(script("Never said.")) as caller:
        await caller.hears("Corner Coffee")
        waiting = asyncio.ensure_future(caller.call.collect_digits())
        await caller.presses("7")
        await caller.hangs_up()
        keyed = await waiting
        assert (keyed.digits, keyed.ended_by) == ("7", "call")
        with pytest.raises((VoiceloopError, NotRunning)):
            await caller.call.collect_digits()


async def test_limits_that_cannot_be_are_refused(line: Line) -> None:
    async with line(script("Never said.")) as caller:
        await caller.hears("Corner Coffee")
        with pytest.raises(ValueError, match="first is in seconds"):
            await caller.call.collect_digits(first=0.0)
        with pytest.raises(ValueError, match="count is a number of keys"):
            await caller.call.collect_digits(count=100)
        assert not caller.call.keypad.waiting
        await caller.hangs_up()


async def test_without_turn_taking_nobody_can_collect(lexicon: Lexicon) -> None:
    def bot(call: Call) -> Pipeline:
        return Pipeline([call.transport, AudioStreamer()])

    async with dial(bot, lexicon=lexicon) as caller:
        await caller.waits(0.2)
        with pytest.raises(VoiceloopError, match="needs a running call with TurnTaking"):
            await caller.call.collect_digits()
        await caller.hangs_up()

"""Tools and handlers of the user's own that raise, hold the loop, or never end; and what becomes of the call."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import CallerAudio, Digit, Text, UserTurn
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.stream import Stream
from voiceloop.testing.dial import dial
from voiceloop.testing.faulty import (
    FaultyCode,
    FaultyTool,
    HandlerFault,
    ToolFault,
    break_bot,
    break_handlers,
    own_handlers,
    own_tools,
)
from voiceloop.testing.scripted import ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.tools import as_tool, tool
from voiceloop.tools.run import run
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD


async def price(drink: str, size: int = 2) -> str:
    """Look up what a drink costs.

    Args:
        drink: by its name.
    """
    return f"{drink} {size}"


def hours(call: Call, day: str) -> str:
    """When it is open."""
    return day


class Shop:
    def stock(self, drink: str) -> int:
        """How much is left."""
        return len(drink)

    @tool(name="order", timeout=3.0)
    async def book(self, drink: str) -> str:
        """Order a drink."""
        return f"ordered {drink}"


TOOLS: dict[str, Callable[[], Any]] = {
    "async": lambda: price,
    "plain": lambda: hours,
    "method": lambda: Shop().stock,
    "tool": lambda: Shop().book,
    "partial": lambda: partial(price, size=3),
}


# --- tools --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TOOLS)
async def test_a_faulty_tool_looks_the_same_to_a_model_and_works_when_nothing_is_wrong(kind: str) -> None:
    made = TOOLS[kind]()
    sound, faulty = as_tool(made), FaultyTool(made, [ToolFault("raise", number=99)])
    assert faulty.spec == sound.spec
    assert (faulty.name, faulty.options, faulty.in_thread, faulty.needs_call) == (
        sound.name,
        sound.options,
        sound.in_thread,
        sound.needs_call,
    )
    assert as_tool(faulty) is faulty
    arguments = '{"day": "Monday"}' if kind == "plain" else '{"drink": "tea"}'
    call: Any = object()
    assert await run(faulty, arguments, call=call, id="1") == await run(sound, arguments, call=call, id="1")


async def test_a_faulty_tool_of_a_class_is_bound_to_its_object() -> None:
    class Bar:
        order = FaultyTool(Shop.__dict__["book"], [ToolFault("raise", number=1)])

    bound = Bar().order
    assert (await run(bound, '{"drink": "tea"}')).result.text == "ordered tea"
    assert (await run(Bar().order, '{"drink": "tea"}')).result.text == "order failed: RuntimeError: broken, as told"


@pytest.mark.parametrize("made", [price, Shop().stock])
@pytest.mark.parametrize(
    ("fault", "says", "seconds"),
    [
        (ToolFault("raise", number=1), "failed: RuntimeError: broken, as told", 0.0),
        (ToolFault("cancelled", number=1), "", 0.0),
        (ToolFault("exit", number=1), "failed: SystemExit: as told", 0.0),
        (ToolFault("slow", 2.5, number=1), "", 2.5),
        (ToolFault("hang", number=1), "gave nothing within 20 s", 20.0),
        (ToolFault("deaf", 30.0, number=1), "gave nothing within 20 s", 21.0),
        (ToolFault("odd result", number=1), "", 0.0),
        (ToolFault("huge result", number=1), "xxxx", 0.0),
    ],
)
async def test_only_the_call_it_names_goes_wrong(made: Any, fault: ToolFault, says: str, seconds: float) -> None:
    faulty = FaultyTool(made, [fault])
    good = (await run(faulty, '{"drink": "tea"}')).result.text
    began = asyncio.get_running_loop().time()
    outcome = await run(faulty, '{"drink": "tea"}')
    assert asyncio.get_running_loop().time() - began == pytest.approx(seconds)
    assert says in outcome.result.text
    assert (outcome.result.text == good) == (fault.what == "slow")
    assert faulty.code.injected == [(began, fault)]
    faulty.code.let_go()
    assert (await run(faulty, '{"drink": "tea"}')).result.text == good
    await asyncio.sleep(20.0)  # what is deaf ends by itself, too


async def test_a_tool_that_blocks_holds_the_loop() -> None:
    loop = asyncio.get_running_loop()
    ticks: list[float] = []
    loop.call_later(0.1, lambda: ticks.append(loop.time()))
    faulty = FaultyTool(price, [ToolFault("block", 0.4)])
    assert (await run(faulty, '{"drink": "tea"}')).result.text == "tea 2"
    assert loop.time() == pytest.approx(0.4)
    await asyncio.sleep(0.01)
    assert ticks == [pytest.approx(0.4)]


@pytest.mark.realtime
async def test_in_real_time_a_tool_that_blocks_holds_the_loop_as_well() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await FaultyTool(price, [ToolFault("block", 0.05)])("tea")
    assert loop.time() - began >= 0.045


# --- handlers -----------------------------------------------------------------------------------------------


class Own(Processor):
    """A stage of the user's own, with a handler of each kind."""

    def __init__(self) -> None:
        self.digits = ""
        self.turns: list[str] = []

    async def stop(self) -> None:
        """Give nothing back."""

    def on_digit(self, digit: Digit) -> None:
        self.digits += digit.digit

    async def on_user_turn(self, turn: UserTurn) -> None:
        self.turns.append(turn.text)

    async def on_text(self, text: Stream[Text]) -> None:
        async for piece in text:
            self.push(piece)


class OwnTurns(TurnTaking):
    """The library's stage, with one handler more."""

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Look."""


class Talk:
    """A call with a bot of one's own, in which keys are pressed and two questions asked."""

    def __init__(self, *faults: HandlerFault | ToolFault) -> None:
        self.own: list[Own] = []
        self.bot, self.code = break_bot(self._bot, faults)
        self.heard = ""

    def _bot(self, call: Call) -> Pipeline:
        lexicon = Lexicon()
        own = Own()
        self.own.append(own)
        return Pipeline(
            [
                call.transport,
                EnergyVAD(),
                ScriptedSTT(lexicon),
                OwnTurns("Hello!"),
                LLMAggregator(script("Okay."), tools=[price, call.hang_up]),
                own,
                ScriptedTTS(lexicon),
                AudioStreamer(),
            ]
        )

    async def report(self) -> CallReport:
        lexicon = Lexicon()
        llm = script((calls("price", drink="tea"),), "It is four.", (calls("price", drink="tea"),), "It is five.")
        try:
            async with dial(self.bot, lexicon=lexicon, silence=6.0, invariants=None, llm=llm) as caller:
                await caller.hears("Hello!")
                await caller.presses("12")
                for question in ("what is tea", "what is coffee"):
                    await caller.says(question)
                    await caller.hears(timeout=60)
                report = await caller.hangs_up()
                self.heard = lexicon.text(bytes(caller.carrier.heard)).removeprefix("Hello! ")
        finally:
            self.code.let_go()
            await asyncio.sleep(0)
        return report


SORRY = "Sorry, something went wrong. Could you say that again?"


@pytest.mark.parametrize(
    ("fault", "heard", "kinds"),
    [
        (HandlerFault("raise", handler="on_digit"), "It is four. It is five.", ["Own.on_digit"]),
        (HandlerFault("cancelled", handler="on_digit"), "It is four. It is five.", ["Own.on_digit"]),
        (HandlerFault("block", 0.3, handler="on_digit"), "It is four. It is five.", []),
        (
            HandlerFault("raise", handler="on_user_turn", processor="Own"),
            "It is four. It is five.",
            ["Own.on_user_turn"],
        ),
        (HandlerFault("hang", handler="on_user_turn", processor="Own"), "It is four. It is five.", []),
        (HandlerFault("raise", handler="on_text"), f"{SORRY} It is five.", ["Own.on_text"]),
        (HandlerFault("cancelled", handler="on_text"), f"{SORRY} It is five.", ["Own.on_text"]),
        (HandlerFault("slow", 2.0, handler="on_text"), "It is four. It is five.", []),
        (HandlerFault("hang", handler="on_text"), f"{SORRY} It is five.", ["model.silent"]),
        (HandlerFault("deaf", 30.0, handler="on_text"), f"{SORRY} It is five.", ["model.silent"]),
        (HandlerFault("block", 0.4, number=100, handler="on_caller_audio"), "It is four. It is five.", []),
        (HandlerFault("raise", handler="stop", processor="Own"), "It is four. It is five.", ["Own.stop"]),
        (ToolFault("raise"), "It is four. It is five.", ["tool.price"]),
        (ToolFault("block", 0.4, tool="price"), "It is four. It is five.", []),
        (ToolFault("slow", 3.0), "One moment, please. It is four. It is five.", []),
        (ToolFault("cancelled"), "It is four. It is five.", ["tool.price.cancelled"]),
    ],
)
async def test_what_becomes_of_a_call_when_code_of_the_bot_goes_wrong(
    fault: HandlerFault | ToolFault, heard: str, kinds: list[str]
) -> None:
    talk = Talk(fault)
    report = await talk.report()
    assert [each.fault for each in talk.code.injected] == [fault]
    assert talk.heard == heard
    assert [each.kind for each in report.faults if each.kind != "abandoned"] == kinds
    assert report.reason == "caller hung up"


async def test_a_handler_that_always_raises_ends_the_call_with_a_goodbye() -> None:
    talk = Talk(HandlerFault("raise", number=None, handler="on_caller_audio"))
    async with dial(talk.bot, invariants=None) as caller:
        report = await caller.report()
    assert report.reason == "failed"
    assert report.duration < 7.0
    assert {fault.kind for fault in report.faults} == {"OwnTurns.on_caller_audio"}


async def test_handlers_run_once_and_as_before_when_nothing_is_wrong_with_them() -> None:
    talk = Talk(HandlerFault("raise", number=9_999), ToolFault("raise", number=99))
    await talk.report()
    assert (talk.heard, talk.code.injected) == ("It is four. It is five.", [])
    assert (talk.own[0].digits, talk.own[0].turns) == ("12", ["[keys: 12] what is tea", "what is coffee"])


def test_what_is_written_outside_the_library_is_found() -> None:
    assert own_handlers(Own()) == ["on_digit", "on_text", "on_user_turn"]
    assert own_handlers(OwnTurns()) == ["on_caller_audio"]
    assert own_handlers(TurnTaking()) == []
    call: Any = Call(Own())
    assert list(own_tools(Talk()._bot(call))) == ["price"]


def test_faults_that_cannot_be_are_refused_and_those_of_others_passed_over() -> None:
    own = Own()
    with pytest.raises(ValueError, match="Own has no handler 'on_mark'; it has on_digit, on_text, on_user_turn, stop"):
        break_handlers(own, [HandlerFault("raise", processor="Own", handler="on_mark")])
    with pytest.raises(ValueError, match=r"Own\.on_digit is a plain def and cannot wait"):
        break_handlers(own, [HandlerFault("hang", handler="on_digit")])
    break_handlers(own, [HandlerFault("raise", processor="Other"), HandlerFault("raise", handler="on_mark")])
    assert "on_digit" not in vars(own)


async def test_a_broken_processor_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        own = Own()
        break_handlers(own, [HandlerFault("raise", number=None), HandlerFault("raise", handler="stop")])
        with pytest.raises(RuntimeError, match="broken, as told"):
            own.on_digit(Digit("1", 0.0))
        gone = weakref.ref(own)
        del own
        assert gone() is None
    finally:
        gc.enable()


async def test_of_several_faults_of_one_call_the_first_happens_and_all_are_counted() -> None:
    code = FaultyCode([ToolFault("raise", number=1), ToolFault("slow", 1.0, number=None), ToolFault("exit", number=2)])
    met = [code.meet(lambda fault: True) for _ in range(3)]
    assert [fault and fault.what for fault in met] == ["slow", "raise", "slow"]

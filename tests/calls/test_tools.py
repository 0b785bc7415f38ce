"""The model asks for tools in the middle of an answer, in whole calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from voiceloop.answer import Answer
from voiceloop.call import Call
from voiceloop.call_record import Record
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.aggregator import LLMAggregator, LLMOptions
from voiceloop.llm.base import LLM, Echo, Item, ToolSpec, Usage
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS, script
from voiceloop.testing.dial import dial
from voiceloop.tools import ToolError
from voiceloop.tts.base import TTS, Speech
from voiceloop.tts.processor import TTSProcessor
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Round = Sequence[Item | float | Exception]


class Model(LLM):
    """Yields the items of one round each time it is asked; a number waits for so many seconds."""

    takes_tools = True

    def __init__(self, *rounds: Round) -> None:
        self.rounds = rounds
        self.requests: list[list[Message]] = []
        self.offered: list[Sequence[ToolSpec]] = []

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        self.requests.append([Message(m.role, m.text, calls=m.calls, results=m.results, echo=m.echo) for m in messages])
        self.offered.append(tools)
        for item in self.rounds[min(len(self.requests), len(self.rounds)) - 1]:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, float):
                await asyncio.sleep(item)
            else:
                yield item

    def asked(self, index: int) -> list[str]:
        """The messages of a request as lines."""
        return [str(message) for message in self.requests[index]]


def asks(name: str, arguments: str = "", id: str = "t1") -> ToolCall:
    """A call of a tool."""
    return ToolCall(id, name, arguments)


Dial = Callable[..., Any]


@pytest.fixture
def line(lexicon: Lexicon) -> Dial:
    """``line(model, [tools])`` is a call with a bot whose model has tools."""

    def call(model: LLM, tools: Any, options: LLMOptions | None = None, **more: Any) -> Any:
        def bot(call: Call) -> Pipeline:
            offered = tools(call) if callable(tools) else tools
            llm = LLMAggregator(model, tools=offered, options=options)
            voice = ScriptedTTS(lexicon)
            turns = TurnTaking(endpointing=FixedSilence())
            return Pipeline([call.transport, EnergyVAD(), ScriptedSTT(lexicon), turns, llm, voice, AudioStreamer()])

        return dial(bot, llm=model, lexicon=lexicon, silence=1.0, **more)

    return call


async def price(drink: str) -> str:
    """Look up what a drink costs."""
    await asyncio.sleep(0.3)
    return f"{drink}: four dollars"


def slowly(seconds: float) -> Callable[[str], Any]:
    async def price(drink: str) -> str:
        """Look up what a drink costs."""
        await asyncio.sleep(seconds)
        return "four dollars"

    return price


async def test_the_result_of_a_tool_is_spoken_in_the_same_answer_and_both_are_remembered(line: Dial) -> None:
    model = Model(
        ["Let me look.", asks("price", '{"drink": "latte"}'), Usage(10, 5)], ["It is four dollars."], ["Bye."]
    )
    async with line(model, [price]) as caller:
        await caller.says("what is a latte")
        reply = await caller.hears()
        assert reply.text == "Let me look. It is four dollars."
        await caller.says("thank you")
        await caller.hears("Bye.")
        report = await caller.hangs_up()
    assert [spec.name for spec in model.offered[0]] == ["price"]
    said = ["user: what is a latte", 'assistant: Let me look. [price({"drink": "latte"})]']
    assert model.asked(1) == [*said, "tool: [latte: four dollars]"]
    assert model.asked(2)[2:] == ["tool: [latte: four dollars]", "assistant: It is four dollars.", "user: thank you"]
    assert model.asked(2)[:2] == said
    assert report.turns[0].heard == "Let me look. It is four dollars."
    assert report.faults == []


async def test_several_tools_run_at_once(line: Dial) -> None:
    def either(seconds: float) -> Any:
        return slowly(seconds)

    model = Model(
        [asks("price", '{"drink": "tea"}', "a"), asks("price", '{"drink": "coffee"}', "b")], ["Both are four."]
    )
    async with line(model, [price]) as caller:
        await caller.says("what are tea and coffee")
        reply = await caller.hears("Both are four.")
        assert reply.latency == pytest.approx(0.5 + 0.3, abs=0.05)
        await caller.hangs_up()
    results = model.requests[1][-1].results
    assert [(result.id, result.text) for result in results] == [
        ("a", "tea: four dollars"),
        ("b", "coffee: four dollars"),
    ]


async def test_the_caller_is_told_when_a_tool_is_slow_and_told_again(line: Dial, heard: Any) -> None:
    model = Model([asks("price", '{"drink": "tea"}')], ["Four dollars."])
    async with line(model, [slowly(11.0)], LLMOptions(slow=1.5, slow_again=6.0)) as caller:
        await caller.says("what is tea")
        started = caller.carrier.truth.time_of(len(caller.carrier.said))
        first = await caller.hears("One moment, please.", timeout=5)
        assert first.started - started == pytest.approx(0.5 + 1.5, abs=0.2)
        await caller.hears("I'm still working on it.", timeout=12)
        await caller.hears("Four dollars.", timeout=12)
        report = await caller.hangs_up()
    assert report.faults == []
    assert report.turns[0].heard == "One moment, please. I'm still working on it. Four dollars."


async def test_a_tool_may_take_longer_than_an_answer_may_be_silent(line: Dial) -> None:
    model = Model(["Let me look.", asks("price", '{"drink": "tea"}')], ["Four dollars."])
    async with line(model, [slowly(19.0)], LLMOptions(slow=100.0)) as caller:
        await caller.says("what is tea")
        await caller.hears("Let me look.")
        await caller.hears("Four dollars.", timeout=30)
        report = await caller.hangs_up()
    assert report.faults == []


class Thoughtful(TTS):
    """A voice that takes half a second for each piece of text."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        async for piece in text:
            await asyncio.sleep(0.5)
            yield Speech(self.lexicon.speak(piece)[0])


@pytest.mark.parametrize("seconds", [5.4, 5.6, 5.8, 6.1])
async def test_a_voice_that_waited_for_a_tool_has_its_time_for_what_comes_then(
    lexicon: Lexicon, seconds: float
) -> None:
    def bot(call: Call) -> Pipeline:
        llm = LLMAggregator(model, tools=[slowly(seconds)], options=LLMOptions(slow=100.0))
        voice = TTSProcessor(Thoughtful(lexicon))
        return Pipeline([call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(), llm, voice, AudioStreamer()])

    model = Model(["Let me look.", asks("price", '{"drink": "tea"}')], ["Four dollars."])
    async with dial(bot, llm=model, tts=Thoughtful(lexicon), lexicon=lexicon, silence=1.0) as caller:
        await caller.says("what is tea")
        await caller.hears("Let me look.")
        await caller.hears("Four dollars.", timeout=30)
        report = await caller.hangs_up()
    assert report.faults == []


async def test_the_caller_is_not_told_while_they_still_hear_the_agent(line: Dial, heard: Any) -> None:
    model = Model(
        ["I will look into the big book of all the prices now.", asks("price", '{"drink": "tea"}')], ["Four dollars."]
    )
    async with line(model, [slowly(2.5)]) as caller:
        await caller.says("what is tea")
        await caller.hears("Four dollars.", timeout=20)
        await caller.hangs_up()
    assert "One moment" not in heard(caller)


async def test_what_goes_wrong_in_a_tool_goes_back_to_the_model(line: Dial) -> None:
    def broken(drink: str) -> str:
        """Look up what a drink costs."""
        raise ToolError(f"There is no {drink} on the menu.")

    model = Model([asks("broken", '{"drink": "wine"}')], ["We have no wine."])
    async with line(model, [broken]) as caller:
        await caller.says("what is wine")
        await caller.hears("We have no wine.")
        await caller.hangs_up()
    (result,) = model.requests[1][-1].results
    assert result.error
    assert "no wine on the menu" in result.text


async def test_no_interruption_ends_a_tool_and_its_result_is_remembered(line: Dial) -> None:
    booked: list[str] = []

    async def book(drink: str) -> str:
        """Order a drink."""
        await asyncio.sleep(3.0)
        booked.append(drink)
        return "ordered"

    model = Model(
        ["I order that for you right now and here.", asks("book", '{"drink": "tea"}')], ["All right."], ["Yes, a tea."]
    )
    async with line(model, [book]) as caller:
        await caller.says("one tea please")
        await caller.interrupts("wait a moment", after=0.6)
        await caller.hears("All right.")
        assert "still running" in model.asked(1)[2]
        await caller.waits(3.0)
        assert booked == ["tea"]
        await caller.says("did you order")
        await caller.hears("Yes, a tea.")
        await caller.hangs_up()
    assert "tool: [ordered]" in model.asked(2)
    cut = next(message for message in caller.call.conversation if message.interrupted)
    assert f"{cut.text} {cut.unheard}" == "I order that for you right now and here."


async def test_what_the_agent_says_while_a_tool_runs_stands_in_front_of_it(line: Dial) -> None:
    def tools(call: Call) -> list[Any]:
        async def price(drink: str) -> str:
            """Look up what a drink costs."""
            call.say("Let me see.")
            await asyncio.sleep(1.4)
            return "four dollars"

        return [price]

    model = Model([asks("price", '{"drink": "tea"}')], ["It is four."], ["Bye."])
    async with line(model, tools) as caller:
        await caller.says("what is tea")
        await caller.hears("It is four.")
        await caller.says("thank you")
        await caller.hears("Bye.")
        await caller.hangs_up()
    # The results stand last: that is what the model goes on from, and a service may take nothing else.
    assert model.asked(1) == [
        "user: what is tea",
        'assistant: Let me see. [price({"drink": "tea"})]',
        "tool: [four dollars]",
    ]
    # What was heard is remembered in the order in which it was.
    assert model.asked(2) == [
        "user: what is tea",
        'assistant: [price({"drink": "tea"})]',
        "tool: [four dollars]",
        "assistant: Let me see.",
        "assistant: It is four.",
        "user: thank you",
    ]


def test_an_answer_that_is_heard_behind_another_is_remembered_behind_it() -> None:
    record, looking, other = Record("call"), Answer(1), Answer(2)
    record.conversation.add("user", "what is tea")
    looking.text = "I look it up."
    made = record.note_tools(looking, (asks("price"),), None)
    made.given.results = (ToolResult("t1", "four dollars"),)
    record.remember(other, "We close at nine.", "", False)  # its audio was there first
    record.remember(looking, "I look", "it up.", False)
    assert [str(message) for message in record.conversation] == [
        "user: what is tea",
        "assistant: We close at nine.",
        "assistant: I look [cut: it up.]",
        "assistant: [price()]",
        "tool: [four dollars]",
    ]


def test_what_the_caller_said_behind_an_answer_stays_behind_it() -> None:
    record, looking = Record("call"), Answer(1)
    looking.text = "I look it up."
    record.note_tools(looking, (asks("price"),), None)
    record.conversation.add("user", "hello")
    record.remember(looking, "I", "look it up.", True)
    roles = [message.role for message in record.conversation]
    assert roles == ["assistant", "assistant", "tool", "user"]


async def test_signed_thoughts_go_back_with_the_results_and_no_further(line: Dial) -> None:
    model = Model([asks("price", '{"drink": "tea"}'), Echo({"signed": 1})], ["Four dollars."], ["Bye."])
    async with line(model, [price]) as caller:
        await caller.says("what is tea")
        await caller.hears("Four dollars.")
        await caller.says("thank you")
        await caller.hears("Bye.")
        await caller.hangs_up()
    assert [message.echo for message in model.requests[1]] == [None, {"signed": 1}, None]
    assert [message.echo for message in model.requests[2]] == [None] * len(model.requests[2])


async def test_a_model_that_asks_again_and_again_is_told_to_answer(line: Dial) -> None:
    rounds: list[Round] = [[asks("price", '{"drink": "tea"}', f"t{number}")] for number in range(4)]
    model = Model(*rounds, ["Four dollars."])
    async with line(model, [price], LLMOptions(rounds=3)) as caller:
        await caller.says("what is tea")
        await caller.hears("Four dollars.")
        report = await caller.hangs_up()
    assert "Answer the caller now" in model.requests[4][-1].results[0].text
    assert report.faults == []


async def test_a_model_that_only_asks_fails_the_answer(line: Dial, heard: Any) -> None:
    model = Model([asks("price", '{"drink": "tea"}')])
    async with line(model, [price], LLMOptions(rounds=2)) as caller:
        await caller.says("what is tea")
        await caller.hears("Sorry, something went wrong")
        report = await caller.hangs_up()
    assert "asks for tools again and again" in report.faults[-1].message


async def test_the_model_hangs_up_when_its_goodbye_was_heard(line: Dial, heard: Callable[[Dialled], str]) -> None:
    model = Model(["Thank you and goodbye.", asks("hang_up")])
    async with line(model, lambda call: [call.hang_up]) as caller:
        await caller.says("that is all")
        report = await caller.report()
    assert heard(caller) == "Thank you and goodbye."
    assert report.reason == "completed"
    assert len(model.requests) == 1


async def test_a_model_that_hangs_up_without_a_word_says_goodbye_all_the_same(
    line: Dial, heard: Callable[[Dialled], str]
) -> None:
    model = Model([asks("hang_up")], [])
    async with line(model, lambda call: [call.hang_up]) as caller:
        await caller.says("that is all")
        report = await caller.report()
    assert heard(caller) == "Goodbye."
    assert report.reason == "completed"


async def test_a_model_that_has_hung_up_is_asked_for_a_last_word_once(
    line: Dial, heard: Callable[[Dialled], str]
) -> None:
    model = Model([asks("hang_up")], [asks("price", '{"drink": "tea"}', "t2")], ["More."])
    async with line(model, lambda call: [call.hang_up, price]) as caller:
        await caller.says("that is all")
        report = await caller.report()
    assert heard(caller) == "Goodbye."
    assert len(model.requests) == 2
    assert report.reason == "completed"


async def test_a_model_that_hangs_up_while_another_tool_is_slow_says_goodbye_meanwhile(
    line: Dial, heard: Callable[[Dialled], str]
) -> None:
    model = Model([asks("price", '{"drink": "tea"}'), asks("hang_up", id="t2")], ["More."])
    async with line(model, lambda call: [call.hang_up, slowly(12.0)]) as caller:
        await caller.says("that is all")
        report = await caller.report()
    assert heard(caller) == "Goodbye."
    assert (report.reason, report.faults) == ("completed", [])
    assert [result.text for result in report.conversation[-2].results] == ["four dollars", "done"]
    assert len(model.requests) == 1


async def test_the_model_hands_the_call_over(line: Dial, heard: Callable[[Dialled], str]) -> None:
    handed: list[str] = []

    class Exchange:
        async def transfer(self, call_id: str, to: str) -> None:
            handed.append(to)

    model = Model(["I connect you.", asks("transfer", '{"to": "+14155550100", "announce": "Ann will help you."}')])

    def tools(call: Call) -> list[Any]:
        call.carrier = Exchange()
        return [call.transfer, call.send_digits]

    async with line(model, tools) as caller:
        await caller.says("a person please")
        report = await caller.report()
    assert report.reason == "transferred"
    assert handed == ["+14155550100"]
    assert heard(caller) == "I connect you. Ann will help you."
    assert {spec.name for spec in model.offered[0]} == {"transfer", "send_digits"}
    described = {spec.name: spec.parameters["properties"] for spec in model.offered[0]}
    assert "country code" in described["transfer"]["to"]["description"]


async def test_tools_for_a_model_that_has_none_are_refused_before_the_first_word(line: Dial) -> None:
    class Plain(Model):
        takes_tools = False

    async with line(Plain(["Hi."]), [price]) as caller:
        report = await caller.report()
    assert report.reason == "failed"
    assert "Plain cannot be offered tools (price)" in report.faults[0].message


async def test_a_model_that_fails_behind_a_tool_is_asked_again(line: Dial) -> None:
    model = Model([asks("price", '{"drink": "tea"}')], [ConnectionError("broken")], ["Four dollars."])
    async with line(model, [price]) as caller:
        await caller.says("what is tea")
        await caller.hears("Four dollars.")
        report = await caller.hangs_up()
    assert [fault.kind for fault in report.faults] == ["Model.failed"]


async def test_hanging_up_while_a_tool_runs_leaves_nothing(line: Dial) -> None:
    model = Model(["Let me look.", asks("price", '{"drink": "tea"}')], ["Four dollars."])
    async with line(model, [slowly(15.0)]) as caller:
        await caller.says("what is tea")
        await caller.hears("Let me look.")
        report = await caller.hangs_up()
    assert report.abandoned == []
    assert report.reason == "caller hung up"


async def test_requests_that_were_cut_are_counted_by_their_length(line: Dial) -> None:
    long = "We have coffee and tea and cake and bread and soup for everyone until the evening of the last day."
    model = Model([long, 5.0, Usage(1, 1)], ["Sure."])
    async with line(model, []) as caller:
        await caller.says("what do you have")
        await caller.interrupts("wait stop", after=1.0)
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert report.usage["llm.estimated_requests"] == 2  # "Sure." came without counts, too
    assert report.usage["llm.output_tokens"] == -(-len(long) // 4) + 2


def test_a_function_that_cannot_be_a_tool_is_an_error_when_the_bot_is_made() -> None:
    def untyped(drink) -> str:  # type: ignore[no-untyped-def]
        """Look up what a drink costs."""
        return ""

    with pytest.raises(Exception, match="drink"):
        LLMAggregator(script("Hi."), tools=[untyped])

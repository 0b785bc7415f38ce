"""`OpenAILLM` and tools: what it is told, what it asks for in whatever form, and what goes back."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, SileroVAD, TurnTaking
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import ModelError
from voiceloop.llm.base import ToolSpec, Usage
from voiceloop.llm.openai import OpenAILLM, OpenAIOptions
from voiceloop.llm.openai_stream import AnswerReader
from voiceloop.llm.openai_tools import CallReader, message_bodies, refuses_tools, rounds
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.openai import OpenAISim, Reply
from voiceloop.testing import ScriptedSTT, ScriptedTTS
from voiceloop.tools import tool

PRICE = ToolSpec(
    "price",
    "What a drink costs.",
    {"type": "object", "properties": {"drink": {"type": "string"}}, "required": ["drink"]},
)
HOURS = ToolSpec("hours", "When it is open.")
ASK = [Message("system", "Be kind."), Message("user", "What is a latte?")]
LATTE = ("price", {"drink": "latte"})
MOCHA = ToolCall("call_7", "price", '{"drink": "mocha"}')


@asynccontextmanager
async def at(sim: OpenAISim, **options: Any) -> AsyncIterator[OpenAILLM]:
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url, options=OpenAIOptions(**options), connector=sim.connector)
        try:
            yield llm
        finally:
            await llm.aclose()


async def answer(llm: OpenAILLM, messages: Sequence[Message] = ASK, tools: Sequence[ToolSpec] = (PRICE, HOURS)) -> Any:
    """The text and the calls of an answer."""
    items = [item async for item in llm.respond(messages, tools)]
    return "".join(i for i in items if isinstance(i, str)), [i for i in items if isinstance(i, ToolCall)]


# --- what is asked ----------------------------------------------------------------------------------------------


async def test_tools_are_offered_in_openais_form() -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim, body={"tool_choice": "auto", "parallel_tool_calls": False}) as llm:
        await answer(llm)
        await answer(llm, tools=())
    offered, plain = (request.body for request in sim.requests)
    assert offered["tools"] == [
        {"type": "function", "function": {"name": s.name, "description": s.description, "parameters": s.parameters}}
        for s in (PRICE, HOURS)
    ]
    assert (offered["tool_choice"], offered["parallel_tool_calls"]) == ("auto", False)
    assert {"tools", "tool_choice", "parallel_tool_calls"} & plain.keys() == set()


def test_tools_in_the_body_are_refused() -> None:
    with pytest.raises(ValueError, match="body must not hold tools: the library sets that"):
        OpenAIOptions(body={"tools": []})


async def test_a_round_of_tools_goes_back_as_calls_and_results() -> None:
    sim = OpenAISim([Reply("Let me look.", tools=[LATTE, ("hours", {})]), "Four dollars."])
    async with at(sim) as llm:
        said, calls = await answer(llm)
        results = (ToolResult(calls[1].id, "always"), ToolResult(calls[0].id, "sold out", True))  # in any order
        later = [*ASK, Message("assistant", said, calls=tuple(calls)), Message("tool", "", results=results)]
        assert await answer(llm, later) == ("Four dollars.", [])
    assert sim.requests[1].body["messages"][2:] == [
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {
                    "id": "call_sim1",
                    "type": "function",
                    "function": {"name": "price", "arguments": '{"drink": "latte"}'},
                },
                {"id": "call_sim2", "type": "function", "function": {"name": "hours", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_sim1", "content": "Error: sold out"},
        {"role": "tool", "tool_call_id": "call_sim2", "content": "always"},
    ]


async def test_a_round_that_was_cut_is_completed_so_that_the_server_takes_it() -> None:
    sim = OpenAISim(["Yes."])
    messages = [
        Message("assistant", "Corner Coffee, hi!"),
        Message("user", "A mocha?"),
        Message("assistant", "Let me"),
        Message("assistant", "", calls=(MOCHA,)),
        Message("user", "Or no,"),
        Message("tool", "", results=(ToolResult("call_never", "lost"),)),
        Message("user", "a tea."),
    ]
    async with at(sim) as llm:
        assert await answer(llm, messages) == ("Yes.", [])
    sent = sim.requests[0].messages
    assert [(m.role, m.text) for m in sent if m.role != "tool"] == [
        ("user", "Hello?"),
        ("assistant", "Corner Coffee, hi!"),
        ("user", "A mocha?"),
        ("assistant", "Let me"),
        ("user", "Or no, a tea."),
    ]
    assert sent[3].calls == (MOCHA,)
    assert [result.error for result in sent[4].results] == [True]
    assert "cancelled" in sent[4].results[0].text


@pytest.mark.parametrize(
    ("name", "arguments", "sent"),
    [
        ("functions.price", '{"drink": ', ("functions_price", "{}")),
        ("x" * 200, "[1]", ("x" * 64, "{}")),
        ("price", "", ("price", "{}")),
        ("", "[" * 100_000, ("unknown", "{}")),
        ("price", '{"drink": "tea"}', ("price", '{"drink": "tea"}')),
    ],
)
async def test_what_a_model_wrote_wrong_does_not_spoil_the_rest_of_the_call(
    name: str, arguments: str, sent: tuple[str, str]
) -> None:
    sim = OpenAISim(["Sorry."])
    wrong = ToolCall("call_1", name, arguments)
    results = (ToolResult("call_1", "Nothing was run.", True),)
    async with at(sim) as llm:
        await answer(llm, [*ASK, Message("assistant", "", calls=(wrong,)), Message("tool", "", results=results)])
    (call,) = sim.requests[0].messages[2].calls
    assert (call.name, call.arguments) == sent


async def test_a_model_that_is_offered_none_is_not_told_of_earlier_ones() -> None:
    sim = OpenAISim(["Yes."])
    round_before = [
        Message("assistant", "Hm.", calls=(MOCHA,)),
        Message("tool", "", results=(ToolResult("call_7", "5"),)),
    ]
    async with at(sim) as llm:
        await answer(llm, [*ASK, *round_before, Message("user", "And?")], tools=())
    assert [m.role for m in sim.requests[0].messages] == ["system", "user", "assistant", "user"]


async def test_what_is_left_out_of_a_long_call_keeps_calls_and_results_together() -> None:
    sim = OpenAISim(["Yes."])
    turns: list[Message] = []
    for n in range(30):
        call = ToolCall(f"call_{n}", "price", json.dumps({"drink": "x" * 100}))
        turns += [
            Message("user", f"{n} " + "y" * 100),
            Message("assistant", "", calls=(call,)),
            Message("tool", "", results=(ToolResult(call.id, "z" * 100),)),
            Message("assistant", "It is four dollars."),
        ]
    async with at(sim, context=1500, max_tokens=100) as llm:
        for cut in range(len(turns) - 8, len(turns) + 1):
            assert await answer(llm, [*ASK[:1], *turns[:cut]]) == ("Yes.", [])  # the simulator refuses broken pairs
    assert max(len(request.messages) for request in sim.requests) < 40


ITEMS = st.lists(
    st.sampled_from(
        [
            Message("user", "u"),
            Message("assistant", "a"),
            Message("assistant", ""),
            Message("assistant", "b", calls=(MOCHA,)),
            Message("assistant", "", calls=(ToolCall("call_8", "hours"), ToolCall("call_9", "hours"))),
            Message("tool", "", results=(ToolResult("call_7", "r"),)),
            Message("tool", "", results=(ToolResult("call_9", "r"), ToolResult("call_8", "r"))),
        ]
    ),
    max_size=8,
)


@given(ITEMS)
async def test_any_conversation_becomes_one_that_openai_takes(messages: list[Message]) -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim) as llm:
        assert await answer(llm, messages) == ("Yes.", [])
    roles = [message["role"] for message in message_bodies(rounds(messages)) if message["role"] != "tool"]
    assert roles[0] == "user"
    assert not any(a == b == "user" for a, b in itertools.pairwise(roles))


async def test_tools_that_were_offered_are_read_ahead_with_the_instructions() -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim, prefill=True) as llm:
        await answer(llm)
        await llm.prepare(ASK[:1])
        await asyncio.sleep(1)
    assert [request.tools for request in sim.prefills] == [["price", "hours"]]


# --- what it asks for ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["pieces", "whole", "bare"])
@pytest.mark.parametrize("finish", ["", "stop"])
@pytest.mark.parametrize("streams", [True, False])
async def test_calls_are_read_in_every_form(form: Any, finish: str, streams: bool) -> None:
    sim = OpenAISim([Reply("", tools=[LATTE, ("hours", {}), LATTE], form=form, finish=finish)], streams=streams)
    async with at(sim) as llm:
        said, calls = await answer(llm)
    assert said == ""
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [LATTE, ("hours", {}), LATTE]
    assert len({call.id for call in calls}) == 3


async def test_text_comes_first_and_each_call_when_it_is_whole() -> None:
    sim = OpenAISim([Reply("Hm, well.", tools=[LATTE, ("hours", {})])], rate=10)
    async with at(sim) as llm:
        items = [item async for item in llm.respond(ASK, [PRICE, HOURS])]
    assert items == [
        "Hm,",
        " well.",
        ToolCall("call_sim1", "price", '{"drink": "latte"}'),
        ToolCall("call_sim2", "hours", "{}"),
        Usage(6, 9, 0),
    ]


async def test_a_model_that_was_offered_none_cannot_ask() -> None:
    async with at(OpenAISim([Reply("Four dollars.", tools=[LATTE]), Reply("", tools=[LATTE])])) as llm:
        assert await answer(llm, tools=()) == ("Four dollars.", [])
        with pytest.raises(ModelError, match="called a tool and said nothing, and no tool of that kind was offered"):
            await answer(llm, tools=())


async def test_a_call_that_is_cut_by_the_limit_is_an_error_that_says_so() -> None:
    async with at(OpenAISim([Reply("Hm.", tools=[LATTE])]), max_tokens=3) as llm:
        with pytest.raises(ModelError, match="reached max_tokens in the middle of what it asks of a tool: raise"):
            await answer(llm)


@pytest.mark.parametrize("fault", ["cut", "end", "error", "garbage"])
async def test_a_call_that_breaks_off_is_not_given_out(fault: Any) -> None:
    got = []
    async with at(OpenAISim([Reply("Hm.", tools=[LATTE, LATTE], fault=fault, after=8)])) as llm:
        with pytest.raises(ModelError):  # noqa: PT012
            async for item in llm.respond(ASK, [PRICE]):
                got.append(item)
    assert got == ["Hm.", ToolCall("call_sim1", "price", '{"drink": "latte"}')]


async def test_an_identifier_that_the_conversation_has_already_is_replaced() -> None:
    sim = OpenAISim(lambda messages: Reply("", tools=[LATTE]))
    before = [Message("assistant", "", calls=(ToolCall("call_sim2", "hours"),)), Message("tool", "")]
    async with at(sim) as llm:
        _, calls = await answer(llm, [*ASK, *before, Message("user", "And a latte?")])
    assert calls[0].id not in ("", "call_sim2")


def pieces(*deltas: Any) -> list[tuple[str, str, str]]:
    reader = CallReader(["call_1"])
    calls = [call for delta in deltas for call in reader.feed([delta])] + list(reader.end())
    return [(call.id, call.name, call.arguments) for call in calls]


def delta(index: Any = None, id: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        ([delta(0, "a", "price", ""), delta(0, None, None, '{"a":'), delta(0, None, None, "1}")],
         [("a", "price", '{"a":1}')]),
        ([delta(0, "a", "price", "{}"), delta(1, "b", "price", "{}")], [("a", "price", "{}"), ("b", "price", "{}")]),
        ([delta(0, "a", "price", "{}"), delta(0, "b", "price", "{}")], [("a", "price", "{}"), ("b", "price", "{}")]),
        ([delta(0, "a", "price", '{"a'), delta(0, "a", "price", '":1}')], [("a", "price", '{"a":1}')]),
        ([delta(0, "", "price", '{"a'), delta(0, "", "price", '":1}')], [("call_2", "price", '{"a":1}')]),
        ([delta(name="price", arguments={"a": 1}), delta(name="price", arguments={"a": 2})],
         [("call_2", "price", '{"a": 1}'), ("call_3", "price", '{"a": 2}')]),
        ([delta(name="price"), delta(name="hours")], [("call_2", "price", ""), ("call_3", "hours", "")]),
        ([delta(0, "call_1", "price", "{}"), delta(1, "call_1", "price", "{}")],
         [("call_2", "price", "{}"), ("call_3", "price", "{}")]),
        ([delta(0, "a", None, "{}")], []),
        ([None, 3, {"function": None}, {"index": 0}], []),
    ],
)  # fmt: skip
def test_pieces_are_put_together_by_whatever_they_have(deltas: list[Any], calls: list[tuple[str, str, str]]) -> None:
    assert pieces(*deltas) == calls


def test_calls_without_end_are_an_error() -> None:
    with pytest.raises(ModelError, match="more than 32 tools at once"):
        pieces(*(delta(n, str(n), "price", "{}") for n in range(40)))
    with pytest.raises(ModelError, match="more than 128 KiB of arguments"):
        pieces(delta(0, "a", "price", "{"), *(delta(0, None, None, "x" * 1000) for _ in range(200)))


KEYS = st.sampled_from(["index", "id", "function", "name", "arguments", "type"])
SMALL = st.none() | st.text(max_size=3) | st.integers(0, 2)


@given(st.recursive(SMALL, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_no_form_of_a_chunk_breaks_the_reading(calls: Any) -> None:
    reader = AnswerReader(CallReader())
    reader.chunk({"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]})
    assert all(isinstance(call, ToolCall) and call.id and call.name for call in reader.calls())


# --- servers without tools ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "registry.ollama.ai/library/gemma3:4b does not support tools"),
        (400, "Unsupported parameter: 'tools' is not supported with this model."),
        (404, "No endpoints found that support tool use. To learn more about provider routing, visit …"),
        (500, "tools param requires --jinja flag"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (400, "This model does not support function calling."),
    ],
)
async def test_a_server_that_takes_no_tools_is_told_from_others(status: int, said: str) -> None:
    async with at(OpenAISim([Reply(status=status, message=said), Reply(status=status, message=said)])) as llm:
        with pytest.raises(ModelError) as raised:
            await answer(llm)
        with pytest.raises(ModelError) as without:
            await answer(llm, tools=())
    assert f"'sim' cannot be offered tools (price, hours; status {status}): {said}" in str(raised.value)
    assert "Take a model that can, start the server so that it lets it, or offer none" in str(raised.value)
    assert "cannot be offered tools" not in str(without.value)


@pytest.mark.parametrize(
    "said",
    [
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
        "Unsupported parameter: 'max_tokens' is not supported with this model.",
        "Rate limit reached",
    ],
)
def test_other_refusals_are_not_taken_for_it(said: str) -> None:
    assert not refuses_tools(said)


# --- in a call ------------------------------------------------------------------------------------------------------


async def test_a_caller_asks_and_the_answer_holds_what_the_tool_gave(dial: Any) -> None:
    asked = []

    @tool
    async def price(drink: str) -> float:
        """What a drink costs."""
        asked.append(drink)
        return 4.5

    sim = OpenAISim([Reply("Let me look.", tools=[LATTE]), "Four fifty.", "Bye."])
    lexicon = Lexicon()
    async with at(sim, prefill=False) as llm:

        def bot(call: Call) -> Pipeline:
            talk = LLMAggregator(llm, tools=[price, call.hang_up])
            return Pipeline([call.transport, SileroVAD(), ScriptedSTT(lexicon), TurnTaking(greeting="Hi!"), talk,
                             ScriptedTTS(lexicon), AudioStreamer()])  # fmt: skip

        async with dial(bot, lexicon=lexicon, llm=llm) as caller:
            await caller.hears("Hi!")
            await caller.says("What is a latte?")
            reply = await caller.hears("fifty.")
            await caller.says("Thanks.")
            await caller.hears("Bye.")
            report = await caller.hangs_up()
    assert reply.text == "Let me look. Four fifty."
    assert asked == ["latte"]
    assert report.faults == []
    assert [request.tools for request in sim.requests] == [["price", "hang_up"]] * 3
    assert [result.text for m in sim.requests[1].messages for result in m.results] == ["4.5"]
    assert [m.role for m in sim.requests[2].messages].count("tool") == 1

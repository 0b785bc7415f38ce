"""`AnthropicLLM`: answers, tools, counts, the connection, what is read ahead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import ModelError
from voiceloop.llm.anthropic import AnthropicLLM, AnthropicOptions
from voiceloop.llm.base import Echo, Item, ToolSpec, Usage
from voiceloop.sim.anthropic import AnthropicSim, Reply, ToolUse
from voiceloop.sim.anthropic_wire import signature

pytest.importorskip("anthropic", reason="the extra anthropic is not installed")

PRICE = ToolSpec("price", "What a drink costs.", {"type": "object", "properties": {"drink": {"type": "string"}}})
ASKED = [Message("system", "Be kind."), Message("user", "A latte please.")]


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def model(sim: AnthropicSim, **options: Any) -> AsyncIterator[AnthropicLLM]:
    async with sim.listening() as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url, options=AnthropicOptions(**options))
        try:
            yield llm
        finally:
            await llm.aclose()


async def answer(llm: AnthropicLLM, messages: Sequence[Message] = ASKED, tools: Sequence[ToolSpec] = ()) -> list[Item]:
    async with aclosing(llm.respond(messages, tools)) as items:
        return [item async for item in items]


def text(items: Sequence[Item]) -> str:
    return "".join(item for item in items if isinstance(item, str))


async def test_text_comes_as_it_is_written() -> None:
    sim = AnthropicSim(["One large latte."], first=0.3, rate=20)
    async with model(sim) as llm:
        got = [(round(now(), 3), item) async for item in llm.respond(ASKED) if isinstance(item, str)]
    assert got == [(0.3, "One"), (0.35, " large"), (0.4, " latte.")]
    assert sim.requests[0].body == {
        "model": "claude-sim",
        "max_tokens": 500,
        "stream": True,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "A latte please.", "cache_control": {"type": "ephemeral", "ttl": "5m"}}
                ],
            }
        ],
    }


async def test_options_go_into_the_request() -> None:
    sim = AnthropicSim(["Yes."])
    options: dict[str, Any] = {
        "max_tokens": 77,
        "cache_ttl": None,
        "thinking": {"type": "disabled"},
        "body": {"temperature": 0, "stop_sequences": ["END"]},
        "headers": {"anthropic-beta": "fast-mode-2026-02-01"},
    }
    async with model(sim, **options) as llm:
        await answer(llm)
    body = sim.requests[0].body
    assert (body["max_tokens"], body["thinking"], body["temperature"]) == (77, {"type": "disabled"}, 0)
    assert body["stop_sequences"] == ["END"]
    assert "cache_control" not in str(body)
    assert sim.requests[0].headers["anthropic-beta"] == "fast-mode-2026-02-01"


# --- tools ------------------------------------------------------------------------------------------------------


async def test_a_tool_is_asked_for_as_soon_as_its_arguments_are_whole() -> None:
    tools = [ToolUse("price", {"drink": "latte"}, id="t1"), ToolUse("price", {"drink": "a long, long name"}, id="t2")]
    async with model(AnthropicSim([Reply("Let me see.", tools=tools)], rate=10)) as llm:
        got = [(now(), item) async for item in llm.respond(ASKED, [PRICE])]
    calls = [(when, item) for when, item in got if isinstance(item, ToolCall)]
    assert [call for _, call in calls] == [
        ToolCall("t1", "price", '{"drink": "latte"}'),
        ToolCall("t2", "price", '{"drink": "a long, long name"}'),
    ]
    assert calls[1][0] - calls[0][0] == pytest.approx(0.3)
    assert not any(isinstance(item, Echo) for _, item in got)


async def test_a_tool_without_arguments_has_none() -> None:
    async with model(AnthropicSim([Reply("", tools=[ToolUse("price", id="t1")])])) as llm:
        assert ToolCall("t1", "price", "") in await answer(llm, tools=[PRICE])


async def test_broken_arguments_are_passed_on_to_be_told_to_the_model() -> None:
    async with model(AnthropicSim([Reply("", tools=[ToolUse("price", '{"drink": latte}', id="t1")])])) as llm:
        assert ToolCall("t1", "price", '{"drink": latte}') in await answer(llm, tools=[PRICE])


async def test_arguments_cut_by_max_tokens_are_an_error_that_says_so() -> None:
    async with model(
        AnthropicSim([Reply("Hm", tools=[ToolUse("price", {"drink": "latte" * 9})])]), max_tokens=3
    ) as llm:
        with pytest.raises(ModelError, match="reached max_tokens while it asked for the tool 'price': raise"):
            await answer(llm, tools=[PRICE])


async def test_signed_thoughts_go_back_whole_with_the_results() -> None:
    first = Reply("Let me see.", thoughts="I must ask.", redacted="c2Vj", tools=[ToolUse("price", {"drink": "x"})])
    sim = AnthropicSim([first, "Four dollars."])
    async with model(sim) as llm:
        got = await answer(llm, tools=[PRICE])
        assert isinstance(got[-1], Echo)
        calls = tuple(item for item in got if isinstance(item, ToolCall))
        round_trip = [
            *ASKED,
            Message("assistant", text(got), calls=calls, echo=got[-1].content),
            Message("tool", "", results=(ToolResult(calls[0].id, "4"),)),
        ]
        assert text(await answer(llm, round_trip, [PRICE])) == "Four dollars."
    blocks = sim.requests[1].body["messages"][1]["content"]
    assert blocks == [
        {"type": "thinking", "thinking": "I must ask.", "signature": signature("I must ask.")},
        {"type": "redacted_thinking", "data": "c2Vj"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": calls[0].id, "name": "price", "input": {"drink": "x"}},
    ]


async def test_thoughts_are_neither_spoken_nor_given_back_without_tools() -> None:
    sim = AnthropicSim([Reply("Yes.", thoughts="Is it? It is.")])
    async with model(sim) as llm:
        got = await answer(llm)
    assert text(got) == "Yes."
    assert not any(isinstance(item, Echo) for item in got)


async def test_a_call_that_a_barge_in_cut_gets_the_result_cancelled() -> None:
    sim = AnthropicSim(["Fine."])
    asked = [
        *ASKED,
        Message("assistant", "Let me", calls=(ToolCall("t1", "price", "{}"),)),
        Message("user", "No, tea."),
    ]
    async with model(sim) as llm:
        await answer(llm, asked, [PRICE])
    assert sim.requests[0].messages[2:] == [
        Message("assistant", "Let me", calls=(ToolCall("t1", "price", "{}"),)),
        Message("tool", "", results=(ToolResult("t1", "cancelled", error=True),)),
        Message("user", "No, tea."),
    ]


# --- counts -----------------------------------------------------------------------------------------------------


async def test_the_input_is_counted_before_the_first_words_and_the_output_at_the_end() -> None:
    long = [Message("system", "Be kind. " * 1000), *ASKED[1:]]
    sim = AnthropicSim(["One large latte."])
    async with model(sim) as llm:
        first, second = await answer(llm, long), await answer(llm, long)
    assert [type(item) for item in first] == [Usage, str, str, str, Usage]
    start, end = first[0], first[-1]
    assert isinstance(start, Usage)
    assert start.input_tokens == start.cache_write_tokens > 2000
    assert (start.output_tokens, end) == (0, Usage(output_tokens=3))
    assert second[0] == Usage(start.input_tokens, cached_tokens=start.input_tokens)


# --- asking again -----------------------------------------------------------------------------------------------


async def when_asked(sim: AnthropicSim, **options: Any) -> tuple[list[float], list[Item] | ModelError]:
    """When it was asked, since the first time, and what came of it."""
    async with model(sim, **options) as llm:
        await llm.warm()
        start = now()
        try:
            got: list[Item] | ModelError = await answer(llm)
        except ModelError as error:
            got = error
    return [round(request.at - start, 3) for request in sim.requests], got


@pytest.mark.parametrize(
    "failing", [Reply(status=529), Reply(status=500), Reply(status=504), Reply("x", fault="error")], ids=str
)
async def test_what_passes_is_asked_again_before_anything_was_written(failing: Reply) -> None:
    times, got = await when_asked(AnthropicSim([failing, failing, "One latte."]))
    assert isinstance(got, list)
    assert text(got) == "One latte."
    assert times == [0.0, 0.2, 0.6]


@pytest.mark.parametrize("fault", ["reset", "cut"])
async def test_a_connection_that_breaks_before_anything_was_written_is_not_noticed(fault: Any) -> None:
    times, got = await when_asked(AnthropicSim([Reply("One", fault=fault), "One latte."]))
    assert isinstance(got, list)
    assert text(got) == "One latte."
    assert times[1] <= 0.2


async def test_a_wait_within_the_budget_is_kept_to() -> None:
    times, got = await when_asked(AnthropicSim([Reply(status=429, retry_after=1.5), "One latte."]))
    assert isinstance(got, list)
    assert times == [0.0, 1.5]


async def test_a_longer_wait_is_an_error_at_once_that_says_how_long() -> None:
    times, got = await when_asked(AnthropicSim([Reply(status=429, retry_after=30)]))
    assert times == [0.0]
    assert "it asks to wait 30 s; a caller does not wait so long (retry=2 s)" in str(got)


async def test_the_budget_ends_the_asking() -> None:
    times, got = await when_asked(AnthropicSim([Reply(status=529)]), retry=1.0)
    assert times == [0.0, 0.2, 0.6]
    assert str(got).endswith("the service is overloaded (529): Overloaded; asked 3 times in 1 s")


async def test_without_a_budget_it_is_asked_once() -> None:
    times, got = await when_asked(AnthropicSim([Reply(status=529)]), retry=0.0)
    assert (times, str(got)[-9:]) == ([0.0], "verloaded")


async def test_the_service_can_say_that_asking_again_is_no_use() -> None:
    times, _ = await when_asked(AnthropicSim([Reply(status=529, headers={"x-should-retry": "false"})]))
    assert times == [0.0]


@pytest.mark.parametrize("fault", ["reset", "cut", "error"])
async def test_once_something_was_written_it_is_not_asked_again(fault: Any) -> None:
    times, got = await when_asked(AnthropicSim([Reply("One latte.", fault=fault, after=1)]))
    assert times == [0.0]
    assert isinstance(got, ModelError)


async def test_a_call_that_was_asked_for_is_not_asked_for_twice() -> None:
    sim = AnthropicSim(
        [Reply("", tools=[ToolUse("price", {"a": 1}, id="t1"), ToolUse("price", {"a": 2})], fault="cut", after=1)]
    )
    async with model(sim) as llm:
        with pytest.raises(ModelError, match="no message_stop"):
            await answer(llm, tools=[PRICE])
    assert len(sim.requests) == 1


# --- the connection -----------------------------------------------------------------------------------------------


async def test_one_connection_serves_warming_and_all_answers() -> None:
    sim = AnthropicSim(["Yes."])
    async with model(sim) as llm:
        await llm.warm()
        await llm.warm()
        for _ in range(3):
            await answer(llm)
            await asyncio.sleep(20)
    assert (sim.connections, sim.lookups) == (1, 1)


async def leave(sim: AnthropicSim, llm: AnthropicLLM, *, cancel: bool) -> tuple[float, float]:
    """Leave an answer after its third word: how long it took here, and until the service knew."""
    words = 0
    third = asyncio.Event()

    async def read() -> None:
        nonlocal words
        async with aclosing(llm.respond(ASKED)) as items:
            async for item in items:
                words += isinstance(item, str)
                if words == 3:
                    third.set()
                    if not cancel:
                        return

    task = asyncio.create_task(read())
    await third.wait()
    start = now()
    if cancel:
        task.cancel()
    await asyncio.wait([task])
    here = now() - start
    await asyncio.sleep(0.05)
    left_at = sim.requests[-1].left_at
    assert left_at is not None
    return here, left_at - start


@pytest.mark.realtime
@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "closed"])
async def test_an_answer_is_left_within_ten_milliseconds_and_the_next_one_comes(cancel: bool) -> None:
    sim = AnthropicSim([*[Reply("and so on", repeat=100)] * 5, "Tea it is."], rate=50)
    async with model(sim) as llm:
        await llm.warm()
        took = [await leave(sim, llm, cancel=cancel) for _ in range(5)]
        assert text(await answer(llm)) == "Tea it is."
    here, there = (sorted(times)[2] for times in zip(*took, strict=True))
    logging.getLogger(__name__).info("left after %.2f ms, known there after %.2f ms", here * 1e3, there * 1e3)
    assert here < 0.010
    assert there < 0.010
    assert all(request.tokens < 20 for request in sim.requests[:5])


async def test_an_answer_under_way_fails_when_it_is_closed_and_the_next_use_opens_it_again() -> None:
    sim = AnthropicSim([Reply("and so on", repeat=100), "Yes."], rate=10)
    async with model(sim) as llm:
        task = asyncio.create_task(answer(llm))
        await asyncio.sleep(1)
        await llm.aclose()
        with pytest.raises(ModelError, match=r"it was closed, with aclose\(\), before the answer was complete"):
            await task
        assert text(await answer(llm)) == "Yes."


async def test_building_one_reads_nothing_and_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    llm = AnthropicLLM("claude-sim")
    assert "secret" not in repr(vars(llm))
    assert repr(llm) == "AnthropicLLM('claude-sim', base_url='https://api.anthropic.com')"
    await llm.aclose()


async def test_key_and_address_come_from_the_environment_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = AnthropicSim(["Yes."], key="sk-ant-right")
    async with sim.listening() as base_url:
        for name, value in {
            "ANTHROPIC_API_KEY": "sk-ant-right",
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_AUTH_TOKEN": "wrong",
            "ANTHROPIC_PROFILE": "gone",
            "ANTHROPIC_CUSTOM_HEADERS": "authorization: Bearer wrong\nX-Strange: 1\nanthropic-version: 1",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "ALL_PROXY": "http://127.0.0.1:9",
        }.items():
            monkeypatch.setenv(name, value)
        llm = AnthropicLLM("claude-sim")
        assert text(await answer(llm)) == "Yes."
        await llm.aclose()
    headers = sim.requests[0].headers
    assert "x-strange" not in headers
    assert headers["anthropic-version"] == "2026-10-21"


# --- reading ahead ------------------------------------------------------------------------------------------------

LONG = [Message("system", "Be kind. " * 1000), Message("user", "Hi?"), Message("assistant", "Corner Coffee.")]


async def test_a_long_beginning_is_read_ahead_once_its_tools_are_known_and_the_answer_finds_it() -> None:
    sim = AnthropicSim(["Yes."])
    async with model(sim) as llm:
        await llm.prepare(LONG, [PRICE])
        await asyncio.sleep(1)
        got = await answer(llm, [*LONG, Message("user", "A latte please.")], [PRICE])
        await llm.prepare(LONG)  # of this the service has not lost a thing
        await asyncio.sleep(1)
        assert len(sim.prewarms) == 1
        await asyncio.sleep(300)
        await llm.prepare(LONG)
        await asyncio.sleep(1)
    assert len(sim.prewarms) == 2
    assert sim.prewarms[0].status == 200
    usage = got[0]
    assert isinstance(usage, Usage)
    assert usage.cached_tokens == pytest.approx(usage.input_tokens, abs=40)
    assert usage.cache_write_tokens < 40


@pytest.mark.parametrize(
    ("beginning", "tools", "options"),
    [
        (LONG, None, {}),  # not known
        (LONG[1:], (), {}),  # too short for any cache
        (LONG, (), {"prewarm": False}),
        (LONG, (), {"cache_ttl": None}),
    ],
    ids=["tools not known", "short", "not wanted", "no cache"],
)
async def test_nothing_is_read_ahead_where_it_is_no_use(
    beginning: list[Message], tools: tuple[ToolSpec, ...] | None, options: dict[str, Any]
) -> None:
    sim = AnthropicSim(["Yes."])
    async with model(sim, **options) as llm:
        await llm.prepare(beginning, tools)
        await asyncio.sleep(1)
    assert sim.prewarms == []


async def test_a_service_that_refuses_to_read_ahead_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "voiceloop")
    sim = AnthropicSim(["Yes."])
    async with model(sim, body={"speed": "fast", "colour": "red"}) as llm:
        for beginning in (LONG, [*LONG, *LONG]):  # once is enough to know
            await llm.prepare(beginning, ())
            await asyncio.sleep(1)
    assert len(sim.prewarms) == 1
    assert "reading ahead: " in caplog.text
    assert "colour: Extra inputs are not permitted" in caplog.text


async def test_after_a_long_pause_a_call_begins_with_a_new_connection() -> None:
    sim = AnthropicSim(["Yes."])
    async with model(sim) as llm:
        await llm.prepare(ASKED[:1])
        await asyncio.sleep(70)
        await llm.prepare(ASKED[:1])
        await asyncio.sleep(1)
        assert sim.lookups == 2


# --- its place ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"context": 900}, "context must hold twice max_tokens"),
        ({"cache_ttl": "2h"}, "expected cache_ttl to be '5m', '1h' or None"),
        ({"stall": 0}, "must be more than 0 s"),
        ({"retry": -1}, "retry must not be negative"),
        ({"body": {"tools": [], "model": "x"}}, "body must not hold model, tools: the library sets that"),
        ({"headers": {"a b": "x"}}, "the header 'a b' cannot be sent"),
        ({"headers": {"a": "x\ny"}}, "the header 'a' cannot be sent"),
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AnthropicOptions(**wrong)


def test_the_model_must_be_named() -> None:
    for wrong in ("", " ", None):
        with pytest.raises(ValueError, match="expected the name of a model"):
            AnthropicLLM(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        AnthropicLLM()  # type: ignore[call-arg]

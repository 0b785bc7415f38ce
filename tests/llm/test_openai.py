"""`OpenAILLM` against the simulated endpoint: what is asked, what comes, and how connections live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from voiceloop.conversation import Message
from voiceloop.errors import ModelError
from voiceloop.llm.base import Usage
from voiceloop.llm.openai import OpenAILLM, OpenAIOptions
from voiceloop.sim.openai import OpenAISim, Reply

HELLO = [Message("system", "Be kind."), Message("user", "Hello.")]


@asynccontextmanager
async def at(
    sim: OpenAISim, model: str | None = "sim", key: str | None = None, **options: Any
) -> AsyncIterator[OpenAILLM]:
    async with sim.listening() as base_url:
        llm = OpenAILLM(
            model, base_url=base_url, api_key=key, options=OpenAIOptions(**options), connector=sim.connector
        )
        try:
            yield llm
        finally:
            await llm.aclose()


@asynccontextmanager
async def other(handler: Any) -> AsyncIterator[OpenAILLM]:
    """A model at a server with a way of its own."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.0, handler_cancellation=True)
    await runner.setup()
    await web.UnixSite(runner, "other").start()
    llm = OpenAILLM("m", base_url="http://other/v1", connector=lambda: aiohttp.UnixConnector(path="other"))
    try:
        yield llm
    finally:
        await llm.aclose()
        await runner.cleanup()


async def answer(llm: OpenAILLM, messages: list[Message] = HELLO) -> str:
    return "".join([item async for item in llm.respond(messages) if isinstance(item, str)])


async def test_tokens_come_as_they_are_written_and_the_counts_last() -> None:
    async with at(OpenAISim(["One large mocha."], first=0.3, rate=10)) as llm:
        loop = asyncio.get_running_loop()
        start = loop.time()
        items = [(item, round(loop.time() - start, 3)) async for item in llm.respond(HELLO)]
    assert items == [("One", 0.3), (" large", 0.4), (" mocha.", 0.5), (Usage(3, 3, 0), 0.5)]


async def test_the_request_holds_what_was_asked_and_nothing_more() -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim) as llm:
        await answer(llm)
    assert sim.requests[0].body == {
        "model": "sim",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 500,
    }
    assert sim.requests[0].complete


async def test_every_option_reaches_the_server() -> None:
    sim = OpenAISim(["Yes."])
    options: dict[str, Any] = {"temperature": 0.5, "stop": ("\n",), "seed": 7, "max_tokens": 40, "usage": False}
    async with at(sim, headers={"X-Team": "bar"}, body={"top_p": 0.9}, **options) as llm:
        assert [item async for item in llm.respond(HELLO)] == ["Yes."]
    body = sim.requests[0].body
    assert {name: body[name] for name in body if name not in ("model", "messages", "stream")} == {
        "temperature": 0.5,
        "stop": ["\n"],
        "seed": 7,
        "max_tokens": 40,
        "top_p": 0.9,
    }
    assert sim.requests[0].headers["X-Team"] == "bar"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"max_tokens_name": "limit"}, "expected max_tokens_name to be one of"),
        ({"temperature": -1}, "temperature must not be negative"),
        ({"context": 600}, "context must hold twice max_tokens"),
        ({"connect": 0}, "connect and idle must be more than 0 s"),
        ({"body": {"stream": False}}, "body must not hold stream"),
        ({"headers": {"X": "a\nb"}}, "the header 'X' cannot be sent"),
    ],
)
def test_wrong_options_are_refused_when_they_are_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpenAIOptions(**options)


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("localhost:11434/v1", "expected base_url like 'http://localhost:11434/v1'"),
        ("", "expected base_url like"),
        ("http://anna:secret@host/v1", "base_url holds a user name or password"),
        ("http://host/v1/chat/completions", "base_url ends before /chat/completions"),
    ],
)
def test_a_wrong_address_is_refused_when_the_model_is_named(base_url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        OpenAILLM("m", base_url=base_url)
    assert "secret" not in str(raised.value)


async def test_the_conversation_is_sent_in_the_form_that_all_templates_take() -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim) as llm:
        await answer(llm, [*HELLO[:1], Message("assistant", "Hi!"), Message("user", "One"), Message("user", "tea.")])
    assert [(m.role, m.text) for m in sim.requests[0].messages] == [
        ("system", "Be kind."),
        ("user", "Hello?"),
        ("assistant", "Hi!"),
        ("user", "One tea."),
    ]


async def test_turns_too_many_for_the_context_are_left_out() -> None:
    sim = OpenAISim(["Yes."])
    long = [Message("user" if n % 2 == 0 else "assistant", f"{n} " + "x" * 300) for n in range(21)]
    async with at(sim, context=1000, max_tokens=100) as llm:
        await answer(llm, [*HELLO[:1], *long])
    sent = sim.requests[0].messages
    assert sent[0].text == "Be kind."
    assert sent[1].role == "user"
    assert sent[-1].text.startswith("20 ")
    assert len(sent) < 10


@pytest.mark.parametrize("wanted", ["max_completion_tokens", "max_tokens"])
async def test_a_server_that_refuses_one_name_of_the_limit_is_asked_with_the_other(wanted: str) -> None:
    other = {"max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens"}[wanted]
    sim = OpenAISim(["Yes."], refuses=(other,))
    async with at(sim, prefill=False) as llm:
        assert [await answer(llm) for _ in range(2)] == ["Yes.", "Yes."]
    names = [set(request.body) & {"max_tokens", "max_completion_tokens"} for request in sim.requests]
    assert names == ([{wanted}] * 2 if wanted == "max_tokens" else [{other}, {wanted}, {wanted}])


async def test_a_name_of_the_limit_that_was_given_is_kept() -> None:
    sim = OpenAISim(["Yes."], refuses=("max_completion_tokens",))
    async with at(sim, max_tokens_name="max_completion_tokens") as llm:
        with pytest.raises(ModelError, match="Unsupported parameter: 'max_completion_tokens'"):
            await answer(llm)
    assert len(sim.requests) == 1


async def test_a_server_that_knows_neither_counts_nor_either_name_is_asked_three_times_and_no_more() -> None:
    sim = OpenAISim(["Yes."], refuses=("stream_options", "max_tokens", "max_completion_tokens"))
    async with at(sim) as llm:
        with pytest.raises(ModelError, match="Unsupported parameter"):
            await answer(llm)
    assert len(sim.requests) == 3


async def test_two_requests_at_once_both_find_the_right_words() -> None:
    sim = OpenAISim(["Yes."], refuses=("stream_options", "max_tokens"))
    async with at(sim) as llm:
        assert await asyncio.gather(answer(llm), answer(llm)) == ["Yes.", "Yes."]


async def test_an_answer_in_one_object_is_an_answer() -> None:
    async with at(OpenAISim(["One large mocha."], streams=False)) as llm:
        assert [item async for item in llm.respond(HELLO)] == ["One large mocha.", Usage(3, 3, 0)]


async def test_thoughts_tools_and_comments_are_not_spoken() -> None:
    reply = Reply("<think>Let me see.</think> Tea.", thoughts="They want tea", tools=[("book", {})], keep_alive=True)
    async with at(OpenAISim([reply], rate=20)) as llm:
        assert await answer(llm) == "Tea."


async def test_an_answer_cut_by_its_limit_is_an_answer() -> None:
    async with at(OpenAISim(["One two three four."]), max_tokens=2) as llm:
        assert await answer(llm) == "One two"


@pytest.mark.parametrize(
    ("reply", "said", "message"),
    [
        (Reply("One two three", fault="cut", after=2), "One two", "ended before the answer was complete"),
        (Reply("One two three", fault="end", after=2), "One two", "ended before the answer was complete"),
        (Reply("One two three", fault="garbage", after=2), "One two", "expected JSON in the stream, got '{cut sho'"),
        (Reply("One two three", fault="error", after=1, message="out of memory"), "One", "reports an error: out of"),
        (Reply("One two three", fault="line", after=1), "One", "an event of more than 256 KiB"),
        (Reply("One two", finish="content_filter"), "One two", "content filter"),
        (Reply("", thoughts="Hm hm", finish="length"), "", "only thought, and reached max_tokens"),
    ],
)
async def test_an_answer_that_is_not_complete_raises_after_what_came(reply: Reply, said: str, message: str) -> None:
    got: list[str | Usage] = []

    async def read() -> None:
        async for item in llm.respond(HELLO):
            got.append(item)

    async with at(OpenAISim([reply], rate=20)) as llm:
        with pytest.raises(ModelError, match=message):
            await read()
    assert "".join(item for item in got if isinstance(item, str)) == said


async def test_an_answer_without_measure_is_read_no_faster_than_it_is_taken() -> None:
    sim = OpenAISim([Reply("word", repeat=10_000_000)])
    async with at(sim, max_tokens=None) as llm:
        async with aclosing(llm.respond(HELLO)) as items:
            for _ in range(10):
                await anext(items)
            await asyncio.sleep(60)
        await asyncio.sleep(1)
    assert sim.requests[0].tokens < 20_000
    assert sim.requests[0].left_at is not None


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_the_server_sees_within_a_token_that_nobody_listens(how: str) -> None:
    sim = OpenAISim([Reply("word", repeat=1000)], rate=10)
    loop = asyncio.get_running_loop()
    async with at(sim, max_tokens=None) as llm:

        async def read() -> None:
            async with aclosing(llm.respond(HELLO)) as items:
                async for item in items:
                    if how == "close" and item == "word":
                        return

        task = asyncio.create_task(read())
        await asyncio.sleep(0.55)
        task.cancel()
        ended = 0.0 if how == "close" else loop.time()
        await asyncio.wait({task})
        await asyncio.sleep(0.2)
        left = sim.requests[0].left_at
        assert left is not None
        assert left - (ended or sim.requests[0].at) <= 0.1
        assert sim.requests[0].tokens == (1 if how == "close" else 6)


async def test_cancelled_before_the_server_has_answered_the_connection_closes_too() -> None:
    sim = OpenAISim(["Late."], first=30.0, streams=False)
    async with at(sim) as llm:
        task = asyncio.create_task(answer(llm))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert sim.requests[0].left_at == pytest.approx(1.0, abs=0.02)


async def test_answers_share_the_connection_that_was_opened_by_warming() -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim) as llm:
        await llm.warm()
        assert sim.connections == 1
        for _ in range(3):
            assert await answer(llm) == "Yes."
        assert sim.connections == 1


async def test_a_connection_given_up_by_the_server_does_not_count() -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim) as llm:
        assert await answer(llm) == "Yes."
        await sim.down()
        await sim.up()
        assert await answer(llm) == "Yes."
        assert sim.connections == 2


async def test_after_a_pause_the_next_call_finds_an_open_connection() -> None:
    sim = OpenAISim(["Yes."])
    async with at(sim, prefill=False, idle=20.0) as llm:
        await llm.prepare(HELLO[:1])
        await sim.down()
        await sim.up()
        await asyncio.sleep(10)
        await llm.prepare(HELLO[:1])
        await asyncio.sleep(0.1)
        assert sim.connections == 1
        await asyncio.sleep(10)
        await llm.prepare(HELLO[:1])
        await asyncio.sleep(0.1)
        before = sim.connections
        await answer(llm)
        assert (before, sim.connections) == (2, 2)


async def test_instructions_are_read_ahead_while_the_greeting_is_spoken_and_again_after_a_pause() -> None:
    sim = OpenAISim(["Yes."], first=3.0)
    async with at(sim) as llm:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for _ in range(3):
            await llm.prepare(HELLO[:1])
        assert loop.time() == start  # nobody waits for it
        await asyncio.sleep(59)
        await llm.prepare(HELLO[:1])
        await asyncio.sleep(10)
        assert len(sim.prefills) == 1
        await llm.prepare(HELLO[:1])
        await asyncio.sleep(10)
    assert [[message.text for message in request.messages] for request in sim.prefills] == [["Be kind.", "Hello?"]] * 2
    assert sim.prefills[0].body["max_tokens"] == 1
    assert sim.requests == []


@pytest.mark.parametrize(
    ("base_url", "expected"), [("https://llm.example.com/v1", False), ("http://10.0.0.4/v1", True)]
)
async def test_only_a_server_nearby_is_made_to_read_ahead_unasked(base_url: str, expected: bool) -> None:
    sim = OpenAISim(["Yes."])
    async with sim.listening() as url:
        there = URL(url).authority  # a name in memory, for an address that is elsewhere
        llm = OpenAILLM(
            "sim", base_url=base_url.replace("https", "http"), connector=lambda: aiohttp.UnixConnector(path=there)
        )
        await llm.prepare(HELLO[:1])
        await asyncio.sleep(1)
        await llm.aclose()
    assert bool(sim.prefills) is expected


async def test_the_only_model_need_not_be_named() -> None:
    sim = OpenAISim(["Yes."], models=("qwen3:8b",))
    async with at(sim, model=None) as llm:
        assert await answer(llm) == "Yes."
    assert sim.requests[0].body["model"] == "qwen3:8b"


async def test_closing_ends_answers_under_way_and_the_next_use_opens_again() -> None:
    sim = OpenAISim([Reply("One two three", fault="stall", after=1), "Yes."])
    async with at(sim) as llm:
        items = llm.respond(HELLO)
        assert await anext(items) == "One"
        await llm.aclose()
        await llm.aclose()
        with pytest.raises(ModelError, match="before the answer was complete"):
            await anext(items)
        assert await answer(llm) == "Yes."


@pytest.mark.realtime
async def test_on_an_ordinary_loop_it_is_the_same_over_loopback() -> None:
    sim = OpenAISim(["One large mocha.", Reply("One two", fault="cut", after=1)], key="sk-secret-1")
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url, api_key="sk-secret-1")
        await llm.warm()
        assert await answer(llm) == "One large mocha."
        with pytest.raises(ModelError, match="ended before the answer was complete"):
            await answer(llm)
        assert sim.connections == 1
        await llm.aclose()


@pytest.mark.parametrize(
    ("tail", "ends_after"),
    [(b"", 1.0), (b"data: [DONE]\n\n", 1.0), (b": still here\n\n", 1.0)],
)
async def test_a_server_that_leaves_the_stream_open_does_not_hold_the_answer_up(tail: bytes, ends_after: float) -> None:
    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        choice = {"index": 0, "delta": {"content": "Tea."}, "finish_reason": "stop"}
        await response.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n" + tail)
        await asyncio.sleep(3600)
        return response

    async with other(complete) as llm:
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await answer(llm) == "Tea."
        assert loop.time() - start == pytest.approx(ends_after)

"""The scripted model asks for tools, and keeps what it was offered and told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.base import Usage
from voiceloop.testing import ScriptedLLM, calls, script
from voiceloop.tools import Toolbox

ASK = [Message("user", "What is a latte?")]


async def said(llm: ScriptedLLM, messages: Sequence[Message] = ASK, tools: Any = ()) -> list[Any]:
    return [item async for item in llm.respond(messages, tools) if not isinstance(item, Usage)]


async def test_a_reply_is_text_and_calls_in_order() -> None:
    llm = script(("Let me look.", calls("price", drink="latte"), calls("hours"), "Hm."), calls("hours"), "Four.")
    first = [
        "Let",
        " me",
        " look.",
        ToolCall("call_1", "price", '{"drink": "latte"}'),
        ToolCall("call_2", "hours", "{}"),
        " Hm.",
    ]
    assert await said(llm) == first
    assert await said(llm) == [ToolCall("call_1", "hours", "{}")]
    assert await said(llm) == ["Four."]


async def test_identifiers_are_new_in_the_conversation() -> None:
    asked = ToolCall("call_1", "hours")
    messages = [
        *ASK,
        Message("assistant", "", calls=(asked,)),
        Message("tool", "", results=(ToolResult("call_1", "x"),)),
    ]
    assert await said(script(calls("hours")), messages) == [ToolCall("call_2", "hours", "{}")]


async def test_arguments_may_be_broken() -> None:
    assert await said(script(calls("price", '{"drink": '))) == [ToolCall("call_1", "price", '{"drink": ')]


async def test_a_function_may_ask_for_tools() -> None:
    llm = ScriptedLLM(lambda messages: calls("hours") if messages[-1].role == "user" else "Always.")
    assert await said(llm) == [ToolCall("call_1", "hours", "{}")]
    assert await said(llm, [*ASK, Message("tool", "", results=(ToolResult("call_1", "x"),))]) == ["Always."]


async def test_calls_take_the_time_of_a_token() -> None:
    llm = script(("One two", calls("hours")), first=1.0, rate=2)
    start = asyncio.get_running_loop().time()
    await said(llm)
    assert asyncio.get_running_loop().time() - start == 2.0


async def test_what_it_was_offered_and_told_is_kept_as_it_was() -> None:
    def hours() -> str:
        """When it is open."""
        return "always"

    box, llm = Toolbox([hours]), script("Okay.")
    asked, given = ToolCall("call_1", "hours"), Message("tool", "")
    messages = [*ASK, Message("assistant", "Hm.", calls=(asked,), echo=["thought"]), given]
    await said(llm, messages, box.specs)
    await said(llm)
    given.results = (ToolResult("call_1", "later"),)
    assert [[spec.name for spec in offered] for offered in llm.offered] == [["hours"], []]
    assert llm.requests[0][1] == Message("assistant", "Hm.", calls=(asked,), echo=["thought"])
    assert llm.requests[0][2].results == ()

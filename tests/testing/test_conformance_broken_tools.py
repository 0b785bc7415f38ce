"""The conformance suite finds what is wrong with a language model that takes tools."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, ClassVar

import pytest

from voiceloop.conversation import Message, ToolCall
from voiceloop.llm.base import LLM, ToolSpec
from voiceloop.testing import LLMConformance

USED = "test_tools_are_asked_for_and_their_results_are_used"
GOES_ON = "test_every_way_in_which_tools_ended_leaves_a_conversation_that_goes_on"


class Model(LLM):
    """Asks for a price, and tells it."""

    takes_tools: ClassVar[bool] = True
    arguments: ClassVar[tuple[str, ...]] = ('{"drink": "latte"}',)

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Any, None]:
        if messages[-1].results:
            yield f"It is {messages[-1].results[0].text}."
        elif "latte" in messages[-1].text:
            for number, arguments in enumerate(self.arguments):
                yield ToolCall(f"id_{number}", "price", arguments)
        else:
            yield "Paris."


class NeverAsks(Model):
    arguments = ()


class Talks(Model):
    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Any, None]:
        yield "Paris."


class Pieces(Model):
    arguments = ('{"drink": ', '"latte"}')


class SameId(Model):
    arguments = ('{"drink": "tea"}', '{"drink": "latte"}')

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Any, None]:
        async for item in super().respond(messages, tools):
            yield ToolCall("call", item.name, item.arguments) if isinstance(item, ToolCall) else item


class OtherTool(Model):
    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Any, None]:
        async for item in super().respond(messages, tools):
            yield ToolCall("call", "book", "{}") if isinstance(item, ToolCall) else item


class Deaf(Model):
    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Any, None]:
        if messages[-1].results:
            yield "It is what it is."
            return
        async for item in super().respond(messages, tools):
            yield item


class StumblesOverCuts(Model):
    """Cannot take a call without text."""

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Any, None]:
        if any(message.role == "assistant" and not message.text for message in messages[:-2]):
            raise ValueError("an empty message")
        async for item in super().respond(messages, tools):
            yield item


class NoTools(LLM):
    """Was written before there were tools."""

    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[Any, None]:  # type: ignore[override]
        yield "Paris."


CASES: list[tuple[type[Any], str, str]] = [
    (Model, "", ""),
    (NeverAsks, USED, "'', and no `ToolCall`"),
    (Talks, USED, "'Paris.', and no `ToolCall`"),
    (Pieces, USED, "is the JSON of an object, once it is whole\n  what came: '{\"drink\": '"),
    (SameId, USED, "an identifier of its own"),
    (OtherTool, USED, "asks for a tool that was offered\n  what came: .*book"),
    (Deaf, USED, "holds '41', which they tell\n  what came: 'It is what it is.'"),
    (StumblesOverCuts, GOES_ON, "came: ValueError: an empty message"),
    (NoTools, "", ""),
]


@pytest.mark.parametrize(("provider", "found_by", "says"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_is_wrong_with_tools_is_found(
    verdict: Callable[..., str | None], provider: type[Any], found_by: str, says: str
) -> None:
    tests = [GOES_ON] if provider is NoTools else [USED, GOES_ON]
    said = {test: verdict(LLMConformance, provider, test) for test in tests}
    assert [test for test in tests if said[test]] == ([found_by] if found_by else [])
    if found_by:
        assert re.search(says, said[found_by] or "", re.DOTALL)


def test_a_model_without_tools_is_not_asked_for_them_and_the_reason_is_told() -> None:
    class Case(LLMConformance):
        def provider(self) -> LLM:
            return NoTools()

    with pytest.raises(pytest.skip.Exception, match="NoTools takes no tools: `takes_tools` is False"):
        Case.run_check(getattr(Case(), USED)())

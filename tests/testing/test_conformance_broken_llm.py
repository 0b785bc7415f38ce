"""The conformance suite finds what is wrong with a language model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.llm.base import LLM, ToolSpec, Usage
from voiceloop.testing import (
    LLMConformance,
)

CAPITALS = {"France": "It is Paris, of course.", "Japan": "It is Tokyo, of course."}
TWO = "a_second two_requests"


def reply(messages: Sequence[Message]) -> str:
    text = messages[-1].text if messages else ""
    return next((answer for country, answer in CAPITALS.items() if country in text), "Red is red. Blue is blue.")


class Model(LLM):
    """Answers in words."""

    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        for word in reply(messages).split():
            yield f"{word} "


class AtOnce(Model):
    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        yield reply(messages)


class AddsMessages(Model):
    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        if isinstance(messages, list):
            messages.insert(0, Message("system", "Be kind."))
        async for item in super().respond(messages):
            yield item


class YieldsObjects(Model):
    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[Any, None]:
        yield {"role": "assistant", "content": reply(messages)}


class MiscountsTokens(Model):
    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        async for item in super().respond(messages):
            yield item
        yield Usage(-1, 3)


class WantsInstructions(Model):
    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        if messages[0].role != "system":
            raise ValueError("the first message must be instructions")
        async for item in super().respond(messages):
            yield item


class HangsOnNothing(Model):
    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        if not messages:
            await asyncio.Event().wait()
        async for item in super().respond(messages):
            yield item


class AnswersThePreparation(Model):
    prepared: Sequence[Message] = ()

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        self.prepared = beginning

    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        async for item in super().respond(self.prepared or messages):
            yield item


class Mixes(Model):
    """Keeps the messages of a request in the provider."""

    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        self.messages = messages
        await asyncio.sleep(0.1)
        async for item in super().respond(self.messages):
            yield item


class Remembers(Model):
    """Answers the first question it was ever asked."""

    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        self.first_messages = getattr(self, "first_messages", messages)
        async for item in super().respond(self.first_messages):
            yield item


CASES: list[tuple[type[Any], str, str]] = [
    # The provider, the tests that find it (by their beginnings, without "test_"), what the first of them says.
    (Model, "", ""),
    (AtOnce, "a_long_answer", "came: 25 characters at once"),
    (AddsMessages, "the_messages", "came: they became .'system: Be kind.', "),
    (
        YieldsObjects,
        "a_ an_empty closing every nothing preparing two_requests warming",
        "what came: nothing in 1 items",
    ),
    (MiscountsTokens, "a_long a_request every", "came: Usage.input_tokens=-1"),
    (WantsInstructions, "every_conversation", "came: ValueError: the first message must be instructions"),
    (HangsOnNothing, "an_empty", "came: nothing for 10 s"),
    (AnswersThePreparation, "preparing", "came: 'Red is red"),
    (Mixes, "two_requests", "holds 'Paris' and not 'Tokyo'\n  what came: 'It is Tokyo, of course. '"),
    (Remembers, f"{TWO} preparing", "holds 'Tokyo' and not 'Paris'\n  what came: 'It is Paris"),
]


@pytest.mark.parametrize(("provider", "found_by", "says"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_is_wrong_is_found_by_its_test_and_no_other(
    findings: Callable[..., None], provider: type[Any], found_by: str, says: str
) -> None:
    findings(LLMConformance, provider, found_by, says)

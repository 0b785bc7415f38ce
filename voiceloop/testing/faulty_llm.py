"""A model of which some requests go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from itertools import count
from typing import Any

from voiceloop.conversation import Message, ToolCall
from voiceloop.llm.anthropic_errors import of_status
from voiceloop.llm.base import LLM, Item, Served, ToolSpec, Usage
from voiceloop.testing.faulty_common import FaultyProvider, Items
from voiceloop.testing.faulty_faults import LLMFault

__all__ = ["FaultyLLM"]

CONTROLS = " a\x00b\x1b[31m\u202ec\ud800\u2028\r\n\t\ufeff\U000e0041 "
LONG = f" {'abcdefghij' * 40} "
SHORTEST = 0.05
"""Seconds between words without end, at least: or they would all come at one moment."""


class FaultyLLM(FaultyProvider[LLMFault, LLM], LLM):
    """A model of which some requests go wrong.

    Args:
        inner: the model.
        faults: what goes wrong. Several of one request happen together.
        skip: requests before those that are counted.
    """

    def __init__(self, inner: LLM, faults: Iterable[LLMFault] = (), *, skip: int = 0) -> None:
        super().__init__(inner, faults, skip)
        self._looping: LLMFault | None = None

    @property
    def takes_tools(self) -> bool:  # type: ignore[override]  # as the model does
        """Whether it can be offered tools."""
        return self.inner.takes_tools

    @property
    def speculative(self) -> bool:  # type: ignore[override]  # as the model does
        """Whether it may be asked for answers that may be thrown away."""
        return self.inner.speculative

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        """Prepare the model."""
        await self.inner.prepare(beginning, tools)

    def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        """What the model answers, or what becomes of it."""
        items = self.inner.respond(messages, tools) if tools else self.inner.respond(messages)
        request = _Request(self, messages, tools)
        for fault in self._begin():
            made = request.filters.get(fault.what)
            items = made(items, fault) if made is not None else self._broken(items, [fault])
        return items

    def counts(self, item: Any) -> bool:
        return not isinstance(item, Usage | Served)

    def limited(self, seconds: float) -> Exception:
        """As `AnthropicLLM`."""
        headers = {"retry-after": f"{seconds:g}"} if seconds else {}
        return of_status(429, "rate_limit_error", "This request would exceed your rate limit.", headers, "", "")

    def _meets(self, fault: LLMFault, number: int) -> bool:
        if fault.what == "tool loop" and fault.request is not None:
            return number >= fault.request
        return super()._meets(fault, number)


class _Request:
    """What is wrong with the answer to one request."""

    def __init__(self, llm: FaultyLLM, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
        self._llm = llm
        self._made = sum(len(message.calls) for message in messages)
        self._tool = tools[0].name if tools else "no_such_tool"
        self.filters: dict[str, Callable[[Items, LLMFault], Items]] = {
            "unknown tool": lambda items, fault: self._rest(items, fault, self._call("no_such_tool", "{}")),
            "broken arguments": lambda items, fault: self._rest(items, fault, self._call(self._tool, '{"drink": "la')),
            "wrong arguments": lambda items, fault: self._rest(
                items, fault, self._call(self._tool, '{"no_such": [NaN, {"a": 1}]}')
            ),
            "tool loop": lambda items, fault: self._rest(items, fault, self._call(self._tool, "{}")),
            "same call twice": self._twice,
            "empty text": lambda items, fault: self._rest(items, fault, "", " ", "\n"),
            "endless text": self._endless,
            "control characters": lambda items, fault: self._more(items, fault, CONTROLS),
            "long token": lambda items, fault: self._more(items, fault, LONG),
            "wrong type": lambda items, fault: self._more(items, fault, 42),
        }

    def _call(self, name: str, arguments: str) -> ToolCall:
        return ToolCall(f"call_{self._made + 1}", name, arguments)

    def _rest(self, items: Items, fault: LLMFault, *instead: Any) -> Items:
        """These in place of what follows."""

        async def rest() -> Items:
            for item in instead:
                yield item

        return self._llm._instead(items, fault, rest)

    def _twice(self, items: Items, fault: LLMFault) -> Items:
        call = self._call(self._tool, "{}")
        return self._rest(items, fault, call, call)

    def _endless(self, items: Items, fault: LLMFault) -> Items:
        async def rest() -> Items:
            for number in count(1):
                yield f" and{number}"
                await asyncio.sleep(max(SHORTEST, fault.seconds))

        return self._llm._instead(items, fault, rest)

    async def _more(self, items: Items, fault: LLMFault, more: Any) -> Items:
        """One item more, in front of the one behind `after` others, or at the end."""
        given = 0
        async with aclosing(items):
            async for item in items:
                if self._llm.counts(item):
                    if given == fault.after:
                        self._llm.note(fault)
                        yield more
                    given += 1
                yield item
            if given == fault.after:
                self._llm.note(fault)
                yield more

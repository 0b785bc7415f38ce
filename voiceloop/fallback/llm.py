"""Models that stand in for each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from voiceloop.conversation import Message, ToolCall
from voiceloop.fallback.continuing import Joint, Own, WholeWords, continuing, finished, for_model
from voiceloop.fallback.members import Members
from voiceloop.fallback.relay import Relay, Run
from voiceloop.fallback.request import Request
from voiceloop.llm.base import LLM, Echo, Item, ToolSpec, Usage

__all__ = ["FallbackLLM"]

log = logging.getLogger("voiceloop")

FIRST = 0.6
STALL = 0.8
LETTERS_A_SECOND = 20.0
"""Fast speech: by this is judged how long the caller has something to listen to."""


class FallbackLLM(Members[LLM], LLM):
    """Asks the first model that is well. When it fails in the middle of an answer another one goes on with it.

    That one is given the conversation with what was already said, and told to go on from there. What it repeats of the
    end is left out. Tools that were asked for are not asked for again: the answer is over then, and goes on with their
    results. Every answer is given out in whole words.

    Raises, from `respond`: `FallbackFailed`.
    """

    @property
    def takes_tools(self) -> bool:  # type: ignore[override]  # depends on the models
        """Whether one of them can be offered tools. One that cannot is told what they gave."""
        return any(provider.takes_tools for provider in self.providers)

    @property
    def speculative(self) -> bool:  # type: ignore[override]  # depends on the models
        """Whether all of them may be asked for answers that may be thrown away: any of them may have to answer."""
        return all(provider.speculative for provider in self.providers)

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        """Have all get ready, at most `FallbackOptions.warm` seconds. One that fails rests."""
        now = asyncio.get_running_loop().time()

        async def prepared(place: int) -> None:
            if place in self._warm:
                await self.providers[place].prepare(beginning, tools)

        tasks = {asyncio.create_task(prepared(place)): place for place in range(len(self.providers))}
        try:
            done, _ = await asyncio.wait(tasks, timeout=self.options.warm)
        finally:
            for task in tasks:
                task.cancel()
        for task in done:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self.failed(tasks[task], now, f"{type(error).__name__}: {error}")

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        async with aclosing(_Answer(self, messages, tools).items()) as items:
            async for item in items:
                yield item


@dataclass(slots=True, eq=False)
class _Run(Run[Item]):
    words: WholeWords = field(default_factory=WholeWords)
    joint: Joint | None = None
    """Where it goes on with what another one has begun."""


class _Answer(Relay[Item, _Run]):
    """One answer."""

    def __init__(self, models: FallbackLLM, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
        options = models.options
        super().__init__(models, options.first or FIRST, options.stall or STALL)
        self._models = models
        self._messages = messages
        self._tools = tools
        self._begun = self._loop.time()
        self._said = ""  # given out
        self._called = False  # a tool was asked for
        self._listening = 0.0  # until when the caller has something to listen to, seconds

    def begin(self, place: int, now: float) -> _Run:
        model = self._models.providers[place]
        messages = for_model(continuing(self._messages, self._said), place, tools=model.takes_tools)
        items: AsyncGenerator[Any, None] = (
            model.respond(messages, self._tools) if self._tools and model.takes_tools else model.respond(messages)
        )
        request = Request(
            items,
            lambda: self._models.ready(place),
            self.news,
            self._models.tasks,
            f"answer of {self._models.names[place]}",
        )
        return _Run(place, request, now, joint=Joint(self._said) if self._said.strip() else None)

    def says(self, item: Item) -> bool:
        return isinstance(item, ToolCall) or (isinstance(item, str) and bool(item.strip()))

    def aside(self, item: Item) -> bool:
        return isinstance(item, Usage)

    def give(self, run: _Run, item: Item) -> Iterator[Item]:
        if isinstance(item, str):
            yield from self._text(run, item)
        elif isinstance(item, ToolCall):
            yield from self._rest(run)
            self._called = True
            yield item
        elif isinstance(item, Echo):
            if run.joint is None:  # else it is not the whole of what was written
                yield Echo(Own(run.place, item.content))
        else:
            yield item

    def _text(self, run: _Run, text: str) -> Iterator[str]:
        text = run.words.feed(text)
        return self._out(run.joint.feed(text) if run.joint is not None else text)

    def _rest(self, run: _Run) -> Iterator[str]:
        text = run.words.close()
        if run.joint is not None:
            text = run.joint.feed(text) + run.joint.close()
        return self._out(text)

    def _out(self, text: str) -> Iterator[str]:
        if text:
            self._said += text
            self._listening = max(self._listening, self._loop.time()) + len(text) / LETTERS_A_SECOND
            yield text

    def due(self, run: _Run) -> float | None:
        if not run.won:
            return run.since + self.first
        if not self._said:  # the caller has heard nothing: a word that is not whole is little more than none
            return min(run.since + self.stall, max(self._begun + self.first, run.since + self.stall / 2))
        return max(run.since + self.stall, self._listening)

    def end(self, run: _Run) -> list[Item] | None:
        last: list[Item] = [*self._rest(run)]
        # One that goes on, and has only repeated the end or written a full stop, finds that nothing is missing.
        return last if run.won or self._called or finished(self._said) else None

    def short(self, run: _Run) -> str:
        return "it ended without writing anything"

    def enough(self) -> bool:
        return self._called

"""Seeded wild calls on the bot of the examples: whatever caller, model, tools and line do, these things stay true.

A word is said once in a call, so each can be followed: from the caller's mouth into requests and report, and from the
model's answer to the caller's ear and back into requests.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from tests.grids import first
from voiceloop.conversation import Message
from voiceloop.keypad import without_keys
from voiceloop.report import CallReport
from voiceloop.sim.anthropic import Reply, ToolUse
from voiceloop.sim.caller import CallEnded

Shop = Callable[..., Any]
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "ji", "ka", "lo", "mu")
QUIET_END = 3.5
"""Seconds within which what was said may still be on its way into a turn."""


class Wild:
    """One call: a caller and a model that do as they like."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.said: list[tuple[str, Any]] = []
        self.paused: list[float] = []  # when the model has asked for tools
        self._words = map("".join, product(SYLLABLES, repeat=3))

    def words(self, head: str, most: int) -> str:
        """Words that nobody has said before."""
        return " ".join(head + next(self._words) for _ in range(self.draw.randint(1, most)))

    def answer(self, messages: Sequence[Message]) -> Reply:
        """What the model answers."""
        draw, again = self.draw, messages[-1].role == "tool"
        tools = []
        if draw.random() < (0.3 if again else 0.5):
            size = draw.choice(["small", "large", "", 7])
            tools = [ToolUse("price", {"drink": "latte", "size": size}) for _ in range(draw.choice([1, 1, 2]))]
        elif draw.random() < 0.05:
            tools = [ToolUse("hang_up")]
        if tools:
            self.paused.append(asyncio.get_running_loop().time())
        sentences = [f"{self.words('m', 6)}." for _ in range(draw.choice([0, 1]) if tools else draw.randint(1, 4))]
        thoughts = "so" if draw.random() < 0.2 else ""
        return Reply(" ".join(sentences), tools=tools, thoughts=thoughts, first=draw.choice([None, 0.05, 1.0]))

    def slowed(self, tool: Callable[..., Any]) -> Callable[..., Any]:
        """The same tool, but it takes its time."""

        @functools.wraps(tool)
        async def slow(**given: Any) -> Any:
            await asyncio.sleep(self.draw.choice([0.0, 0.5, 2.0, 5.0]))
            return await tool(**given)

        return slow

    async def talk(self, caller: Any) -> None:
        """What the caller does."""
        draw = self.draw
        with suppress(CallEnded):
            for _ in range(draw.randint(2, 6)):
                if draw.random() < 0.5:
                    await caller.hears(timeout=60)
                await caller.waits(draw.uniform(0.3, 4.0))
                if draw.random() < 0.1 and not caller.carrier.ended:
                    await caller.presses("1")
                text = self.words("k", 6)
                self.said.append((text, await caller.says(text)))
            await caller.waits(draw.uniform(0.0, 8.0))


def own(text: str, head: str) -> list[str]:
    return [word.strip(".") for word in text.split() if word[0] == head and len(word.strip(".")) == 7]


def in_order(part: Sequence[str], whole: Sequence[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in part)


@pytest.mark.parametrize("seed", first(6, [*range(12), 24, 60, 72, 99, 129, 171]))
async def test_whatever_happens(shop: Shop, seed: int) -> None:
    wild = Wild(seed)
    async with shop(wild.answer, round_trip=wild.draw.choice([0.0, 0.06, 0.12, 0.25])) as bar:
        bar.module.price = wild.slowed(bar.module.price)
        line = await bar.rings()
        chat = asyncio.create_task(bar_chatter(bar, wild)) if seed % 3 == 0 else None
        await wild.talk(line.caller)
        if chat is not None:
            chat.cancel()
            await asyncio.wait([chat])
        report = await bar.report(line)
        await asyncio.sleep(2.0)
        assert bar.services.google.open_streams == 0
        assert [context for context in bar.services.cartesia.contexts if context.outcome is None] == []
    the_caller_is_understood(wild, bar, line, report)
    the_agent_is_remembered_as_heard(wild, bar, line, report)
    assert [fault for fault in report.faults if not fault.kind.startswith("tool.")] == []
    assert report.abandoned == []
    assert min(report.usage.values()) >= 0
    assert report.usage.get("tts.wasted_characters", 0) <= report.usage.get("tts.characters", 0)


async def bar_chatter(bar: Any, wild: Wild) -> None:
    """The bot's own code says something now and then."""
    draw = random.Random(wild.draw.random())
    while bar.calls[0].ending is None:
        await asyncio.sleep(draw.uniform(2.0, 8.0))
        if bar.calls[0].ending is None:
            text = wild.words("m", 4)
            audio, words = bar.lexicon.speak(text)
            bar.calls[0].play(audio, text=text, words=words, interruptible=draw.random() < 0.7)


def the_caller_is_understood(wild: Wild, bar: Any, line: Any, report: CallReport) -> None:
    said = [word for text, _ in wild.said for word in text.split()]
    for request in bar.services.anthropic.requests:
        assert request.refusal == ""
        asked = [word for message in request.messages if message.role == "user" for word in own(message.text, "k")]
        assert in_order(asked, said)
        before = [text for text, speech in wild.said if speech.speech_ended < request.at - QUIET_END]
        assert set(" ".join(before).split()) <= set(asked)
        assert [message.text for message in request.messages].count("Hello?") == 1  # in front of the greeting
    turns = [word for turn in report.turns for word in without_keys(turn.caller).split()]
    assert in_order(turns, said)
    told = [without_keys(message.text) for message in report.conversation if message.role == "user"]
    kept = [word for text in told for word in text.split()]
    assert in_order(kept, said)
    assert in_order(turns, kept)
    if report.reason == "caller hung up":
        assert turns == kept[: len(turns)]


def the_agent_is_remembered_as_heard(wild: Wild, bar: Any, line: Any, report: CallReport) -> None:
    heard = own(bar.heard(line), "m")
    spoken = [own(message.text, "m") for message in report.conversation if message.role == "assistant"]
    kept = [word for words in spoken for word in words]
    # A word that follows a cut one without a pause runs into it: the listener cannot tell it.
    glued = [words[0] for words in spoken if words and words[0] not in heard]
    assert in_order([word for word in kept if word not in glued], heard)  # and nothing that was not
    cut = sum(message.interrupted for message in report.conversation)
    assert len(set(heard) - set(kept)) <= cut + sum(not turn.heard for turn in report.turns)
    for turn in report.turns:
        assert turn.heard == "" or own(turn.heard, "m") == [word for word in own(turn.heard, "m") if word in kept]
    holes = line.caller.carrier.truth.holes()
    # The agent pauses only while its tools run.
    assert [hole for hole in holes if not any(hole[0] - 8.0 < at < sum(hole) for at in wild.paused)] == []

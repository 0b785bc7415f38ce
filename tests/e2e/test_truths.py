"""The truths of the loop, on the Twilio bot of the examples. The same by hand: tests/test_e2e_tts.md."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from itertools import product
from statistics import median
from typing import Any

import pytest

from tests.grids import always, first
from voiceloop.conversation import Message
from voiceloop.sim.anthropic import Reply, ToolUse
from voiceloop.sim.profiles import PROFILES

Shop = Callable[..., Any]
LONG = "We have coffee, latte, cappuccino and mocha, small or large, hot or iced, with milk of cow, oat or almond."


def said_by_the_caller(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages if message.role == "user"]


async def test_1_the_caller_speaks_and_hears_the_agent(shop: Shop) -> None:
    price = Reply("One second.", tools=[ToolUse("price", {"drink": "latte", "size": "large"})])
    async with shop([price, "It is $5.50."]) as bar:
        line = await bar.rings()
        await line.caller.says("How much is a large latte?")
        assert await bar.hears(line) == "One second. It is five dollars and fifty cents."
        report = await bar.report(line)
    (turn,) = report.turns
    assert turn.caller == "How much is a large latte?"
    assert turn.heard == "One second. It is $5.50."
    assert report.faults == []
    call = bar.calls[0]
    assert (call.caller, call.number, call.direction) == ("+15550002222", "+15550001111", "inbound")
    asked, again = bar.services.anthropic.requests
    assert {tool["name"] for tool in asked.body["tools"]} == {"price", "hang_up"}
    assert again.messages[-1].results[0].text == "$5.50"
    assert {stream.audio > 0 for stream in bar.services.google.streams[1:2]} == {True}


async def test_2_it_remembers_over_several_turns(shop: Shop) -> None:
    def answer(messages: Sequence[Message]) -> str:
        asked = said_by_the_caller(messages)
        return f"You said: {asked[-2]}" if asked[-1] == "What did I say?" else "Noted."

    async with shop(answer) as bar:
        line = await bar.rings()
        for said in ("One small mocha.", "What did I say?", "And a tea.", "What did I say?"):
            await line.caller.says(said)
            reply = await bar.hears(line)
        assert reply == "You said: And a tea."
        report = await bar.report(line)
    assert [turn.heard for turn in report.turns][1] == "You said: One small mocha."
    last = bar.services.anthropic.requests[-1].messages
    assert [f"{message.role}: {message.text}" for message in last[1:]] == [
        "user: Hello?",
        "assistant: Corner Coffee, hi! What can I get you?",
        "user: One small mocha.",
        "assistant: Noted.",
        "user: What did I say?",
        "assistant: You said: One small mocha.",
        "user: And a tea.",
        "assistant: Noted.",
        "user: What did I say?",
    ]


async def test_3_the_first_audio_leaves_before_the_last_token(shop: Shop) -> None:
    story = "Once there was a bean. " * 12
    async with shop([Reply(story, rate=5.0)]) as bar:
        line = await bar.rings()
        await line.caller.says("Tell me a story.")
        spoken = line.caller.speech_end
        await bar.hears(line, timeout=60)
        report = await bar.report(line)
    first = line.caller.first_sound_after(spoken)
    request = bar.services.anthropic.requests[0]
    assert request.complete
    assert first < request.at + 1.5
    assert request.at + 0.3 + 60 / 5.0 > first + 9.0  # the model wrote for that long after the first sound
    assert report.turns[0].heard == story.strip()


async def test_4_a_long_answer_is_heard_to_its_last_word(shop: Shop) -> None:
    syllables = ["ba", "ce", "di", "fo", "gu", "ha", "ji"]
    words = ["".join(three) for three in product(syllables, repeat=3)]
    words = [f"{word}." if number % 9 == 8 else word for number, word in enumerate(words)] + ["end."]
    text = " ".join(words)
    async with shop([text]) as bar:
        line = await bar.rings()
        await line.caller.says("Tell me everything.")
        began = asyncio.get_running_loop().time()
        heard = await bar.hears(line, timeout=200)
        assert asyncio.get_running_loop().time() - began > 90
        report = await bar.report(line)
    said = heard.split()
    assert len(said) == len(words)
    assert said[-1] == "end."
    assert line.caller.carrier.truth.holes() == []
    assert report.turns[0].heard == text
    assert report.faults == []


@pytest.mark.parametrize(
    ("hears", "does"),
    [
        ("Are you still there?", "silence"),
        (LONG.removeprefix("We have "), "a cough over the agent"),
        ("Sorry, something went wrong. Could you say that again?", "an empty answer"),
    ],
)
async def test_5_silence_and_empty_words_are_spoken_to(shop: Shop, hears: str, does: str) -> None:
    answers = {"an empty answer": [Reply(""), Reply("")], "silence": []}.get(does, [LONG])
    async with shop([*answers, "Good."]) as bar:
        line = await bar.rings()
        if does != "silence":
            await line.caller.says("Tell me.")
        if does == "a cough over the agent":
            noise = random.Random(1).randbytes(2400).replace(b"\xff", b"\x00").replace(b"\x7f", b"\x00")
            await line.caller.interrupts(bytes(byte & 0xBF for byte in noise), after=0.6)
        assert await bar.hears(line, timeout=20) == hears
        await line.caller.says("Hello?")
        assert await bar.hears(line) == "Good."
        report = await bar.report(line)
    assert report.reason == "caller hung up"


async def test_5_a_caller_who_stays_silent_is_told_goodbye(shop: Shop) -> None:
    async with shop(["Good."]) as bar:
        line = await bar.rings()
        await bar.over(line)
    assert bar.heard(line).endswith("Are you still there? Are you still there? Goodbye.")
    assert bar.reports[0].reason == "caller silent"
    assert line.status == "completed"


@pytest.mark.parametrize("after", [0.15, 0.4, 0.9, 1.7, 2.6, 3.8, 5.3])
async def test_6_a_barge_in_stops_it_and_memory_holds_what_was_heard(shop: Shop, after: float) -> None:
    async with shop([LONG, "Sure."], round_trip=0.12) as bar:
        line = await bar.rings()
        before = len(bar.heard(line).split())
        await line.caller.says("What do you have?")
        cut = await line.caller.interrupts("Stop please", after=after)
        heard = " ".join(bar.heard(line).split()[before:])
        assert cut.agent_stopped - cut.speech.speech_started < 0.35
        assert await bar.hears(line) == "Sure."
        report = await bar.report(line)
    remembered = bar.services.anthropic.requests[1].messages[-2]
    assert report.turns[0].interrupted
    if remembered.role == "user":  # nothing was heard of it
        assert heard == ""
    else:
        kept = remembered.text.removesuffix(" —")  # how a request says that it was cut
        assert (kept == remembered.text) is (kept == LONG)
        assert abs(len(kept.split()) - len(heard.split())) <= 1
        assert LONG.startswith(kept)
    assert bar.services.anthropic.requests[1].said == "Stop please"


HALF_A_BLOCK = 0.010
"""A telephone plays in blocks of 20 ms: what comes between two of them waits, 10 ms on average."""
MOMENTS = [0.1, 0.9, 2.2, 2.6, 2.9, 3.05, 3.2, 3.5, 4.5, 6.0]
"""In the greeting, while the caller speaks, while the model thinks, while the voice begins, while it speaks."""


@pytest.mark.parametrize("moment", always(MOMENTS[::2], MOMENTS))
async def test_7_a_call_that_ends_at_any_moment_leaves_nothing(shop: Shop, moment: float) -> None:
    async with shop([LONG]) as bar:
        sims = bar.services

        async def talk(line: Any) -> None:
            await asyncio.sleep(1.0)
            await line.caller.says("What do you have?")

        line = await sims.twilio.call(bar.voice_url)
        talking = asyncio.create_task(talk(line))
        await asyncio.sleep(moment)
        report = await bar.report(line)
        talking.cancel()
        await asyncio.wait([talking])
        await asyncio.sleep(1.5)
        assert report.reason == "caller hung up"
        assert report.abandoned == []
        assert sims.google.open_streams == 0
        assert [context for context in sims.cartesia.contexts if context.outcome is None] == []
        assert len(sims.cartesia.open) == 1  # the warm one, for the next call
        connections, sockets = sims.anthropic.connections, len(sims.cartesia.sockets)
        line = await bar.rings()
        await line.caller.says("Tell me.")
        assert await bar.hears(line, timeout=20) == LONG
        await bar.report(line, 1)
        assert len(sims.cartesia.sockets) == sockets
        assert sims.anthropic.connections <= connections + 1  # a connection that was cut is not used again


@pytest.mark.parametrize("profile", first(1, sorted(PROFILES)))
async def test_8_latency_is_the_endpoint_and_the_providers_and_little_else(shop: Shop, profile: str) -> None:
    choose = random.Random(8)
    words = ["latte", "mocha", "coffee", "tea", "small", "large", "milk", "please", "sugar", "today"]
    async with shop(["It is ready in five minutes, thank you."], profile=profile) as bar:
        line = await bar.rings()
        waits = []
        for _ in range(40):
            await line.caller.says(" ".join(choose.choices(words, k=choose.randint(2, 7))))
            end = line.caller.speech_end
            await bar.hears(line)
            waits.append(line.caller.first_sound_after(end) - end)
        report = await bar.report(line)
    services = PROFILES[profile]
    promised = 0.5 + services.model + services.voice + HALF_A_BLOCK
    waits.sort()
    assert median(waits) <= promised + 0.020
    assert waits[-3] <= promised + 0.040
    reported = sorted(turn.latency.total for turn in report.turns)
    assert reported == pytest.approx(waits, abs=0.03)

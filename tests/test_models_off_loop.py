"""Model work never holds the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.conversation import Message
from voiceloop.errors import VoiceloopError
from voiceloop.llm.llamacpp import LlamaCpp
from voiceloop.stt.base import Flush
from voiceloop.stt.moonshine import Moonshine
from voiceloop.tts.hibari import Hibari

LONGEST = 0.060  # seconds; work on the loop itself would hold it longer each time (benchmarks/models.py measures)
SWELL = 0.55 + 0.45 * np.sin(np.arange(32000) * 8 * np.pi / 8000)
AUDIO = mulaw.encode((np.random.default_rng(1).standard_normal(32000) * 3000 * SWELL).astype(np.int16))
TEXT = "We are open from 8 am to 6 pm on weekdays, and from nine to five on weekends."
MESSAGES = [Message("system", "You are a receptionist. Answer in one sentence."), Message("user", "Hello?")]


async def heard() -> AsyncIterator[bytes | Flush]:
    yield AUDIO
    yield Flush()


async def written() -> AsyncIterator[str]:
    for word in TEXT.split():
        yield word + " "


@pytest.mark.models
@pytest.mark.realtime
async def test_the_loop_is_not_held_while_all_models_work() -> None:
    stt, tts, llm = Moonshine(), Hibari(), LlamaCpp()
    try:
        for provider in (stt, tts, llm):
            await provider.warm()
    except VoiceloopError as error:
        pytest.skip(str(error))
    await llm.prepare(MESSAGES[:1])

    async def listen() -> None:
        async for _ in stt.transcribe(heard()):
            pass

    async def speak() -> None:
        async for _ in tts.generate(written()):
            pass

    async def answer() -> None:
        async with aclosing(llm.respond(MESSAGES)) as pieces:
            async for _ in pieces:
                pass

    # A busy machine holds everybody now and then: work of ours would do so every time.
    held: list[float] = []
    while len(held) < 4 and min(held, default=LONGEST) >= LONGEST:
        held.append(await longest_gap(listen, speak, answer))
    for provider in (stt, tts, llm):
        await provider.aclose()
    assert min(held) < LONGEST, f"the loop was held for {', '.join(f'{1000 * gap:.0f}' for gap in held)} ms"


async def longest_gap(*work: Callable[[], Coroutine[None, None, None]]) -> float:
    """How much too late a task wakes up at most that sleeps a millisecond at a time, seconds."""
    loop = asyncio.get_running_loop()
    tasks = [asyncio.ensure_future(each()) for each in work]
    longest = 0.0
    while not all(task.done() for task in tasks):
        begun = loop.time()
        await asyncio.sleep(0.001)
        longest = max(longest, loop.time() - begun - 0.001)
    await asyncio.gather(*tasks)
    return longest

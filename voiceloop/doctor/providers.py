"""Asks each provider of a bot for a little work, through the interface that calls use: whatever is wrong shows here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from voiceloop.conversation import Message
from voiceloop.doctor.finding import Finding
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.llm.base import LLM
from voiceloop.stt.base import STT, Flush
from voiceloop.tts.base import TTS, Speech

__all__ = ["check_provider"]

LIMIT = 60.0
"""Seconds for a provider to warm up; models may have to be loaded."""
ANSWER_LIMIT = 20.0
"""Seconds for its answer."""
SILENCE = b"\xff" * 1600
PIECES = 5


async def check_provider(provider: STT | LLM | TTS) -> Finding:
    """Warm a provider and ask it for a second of silence to be heard, a word to be written, a word to be spoken.

    It is closed again. At a service that costs a fraction of a cent.
    """
    name = type(provider).__name__
    loop = asyncio.get_running_loop()
    limit = LIMIT
    try:
        async with asyncio.timeout(LIMIT):
            await provider.warm()
        began, limit = loop.time(), ANSWER_LIMIT
        async with asyncio.timeout(ANSWER_LIMIT):
            found = await _probe(provider)
        return Finding(name, "ok", found, loop.time() - began)
    except TimeoutError:
        return Finding(name, "wrong", f"nothing came within {limit:g} s: is its address right, and can it be reached?")
    except VoiceloopError as error:
        return Finding(name, "wrong", str(error))
    except Exception as error:
        return Finding(name, "wrong", describe(error)[0])
    finally:
        await _close(provider)


async def _close(provider: Any) -> None:
    try:
        async with asyncio.timeout(5.0):
            await provider.aclose()
    except Exception:  # what is wrong with it has been told
        return


def _probe(provider: STT | LLM | TTS) -> Awaitable[str]:
    probes: tuple[tuple[type, Callable[[Any], Awaitable[str]]], ...] = ((STT, _hear), (LLM, _write), (TTS, _speak))
    return next(probe(provider) for base, probe in probes if isinstance(provider, base))


async def _hear(stt: STT) -> str:
    flush = Flush()

    async def audio() -> AsyncIterator[bytes | Flush]:
        for _ in range(PIECES):
            yield SILENCE
            await asyncio.sleep(len(SILENCE) / 8000)
        yield flush

    async with aclosing(stt.transcribe(audio())) as items:
        async for item in items:
            if item is flush:
                return "it listens"
    return "it listens"


async def _write(llm: LLM) -> str:
    question = [Message("system", "Answer in one word."), Message("user", "Say hello.")]
    async with aclosing(llm.respond(question)) as items:
        async for item in items:
            if isinstance(item, str) and item.strip():
                return "it writes"
    raise VoiceloopError("it ended without a word: is this model able to chat?")


async def _speak(tts: TTS) -> str:
    async def text() -> AsyncIterator[str]:
        yield "Hello."

    async with aclosing(tts.generate(text())) as speech:
        async for piece in speech:
            if isinstance(piece, Speech) and piece.audio:
                return "it speaks"
    raise VoiceloopError("it ended without a sound: does this voice speak the bot's language?")

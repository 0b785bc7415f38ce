"""Asks each provider of a bot for a little work, through the interface that calls use: whatever is wrong shows here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from typing import Any, Final

from voiceloop.conversation import Message
from voiceloop.doctor.finding import Finding, State
from voiceloop.doctor.hearing import hear
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.llm.base import LLM
from voiceloop.stt.base import STT
from voiceloop.tts.base import TTS, Speech

__all__ = ["PHRASE", "check_providers", "members"]

PHRASE: Final = "Hello, hello. One, two, three."
"""What voices are asked to say. The recognisers get it to hear."""
LIMIT: Final = 60.0
"""Seconds for a provider to warm up; models may have to be loaded."""
ANSWER_LIMIT: Final = 20.0
"""Seconds for its answer."""
SLOW: Final = 2.5
"""Seconds for the first word or sound from which on a caller wonders whether somebody is there."""
_CLOSE: Final = 5.0
_LED_ELSEWHERE: Final = ("GOOGLE_SPEECH_ENDPOINT", "CARTESIA_BASE_URL")
"""Variables by which speech may come from a simulator."""

Provider = STT | LLM | TTS


def members(providers: Iterable[Any]) -> Iterator[Provider]:
    """Recognisers, models and voices, those of a `Fallback` one by one: it would hide that one of them fails."""
    for provider in providers:
        within = getattr(provider, "providers", None)
        if isinstance(provider, Provider):
            yield from members(within) if isinstance(within, tuple) else (provider,)


async def check_providers(providers: Iterable[Any]) -> AsyncIterator[Finding]:
    """Have each voice say a phrase, each recogniser hear it, and each model answer; then close them.

    At a service that costs a fraction of a cent. What is wrong with one does not hide another.
    """
    each = list(members(providers))
    spoken = bytearray()
    for kind, ask in ((TTS, _speak), (STT, _hear), (LLM, _write)):
        for provider in each:
            if isinstance(provider, kind):
                yield await _check(provider, ask, spoken)


Ask = Callable[[Any, bytearray], Awaitable[tuple[str, State, float]]]


async def _check(provider: Provider, ask: Ask, spoken: bytearray) -> Finding:
    name, limit = type(provider).__name__, LIMIT
    try:
        async with asyncio.timeout(LIMIT):
            await provider.warm()
        limit = ANSWER_LIMIT
        async with asyncio.timeout(ANSWER_LIMIT):
            found, state, seconds = await ask(provider, spoken)
    except TimeoutError:
        text = f"nothing came within {limit:g} s: is its address right, can it be reached, is it overloaded?"
        return Finding(name, "wrong", text)
    except VoiceloopError as error:
        return Finding(name, "wrong", str(error))
    except Exception as error:
        return Finding(name, "wrong", describe(error)[0])
    finally:
        await _close(provider)
    if state == "ok" and seconds > SLOW:
        return Finding(name, "warning", f"{found}, but slowly: a caller would wait in silence", seconds)
    return Finding(name, state, found, seconds)


async def _close(provider: Provider) -> None:
    with suppress(Exception):  # what is wrong with it has been told
        async with asyncio.timeout(_CLOSE):
            await provider.aclose()


async def _speak(tts: TTS, spoken: bytearray) -> tuple[str, State, float]:
    async def text() -> AsyncIterator[str]:
        yield PHRASE

    loop = asyncio.get_running_loop()
    began, first = loop.time(), 0.0
    audio = bytearray()
    with suppress(VoiceloopError):  # one for other languages speaks as it can
        tts = tts.for_language("en")
    async with aclosing(tts.generate(text())) as speech:
        async for piece in speech:
            if isinstance(piece, Speech) and piece.audio:
                first = first or loop.time() - began
                audio += piece.audio
    if not audio:
        raise VoiceloopError("it ended without a sound: does this voice speak the bot's language?")
    spoken[:] = audio
    return f"it speaks, {len(audio) / 8000:.1f} s for {PHRASE!r}", "ok", first


async def _hear(stt: STT, spoken: bytearray) -> tuple[str, State, float]:
    with suppress(VoiceloopError):
        stt = stt.for_language("en")
    heard, seconds = await hear(stt, bytes(spoken))
    if heard:
        return f"it heard {heard[:80]!r}", "ok", seconds
    if not spoken:
        return "it listens; no voice could speak to it", "ok", seconds
    text = f"it listens, but understood nothing of {PHRASE!r}: do voice and recogniser know the same language"
    if any(os.environ.get(name) for name in _LED_ELSEWHERE):
        text += ", or is this `voiceloop sim` with artificial speech? Use `--speech embedded`."
    else:
        text += "?"
    return text, "warning", seconds


async def _write(llm: LLM, spoken: bytearray) -> tuple[str, State, float]:
    question = [Message("system", "Answer in one word."), Message("user", "Say hello.")]
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with aclosing(llm.respond(question)) as items:
        async for item in items:
            if isinstance(item, str) and item.strip():
                return "it writes", "ok", loop.time() - began
    raise VoiceloopError("it ended without a word: is this model able to chat?")

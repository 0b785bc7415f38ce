"""Has a recogniser hear a phrase as it would on the phone: at the pace of speech, with silence around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from voiceloop.stt.base import STT, Flush, Transcript

__all__ = ["hear"]

_PIECE: Final = 800
_SILENCE: Final = b"\xff" * _PIECE
_BEFORE: Final = 3
"""Pieces of silence before the phrase, and behind it."""
_PATIENCE: Final = 5.0
"""Seconds in which a recogniser that listens to whole calls may fail, or find words, once it has been asked: a service
that turns streams away is asked again for a while before it is an error."""


async def hear(stt: STT, phrase: bytes) -> tuple[str, float]:
    """What a recogniser understands, and how many seconds after the end of the phrase it has answered.

    Args:
        phrase: mu-law, 8000 Hz; may be empty.

    Raises: what the recogniser does.
    """
    loop = asyncio.get_running_loop()
    flush, over = Flush(), asyncio.Event()
    asked = answered = 0.0
    segments: dict[int, str] = {}

    async def audio() -> AsyncIterator[bytes | Flush]:
        nonlocal asked
        said = _SILENCE * _BEFORE + phrase + _SILENCE * _BEFORE
        for start in range(0, len(said), _PIECE):
            yield said[start : start + _PIECE]
            await asyncio.sleep(_PIECE / 8000)
        asked = loop.time()
        yield flush
        while not over.is_set() and loop.time() < asked + _PATIENCE:
            if stt.per_call:
                yield _SILENCE
            await asyncio.sleep(_PIECE / 8000)

    async with aclosing(stt.transcribe(audio())) as items:
        async for item in items:
            if item is flush:
                answered = loop.time()
            elif isinstance(item, Transcript):
                segments[item.segment] = item.text
            if answered and (not stt.per_call or any(segments.values())):
                over.set()
                break
    heard = " ".join(segments[number].strip() for number in sorted(segments)).strip()
    return heard, (answered or loop.time()) - (asked or loop.time())

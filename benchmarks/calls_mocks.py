"""What both sides of ``calls.py`` answer with: the same text, the same waits. Needs the standard library only.

A recogniser, a model and a voice in the same process, which cost next to nothing: what is measured is the engine.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ANSWER",
    "GREETING",
    "LLM_DELAY",
    "MARK",
    "MARK_DELAY",
    "STT_DELAY",
    "TOKEN_INTERVAL",
    "TRANSCRIPT",
    "TTS_DELAY",
    "WORD_SECONDS",
    "described",
    "voice",
]

GREETING: Final = "Hello, this is the corner restaurant."
TRANSCRIPT: Final = "Do you have a table for two tonight?"
ANSWER: Final = "We have a nice table for two at seven tonight. Shall I book it for you right now, or later?"
"""Two sentences of ten words."""

MARK: Final = b"\xfe\x7e" * 80
"""Mu-law of one packet, 20 ms, that a caller sends right behind the last sample of an utterance: samples of +8 and -8,
which nobody hears. A streaming recogniser knows by itself where speech ends; the one here knows it by this."""

STT_DELAY: Final = 0.100
"""Seconds from the end of speech to the final transcript."""
MARK_DELAY: Final = STT_DELAY - 0.020
"""The same from the arrival of `MARK`, which comes a packet later than the end of speech."""
LLM_DELAY: Final = 0.100
"""Seconds to the first token."""
TOKEN_INTERVAL: Final = 0.020
"""Seconds between two of them: 50 a second, a word each."""
TTS_DELAY: Final = 0.050
"""Seconds from a piece of text to all of its audio."""
WORD_SECONDS: Final = 0.3
"""Of audio for each word: 3 s a sentence."""

_PERIOD: Final = bytes([0x20, 0x30, 0x50, 0x90, 0xA0, 0xB0, 0xD0, 0x10])
"""Of the voice, mu-law: a loud 1000 Hz buzz, with no silent sample."""


def voice(words: int) -> bytes:
    """The sound of so many words, mu-law, 8000 Hz."""
    return _PERIOD * round(words * WORD_SECONDS * 1000)


def described() -> dict[str, object]:
    """What was mocked, to be printed with results."""
    return {
        "greeting": GREETING,
        "transcript": TRANSCRIPT,
        "answer": ANSWER,
        "transcript_after_ms": STT_DELAY * 1000,
        "first_token_after_ms": LLM_DELAY * 1000,
        "tokens_per_second": 1 / TOKEN_INTERVAL,
        "audio_after_text_ms": TTS_DELAY * 1000,
        "audio_per_word_s": WORD_SECONDS,
    }

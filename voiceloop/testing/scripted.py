"""Scripted providers: exact, instant unless told otherwise, and the same on every run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

from voiceloop.conversation import Message
from voiceloop.frames import Transcript
from voiceloop.llm.base import LLM, Usage
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush
from voiceloop.tts.base import TTS, Speech

__all__ = ["ScriptedLLM", "ScriptedSTT", "ScriptedTTS", "script"]

Reply = str | BaseException
Answerer = Callable[[Sequence[Message]], Reply]


class ScriptedSTT(STT):
    """Hears artificial speech word for word.

    Args:
        lexicon: shared with whoever speaks.
        delay: seconds from a flush to its transcript.
    """

    def __init__(self, lexicon: Lexicon, *, delay: float = 0.0) -> None:
        self._lexicon = lexicon
        self.delay = delay

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        """One utterance; the words so far at each flush."""
        heard = bytearray()
        async for piece in audio:
            if isinstance(piece, bytes):
                heard += piece
                continue
            if self.delay:
                await asyncio.sleep(self.delay)
            if text := self._lexicon.text(bytes(heard)):
                yield Transcript(text)
            yield piece


class ScriptedLLM(LLM):
    """Answers from a script.

    Args:
        replies: texts in order, the last one again when they run out; an exception is raised instead of answering.
            Or a function of the messages.
        first: seconds until the first token.
        rate: tokens per second; 0 for all at once.
        stall_after: stop for ever after so many tokens.
    """

    def __init__(
        self, replies: Sequence[Reply] | Answerer, *, first: float = 0.0, rate: float = 0.0, stall_after: int | None = None
    ) -> None:
        self._replies = replies
        self.first = first
        self.rate = rate
        self.stall_after = stall_after
        self.requests: list[list[Message]] = []
        """What the model was asked, oldest first: copies of the messages of each request."""

    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        """The next reply, word by word."""
        self.requests.append([Message(m.role, m.text, m.unheard, m.interrupted) for m in messages])
        reply = self._reply(messages)
        if self.first:
            await asyncio.sleep(self.first)
        if isinstance(reply, BaseException):
            raise reply
        tokens = [word if index == 0 else f" {word}" for index, word in enumerate(reply.split())]
        for index, token in enumerate(tokens):
            if index == self.stall_after:
                await asyncio.get_running_loop().create_future()
            if index and self.rate:
                await asyncio.sleep(1 / self.rate)
            yield token
        yield Usage(sum(len(m.text.split()) for m in messages), len(tokens))

    def _reply(self, messages: Sequence[Message]) -> Reply:
        if callable(self._replies):
            return self._replies(messages)
        return self._replies[min(len(self.requests), len(self._replies)) - 1]


def script(*replies: Reply, first: float = 0.0, rate: float = 0.0) -> ScriptedLLM:
    """A model that says these things, one each time it is asked, and then the last one again.

    Args:
        replies: texts, or exceptions to raise.
        first: seconds until the first token.
        rate: tokens per second; 0 for all at once.
    """
    if not replies:
        raise ValueError("script() needs at least one reply")
    return ScriptedLLM(replies, first=first, rate=rate)


class ScriptedTTS(TTS):
    """Speaks artificial speech, word by word as the text comes.

    Args:
        lexicon: shared with whoever listens.
        first: seconds from the first word of text to its audio.
        words: tell when each word is spoken; a voice without word times is made by False.
        fail_after: raise after so many words.
        stall_after: stop for ever after so many words.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        *,
        first: float = 0.0,
        words: bool = True,
        fail_after: int | None = None,
        stall_after: int | None = None,
    ) -> None:
        self._lexicon = lexicon
        self.first = first
        self.words = words
        self.fail_after = fail_after
        self.stall_after = stall_after

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        """One answer."""
        samples = count = 0
        async for word in _words(text):
            if count == 0 and self.first:
                await asyncio.sleep(self.first)
            if count == self.fail_after:
                raise ConnectionError("the voice broke, as scripted")
            if count == self.stall_after:
                await asyncio.get_running_loop().create_future()
            audio, (spoken,) = self._lexicon.speak(word)
            offset = samples / 8000
            timed = type(spoken)(spoken.text, spoken.start + offset, spoken.end + offset)
            yield Speech(audio, (timed,) if self.words else ())
            samples += len(audio)
            count += 1


async def _words(text: AsyncIterator[str]) -> AsyncIterator[str]:
    """Whole words, each as soon as the space behind it is there."""
    rest = ""
    async for piece in text:
        *whole, rest = (rest + piece).split(" ")
        for word in whole:
            if word.strip():
                yield word.strip()
    if rest.strip():
        yield rest.strip()

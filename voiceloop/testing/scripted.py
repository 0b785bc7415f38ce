"""Scripted providers: exact, instant unless told otherwise, and the same on every run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

from voiceloop.conversation import Message, ToolCall
from voiceloop.frames import Transcript
from voiceloop.llm.base import LLM, ToolSpec, Usage
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush
from voiceloop.tts.base import TTS, Speech

__all__ = ["Calls", "Failing", "ScriptedLLM", "ScriptedSTT", "ScriptedTTS", "calls", "script"]


@dataclass(slots=True, frozen=True)
class Calls:
    """What a scripted model says when it asks for a tool; made by `calls`."""

    name: str
    arguments: str


def calls(name: str, arguments: str | None = None, /, **values: Any) -> Calls:
    """Ask for a tool: ``calls("price", drink="latte")``.

    Args:
        name: of the tool.
        arguments: JSON, as a model writes it, also broken, in place of values.
        values: what it is given.
    """
    return Calls(name, json.dumps(values) if arguments is None else arguments)


Reply = str | BaseException | Calls | Sequence[str | Calls]
Answerer = Callable[[Sequence[Message]], Reply]


_How = Literal["raise", "stall", "deaf", "empty"]


class Failing:
    """What goes wrong at a scripted provider, and when.

    Args:
        how: ``raise``; ``stall``: give nothing more; ``deaf``: the same, and swallow every cancellation until
            `let_go`; ``empty``: end as if all had been given.
        after: items (transcripts, words) of a request that are given first.
        requests: which requests fail, counted from 0; None for all. A voice is asked for each of the library's own
            phrases too, when the first call of a runtime begins.
    """

    def __init__(
        self,
        how: _How,
        *,
        after: int = 0,
        requests: Container[int] | None = None,
    ) -> None:
        if how not in get_args(_How):
            raise ValueError(f"expected one of {', '.join(get_args(_How))}, got {how!r}")
        self.how = how
        self.after = after
        self.requests = requests
        self.count = 0
        """Requests so far."""
        self._held: list[asyncio.Future[None]] = []

    def begin(self) -> bool:
        """A request begins: whether it is one that fails."""
        self.count += 1
        return self.requests is None or self.count - 1 in self.requests

    async def strike(self) -> None:
        """Fail. Returns when the provider is to end."""
        if self.how == "raise":
            raise ConnectionError("broken, as scripted")
        if self.how == "empty":
            return
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.how == "stall":
            await held
        self._held.append(held)
        while not held.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(held)

    def let_go(self) -> None:
        """End what is deaf."""
        for held in self._held:
            if not held.done():
                held.set_result(None)


def _strikes(failing: Failing | None) -> Callable[[int], bool]:
    """A request begins: says for each number of items given whether it fails now."""
    if failing is None or not failing.begin():
        return lambda given: False
    return lambda given: given == failing.after


class ScriptedSTT(STT):
    """Hears artificial speech word for word.

    Args:
        lexicon: shared with whoever speaks.
        delay: seconds from a flush to its transcript.
        failing: what goes wrong.
    """

    def __init__(self, lexicon: Lexicon, *, delay: float = 0.0, failing: Failing | None = None) -> None:
        self._lexicon = lexicon
        self.delay = delay
        self.failing = failing

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        """One utterance; the words so far at each flush."""
        fails, given = _strikes(self.failing), 0
        heard = bytearray()
        async for piece in audio:
            if fails(given) and self.failing is not None:
                await self.failing.strike()
                return
            if isinstance(piece, bytes):
                heard += piece
                continue
            if self.delay:
                await asyncio.sleep(self.delay)
            if text := self._lexicon.text(bytes(heard)):
                given += 1
                yield Transcript(text)
            yield piece


class ScriptedLLM(LLM):
    """Answers from a script.

    Args:
        replies: texts in order, the last one again when they run out. A reply that asks for tools is `calls`, or
            several and text: ``("Let me look.", calls("price", drink="latte"))``; the one after it answers their
            results. An exception is raised instead of answering. Or a function of the messages that gives any of
            these.
        first: seconds until the first token.
        rate: tokens per second; 0 for all at once.
        failing: what goes wrong.
    """

    takes_tools: ClassVar[bool] = True

    def __init__(
        self,
        replies: Sequence[Reply] | Answerer,
        *,
        first: float = 0.0,
        rate: float = 0.0,
        failing: Failing | None = None,
    ) -> None:
        self._replies = replies
        self.first = first
        self.rate = rate
        self.failing = failing
        self.requests: list[list[Message]] = []
        """What the model was asked, oldest first: copies of the messages of each request."""
        self.offered: list[tuple[ToolSpec, ...]] = []
        """The tools that it was offered in each request."""

    async def respond(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[str | ToolCall | Usage, None]:
        """The next reply, word by word."""
        self.requests.append([replace(message) for message in messages])
        self.offered.append(tuple(tools))
        reply = self._reply(messages)
        if self.first:
            await asyncio.sleep(self.first)
        if isinstance(reply, BaseException):
            raise reply
        items = _items([reply] if isinstance(reply, str | Calls) else reply, messages)
        fails = _strikes(self.failing)
        for index, item in enumerate(items):
            if fails(index) and self.failing is not None:
                await self.failing.strike()
                return
            if index and self.rate:
                await asyncio.sleep(1 / self.rate)
            yield item
        yield Usage(sum(len(m.text.split()) for m in messages), len(items))

    def _reply(self, messages: Sequence[Message]) -> Reply:
        if callable(self._replies):
            return self._replies(messages)
        return self._replies[min(len(self.requests), len(self._replies)) - 1]


def _items(reply: Sequence[str | Calls], messages: Sequence[Message]) -> list[str | ToolCall]:
    """A reply as it is given: words, and calls with identifiers that are new in the conversation."""
    items: list[str | ToolCall] = []
    made = sum(len(message.calls) for message in messages)
    for part in reply:
        if isinstance(part, Calls):
            made += 1
            items.append(ToolCall(f"call_{made}", part.name, part.arguments))
        else:
            for word in part.split():
                items.append(f" {word}" if items else word)
    return items


def script(*replies: Reply, first: float = 0.0, rate: float = 0.0) -> ScriptedLLM:
    """A model that says these things, one each time it is asked, and then the last one again.

    Args:
        replies: texts, `calls`, both in a tuple, or exceptions to raise.
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
        failing: what goes wrong.
    """

    def __init__(
        self, lexicon: Lexicon, *, first: float = 0.0, words: bool = True, failing: Failing | None = None
    ) -> None:
        self._lexicon = lexicon
        self.first = first
        self.words = words
        self.failing = failing

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        """One answer."""
        fails = _strikes(self.failing)
        samples = count = 0
        async for word in _words(text):
            if count == 0 and self.first:
                await asyncio.sleep(self.first)
            if fails(count) and self.failing is not None:
                await self.failing.strike()
                return
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

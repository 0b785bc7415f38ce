"""A language model behind an OpenAI-compatible endpoint: OpenAI's own, Ollama, vLLM, llama.cpp's server, LM Studio."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from typing import Any, ClassVar

import aiohttp

from voiceloop.conversation import Message
from voiceloop.errors import ModelError, quoted
from voiceloop.llm.base import LLM, ToolCall, ToolSpec, Usage
from voiceloop.llm.history import OPENING, alternating, estimate_json, fit
from voiceloop.llm.openai_client import ERRORS, Client
from voiceloop.llm.openai_endpoint import OPENAI, Endpoint
from voiceloop.llm.openai_request import OpenAIOptions
from voiceloop.llm.openai_stream import EVENT_LIMIT, AnswerReader, EventStream
from voiceloop.llm.openai_tools import CallReader, rounds, tool_bodies
from voiceloop.offload import Limit
from voiceloop.web_service import read_some

__all__ = ["OPENAI", "OpenAILLM", "OpenAIOptions"]

log = logging.getLogger("voiceloop.llm.openai")

_LINGER = 1.0
"""Seconds from the model's last word until the server must have ended the stream."""
_PREFILL_LIMIT = 60.0
"""Seconds that a server may take to load a model and to read instructions."""
_REMEMBERED = 64
"""Beginnings of conversations of which it is known when they were read ahead."""


class OpenAILLM(LLM):
    """Answers with a model behind ``POST {base_url}/chat/completions``.

    Without `api_key` the key is taken from the environment variable ``OPENAI_API_KEY`` when there is one; it is not
    sent over plain http to another network. Redirects are not followed. What a reasoning model thinks is not spoken.
    Closing the generator closes the connection, so the server can stop writing. One object serves all calls of one
    event loop.

    Args:
        model: what the server calls the model; None for the only one it offers.
        base_url: what stands before ``/chat/completions``, such as ``http://localhost:11434/v1`` for Ollama.
        api_key: the key.
        options: how to ask.
        connector: makes the connector of the connections, for proxies, certificates and tests.

    Raises, from `warm` and `respond`: `ModelError`, which says what to do.
    """

    takes_tools: ClassVar[bool] = True

    def __init__(
        self,
        model: str | None,
        *,
        base_url: str = OPENAI,
        api_key: str | None = None,
        options: OpenAIOptions | None = None,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
    ) -> None:
        self.options = options or OpenAIOptions()
        self.model = model
        self._endpoint = Endpoint(base_url, api_key, self.options.headers)
        self._client = Client(model, self._endpoint, self.options, connector)
        self._warm = False
        self._warming = Limit(1)
        self._used = 0.0  # when the server last answered
        self._prepared: dict[str, float] = {}  # beginnings of conversations, and when they were read ahead
        self._tools: tuple[ToolSpec, ...] = ()  # what was offered last: it stands in front of the instructions
        self._background: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"OpenAILLM({self.model!r}, base_url={str(self._endpoint)!r})"

    async def warm(self) -> None:
        """Connect, so that the first answer does not wait for that, and see whether the key is accepted."""
        async with self._warming:
            if self._warm and self._client.opened:
                return
            opened = self._client.opened
            try:
                await self._greet()
            except ERRORS as error:
                told = self._client.told(error)
                if not opened:
                    await self._client.aclose()  # whoever cannot warm a provider does not think of closing it
                raise told from None
            self._warm = True

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        """Begin to connect again, if the connection was idle for long, and to have the instructions read.

        Does not wait for either: meanwhile the greeting is spoken. What goes wrong the first answer will tell.
        """
        if tools is not None:
            self._tools = tuple(tools)
        await self.warm()
        now = asyncio.get_running_loop().time()
        wanted = self._endpoint.nearby if self.options.prefill is None else self.options.prefill
        if wanted and beginning:
            if self._is_due(beginning, now):
                messages = [*beginning, Message("user", OPENING)]
                self._later(lambda: self._prefill(messages), "reading instructions ahead")
        elif now - self._used >= self.options.idle and not self._background:
            self._later(self._greet, "connecting again")

    async def aclose(self) -> None:
        """Close all connections; answers under way fail. The next use opens new ones."""
        self._warm = False
        self._prepared.clear()
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await self._client.aclose()
        if tasks:
            await asyncio.wait(tasks)

    async def respond(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[str | ToolCall | Usage, None]:
        try:
            async with aclosing(self._respond(messages, tools)) as items:
                async for item in items:
                    yield item
        except ERRORS as error:
            raise self._client.told(error) from None

    async def _respond(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[str | ToolCall | Usage, None]:
        self._tools = tuple(tools)
        calls = CallReader(call.id for message in messages for call in message.calls) if tools else None
        response = await self._client.ask(self._kept(messages, tools), tools)
        try:
            async with aclosing(self._read(response, AnswerReader(calls))) as items:
                async for item in items:
                    yield item
        finally:
            # A connection that was read to its end is in the pool again by now; any other one is closed by this.
            response.close()
            self._used = asyncio.get_running_loop().time()

    def _kept(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[Message]:
        """What is sent of a conversation."""
        kept = rounds(messages) if tools else alternating(messages)
        if self.options.context is None:
            return kept
        room = self.options.context - (self.options.max_tokens or self.options.context // 4)
        return fit(kept, room - estimate_json(tool_bodies(tools)))

    async def _read(
        self, response: aiohttp.ClientResponse, reader: AnswerReader
    ) -> AsyncGenerator[str | ToolCall | Usage, None]:
        """The answer in a response, whatever form the server has chosen."""
        stream = EventStream()
        start, form = await _first(response)
        if form == b"<":
            raise ModelError("a web page came where an answer was expected: is this the right base_url?")
        if form in (b"{", b"[") and (text := _whole(reader, await read_some(response, EVENT_LIMIT, start))):
            yield text
        deadline: float | None = None
        chunk = b"" if reader.done else start
        while chunk:
            for event in stream.feed(chunk):
                # After [DONE] it is read on, for only a connection that was read to its end can be used again.
                if not reader.done and (text := reader.event(event)):
                    yield text
                for call in reader.calls():
                    yield call
            if deadline is None and (reader.done or reader.finish is not None):
                deadline = asyncio.get_running_loop().time() + _LINGER
            chunk = await _more(response, deadline)
        for event in stream.end():
            if not reader.done and (text := reader.event(event)):
                yield text
        if usage := reader.usage():
            yield usage
        if text := reader.end():
            yield text
        for call in reader.calls():
            yield call

    # --- before there is a question --------------------------------------------------------------------------------

    async def _greet(self) -> None:
        await self._client.greet()
        self._used = asyncio.get_running_loop().time()

    def _is_due(self, beginning: Sequence[Message], now: float) -> bool:
        """Whether the server should read a beginning of conversations again; it may have forgotten it."""
        key = "\n".join(f"{message.role}: {message.text}" for message in beginning)
        before = self._prepared.pop(key, None)
        due = before is None or now - before >= self.options.idle
        self._prepared[key] = now if before is None or due else before
        if len(self._prepared) > _REMEMBERED:
            del self._prepared[next(iter(self._prepared))]
        return due

    async def _prefill(self, messages: Sequence[Message]) -> None:
        response = await self._client.ask(alternating(messages), self._tools, one=True)
        try:
            await read_some(response, EVENT_LIMIT)
        finally:
            response.close()
        self._used = asyncio.get_running_loop().time()

    def _later(self, work: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
        async def run() -> None:
            try:
                async with asyncio.timeout(_PREFILL_LIMIT):
                    await work()
            except ERRORS as error:
                log.debug("%s: %s", what, self._client.told(error))

        task = asyncio.create_task(run(), name=f"OpenAILLM: {what}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _more(response: aiohttp.ClientResponse, deadline: float | None) -> bytes:
    """More of the body; nothing at its end, and no later than the deadline, which there is once all was said."""
    if deadline is None:
        try:
            return await response.content.readany()
        except RuntimeError:  # what aiohttp raises when this side has closed the connection
            raise ModelError("it was closed, with aclose(), before the answer was complete") from None
    with suppress(TimeoutError, aiohttp.ClientError, OSError, RuntimeError):
        async with asyncio.timeout_at(deadline):
            return await response.content.readany()
    return b""


async def _first(response: aiohttp.ClientResponse) -> tuple[bytes, bytes]:
    """The beginning of a body, and its first byte that is no blank."""
    start = b""
    while chunk := await _more(response, None):
        start += chunk
        if form := start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]:
            return start, form
        start = start[-8:]  # blanks mean nothing here
    return start, b""


def _whole(reader: AnswerReader, body: bytes) -> str:
    """The text of an answer that came as one object."""
    if len(body) > EVENT_LIMIT:
        raise ModelError(f"the server sent an object of more than {EVENT_LIMIT // 1024} KiB: no answer is like it")
    try:
        answer = json.loads(body)
    except ValueError:
        raise ModelError(f"expected JSON, got {quoted(body.decode('utf-8', 'replace'))!r}") from None
    text = reader.chunk(answer)
    if not answer.get("choices"):
        raise ModelError(f"expected an answer, got {quoted(json.dumps(answer))}")
    reader.done = True
    return text

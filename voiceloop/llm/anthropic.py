"""A language model of Anthropic, through the official SDK: ``voiceloop[anthropic]``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from typing import Any, ClassVar

from voiceloop.conversation import Message
from voiceloop.errors import MissingExtra, ModelError
from voiceloop.llm.anthropic_client import Client, Response
from voiceloop.llm.anthropic_endpoint import Endpoint
from voiceloop.llm.anthropic_errors import Failure, Retries
from voiceloop.llm.anthropic_request import AnthropicOptions, request
from voiceloop.llm.anthropic_stream import MessageReader
from voiceloop.llm.base import LLM, Item, ToolSpec
from voiceloop.llm.history import OPENING, estimate, estimate_json
from voiceloop.llm.openai_stream import EventStream
from voiceloop.offload import Limit

__all__ = ["AnthropicLLM", "AnthropicOptions"]

log = logging.getLogger("voiceloop.llm.anthropic")

_LINGER = 0.5
"""Seconds from the last event until the service must have ended the stream."""
_READ_AHEAD_LIMIT = 30.0
"""Seconds that reading a long beginning may take."""
_REMEMBERED = 64
"""Beginnings of conversations that are known."""
_LIFETIMES = {"5m": 300.0, "1h": 3600.0}
_LEAST = 1024
"""Tokens; no model keeps less. Several want two or four times as many, and pass over what is shorter."""
_MARGIN = 0.8
"""Part of its lifetime after which something in the prompt cache is read again."""


class AnthropicLLM(LLM):
    """Answers with a model behind ``POST {base_url}/v1/messages``.

    What every conversation begins with is kept in the service's prompt cache, and so is each conversation as it
    grows. A request that fails before anything was written is made again, within `AnthropicOptions.retry` seconds.
    Closing the generator closes the connection, so the service stops writing. One object serves all calls of one
    event loop.

    Args:
        model: what Anthropic calls the model, such as ``claude-haiku-5-5``.
        api_key: the key; None takes it from the environment variable ``ANTHROPIC_API_KEY``. It is not sent over plain
            http to another network, and none is needed for a server on this machine.
        base_url: what stands before ``/v1/messages``; None takes it from ``ANTHROPIC_BASE_URL``, else Anthropic's own.
        options: how to ask.
        http_client: makes the client of the connections, an ``httpx2.AsyncClient``, for proxies and certificates.
            Without it the environment says nothing about either.

    Raises, from `warm` and `respond`: `ModelError`, which says what to do; `MissingExtra`.
    """

    takes_tools: ClassVar[bool] = True

    def __init__(
        self,
        model: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        options: AnthropicOptions | None = None,
        http_client: Callable[[], Any] | None = None,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise ValueError(f"expected the name of a model, such as 'claude-haiku-5-5', got {model!r}")
        self.options = options or AnthropicOptions()
        self.model = model
        self._endpoint = Endpoint(base_url, api_key, self.options.headers)
        self._client = Client(model, self._endpoint, self.options, http_client)
        self._warm = False
        self._warming = Limit(1)
        self._used = 0.0  # when the service last answered
        self._prewarms = self.options.prewarm  # until the service refuses that
        self._beginnings: list[_Beginning] = []  # the one used last comes last
        self._background: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"AnthropicLLM({self.model!r}, base_url={str(self._endpoint)!r})"

    async def warm(self) -> None:
        """Import the SDK, connect, and see whether the key is accepted and the model is there."""
        async with self._warming:
            if self._warm and self._client.opened:
                return
            opened = self._client.opened
            try:
                await self._greet()
            except MissingExtra:
                raise
            except ModelError as error:
                told = self._told(error)
                if not opened:
                    await self._client.aclose()  # whoever cannot warm a provider does not think of closing it
                raise told from None
            self._warm = True

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        """Have the beginning of conversations read ahead, if the prompt cache may have lost it; else, begin to connect
        again if the connection was idle for long.

        Does not wait for either: meanwhile the greeting is spoken. What goes wrong the first answer will tell.

        Args:
            tools: what conversations of this beginning are offered, for that is read before anything else; None: what
                the last one was offered. As long as that is not known, nothing is read ahead.
        """
        await self.warm()
        known = self._known(beginning)
        if tools is not None:
            known.tools = tuple(tools)
        now = asyncio.get_running_loop().time()
        if self._reads_ahead(known, now):
            self._later(lambda: self._read_ahead(known), "reading ahead")
        elif now - self._used >= self.options.idle and not self._background:
            self._later(self._greet, "connecting again")

    async def aclose(self) -> None:
        """Close all connections; answers under way fail. The next use opens new ones."""
        self._warm = False
        self._beginnings.clear()
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await self._client.aclose()
        if tasks:
            await asyncio.wait(tasks)

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        try:
            async with aclosing(self._respond(messages, tools)) as items:
                async for item in items:
                    yield item
        except ModelError as error:
            raise self._told(error) from None

    async def _respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncGenerator[Item, None]:
        known = self._begun(messages)
        fixed = 0
        if known is not None:
            known.tools, fixed = tuple(tools), len(known.messages)
        body = request(self.options, self.model, messages, tools, fixed=fixed)
        loop = asyncio.get_running_loop()
        retries, begun = Retries(self.options.retry, loop.time()), False
        while True:
            try:
                async with aclosing(self._answer(body)) as items:
                    async for item in items:
                        begun = True
                        yield item
                break
            except Failure as failure:
                pause = None if begun else retries.pause(failure, loop.time())
                if pause is None:
                    raise retries.given_up(failure) from None
                log.info("%s; asking again in %g s", self._told(failure), pause)
            await asyncio.sleep(pause)
        if known is not None:
            known.read = loop.time()

    async def _answer(self, body: dict[str, Any]) -> AsyncGenerator[Item, None]:
        """One request."""
        reader, stream = MessageReader(self.model), EventStream()
        loop = asyncio.get_running_loop()
        response = await self._client.ask(body)
        try:
            deadline = loop.time() + self.options.stall
            while chunk := await response.chunk(deadline):
                events = reader.events
                for event in stream.feed(chunk):
                    for item in reader.event(event):
                        yield item
                if reader.done:
                    break
                if reader.events > events:
                    deadline = loop.time() + self.options.stall
            for event in stream.end():
                for item in reader.event(event):
                    yield item
            for item in reader.end():
                yield item
            await _finish(response)
        finally:
            # A connection that was read to its end is in the pool again by now; any other one is closed by this.
            await response.close()
            self._used = loop.time()

    # --- before there is a question --------------------------------------------------------------------------------

    async def _greet(self) -> None:
        await self._client.greet()
        self._used = asyncio.get_running_loop().time()

    def _known(self, beginning: Sequence[Message]) -> _Beginning:
        """What is known of a beginning of conversations."""
        messages = tuple(beginning)
        known = next((known for known in self._beginnings if known.messages == messages), None)
        if known is None:
            known = _Beginning(messages)
        else:
            self._beginnings.remove(known)
        self._beginnings = [*self._beginnings, known][-_REMEMBERED:]
        return known

    def _begun(self, messages: Sequence[Message]) -> _Beginning | None:
        """The longest known beginning that these messages have."""
        found = [known for known in self._beginnings if tuple(messages[: len(known.messages)]) == known.messages]
        return max(found, key=lambda known: len(known.messages), default=None)

    def _reads_ahead(self, known: _Beginning, now: float) -> bool:
        """Whether it is worth it; from then on it counts as read."""
        ttl = self.options.cache_ttl
        if not self._prewarms or ttl is None or known.tools is None or known.tokens < _LEAST:
            return False
        due = known.read is None or now - known.read >= _MARGIN * _LIFETIMES[ttl]
        if due:
            known.read = now
        return due

    async def _read_ahead(self, known: _Beginning) -> None:
        messages = [*known.messages, Message("user", OPENING)]
        body = request(
            self.options, self.model, messages, known.tools or (), fixed=len(known.messages), only_cache=True
        )
        try:
            await self._client.read_ahead(body)
        except Failure as failure:
            self._prewarms = failure.again
            raise
        self._used = asyncio.get_running_loop().time()

    def _later(self, work: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
        async def run() -> None:
            try:
                async with asyncio.timeout(_READ_AHEAD_LIMIT):
                    await work()
            except (ModelError, TimeoutError) as error:
                log.debug("%s: %s", what, self._told(error))

        task = asyncio.create_task(run(), name=f"AnthropicLLM: {what}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _told(self, error: BaseException) -> ModelError:
        """An error with the address of the service, and without keys."""
        return ModelError(self._endpoint.scrubbed(f"{self._endpoint}: {error}"))


class _Beginning:
    """Messages that conversations begin with."""

    __slots__ = ("messages", "read", "tools")

    def __init__(self, messages: tuple[Message, ...]) -> None:
        self.messages = messages
        self.tools: tuple[ToolSpec, ...] | None = None
        """What their conversations are offered; None: not known."""
        self.read: float | None = None
        """When the service last read it, on the loop's clock."""

    @property
    def tokens(self) -> int:
        """About how many, rather too many."""
        described = [[tool.name, tool.description, dict(tool.parameters)] for tool in self.tools or ()]
        return estimate(self.messages) + estimate_json(described)


async def _finish(response: Response) -> None:
    """Read to the end of the body, for only then the connection can be used again."""
    deadline = asyncio.get_running_loop().time() + _LINGER
    with suppress(Failure):
        while await response.chunk(deadline):
            pass

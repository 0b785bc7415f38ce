"""Requests to an OpenAI-compatible server, over connections that are kept for the next one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import aiohttp

from voiceloop.conversation import Message
from voiceloop.errors import ModelError, quoted
from voiceloop.llm.base import ToolSpec
from voiceloop.llm.openai_endpoint import Endpoint, Refused, explained, model_names, refused
from voiceloop.llm.openai_request import OpenAIOptions, Wording, request
from voiceloop.llm.openai_tools import refuses_tools
from voiceloop.web_service import read_some

__all__ = ["ERRORS", "Client"]

ERRORS = (ModelError, aiohttp.ClientError, OSError, TimeoutError)
"""What goes wrong with requests."""
_GREETING_LIMIT = 5.0
"""Seconds that the question for models may take. Not all servers can answer it."""
_LIST_LIMIT = 2.0
"""The same, when an error is to be explained."""
_LIST_SIZE = 4 * 1024 * 1024
"""Bytes of a list of models. The longest known, OpenRouter's, takes about 500 KB."""
_CONNECTIONS = 1000
"""Answers under way at the same time; further ones wait for a connection."""


class Client:
    """One server and one model, on one event loop at a time.

    Args:
        model: what the server calls it; None for the only one it offers.
        endpoint: where the server is.
        options: how to ask.
        connector: makes the connector of the connections.
    """

    def __init__(
        self,
        model: str | None,
        endpoint: Endpoint,
        options: OpenAIOptions,
        connector: Callable[[], aiohttp.BaseConnector] | None,
    ) -> None:
        self._model = model
        self._endpoint = endpoint
        self._options = options
        self._connector = connector
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        name = options.max_tokens_name or ("max_completion_tokens" if endpoint.is_openai else "max_tokens")
        self._wording = Wording(name, options.max_tokens_name is not None, options.usage)

    @property
    def opened(self) -> bool:
        """Whether there is a session."""
        return self._session is not None and not self._session.closed

    async def greet(self) -> None:
        """Open a connection by a request that costs nothing.

        Raises:
            ModelError: there is no key, or it is not accepted; or no model is named, and there is not just one.
            ClientConnectorError, TimeoutError: there is no connection.
        """
        if self._model is None:
            await self._find_only()
            return
        try:
            response = await self._get_models(self._options.connect + _GREETING_LIMIT)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise
        except (aiohttp.ClientError, OSError, TimeoutError):
            return  # it is there, and cannot list its models
        try:
            if response.status == 401:
                raise ModelError(self._endpoint.refusal(await refused(response), self._model, None))
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(_GREETING_LIMIT):
                    await read_some(response, _LIST_SIZE)
        finally:
            response.close()

    async def ask(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), *, one: bool = False
    ) -> aiohttp.ClientResponse:
        """Ask for an answer; again in other words, for each thing that the server says it does not know.

        Args:
            tools: what the model may ask for.
            one: ask for a single token.

        Returns:
            A response with the status 200, of which the body has not been read. Closing it ends the answer.

        Raises:
            ModelError: the server refuses.
            ClientError, OSError, TimeoutError: of the connection.
        """
        model = self._model or await self._find_only()
        wording = self._wording
        first: Refused | None = None
        while True:
            response = await self._post(request(self._options, wording, model, messages, tools, one=one))
            if response.status == 200:
                self._wording = wording.accepted()
                return response
            error = await refused(response)
            other = wording.without(error.body) if error.status in (400, 422) else None
            if other is None:
                error = first or error
                if tools and error.status not in (401, 429) and refuses_tools(error.body):
                    raise ModelError(_no_tools(model, tools, error))
                offered = await self._offered(_LIST_LIMIT) if error.status == 404 else None
                raise ModelError(self._endpoint.refusal(error, model, offered))
            if other.renamed:
                first = first or error  # if the other name is no help, this is what it was about
            wording = other

    async def aclose(self) -> None:
        """Close all connections, and forget a key that was not given."""
        session, self._session = self._session, None
        self._endpoint.lock()
        if session is not None:
            await session.close()

    def told(self, error: BaseException) -> ModelError:
        """An error with the address of the server, and without keys."""
        text = str(error) if isinstance(error, ModelError) else explained(error, self._options.connect)
        return ModelError(self._endpoint.scrubbed(f"{self._endpoint}: {text}"))

    async def _post(self, body: dict[str, Any]) -> aiohttp.ClientResponse:
        """Send a request. A connection that the server had given up in the meantime does not count."""
        session = self._open()
        url = self._endpoint.url("chat/completions")
        while True:
            trace = SimpleNamespace(reused=False)
            try:
                return await session.post(
                    url, json=body, headers=self._endpoint.headers(), allow_redirects=False, trace_request_ctx=trace
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not trace.reused or session.closed:
                    raise

    async def _get_models(self, limit: float) -> aiohttp.ClientResponse:
        url = self._endpoint.url("models")
        session = self._open()
        async with asyncio.timeout(limit):
            return await session.get(url, headers=self._endpoint.headers(), allow_redirects=False)

    async def _offered(self, limit: float) -> list[str] | None:
        """The models that the server has; None when it does not say so in time."""
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            return await _names(await self._get_models(limit), limit)
        return None

    async def _find_only(self) -> str:
        response = await self._get_models(self._options.connect + _GREETING_LIMIT)
        if response.status != 200:
            raise ModelError(self._endpoint.refusal(await refused(response), "", None))
        offered = await _names(response, _GREETING_LIMIT)
        if offered is not None and len(offered) == 1:
            self._model = offered[0]
            return self._model
        names = ", ".join(quoted(name) for name in offered[:10]) if offered else ""
        said = f"the server offers {names}" if names else "the server does not say what it offers"
        raise ModelError(f"no model is named, and {said}: name one")

    def _open(self) -> aiohttp.ClientSession:
        """The session of this event loop."""
        loop = asyncio.get_running_loop()
        if self._session is not None and not self._session.closed:
            if self._loop is loop:
                return self._session
            if self._loop is not None and not self._loop.is_closed():
                raise ModelError("this OpenAILLM belongs to another event loop: close it there first, with aclose()")
        self._endpoint.unlock()
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        self._session = aiohttp.ClientSession(
            connector=self._connector()
            if self._connector is not None
            else aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=self._options.idle),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._options.connect),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
        )
        self._loop = loop
        return self._session


def _no_tools(model: str, tools: Sequence[ToolSpec], error: Refused) -> str:
    names = quoted(", ".join(each.name for each in tools))
    return (
        f"{model!r} cannot be offered tools ({names}; status {error.status}){error.said}. Take a model that can, start "
        "the server so that it lets it, or offer none"
    )


async def _names(response: aiohttp.ClientResponse, limit: float) -> list[str] | None:
    """The models that a response lists; None when it does not within `limit` seconds."""
    try:
        async with asyncio.timeout(limit):
            return model_names(json.loads(await read_some(response, _LIST_SIZE)))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    finally:
        response.close()


async def _note_reuse(session: object, context: SimpleNamespace, parameters: object) -> None:
    request = context.trace_request_ctx
    if request is not None:
        request.reused = True

"""Requests to Anthropic's service through its official SDK, over connections that are kept for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any, TypeVar

from voiceloop.errors import ModelError, quoted, require
from voiceloop.llm.anthropic_endpoint import Endpoint
from voiceloop.llm.anthropic_errors import Failure, of_status
from voiceloop.llm.anthropic_request import AnthropicOptions
from voiceloop.offload import Limit, offload

__all__ = ["Client", "Response"]

_GREETING_LIMIT = 5.0
"""Seconds that the question for the model may take. Not all gateways can answer it."""
_CONNECTIONS = 1000
"""Answers under way at the same time; further ones wait for a connection."""
R = TypeVar("R")


class Client:
    """The service and one model, on one event loop at a time.

    Args:
        model: what the service calls it.
        endpoint: where it is.
        options: how to ask.
        http_client: makes the client of the connections, an ``httpx2.AsyncClient``.
    """

    def __init__(
        self, model: str, endpoint: Endpoint, options: AnthropicOptions, http_client: Callable[[], Any] | None
    ) -> None:
        self._model = model
        self._endpoint = endpoint
        self._options = options
        self._make = http_client
        self._opening = Limit(1)
        self._sdk: Any = None
        self._httpx: Any = None
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def opened(self) -> bool:
        """Whether there is a client."""
        return self._client is not None

    async def open(self) -> None:
        """Import the SDK and make its client, for this event loop. Nothing is connected yet.

        Raises:
            MissingExtra: the SDK is not installed.
            ModelError: there is no key, or it cannot be one.
        """
        async with self._opening:
            loop = asyncio.get_running_loop()
            if self._client is not None and self._loop is not loop:
                if self._loop is not None and not self._loop.is_closed():
                    raise ModelError(
                        "this AnthropicLLM belongs to another event loop: close it there first, with aclose()"
                    )
                self._client = None
            if self._client is None:
                self._endpoint.unlock()
                # The import takes more than a second, and certificates are read.
                self._sdk, self._httpx, self._client = await offload(self._built)
                self._loop = loop

    async def aclose(self) -> None:
        """Close all connections, and forget a key that was not given."""
        client, self._client = self._client, None
        self._endpoint.lock()
        if client is not None:
            await client.close()

    async def greet(self) -> None:
        """Open a connection by a request that costs nothing.

        Raises:
            Failure: the key is not accepted, there is no such model, or no connection.
        """
        await self.open()
        try:
            async with asyncio.timeout(self._options.connect + _GREETING_LIMIT):
                await self._client.models.retrieve(self._model)
        except TimeoutError:
            return  # it is there, and does not tell of its models
        except self._errors as error:
            failure = self.failure(error)
            status = getattr(error, "status_code", None)
            named = status == 404 and getattr(error, "type", None) == "not_found_error" and self._model in str(error)
            if status is None or status == 401 or named:
                raise failure from None

    async def ask(self, body: dict[str, Any]) -> Response:
        """Ask for an answer, streamed.

        Returns:
            A response with the status 200, of which the body has not been read. Closing it ends the answer.

        Raises:
            Failure: the service refuses, or there is no connection.
        """
        await self.open()
        known = {name: body[name] for name in ("model", "max_tokens", "messages")}
        rest = {name: value for name, value in body.items() if name not in known}
        stream = await self._sent(self._client.messages.create(**known, stream=True, extra_body=rest))
        response = Response(self, stream, self._options.stall)
        form = stream.response.headers.get("content-type", "")
        if not form.startswith("text/event-stream"):
            await response.close()
            what = "a web page" if "html" in form else quoted(form) or "something without a type"
            raise Failure(f"{what} came where an answer was expected: is this the right base_url?")
        return response

    async def read_ahead(self, body: dict[str, Any]) -> None:
        """Have something read and not answered (``max_tokens`` 0).

        Raises:
            Failure: as `ask` does.
        """
        await self.open()
        known = {name: body[name] for name in ("model", "max_tokens", "messages")}
        rest = {name: value for name, value in body.items() if name not in known}
        await self._sent(self._client.messages.create(**known, extra_body=rest))

    def failure(self, error: BaseException) -> Failure:
        """What an error means, without keys and without what led to it: that would hold the request."""
        if isinstance(error, ModelError):
            again, wait = getattr(error, "again", False), getattr(error, "wait", None)
            at_once = getattr(error, "at_once", False)
            return Failure(self._endpoint.scrubbed(str(error)), again=again, wait=wait, at_once=at_once)
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            response: Any = error
            said = response.api_message
            if not isinstance(said, str):
                said = "" if _is_page(response.body) else quoted(str(response.body or ""))
            key = self._endpoint.key or ""
            failure = of_status(status, response.type or "", said, response.response.headers, self._model, key)
            return self.failure(failure)
        return self.failure(self._of_connection(error))

    async def _sent(self, request: Coroutine[Any, Any, R]) -> R:
        try:
            async with asyncio.timeout(self._options.connect + self._options.stall):
                return await request
        except TimeoutError:
            raise Failure(f"no answer began within {self._options.connect + self._options.stall:g} s") from None
        except self._errors as error:
            raise self.failure(error) from None

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        return (self._sdk.AnthropicError, self._httpx.HTTPError, self._httpx.StreamError, ModelError, OSError)

    def _of_connection(self, error: BaseException) -> Failure:
        """What an error of the connection means."""
        if self._client is None:
            return Failure("it was closed, with aclose(), before the answer was complete")
        cause = error.__cause__ if isinstance(error, self._sdk.APIConnectionError) and error.__cause__ else error
        known = (
            (self._httpx.ConnectTimeout, f"no connection within {self._options.connect:g} s"),
            (self._httpx.ConnectError, _unreachable(cause)),
            (self._httpx.TransportError, "the connection ended before the answer was complete"),
        )
        for kind, text in known:
            if isinstance(cause, kind):
                return Failure(text, again=True, at_once=True)
        return Failure(f"{type(cause).__name__}: {quoted(str(cause))}")

    def _built(self) -> tuple[ModuleType, ModuleType, Any]:
        """The SDK, its transport, and a client. Off the loop."""
        sdk = require("anthropic", "anthropic", "AnthropicLLM")
        httpx = require("httpx2", "anthropic", "AnthropicLLM")
        timeout = httpx.Timeout(None, connect=self._options.connect)
        limits = httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=self._options.idle)
        # Without `trust_env` no proxy of the environment is between; redirects would carry the key elsewhere.
        http_client = self._make() if self._make else httpx.AsyncClient(trust_env=False, timeout=timeout, limits=limits)
        key = self._endpoint.key
        client = sdk.AsyncAnthropic(
            api_key=key or "none",
            base_url=str(self._endpoint),
            max_retries=0,
            timeout=timeout,
            open_telemetry=False,
            http_client=http_client,
        )
        # The constructor adds the headers of ANTHROPIC_CUSTOM_HEADERS, which may take the place of the key.
        headers = self._endpoint.headers()
        keyless = key is None and not any(name.lower() == "authorization" for name in headers)
        client._custom_headers = headers | ({"Authorization": sdk.omit} if keyless else {})
        return sdk, httpx, client


class Response:
    """The body of an answer as it comes."""

    def __init__(self, client: Client, stream: Any, stall: float) -> None:
        self._client = client
        self._stream = stream
        self._stall = stall
        self._chunks = stream.response.aiter_bytes()

    async def chunk(self, deadline: float) -> bytes:
        """More bytes; nothing at the end.

        Raises:
            Failure: the connection broke, or nothing came until the deadline, seconds on the loop's clock.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return bytes(await anext(self._chunks, b""))
        except TimeoutError:
            raise Failure(f"the answer stalled: nothing more of it came within {self._stall:g} s", again=True) from None
        except self._client._errors as error:
            raise self._client.failure(error) from None

    async def close(self) -> None:
        """Let go of the connection; unless the body was read to its end, that closes it."""
        await self._chunks.aclose()
        await self._stream.close()


def _unreachable(error: BaseException) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"its certificate is not trusted: {quoted(text)}. For one of your own, pass http_client"
    if "SSL" in text:
        return "no TLS connection can be made: does the server speak plain http? Then base_url begins with http://"
    if "Name or service not known" in text or "nodename" in text or "name resolution" in text:
        return "no host of this name is found: check base_url and the network"
    return f"no connection: {quoted(text)}; check base_url and the network"


def _is_page(body: object) -> bool:
    return isinstance(body, str) and body.lstrip()[:1] == "<"

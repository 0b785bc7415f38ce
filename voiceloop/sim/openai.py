"""An OpenAI-compatible endpoint that answers from a script, with everything that goes wrong at real ones.

Requests, chunks and errors have the form of https://platform.openai.com/docs/api-reference/chat; the official client
reads them. It listens on 127.0.0.1, in virtual time in memory::

    sim = OpenAISim(["One large mocha.", Reply(status=503), Reply("Five minutes, please.", fault="cut", after=2)])
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp import web

from voiceloop.conversation import Message
from voiceloop.sim.openai_check import Wrong, check
from voiceloop.sim.openai_reply import Fault, Reply, Request
from voiceloop.sim.openai_wire import Chunks, completion, error_body, models_body, tokens_of
from voiceloop.sim.serving import Listener

__all__ = ["Fault", "OpenAISim", "Reply", "Request"]

_PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
Answerer = Callable[[Sequence[Message]], str | Reply]


class OpenAISim(Listener):
    """The endpoint.

    A request for a single token counts as reading ahead: it is kept in `prefills` and takes no answer of the script.

    Args:
        answers: in order, the last one again when they run out; or a function of the messages.
        models: what it offers; a request for another one is refused with 404.
        key: what clients must know; None lets everybody in.
        first: seconds until the first token.
        rate: tokens (words) per second; 0 for all at once.
        refuses: fields of a request that it refuses with 400, such as ``max_tokens``.
        streams: False for a server that ignores ``stream`` and answers with one object.
        lists: False for a server without ``GET /models``.
    """

    def __init__(
        self,
        answers: Sequence[str | Reply] | Answerer,
        *,
        models: Sequence[str] = ("sim",),
        key: str | None = None,
        first: float = 0.0,
        rate: float = 0.0,
        refuses: Sequence[str] = (),
        streams: bool = True,
        lists: bool = True,
    ) -> None:
        if not callable(answers) and not answers:
            raise ValueError("OpenAISim needs at least one answer")
        self._answers = answers
        self._models = tuple(models)
        self._key = key
        self._first = first
        self._rate = rate
        self._refuses = tuple(refuses)
        self._streams = streams
        self._lists = lists
        self._seen: WeakSet[asyncio.BaseTransport] = WeakSet()
        self.requests: list[Request] = []
        """Requests for answers, oldest first; also those that were refused."""
        self.prefills: list[Request] = []
        """Requests for a single token."""
        self.connections = 0
        """Connections that were opened so far."""

    @property
    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_post("/v1/chat/completions", self._complete)
        return app

    @property
    def base_url(self) -> str:
        """Where it listens, or did."""
        return f"{super().base_url}/v1"

    def connector(self) -> aiohttp.BaseConnector:
        """A connector to it, for `OpenAILLM`, which makes such a one itself if it is given none."""
        return aiohttp.TCPConnector(keepalive_timeout=60.0)

    # --- routes -------------------------------------------------------------------------------------------------

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        self._count(request)
        if not self._lists:
            raise web.HTTPNotFound(text="404 page not found")
        if (refusal := self._locked(request)) is not None:
            return refusal
        return web.json_response(models_body(self._models))

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self._count(request)
        now = asyncio.get_running_loop().time()
        try:
            body = json.loads(await request.text())
        except ValueError:
            return _refusal(400, "We could not parse the JSON body of your request.", None)
        headers = {name: "Bearer ***" if name == "Authorization" else value for name, value in request.headers.items()}
        kept = Request(body if isinstance(body, dict) else {}, headers, now)
        one = kept.body.get("max_tokens", kept.body.get("max_completion_tokens")) == 1
        refusal = self._locked(request) or self._wrong(kept.body)
        (self.prefills if one else self.requests).append(kept)
        if refusal is not None:
            return refusal
        reply = Reply("Yes") if one else self._reply(kept)
        if reply.page:
            return web.Response(text=_PAGE, content_type="text/html", status=reply.status)
        if reply.status != 200:
            return _refusal(reply.status, reply.message or f"Scripted error {reply.status}.", None, reply.headers)
        try:
            return await self._answer(request, kept, reply)
        except (asyncio.CancelledError, ConnectionError):
            kept.left_at = asyncio.get_running_loop().time()
            raise

    def _count(self, request: web.Request) -> None:
        if request.transport is not None and request.transport not in self._seen:
            self._seen.add(request.transport)
            self.connections += 1

    def _locked(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if self._key is None or given == f"Bearer {self._key}":
            return None
        if not given:
            return _refusal(401, "You didn't provide an API key.", None)
        return _refusal(401, f"Incorrect API key provided: {given.removeprefix('Bearer ')}.", "invalid_api_key")

    def _wrong(self, body: dict[str, Any]) -> web.Response | None:
        """What OpenAI refuses of a request."""
        model = body.get("model")
        if not isinstance(model, str):
            return _refusal(400, "you must provide a model parameter", None)
        if model not in self._models:
            text = f"The model `{model}` does not exist or you do not have access to it."
            return _refusal(404, text, "model_not_found")
        for name in self._refuses:
            if name in body:
                text = f"Unsupported parameter: '{name}' is not supported with this model."
                return _refusal(400, text, "unsupported_parameter", param=name)
        try:
            check(body)
        except Wrong as wrong:
            return _refusal(400, str(wrong), wrong.code, param=wrong.param)
        return None

    def _reply(self, request: Request) -> Reply:
        if callable(self._answers):
            reply = self._answers(request.messages)
        else:
            reply = self._answers[min(len(self.requests), len(self._answers)) - 1]
        return Reply(reply) if isinstance(reply, str) else reply

    # --- answers ------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request, kept: Request, reply: Reply) -> web.StreamResponse:
        first = self._first if reply.first is None else reply.first
        read = sum(len(tokens_of(message.text)) for message in kept.messages)
        limit = kept.body.get("max_tokens", kept.body.get("max_completion_tokens"))
        calls = reply.asks(sum(len(message.calls) for message in kept.messages))
        if not kept.body.get("stream") or not self._streams:
            await asyncio.sleep(first)
            kept.complete = True
            return web.json_response(completion(kept.body["model"], reply.text, calls, reply.why, read, limit))
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", **reply.headers}
        )
        await response.prepare(request)
        chunks = Chunks(kept.body["model"], bool((kept.body.get("stream_options") or {}).get("include_usage")))
        if reply.keep_alive:
            await response.write(b": OPENROUTER PROCESSING\n\n")
        await asyncio.sleep(first)
        await response.write(chunks.role())
        for thought in tokens_of(reply.thoughts):
            await response.write(chunks.thought(thought))
        tokens = chain(_tokens(chunks, reply), chunks.calls(calls, reply.form))
        if not await self._write(response, islice(tokens, limit), kept, reply):
            return await self._fail(request, response, reply)
        finish = "length" if limit is not None and kept.tokens == limit else reply.why
        await response.write(chunks.finish(finish) + chunks.usage(read, kept.tokens) + b"data: [DONE]\n\n")
        await response.write_eof()
        kept.complete = True
        return response

    async def _write(self, response: web.StreamResponse, tokens: Iterable[bytes], kept: Request, reply: Reply) -> bool:
        """The answer, token by token; False when the fault is due."""
        rate = self._rate if reply.rate is None else reply.rate
        for token in tokens:
            if reply.fault is not None and kept.tokens == reply.after:
                return False
            if rate and kept.tokens:
                await asyncio.sleep(1 / rate)
            if reply.keep_alive:
                await response.write(b": keep-alive\n\n")
            kept.tokens += 1
            await response.write(token)
        return reply.fault is None

    async def _fail(self, request: web.Request, response: web.StreamResponse, reply: Reply) -> web.StreamResponse:
        if reply.fault == "stall":
            await asyncio.get_running_loop().create_future()
        elif reply.fault == "cut":
            if request.transport is not None:
                request.transport.abort()
        elif reply.fault == "garbage":
            await response.write(b"data: {cut sho\n\n")
        elif reply.fault == "error":
            body = error_body(reply.message or "The server had an error while processing your request.", None)
            await response.write(b"data: " + json.dumps(body).encode() + b"\n\n")
        elif reply.fault == "line":
            while True:
                await response.write(b"data: " + b"x" * 8192)
        return response


def _tokens(chunks: Chunks, reply: Reply) -> Iterator[bytes]:
    """The text of an answer."""
    words = tokens_of(reply.text)
    for turn in range(reply.repeat):
        for index, word in enumerate(words):
            yield chunks.text(f" {word.strip()}" if turn and not index else word)


def _refusal(
    status: int, message: str, code: str | None, headers: Mapping[str, str] | None = None, param: str | None = None
) -> web.Response:
    return web.json_response(error_body(message, code, param), status=status, headers=headers)

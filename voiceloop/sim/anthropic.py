"""Anthropic's Messages API, answering from a script, with everything that goes wrong at the real one.

Requests, events and errors have the form that anthropic 2.12 sends and reads; its own client is the judge. It listens
on 127.0.0.1, in virtual time in memory::

    sim = AnthropicSim(["One large mocha.", Reply(status=529), Reply("Five minutes, please.", fault="cut", after=2)])
    async with sim.listening() as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from weakref import WeakSet

from aiohttp import web

from voiceloop.conversation import Message
from voiceloop.sim.anthropic_cache import PromptCache, Reading
from voiceloop.sim.anthropic_check import Invalid, check
from voiceloop.sim.anthropic_reply import ERROR_TYPES, Fault, Reply, Request, ToolUse
from voiceloop.sim.anthropic_wire import PING, Answer, error_body, event, model_body, models_body
from voiceloop.sim.serving import Listener

__all__ = ["AnthropicSim", "Fault", "Reply", "Request", "ToolUse"]

_PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
_PING_EVERY = 1.0
"""Seconds between the pings of a stalled answer. How often the real ones come is not known."""
Answerer = Callable[[Sequence[Message]], str | Reply]


class AnthropicSim(Listener):
    """The service.

    A request with ``max_tokens`` 0 fills the prompt cache: it is kept in `prewarms` and takes no answer of the script.

    Args:
        answers: in order, the last one again when they run out; or a function of the messages.
        models: what it offers; a request for another one is refused with 404.
        key: what clients must know, as Bearer token or ``x-api-key``; None lets everybody in.
        first: seconds until the first event.
        rate: tokens (words) per second; 0 for all at once.
        minimum: tokens; a mark of the cache before so many counts for nothing.
        prefill: whether the conversation may end with the agent's words. Newer models refuse that.
        size: bytes that a request may have.
        lists: False for a gateway without ``GET /v1/models``.
    """

    def __init__(
        self,
        answers: Sequence[str | Reply] | Answerer,
        *,
        models: Sequence[str] = ("claude-sim",),
        key: str | None = None,
        first: float = 0.0,
        rate: float = 0.0,
        minimum: int = 1024,
        prefill: bool = False,
        size: int = 32 * 1024 * 1024,
        lists: bool = True,
    ) -> None:
        if not callable(answers) and not answers:
            raise ValueError("AnthropicSim needs at least one answer")
        self._answers = answers
        self._models = tuple(models)
        self._key = key
        self._first = first
        self._rate = rate
        self._prefill = prefill
        self._size = size
        self._lists = lists
        self._cache = PromptCache(minimum)
        self._seen: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._count = 0
        self.requests: list[Request] = []
        """Requests for answers, oldest first; also those that were refused."""
        self.prewarms: list[Request] = []
        """Requests that only fill the cache."""
        self.lookups = 0
        """Requests for models."""
        self.connections = 0
        """Connections that were opened so far."""

    @property
    def app(self) -> web.Application:
        app = web.Application(client_max_size=self._size + 1)
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_get("/v1/models/{model:.+}", self._show_model)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_route("*", "/{path:.*}", self._nowhere)
        return app

    @property
    def disconnects(self) -> list[float]:
        """When clients left before the end of an answer."""
        return [request.left_at for request in self.requests if request.left_at is not None]

    # --- routes -------------------------------------------------------------------------------------------------

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        return self._refusal(404, "Not found")

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        return self._looked_up(request) or web.json_response(models_body(self._models))

    async def _show_model(self, request: web.Request) -> web.StreamResponse:
        refusal, model = self._looked_up(request), request.match_info["model"]
        if refusal is not None:
            return refusal
        if model not in self._models:
            return self._refusal(404, f"model: {model}")
        return web.json_response(model_body(model))

    def _looked_up(self, request: web.Request) -> web.Response | None:
        self._note(request)
        self.lookups += 1
        if not self._lists:
            return web.Response(status=404, text="404 page not found")
        return self._locked(request)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        now = asyncio.get_running_loop().time()
        kept = Request({}, {name.lower(): value for name, value in request.headers.items()}, now)
        for name in ("authorization", "x-api-key"):
            if name in kept.headers:
                kept.headers[name] = "***"
        refusal = await self._read(request, kept)
        only_cache = kept.body.get("max_tokens") == 0
        (self.prewarms if only_cache else self.requests).append(kept)
        if refusal is None:
            reply = Reply("") if only_cache else self._reply(kept)
            refusal = self._scripted(reply)
        if refusal is not None:
            kept.status = refusal.status
            return refusal
        kept.status = 200
        try:
            return await self._answer(request, kept, reply)
        except (asyncio.CancelledError, ConnectionError):
            kept.left_at = asyncio.get_running_loop().time()
            raise

    async def _read(self, request: web.Request, kept: Request) -> web.Response | None:
        """The body of a request; what is wrong with it, if anything is."""
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._refusal(413)
        if (refusal := self._locked(request)) is not None:
            return refusal
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return self._invalid(kept, "The request body is not valid JSON.")
        kept.body = body
        if "anthropic-version" not in kept.headers:
            return self._invalid(kept, "anthropic-version: header is required")
        model = body.get("model")
        if not isinstance(model, str):
            return self._invalid(kept, "model: Field required")
        if model not in self._models:
            return self._refusal(404, f"model: {model}")
        try:
            check(body, prefill=self._prefill)
        except Invalid as error:
            return self._invalid(kept, str(error))
        return None

    def _invalid(self, kept: Request, why: str) -> web.Response:
        kept.refusal = why
        return self._refusal(400, why)

    def _note(self, request: web.Request) -> None:
        if request.transport is not None and request.transport not in self._seen:
            self._seen.add(request.transport)
            self.connections += 1

    def _locked(self, request: web.Request) -> web.Response | None:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = bearer or request.headers.get("x-api-key", "")
        if self._key is None or given == self._key:
            return None
        return self._refusal(401, "invalid x-api-key" if given else "x-api-key header is required")

    def _scripted(self, reply: Reply) -> web.Response | None:
        """The refusal that the script wants."""
        if reply.page:
            return web.Response(text=_PAGE, content_type="text/html", status=reply.status)
        if reply.status == 200:
            return None
        headers = dict(reply.headers)
        if reply.retry_after is not None:
            headers["retry-after"] = f"{reply.retry_after:g}"
        return self._refusal(reply.status, reply.message, kind=reply.kind, headers=headers)

    def _reply(self, request: Request) -> Reply:
        if callable(self._answers):
            reply = self._answers(request.messages)
        else:
            reply = self._answers[min(len(self.requests), len(self._answers)) - 1]
        return Reply(reply) if isinstance(reply, str) else reply

    def _refusal(
        self, status: int, message: str = "", *, kind: str = "", headers: dict[str, str] | None = None
    ) -> web.Response:
        usual, text = ERROR_TYPES.get(status, ("api_error", "Error"))
        name = self._request_id()
        body = error_body(kind or usual, message or text, name)
        return web.json_response(body, status=status, headers={"request-id": name, **(headers or {})})

    def _request_id(self) -> str:
        self._count += 1
        return f"req_sim{self._count:06}"

    # --- answers ------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request, kept: Request, reply: Reply) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        reading = self._cache.look_up(kept.body, loop.time())
        kept.usage = reading.usage
        number = len(self.requests) + len(self.prewarms)
        answer = Answer(reply, number, kept.body["model"], reading.usage, kept.body["max_tokens"])
        first = self._first if reply.first is None else reply.first
        if not kept.body.get("stream"):
            await asyncio.sleep(first)
            self._cache.keep(reading, loop.time())
            whole = answer.whole()
            kept.tokens, kept.complete = answer.tokens, True
            return web.json_response(whole, headers={"request-id": self._request_id()})
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "request-id": self._request_id()}
        )
        response.headers.update(reply.headers)
        await response.prepare(request)
        await asyncio.sleep(first)
        if not await self._write(response, answer, kept, reply, reading):
            return await self._fail(request, response, reply)
        await response.write(answer.end())
        await response.write_eof()
        kept.complete = True
        return response

    async def _write(
        self, response: web.StreamResponse, answer: Answer, kept: Request, reply: Reply, reading: Reading
    ) -> bool:
        """The answer, event by event; False when the fault is due."""
        rate = self._rate if reply.rate is None else reply.rate
        if reply.fault is not None and reply.after < 0:
            return False
        await response.write(answer.start() + PING * reply.pings)
        self._cache.keep(reading, asyncio.get_running_loop().time())
        for step in answer.steps():
            if step.tokens:
                if reply.fault is not None and kept.tokens >= reply.after:
                    return False
                if rate and kept.tokens:
                    await asyncio.sleep(1 / rate)
                kept.tokens += step.tokens
            if step.data:
                await response.write(step.data)
        return reply.fault is None

    async def _fail(self, request: web.Request, response: web.StreamResponse, reply: Reply) -> web.StreamResponse:
        if reply.fault == "stall":
            await asyncio.get_running_loop().create_future()
        elif reply.fault == "reset":
            if request.transport is not None:
                request.transport.abort()
        elif reply.fault == "garbage":
            await response.write(b"event: content_block_delta\ndata: {cut sho\n\n")
        elif reply.fault == "error":
            kind, message = reply.error
            body = error_body(kind, message, self._request_id())
            await response.write(event("error", error=body["error"], request_id=body["request_id"]))
        while reply.fault == "pings":
            await asyncio.sleep(_PING_EVERY)
            await response.write(PING)
        while reply.fault == "line":
            await response.write(b"data: " + b"x" * 8192)
        return response

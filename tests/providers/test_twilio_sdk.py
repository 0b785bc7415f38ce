"""The official SDK against the simulated Twilio: what it reads there is what it would read from the real one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlparse, urlunparse

import pytest
from aiohttp import web

from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.twilio import ACCOUNT, NUMBER, TOKEN, Number, Phone, TwilioOptions, TwilioSim
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.rest import TwilioREST

pytest.importorskip("twilio", reason="the official SDK is not installed: pip install 'voiceloop[test]'")

from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

T = TypeVar("T")
CALLEE = "+15550003333"
KEY, KEY_SECRET = "SK" + "4" * 32, "key-secret-key-secret"


def moved(url: str, base: str) -> str:
    here = urlparse(base)
    return urlunparse(urlparse(url)._replace(scheme=here.scheme, netloc=here.netloc))


class Here(TwilioHttpClient):
    """The SDK's client, sent to a local server."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        return super().request(method, moved(url, self.base), *args, **options)


@asynccontextmanager
async def twilio(**options: Any) -> AsyncIterator[tuple[TwilioSim, Callable[[Callable[[Client], T]], Any], str]]:
    """The simulator, and a way to ask it through the SDK, which runs in a thread."""
    numbers = options.pop("numbers", (NUMBER,))
    sim = TwilioSim(numbers=numbers, api_keys={KEY: KEY_SECRET}, options=TwilioOptions(dial_delay=0.01, **options))
    async with sim.listening() as base:
        client = Client(ACCOUNT, TOKEN, http_client=Here(base))

        async def ask(question: Callable[[Client], T]) -> T:
            return await asyncio.to_thread(question, client)

        try:
            yield sim, ask, base
        finally:
            client.http_client.session.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        for pause in itertools.repeat(0.01):
            if condition():
                return
            await asyncio.sleep(pause)


@pytest.mark.realtime
async def test_the_sdk_dials_looks_redirects_and_hangs_up() -> None:
    async with twilio() as (sim, ask, _):
        sim.phones[CALLEE] = Phone(rings=0.05)
        call = await ask(lambda c: c.calls.create(to=CALLEE, from_=NUMBER, twiml=tw.document(tw.pause(60)), timeout=20))
        assert (call.status, call.direction, call.to, call._from) == ("queued", "outbound-api", CALLEE, NUMBER)
        assert call.date_created.year == 2026
        await until(lambda: sim.calls[call.sid].status == "in-progress")
        fetched = await ask(lambda c: c.calls(call.sid).fetch())
        assert (fetched.sid, fetched.status, fetched.duration) == (call.sid, "in-progress", None)
        await ask(lambda c: c.calls(call.sid).update(twiml="<Response><Pause length='9'/></Response>"))
        await until(lambda: ("pause", "9") in sim.calls[call.sid].did)
        await ask(lambda c: c.calls(call.sid).update(status="completed"))
        await sim.calls[call.sid].ended()
        listed = await ask(lambda c: c.calls.list(status="completed"))
        assert [each.sid for each in listed] == [call.sid]
        assert listed[0].duration == "0"


@pytest.mark.realtime
async def test_the_sdk_reads_errors_with_their_codes() -> None:
    async with twilio(trial=True, verified=frozenset({"+15550004444"}), blocked=("+44",)) as (sim, ask, base):

        async def code(question: Callable[[Client], object]) -> tuple[int, int]:
            with pytest.raises(TwilioRestException) as error:
                await ask(question)
            return error.value.status, error.value.code

        def dial(to: str, from_: str = NUMBER) -> Callable[[Client], object]:
            return lambda c: c.calls.create(to=to, from_=from_, twiml="<Response/>")

        assert await code(dial(CALLEE)) == (400, 21219)
        assert await code(dial("+442071838750")) == (400, 21215)
        assert await code(dial("123")) == (400, 21211)
        assert await code(dial("+15550004444", "nobody")) == (400, 21212)
        assert await code(dial("+15550004444", "+15557770000")) == (400, 21210)
        assert await code(lambda c: c.calls("CA" + "0" * 32).fetch()) == (404, 20404)
        assert await code(lambda c: c.calls("CA" + "0" * 32).update(status="completed")) == (404, 20404)
        wrong = Client(ACCOUNT, "f" * 32, http_client=Here(base))
        assert await code(lambda _: wrong.api.accounts(ACCOUNT).fetch()) == (401, 20003)
        wrong.http_client.session.close()
        sim.troubles.append(429)
        assert await code(dial("+15550004444")) == (429, 20429)


@pytest.mark.realtime
async def test_the_sdk_lists_numbers_over_pages_and_sets_a_webhook() -> None:
    many = [Number(NUMBER, voice_url="https://old.example/voice"), *(f"+1555001{i:04}" for i in range(70))]
    async with twilio(numbers=many) as (_sim, ask, base):
        numbers = await ask(lambda c: c.incoming_phone_numbers.list(page_size=20))
        assert len(numbers) == 71
        first = numbers[0]
        assert (first.phone_number, first.voice_url, first.capabilities["voice"]) == (
            NUMBER,
            "https://old.example/voice",
            True,
        )
        await ask(lambda c: c.incoming_phone_numbers(first.sid).update(voice_url="https://new.example/voice"))
        async with TwilioREST(ACCOUNT, TOKEN, base_url=base) as rest:
            ours = await rest.numbers()
            number = await rest.number(NUMBER)
        assert number is not None
        assert number.voice_url == "https://new.example/voice"
        assert [each.number for each in ours] == [each.phone_number for each in numbers]
        assert [each.sid for each in ours] == [each.sid for each in numbers]
        account = await ask(lambda c: c.api.accounts(ACCOUNT).fetch())
        assert (account.status, account.type) == ("active", "Full")


@pytest.mark.realtime
async def test_our_client_reads_a_call_as_the_sdk_does() -> None:
    async with twilio() as (sim, ask, base):
        sim.phones[CALLEE] = Phone("busy", rings=0.05)
        async with TwilioREST(ACCOUNT, TOKEN, base_url=base) as rest:
            made = await rest.dial(CALLEE, NUMBER, twiml="<Response/>")
            await sim.calls[made.sid].ended()
            ours = await rest.status(made.sid)
        theirs = await ask(lambda c: c.calls(made.sid).fetch())
        assert (ours.sid, ours.status, ours.direction, ours.to, ours.from_) == (
            theirs.sid,
            theirs.status,
            theirs.direction,
            theirs.to,
            theirs._from,
        )
        assert (ours.status, str(ours.duration)) == ("busy", theirs.duration)


@pytest.mark.realtime
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the SDK's use of aiohttp
async def test_the_sdks_asynchronous_client_dials_and_hangs_up() -> None:
    sim = TwilioSim(options=TwilioOptions(dial_delay=0.01))
    async with sim.listening() as base:

        class AsyncHere(AsyncTwilioHttpClient):
            async def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
                return await super().request(method, moved(url, base), *args, **options)

        http = AsyncHere()
        client = Client(ACCOUNT, TOKEN, http_client=http)
        call = await client.calls.create_async(to=CALLEE, from_=NUMBER, twiml="<Response/>")
        assert call.status == "queued"
        await client.calls(call.sid).update_async(status="canceled")
        await sim.calls[call.sid].ended()
        assert (await client.calls(call.sid).fetch_async()).status == "canceled"
        await http.close()


async def test_the_sdks_validator_finds_every_signature_genuine() -> None:
    """Webhooks, status callbacks and the handshake of the stream, each as an application with the SDK checks it."""
    validator = RequestValidator(TOKEN)
    seen: list[tuple[str, bool]] = []
    public = "https://agent.example.com"

    async def hook(request: web.Request) -> web.Response:
        form = dict(parse_qsl(await request.text(), keep_blank_values=True))
        right = validator.validate(public + request.raw_path, form, request.headers["X-Twilio-Signature"])
        seen.append((request.path, right))
        return web.Response(
            text=tw.document(tw.connect_stream("wss://agent.example.com/media")), content_type="text/xml"
        )

    async def media(request: web.Request) -> web.StreamResponse:
        url = "wss://agent.example.com" + request.raw_path
        seen.append((request.path, validator.validate(url, {}, request.headers["X-Twilio-Signature"])))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_post("/voice", hook)
    app.router.add_post("/status", hook)
    app.router.add_get("/media", media)
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8090).start()
    try:
        number = Number(NUMBER, status_callback=f"{public}/status?x=%20y")
        options = TwilioOptions(carrier=CarrierOptions(seed=3))
        sim = TwilioSim(numbers=[number], tunnels={public: "http://127.0.0.1:8090"}, options=options)
        async with sim.listening():
            line = await sim.call(f"{public}/voice?tenant=a%20b", from_="+15550002222")
            await line.ended()
    finally:
        await runner.cleanup()
    assert seen == [("/voice", True), ("/media", True), ("/status", True)]

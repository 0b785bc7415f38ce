"""The phone server as an ASGI application, under uvicorn: alone, and mounted in Starlette."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.server.asgi import PhoneASGI
from voiceloop.server.phone import PhoneError, PhoneOptions
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.twilio import TOKEN, TwilioSim
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.twilio.signature import SIGNATURE_HEADER, sign

pytestmark = pytest.mark.realtime

PUBLIC = "https://agent.example.com"
FORM = {"CallSid": "CA" + "1" * 32, "From": "+15550002222", "To": "+15550001111", "CallStatus": "ringing"}


@asynccontextmanager
async def under_uvicorn(app: Any) -> AsyncIterator[str]:
    """Serve an application; gives where it listens."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listening]))
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
    if task.done():
        await task
        raise RuntimeError("it did not start")
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


def make(**options: Any) -> tuple[PhoneASGI, Lexicon, list[Call]]:
    lexicon = Lexicon()
    stt, llm, tts = ScriptedSTT(lexicon), script("One tea."), ScriptedTTS(lexicon)
    calls: list[Call] = []

    def bot(call: Call) -> Pipeline:
        if call.id != "rehearsal":
            calls.append(call)
        ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.")]
        return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])

    settings = PhoneOptions(**{"public_url": PUBLIC, "auth_token": TOKEN, **options})
    return PhoneASGI(bot, options=settings), lexicon, calls


async def say_hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def alone(phone: PhoneASGI) -> Any:
    return phone


def mounted(phone: PhoneASGI) -> Any:
    return Starlette(routes=[Route("/", say_hello), Mount("/phone", phone)], lifespan=phone.lifespan)


@pytest.mark.parametrize(("wrap", "prefix"), [(alone, ""), (mounted, "/phone")], ids=["alone", "mounted"])
async def test_a_whole_call_goes_through_an_asgi_server(wrap: Callable[[PhoneASGI], Any], prefix: str) -> None:
    phone, lexicon, calls = make(parameters=lambda incoming: {"customer": "c-17"}, strict=True)
    sim = TwilioSim(voice=ScriptedTTS(lexicon))
    async with under_uvicorn(wrap(phone)) as url, sim.listening():
        sim.tunnel(PUBLIC, url)
        line = await sim.call(f"{PUBLIC}{prefix}/voice")
        heard = [lexicon.text((await line.caller.hears()).audio)]
        await line.caller.says("a tea please")
        heard.append(lexicon.text((await line.caller.hears()).audio))
        calls[0].hang_up()
        await line.ended()
        assert phone.phone is not None
        assert phone.phone.counts == {"voice": 2, "media": 1}
    assert heard == ["Hello.", "One tea."]
    assert calls[0].params == {"customer": "c-17"}
    assert [(verb, what) for verb, what in line.did] == [
        ("stream", f"wss://agent.example.com{prefix}/media"),
        ("redirect", f"{PUBLIC}{prefix}/voice?again=1"),
        ("hang up", ""),
    ]
    assert sim.debugger == []


@pytest.mark.parametrize("base", [PUBLIC, f"{PUBLIC}/phone"])
async def test_a_public_url_may_have_the_prefix_of_the_mount_or_not(base: str) -> None:
    phone, _, _ = make(public_url=base)
    url = f"{PUBLIC}/phone/voice"
    async with under_uvicorn(mounted(phone)) as here, aiohttp.ClientSession() as session:
        headers = {SIGNATURE_HEADER: sign(TOKEN, url, FORM)}
        async with session.post(f"{here}/phone/voice", data=FORM, headers=headers) as response:
            text = await response.text()
    assert f'<Stream url="wss://{PUBLIC.removeprefix("https://")}/phone/media">' in text


async def test_what_is_refused_is_refused_with_its_status() -> None:
    phone, _, _ = make(strict=True)
    async with under_uvicorn(mounted(phone)) as here, aiohttp.ClientSession() as session:

        async def status(method: str, path: str, **request: Any) -> int:
            async with session.request(method, here + path, **request) as response:
                return response.status

        found = {
            "others": await status("GET", "/"),
            "unsigned": await status("POST", "/phone/voice", data=FORM),
            "long": await status("POST", "/phone/voice", data=b"x" * 70_000),
            "get": await status("GET", "/phone/voice"),
            "put": await status("PUT", "/phone/voice"),
            "unknown": await status("GET", "/phone/admin"),
            "no socket": await status("GET", "/phone/media"),
            "health": await status("HEAD", "/phone/healthz"),
            "ready": await status("GET", "/phone/readyz"),
        }
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{here}/phone/media")
    assert found == {
        "others": 200, "unsigned": 403, "long": 413, "get": 405, "put": 405, "unknown": 404, "no socket": 426,
        "health": 200, "ready": 200,
    }  # fmt: skip
    assert refused.value.status == 403


async def test_calls_end_when_the_asgi_server_stops() -> None:
    phone, lexicon, _ = make()
    sim = TwilioSim(voice=ScriptedTTS(lexicon))
    async with sim.listening():
        async with under_uvicorn(phone) as url:
            sim.tunnel(PUBLIC, url)
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears()
        assert phone.phone is None
        await line.streams[0].wait_ended()
        await line.hangs_up()


async def test_a_bot_that_cannot_start_stops_the_server_with_its_reason() -> None:
    phone, _, _ = make(public_url="http://agent.example.com")
    sent: list[Any] = []

    async def startup() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(event: Any) -> None:
        sent.append(event)

    await phone({"type": "lifespan"}, startup, send)
    assert [event["type"] for event in sent] == ["lifespan.startup.failed"]
    assert "expected a public URL with https" in sent[0]["message"]


async def test_a_request_before_the_lifespan_is_told_what_is_missing() -> None:
    phone, _, _ = make()
    scope = {"type": "http", "method": "GET", "path": "/readyz", "headers": [], "query_string": b""}

    async def nothing(*_: object) -> Any:
        return {"type": "http.request"}

    with pytest.raises(PhoneError, match="FastAPI\\(lifespan=phone.lifespan\\)"):
        await phone(scope, nothing, nothing)

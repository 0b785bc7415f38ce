"""The phone server as an ASGI application, under uvicorn: alone, and mounted in Starlette."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.server.shop import GREETING, PUBLIC, SORRY, Room
from voiceloop.errors import VoiceloopError
from voiceloop.record.recording_options import RecordingOptions
from voiceloop.server.asgi import PhoneASGI
from voiceloop.server.keeping import Recordings
from voiceloop.server.phone import PhoneError, PhoneOptions
from voiceloop.sim.twilio import TOKEN, TwilioSim
from voiceloop.store.database import Database
from voiceloop.testing import ScriptedTTS
from voiceloop.twilio.signature import SIGNATURE_HEADER, sign

FORM = {"CallSid": "CA" + "1" * 32, "From": "+15550002222", "To": "+15550001111", "CallStatus": "ringing"}


@asynccontextmanager
async def under_uvicorn(app: Any) -> AsyncIterator[str]:
    """Serve an application; gives where it listens."""
    config = uvicorn.Config(app, port=0, log_level="warning", ws="websockets-sansio", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.005)
    if task.done():
        await task
        raise RuntimeError("it did not start")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def make(store: str | None = None, recordings: Recordings | None = None, **options: Any) -> tuple[PhoneASGI, Room]:
    room = Room()
    settings = PhoneOptions(**{"public_url": PUBLIC, "auth_token": TOKEN, **options})
    return PhoneASGI(room.bot(), options=settings, store=store, recordings=recordings), room


async def say_hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def alone(phone: PhoneASGI) -> Any:
    return phone


def mounted(phone: PhoneASGI) -> Any:
    return Starlette(routes=[Route("/", say_hello), Mount("/phone", phone)], lifespan=phone.lifespan)


@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [
        pytest.param(alone, "", id="alone"),
        pytest.param(mounted, "/phone", id="mounted"),
        pytest.param(mounted, "/phone", id="in real time", marks=[pytest.mark.realtime, pytest.mark.long]),
    ],
)
async def test_a_whole_call_goes_through_an_asgi_server(wrap: Callable[[PhoneASGI], Any], prefix: str) -> None:
    phone, room = make(parameters=lambda incoming: {"customer": "c-17"}, strict=True)
    sim = TwilioSim(voice=ScriptedTTS(room.lexicon))
    async with under_uvicorn(wrap(phone)) as url, sim.listening():
        sim.tunnel(PUBLIC, url)
        line = await sim.call(f"{PUBLIC}{prefix}/voice")
        heard = [room.lexicon.text((await line.caller.hears()).audio)]
        await line.caller.says("a tea please")
        heard.append(room.lexicon.text((await line.caller.hears()).audio))
        room.calls[0].hang_up()
        await line.ended()
        assert phone.phone is not None
        assert phone.phone.counts == {"voice": 2, "media": 1}
    assert heard == [GREETING, "One tea."]
    assert room.calls[0].params == {"customer": "c-17"}
    assert [(verb, what) for verb, what in line.did] == [
        ("stream", f"wss://agent.example.com{prefix}/media"),
        ("redirect", f"{PUBLIC}{prefix}/voice?again=1"),
        ("hang up", ""),
    ]
    assert sim.debugger == []


@pytest.mark.parametrize("base", [PUBLIC, f"{PUBLIC}/phone"])
async def test_a_public_url_may_have_the_prefix_of_the_mount_or_not(base: str) -> None:
    phone, _ = make(public_url=base)
    url = f"{PUBLIC}/phone/voice"
    async with under_uvicorn(mounted(phone)) as here, aiohttp.ClientSession() as session:
        headers = {SIGNATURE_HEADER: sign(TOKEN, url, FORM)}
        async with session.post(f"{here}/phone/voice", data=FORM, headers=headers) as response:
            text = await response.text()
    assert f'<Stream url="wss://{PUBLIC.removeprefix("https://")}/phone/media">' in text


async def test_records_and_sound_are_kept_under_asgi(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'calls.db'}"
    sound = RecordingOptions(folder=tmp_path / "sound", form="pcm16")
    phone, room = make(store=store, recordings=sound)
    sim = TwilioSim(voice=ScriptedTTS(room.lexicon))
    async with under_uvicorn(phone) as url, sim.listening():
        sim.tunnel(PUBLIC, url)
        line = await sim.call(f"{PUBLIC}/voice")
        await line.caller.hears()
        await line.hangs_up()
    with Database(store) as database:
        record = database.get(line.sid)
    assert record is not None
    assert [message["text"] for message in record.conversation if message["role"] == "assistant"] == [GREETING]
    (file,) = (tmp_path / "sound").rglob("*.wav")
    assert record.recordings == [str(file)]
    with wave.open(str(file)) as sound_file:
        assert (sound_file.getnchannels(), sound_file.getsampwidth(), sound_file.getframerate()) == (2, 2, 8000)


async def test_a_call_goes_on_in_another_process_when_the_asgi_server_is_stopped(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'calls.db'}"
    (old, room), (new, later) = make(store=store), make(store=store)
    sim = TwilioSim(voice=ScriptedTTS(room.lexicon))
    async with under_uvicorn(new) as there, sim.listening():
        async with under_uvicorn(old) as here:
            sim.tunnel(PUBLIC, here)
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears()
            await line.caller.says("a tea please")
            await line.caller.hears()
            sim.tunnel(PUBLIC, there)  # what comes from now on is led to the new one
        while len(line.streams) < 2:  # noqa: ASYNC110 - nobody tells of a new line
            await asyncio.sleep(0.1)
        assert later.lexicon.text((await line.caller.hears()).audio) == f"{SORRY} One tea."  # what was not answered yet
        await line.hangs_up()
    assert (len(room.calls), len(later.calls)) == (1, 1)
    assert [str(message) for message in later.calls[0].conversation][:3] == [
        str(message) for message in room.calls[0].conversation
    ]


async def test_what_cannot_be_kept_stops_the_server() -> None:
    phone, _ = make(store="calls.db")
    with pytest.raises(VoiceloopError, match=r"did you mean sqlite:///calls\.db\?"):
        async with phone.lifespan():
            raise AssertionError("it began")


async def test_what_is_refused_is_refused_with_its_status() -> None:
    phone, _ = make(strict=True)
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
    phone, room = make()
    sim = TwilioSim(voice=ScriptedTTS(room.lexicon))
    async with sim.listening():
        async with under_uvicorn(phone) as url:
            sim.tunnel(PUBLIC, url)
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears()
        assert phone.phone is None
        await line.streams[0].wait_ended()
        await line.hangs_up()


async def test_a_bot_that_cannot_start_stops_the_server_with_its_reason() -> None:
    phone, _ = make(public_url="http://agent.example.com")
    sent: list[Any] = []

    async def startup() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(event: Any) -> None:
        sent.append(event)

    await phone({"type": "lifespan"}, startup, send)
    assert [event["type"] for event in sent] == ["lifespan.startup.failed"]
    assert "expected a public URL with https" in sent[0]["message"]


async def test_a_request_before_the_lifespan_is_told_what_is_missing() -> None:
    phone, _ = make()
    scope = {"type": "http", "method": "GET", "path": "/readyz", "headers": [], "query_string": b""}

    async def nothing(*_: object) -> Any:
        return {"type": "http.request"}

    with pytest.raises(PhoneError, match=r"FastAPI\(lifespan=phone.lifespan\)"):
        await phone(scope, nothing, nothing)

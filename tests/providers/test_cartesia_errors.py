"""What goes wrong at Cartesia, and what is said about it: clear, bounded, and never a key."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from voiceloop.errors import ModelError
from voiceloop.language import LanguageError
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.tts.cartesia import CartesiaOptions, CartesiaTTS
from voiceloop.tts.cartesia_events import MESSAGE_LIMIT, read_event

KEY = "sk_car_very_secret_123456"
WRONG = "sk_car_mistyped_654321"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    monkeypatch.delenv("CARTESIA_BASE_URL", raising=False)


async def script(text: str) -> AsyncIterator[str]:
    yield text


async def failure(tts: CartesiaTTS, *, warming: bool = False) -> str:
    """What `generate` or `warm` raises."""
    try:
        with pytest.raises(ModelError) as raised:
            await (tts.warm() if warming else _drained(tts))
    finally:
        await tts.aclose()
    told = "".join(traceback.format_exception(raised.value)) + repr(tts)
    assert KEY not in told
    assert WRONG not in told
    return str(raised.value)


async def _drained(tts: CartesiaTTS) -> None:
    async for _ in tts.generate(script("One large mocha.")):
        pass


async def of(sim: CartesiaSim, *, key: str | None = KEY, warming: bool = False, **more: Any) -> str:
    async with sim.listening() as url:
        tts = CartesiaTTS("a-voice", base_url=url, api_key=key, **more)
        return (await failure(tts, warming=warming)).removeprefix(f"{url}: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            CartesiaSimOptions(voices=("another",)),
            "it has no voice 'a-voice' (404): Voice not found: No voice 'a-voice'.: expected an id, of play.cartesia",
        ),
        (
            CartesiaSimOptions(models=("sonic-2",)),
            "it has no model 'sonic-3' (400): Model not found: No model 'sonic-3'.: expected one such as 'sonic-3'",
        ),
        (CartesiaSimOptions(credit=False), "no credit is left, or the plan does not include this (402): Payment requ"),
        (CartesiaSimOptions(concurrency=0), "more at once than the plan allows (429): Too many concurrent requests:"),
        (CartesiaSimOptions(sockets=0), "more at once than the plan allows (429). Each answer"),
    ],
)
async def test_each_refusal_says_what_it_means_and_what_to_do(options: CartesiaSimOptions, message: str) -> None:
    assert (await of(CartesiaSim(options=options))).startswith(message)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "it does not accept the key (401)"),
        (403, "access is denied (403)"),
        (404, "there is nothing at /tts/websocket (404): is this the right base_url?"),
        (418, "it refused the request (status 418)"),
        (503, "the server failed (status 503)"),
    ],
)
@pytest.mark.parametrize("warming", [True, False])
async def test_each_refusal_of_a_socket_says_what_it_means(status: int, message: str, warming: bool) -> None:
    sim = CartesiaSim()
    sim.refusing = status
    assert (await of(sim, warming=warming)).startswith(message)


@pytest.mark.parametrize("warming", [True, False])
async def test_a_missing_and_a_wrong_key_are_told_apart(warming: bool) -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(key=KEY))
    missing = await of(sim, key=None, warming=warming)
    assert missing == "it wants a key: set the environment variable CARTESIA_API_KEY, or pass api_key (401)"
    wrong = await of(sim, key=WRONG, warming=warming)
    assert wrong == "it does not accept the key (401): look for a slip in it at play.cartesia.ai/keys"


async def test_without_a_key_cartesia_itself_is_not_even_asked() -> None:
    told = await failure(CartesiaTTS("v"), warming=True)
    assert told == "https://api.cartesia.ai: no key: set the environment variable CARTESIA_API_KEY, or pass api_key"


async def test_a_key_with_blanks_in_it_is_a_slip() -> None:
    told = await failure(CartesiaTTS("v", api_key=f"{KEY} {KEY}"), warming=True)
    assert "blanks or characters that no key has" in told


async def test_key_and_address_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(key=KEY))
    tts = CartesiaTTS("v")
    async with sim.listening() as url:
        for address in (url, url.replace("http", "ws"), f"{url}/"):
            monkeypatch.setenv("CARTESIA_API_KEY", f" {KEY}\n")
            monkeypatch.setenv("CARTESIA_BASE_URL", address)
            await _drained(tts)
            await tts.aclose()
    assert len(sim.sockets) == 3


async def test_the_key_of_the_environment_does_not_go_over_plain_http_to_another_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", KEY)
    for address in ("http://speech.example.com", "ws://8.8.8.8:8080"):
        told = await failure(CartesiaTTS("v", base_url=address), warming=True)
        assert told.startswith(f"{address}: CARTESIA_API_KEY is not sent over plain http to another network: use https")


async def test_a_wrong_address_of_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_BASE_URL", "api.cartesia.ai")
    told = await failure(CartesiaTTS("v", api_key=KEY), warming=True)
    assert "CARTESIA_BASE_URL: expected an address like 'https://api.cartesia.ai', got 'api.cartesia.ai'" in told


async def test_where_nothing_listens_is_told() -> None:
    told = await failure(CartesiaTTS("v", base_url="http://127.0.0.1:9", api_key=KEY))
    assert told == "http://127.0.0.1:9: nothing listens there: check base_url"


async def test_a_server_that_does_not_answer_is_told() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    told = await failure(CartesiaTTS("v", base_url=f"http://{host}:{port}", api_key=KEY), warming=True)
    server.close()
    await server.wait_closed()
    assert told.endswith("no connection within 5 s: check the network and base_url")


async def test_redirects_are_not_followed_and_the_key_does_not_travel() -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        raise web.HTTPNotFound

    async with server(elsewhere) as other:

        async def redirecting(request: web.Request) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(f"{other}/tts/websocket")

        async with server(redirecting) as url:
            told = await failure(CartesiaTTS("v", base_url=url, api_key=KEY), warming=True)
    assert told == f"{url}: it redirects (307), and redirects are not followed: mend base_url"
    assert seen == []


async def test_the_limit_of_ones_own_is_told() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(first=60.0))
    async with sim.listening() as url:
        tts = CartesiaTTS("v", base_url=url, options=CartesiaOptions(contexts=1, stall=30.0))
        first = asyncio.create_task(_drained(tts))
        await asyncio.sleep(0.1)
        with pytest.raises(ModelError, match=r"all contexts are in use: none was free for 3 s of 1\. Raise"):
            await _drained(tts)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await tts.aclose()


async def test_an_answer_waits_for_the_plan_no_longer_than_it_may() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(concurrency=0))
    began = asyncio.get_running_loop().time()
    await of(sim)
    assert asyncio.get_running_loop().time() - began == pytest.approx(3.0, abs=0.3)
    assert len(sim.contexts) < 30


async def test_silence_is_told_and_asked_about_three_times() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(troubles=dict.fromkeys(range(9), Trouble(stall=True))))
    told = await of(sim)
    assert told == "nothing came for 2 s, though there was text to be spoken"
    assert len(sim.contexts) == 3


async def test_closing_while_an_answer_is_made_ends_it_and_opens_nothing() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(pace=1.0))
    async with sim.listening() as url:
        tts = CartesiaTTS("v", base_url=url)
        pieces = tts.generate(script("One two three four five six seven."))
        await anext(pieces)
        await tts.aclose()
        with pytest.raises(ModelError, match=r"it was closed, with aclose\(\), before the answer was complete"):
            [speech async for speech in pieces]
        assert len(sim.sockets) == 1


async def test_another_loop_is_told_and_a_dead_one_forgotten() -> None:
    tts = CartesiaTTS("v", base_url="http://127.0.0.1:9")
    tts._link._loop = other = asyncio.new_event_loop()
    tts._link._session = aiohttp.ClientSession()
    session = tts._link._session
    with pytest.raises(ModelError, match="belongs to another event loop: close it there first"):
        await tts.warm()
    other.close()
    with pytest.raises(ModelError, match="nothing listens there"):
        await tts.warm()
    await session.close()
    await tts.aclose()


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: CartesiaTTS(""), "expected the id of a voice"),
        (lambda: CartesiaTTS("v", base_url="ftp://x"), "expected an address like 'https://api.cartesia.ai'"),
        (lambda: CartesiaTTS("v", base_url="https://me:pw@x"), "holds a user name or password"),
        (lambda: CartesiaTTS("v", base_url="wss://x/tts/websocket"), "ends before /tts/websocket"),
        (lambda: CartesiaOptions(speed=2.0), "speed must be between 0.6 and 1.5, got 2.0"),
        (lambda: CartesiaOptions(volume=0.1), "volume must be between 0.5 and 2"),
        (lambda: CartesiaOptions(max_buffer_delay_ms=9000), "max_buffer_delay_ms must be between 0 and 5000"),
        (lambda: CartesiaOptions(pause=1.5), "pause must be between 0.1 and 0.95"),
        (lambda: CartesiaOptions(idle=0.9), "idle must be between 0.02 and 0.8"),
        (lambda: CartesiaOptions(renew=300.0), "renew must be between 1 and 290"),
        (lambda: CartesiaOptions(stall=0.0), "must be more than 0 s"),
        (lambda: CartesiaOptions(tries=0), "tries must be at least 1"),
        (lambda: CartesiaOptions(contexts=0), "contexts must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_built(build: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build()


def test_a_language_it_does_not_know_is_refused() -> None:
    with pytest.raises(LanguageError, match="CartesiaTTS knows en, fr, de"):
        CartesiaTTS("v").for_language("la")


# --- servers that are none of Cartesia's --------------------------------------------------------------------


@asynccontextmanager
async def server(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/tts/websocket", handler)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(*events: Any) -> AsyncIterator[str]:
    """A server that sends these for each context, ``ID`` standing for its id."""

    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            asked = json.loads(message.data)
            for event in events if not asked.get("cancel") else ():
                text = event if isinstance(event, str) else json.dumps(event)
                await socket.send_str(text.replace("ID", asked["context_id"]))
        return socket

    async with server(handler) as url:
        yield url


CHUNK = {"type": "chunk", "context_id": "ID", "data": "//8=", "done": False, "status_code": 206, "step_time": 1.0}
DONE = {"type": "done", "context_id": "ID", "done": True, "status_code": 206}


async def test_what_is_not_known_is_passed_over() -> None:
    odd = (
        "garbage",
        "[]",
        "[" * 5000,
        {"type": ["chunk"]},
        {"type": "novelty", "context_id": "ID"},
        {**CHUNK, "context_id": "another"},
        {**CHUNK, "data": "?"},
        {**CHUNK, "data": 7},
        {"type": "timestamps", "context_id": "ID", "word_timestamps": {"words": ["a"], "start": ["x"], "end": [1]}},
        {"type": "timestamps", "context_id": "ID", "word_timestamps": None},
        {"type": "error", "context_id": "another", "message": "not ours", "status_code": 500},
    )
    async with answering(*odd, CHUNK, DONE) as url:
        tts = CartesiaTTS("v", base_url=url)
        got = [speech async for speech in tts.generate(script("Tea."))]
        await tts.aclose()
    assert [(speech.audio, speech.words) for speech in got] == [(b"\xff\xff", ())]


async def test_a_socket_of_garbage_is_given_up() -> None:
    async with answering(*["garbage"] * 20) as url:
        told = await failure(CartesiaTTS("v", base_url=url))
    assert told == f"{url}: the socket closed before the answer was complete"


async def test_a_message_without_measure_ends_the_socket() -> None:
    async with answering({**CHUNK, "data": "A" * (MESSAGE_LIMIT + 1)}) as url:
        told = await failure(CartesiaTTS("v", base_url=url))
    assert told == f"{url}: the socket closed before the answer was complete"


async def test_audio_without_measure_ends_the_answer() -> None:
    async with answering(*[{**CHUNK, "data": "/" * 600_000}] * 10) as url:
        tts = CartesiaTTS("v", base_url=url)
        pieces = tts.generate(script("Tea."))
        await anext(pieces)
        await asyncio.sleep(1.0)
        with pytest.raises(ModelError, match="more than 180 s of audio came that was not asked for"):
            [speech async for speech in pieces]
        await tts.aclose()


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "error", "done": True, "status_code": 400, "error": "Bad: thing", "context_id": "ID"}, "Bad: thing"),
        ({"type": "error", "done": True, "status_code": 400, "title": "A", "message": "B"}, "A: B"),
        ({"type": "error", "done": True, "message": "x" * 5000, "context_id": "ID"}, f"{'x' * 199}…"),
        ({"type": "error", "status_code": 400, "message": f"key {KEY}\n\x07", "context_id": "ID"}, "key *** ?"),
    ],
)
async def test_errors_of_any_form_are_told_in_short(event: dict[str, Any], said: str) -> None:
    async with answering(event) as url:
        told = await failure(CartesiaTTS("v", base_url=url, api_key=KEY))
    assert told.endswith(f": {said}")


async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sim = CartesiaSim(options=CartesiaSimOptions(key=KEY))
    await of(sim, key=WRONG)
    await of(CartesiaSim(options=CartesiaSimOptions(voices=())), key=KEY)
    assert KEY not in caplog.text
    assert WRONG not in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"words": ["<spell>AB</spell>,", "<break time=\\"1s\\"/>"], "start": [-1, 0.5], "end": [0.2, 0.6]}', ["AB,"]),
        ('{"words": ["a", "b"], "start": [0.1], "end": [0.2]}', ["a"]),
        ('{"words": [], "start": [], "end": []}', []),
    ],
)
def test_words_are_read_without_tags(text: str, words: list[str]) -> None:
    event = read_event(f'{{"type": "timestamps", "context_id": "a", "word_timestamps": {text}}}')
    assert event is not None
    assert [word.text for word in event.words] == words
    assert all(0 <= word.start <= word.end for word in event.words)


@pytest.mark.parametrize("times", ['[0.1, "x"]', "[0.1, true]", "[NaN, 1]", "[0.1, 1e9]", "[0.1, null]"])
def test_times_that_are_none_are_refused(times: str) -> None:
    columns = f'"words": ["a", "b"], "start": [0, 0], "end": {times}'
    with pytest.raises(ValueError, match="expected a word and two times in seconds"):
        read_event(f'{{"type": "timestamps", "context_id": "a", "word_timestamps": {{{columns}}}}}')

"""The simulated Cartesia: the official client reads it, and its limits and faults are what they say."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.sim.cartesia_samples import Encoder
from voiceloop.testing import ScriptedTTS

cartesia = pytest.importorskip("cartesia", reason="the official client is not installed: pip install 'voiceloop[test]'")
pytest.importorskip("websockets", reason="the official client needs websockets: pip install 'voiceloop[test]'")

KEY = "sk_car_secret_1"
PHONE = {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000}
ASKED: dict[str, Any] = {"model_id": "sonic-3", "voice": {"id": "v"}, "output_format": PHONE}
NEW = {"Cartesia-Version": "2026-03-01"}


@asynccontextmanager
async def official(sim: CartesiaSim, key: str = KEY) -> AsyncIterator[Any]:
    """The official client at the simulator."""
    async with (
        sim.listening() as url,
        cartesia.AsyncCartesia(
            api_key=key, base_url=url, websocket_base_url=url.replace("http", "ws"), max_retries=0
        ) as client,
    ):
        yield client


@asynccontextmanager
async def plain(sim: CartesiaSim, query: str = "", headers: dict[str, str] = NEW) -> AsyncIterator[Any]:
    """A socket without any client."""
    async with (
        sim.listening() as url,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/tts/websocket{query}", headers=headers) as socket,
    ):
        yield socket


async def ask(socket: Any, transcript: str, context: str = "a", **fields: Any) -> None:
    await socket.send_str(json.dumps({**ASKED, "context_id": context, "transcript": transcript, **fields}))


async def events(socket: Any, *, until: str = "done", limit: float = 60.0) -> list[dict[str, Any]]:
    """What comes, up to an event of a type."""
    got: list[dict[str, Any]] = []
    async with asyncio.timeout(limit):
        while not got or got[-1]["type"] != until:
            got.append(json.loads((await socket.receive()).data))
    return got


def audio(got: list[dict[str, Any]], context: str = "a") -> bytes:
    chunks = [event for event in got if event["type"] == "chunk" and event["context_id"] == context]
    return b"".join(base64.b64decode(event["data"]) for event in chunks)


# --- the official client ------------------------------------------------------------------------------------


async def test_the_official_client_streams_a_context_and_gets_words_and_phonemes() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(key=KEY))
    async with official(sim) as client, client.tts.websocket_connect() as connection:
        context = connection.context(
            "turn-17", **ASKED, max_buffer_delay_ms=0, add_timestamps=True, add_phoneme_timestamps=True, timeout=5
        )
        await context.push("One large mocha. ")
        await context.push("Anything else?", flush=True)
        await context.no_more_inputs()
        got = [event async for event in context.receive()]
    heard = b"".join(event.audio for event in got if event.type == "chunk")
    assert lexicon.text(heard) == "One large mocha. Anything else?"
    words = [
        (word, start, end)
        for event in got
        if event.type == "timestamps"
        for word, start, end in zip(
            event.word_timestamps.words, event.word_timestamps.start, event.word_timestamps.end, strict=True
        )
    ]
    truth = [(word.text, word.start, word.end) for word in lexicon.listen(heard)]
    assert [(word, round(start * 8000), round(end * 8000)) for word, start, end in words] == truth
    sounds = [event.phoneme_timestamps.phonemes for event in got if event.type == "phoneme_timestamps"]
    assert "".join(sound for some in sounds for sound in some) == "onelargemochaanythingelse"
    assert [event.flush_id for event in got if event.type == "flush_done"] == [1]
    assert got[-1].type == "done"
    assert [(given.transcript, given.goes_on) for given in sim.contexts[0].inputs] == [
        ("One large mocha. ", True),
        ("Anything else?", True),
        ("", False),
    ]
    assert sim.sockets[0].version == "2026-08-14"
    assert KEY not in repr(sim.sockets)


async def test_every_event_has_the_fields_and_types_of_the_official_client() -> None:
    from cartesia.types import websocket_response as types

    sim = CartesiaSim()
    async with plain(sim) as socket:
        await ask(socket, "One large", add_timestamps=True, add_phoneme_timestamps=True, flush=True)
        got = await events(socket)
        await ask(socket, "again", "a")
        got += await events(socket, until="error")
    classes = {
        "chunk": types.Chunk,
        "timestamps": types.Timestamps,
        "phoneme_timestamps": types.PhonemeTimestamps,
        "flush_done": types.FlushDone,
        "done": types.Done,
        "error": types.Error,
    }
    assert {event["type"] for event in got} == set(classes)
    for event in got:
        assert set(event) <= set(classes[event["type"]].model_fields)
        classes[event["type"]].model_validate(event, strict=True)


async def test_the_official_client_gets_bytes_and_a_stream_over_http() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(key=KEY))
    async with official(sim) as client:
        response = await client.tts.generate(**ASKED, transcript="One large mocha.")
        assert lexicon.text(await response.read()) == "One large mocha."
        wav = await client.tts.generate(
            **{**ASKED, "output_format": {"container": "wav", "encoding": "pcm_mulaw", "sample_rate": 8000}},
            transcript="Tea.",
        )
        data = await wav.read()
        stream = await client.tts.generate_sse(**ASKED, transcript="Five minutes.", add_timestamps=True)
        got = [event async for event in stream]
    assert data[:4] == b"RIFF"
    assert struct.unpack("<HHI", data[20:28]) == (7, 1, 8000)
    assert lexicon.text(data[44:]) == "Tea."
    assert lexicon.text(b"".join(event.audio for event in got if event.type == "chunk")) == "Five minutes."
    assert [word for event in got if event.type == "timestamps" for word in event.word_timestamps.words] == [
        "Five",
        "minutes.",
    ]
    assert got[-1].type == "done"
    assert [context.socket for context in sim.contexts] == [-1, -1, -1]


@pytest.mark.parametrize(
    ("options", "error", "code"),
    [
        (CartesiaSimOptions(key="another"), "AuthenticationError", "unauthorized"),
        (CartesiaSimOptions(models=("sonic-2",)), "BadRequestError", "model_not_found"),
        (CartesiaSimOptions(voices=("w",)), "NotFoundError", "voice_not_found"),
        (CartesiaSimOptions(concurrency=0), "RateLimitError", "concurrency_limited"),
        (CartesiaSimOptions(credit=False), "APIStatusError", "quota_exceeded"),
    ],
)
async def test_the_official_client_knows_each_refusal(options: CartesiaSimOptions, error: str, code: str) -> None:
    async with official(CartesiaSim(options=options)) as client:
        with pytest.raises(getattr(cartesia, error)) as raised:
            await client.tts.generate(**ASKED, transcript="Tea.")
    assert raised.value.body["error_code"] == code


# --- three forms of key, version and voice ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers", "voice"),
    [
        ("", {"Authorization": f"Bearer {KEY}", "cartesia-version": "2026-08-14"}, "v"),
        ("", {"X-API-Key": KEY, "Cartesia-Version": "2026-03-01"}, {"mode": "id", "id": "v"}),
        ("?cartesia_version=2025-04-16", {"X-API-Key": KEY}, {"id": "v"}),
        (f"?cartesia_version=2026-03-01&api_key={KEY}", {}, "v"),
        (f"?cartesia_version=2026-03-01&access_token={KEY}", {}, "v"),
    ],
)
async def test_key_version_and_voice_are_taken_in_each_form(query: str, headers: dict[str, str], voice: Any) -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(key=KEY, voices=("v",)))
    async with plain(sim, query, headers) as socket:
        await ask(socket, "Tea.", voice=voice)
        assert (await events(socket))[-1]["type"] == "done"


async def test_a_socket_without_version_or_with_a_wrong_key_is_refused() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(key=KEY))
    for headers, status in (({"X-API-Key": KEY}, 400), ({"X-API-Key": "no", **NEW}, 401), (NEW, 401)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            async with plain(sim, headers=headers):
                pass
        assert raised.value.status == status


async def test_errors_have_the_old_form_for_old_versions() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(voices=("w",)))
    async with plain(sim) as socket:
        await ask(socket, "Tea.")
        (new,) = await events(socket, until="error")
    async with plain(sim, headers={"Cartesia-Version": "2025-04-16"}) as socket:
        await ask(socket, "Tea.")
        (old,) = await events(socket, until="error")
    assert (new["error_code"], new["title"], new["message"]) == ("voice_not_found", "Voice not found", "No voice 'v'.")
    assert new["request_id"].endswith(":a")
    assert old == {
        "type": "error",
        "done": True,
        "status_code": 404,
        "error": "Voice not found: No voice 'v'.",
        "context_id": "a",
    }


# --- contexts -----------------------------------------------------------------------------------------------


async def test_the_texts_of_a_context_are_joined_and_spoken_in_order_while_others_speak() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon)
    async with plain(sim) as socket:
        await ask(socket, "One two ", "a", **{"continue": True}, max_buffer_delay_ms=0)
        await ask(socket, "six seven", "b")
        await ask(socket, "three", "a", max_buffer_delay_ms=0)
        got = await events(socket)
        got += await events(socket)
    assert lexicon.text(audio(got, "a")) == "One two three"
    assert lexicon.text(audio(got, "b")) == "six seven"


async def test_text_waits_for_more_as_long_as_it_may() -> None:
    loop = asyncio.get_running_loop()
    for fields, expected in (({}, 3.09), ({"max_buffer_delay_ms": 500}, 0.59), ({"max_buffer_delay_ms": 0}, 0.09)):
        sim = CartesiaSim()
        async with plain(sim) as socket:
            began = loop.time()
            await ask(socket, "One large mocha ", **{"continue": True}, **fields)
            await events(socket, until="chunk")
            assert loop.time() - began == pytest.approx(expected, abs=0.01)


async def test_a_sentence_or_a_flush_ends_the_wait() -> None:
    loop = asyncio.get_running_loop()
    for text, flush in (("One large mocha. And", False), ("One large", True)):
        async with plain(CartesiaSim()) as socket:
            began = loop.time()
            await ask(socket, text, **{"continue": True}, flush=flush)
            await events(socket, until="chunk")
            assert loop.time() - began == pytest.approx(0.09, abs=0.01)


async def test_audio_comes_in_chunks_and_faster_than_it_is_heard() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(pace=4.0, chunk=0.1))
    loop = asyncio.get_running_loop()
    async with plain(sim) as socket:
        began = loop.time()
        await ask(socket, "One two three four five six")
        got = await events(socket)
        took = loop.time() - began
    sizes = [len(base64.b64decode(event["data"])) for event in got if event["type"] == "chunk"]
    assert set(sizes[:-1]) == {800}
    assert took == pytest.approx(0.09 + sum(sizes) / 8000 / 4, abs=0.01)


async def test_a_context_expires_a_second_after_its_last_audio() -> None:
    loop = asyncio.get_running_loop()
    sim = CartesiaSim(options=CartesiaSimOptions(pace=0.0))
    async with plain(sim) as socket:
        await ask(socket, "One ", **{"continue": True}, max_buffer_delay_ms=0)
        await events(socket)
        assert loop.time() == pytest.approx(1.09, abs=0.01)
        await ask(socket, "two", max_buffer_delay_ms=0)
        (error,) = await events(socket, until="error")
    assert "is over: input to it is not supported" in error["message"]
    assert sim.contexts[0].outcome == "expired"


async def test_late_input_can_be_passed_over_in_silence_and_expiry_too() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(pace=0.0, expiry_done=False, late_input="ignore"))
    async with plain(sim) as socket:
        await ask(socket, "One ", **{"continue": True}, max_buffer_delay_ms=0)
        await asyncio.sleep(2.0)
        await ask(socket, "two", max_buffer_delay_ms=0)
        with pytest.raises(TimeoutError):
            await events(socket, limit=5.0)


async def test_a_finished_context_cannot_be_used_again() -> None:
    async with plain(CartesiaSim()) as socket:
        await ask(socket, "One")
        await events(socket)
        await ask(socket, "two")
        assert (await events(socket, until="error"))[0]["context_id"] == "a"


async def test_all_inputs_of_a_context_must_be_alike() -> None:
    async with plain(CartesiaSim()) as socket:
        await ask(socket, "One ", **{"continue": True})
        await ask(socket, "two", **{"continue": True}, model_id="sonic-3.5", language="de")
        (error,) = await events(socket, until="error")
    assert error["message"] == "all fields but transcript, continue and flush must stay the same: language, model_id"


@pytest.mark.parametrize("told", [False, True])
async def test_after_a_cancel_a_few_chunks_still_come(told: bool) -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(late_chunks=3, cancel_done=told))
    async with plain(sim) as socket:
        await ask(socket, "one two three four five six seven eight nine ten")
        await events(socket, until="chunk")
        await socket.send_str('{"context_id": "a", "cancel": true}')
        got = []
        for _ in range(3 + told):
            got.append(json.loads((await socket.receive()).data)["type"])
        with pytest.raises(TimeoutError):
            await events(socket, limit=5.0)
    assert got == ["chunk"] * 3 + ["done"] * told
    assert sim.contexts[0].chunks == 1 + 3
    assert sim.contexts[0].outcome == "cancelled"


async def test_no_more_contexts_at_once_than_the_plan_allows() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(concurrency=2))
    async with plain(sim) as socket:
        for context in "abc":
            await ask(socket, "One two three", context)
        (error,) = await events(socket, until="error")
        assert (error["status_code"], error["error_code"], error["context_id"]) == (429, "concurrency_limited", "c")
        await events(socket)
        await events(socket)
        await ask(socket, "One two three", "d")
        assert (await events(socket))[-1]["context_id"] == "d"


async def test_no_more_sockets_than_allowed_and_an_idle_one_is_closed() -> None:
    loop = asyncio.get_running_loop()
    sim = CartesiaSim(options=CartesiaSimOptions(sockets=1))
    async with plain(sim) as socket:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
                await session.ws_connect(f"{sim.base_url}/tts/websocket", headers=NEW)
            assert raised.value.status == 429
        await asyncio.sleep(100)
        await ask(socket, "One")
        await events(socket)
        used = loop.time()
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (
            aiohttp.WSMsgType.CLOSE,
            1000,
            "connection idle timeout",
        )
        assert loop.time() - used == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{", "expected JSON"),
        ("[]", "expected an object"),
        (b"\x00", "a binary message"),
        ({"transcript": "a"}, "context_id: a string is required"),
        ({**ASKED, "context_id": "a"}, "transcript: a string is required"),
        ({**ASKED, "context_id": "a", "transcript": "…"}, "empty or contains only punctuation"),
        ({**ASKED, "context_id": "a", "transcript": "b", "voice": {"mode": "embedding"}}, "voice: expected an id"),
        ({**ASKED, "context_id": "a", "transcript": "b", "max_buffer_delay_ms": 6000}, "between 0 and 5000"),
        ({**ASKED, "context_id": "a", "transcript": "b", "generation_config": {"speed": 2}}, "between 0.6 and 1.5"),
        (
            {**ASKED, "context_id": "a", "transcript": "b", "output_format": {**PHONE, "sample_rate": 11025}},
            "sample_rate: expected one of 8000",
        ),
    ],
)
async def test_what_is_not_in_order_is_refused_and_the_socket_stays(message: Any, said: str) -> None:
    async with plain(CartesiaSim()) as socket:
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_str(message if isinstance(message, str) else json.dumps(message))
        (error,) = await events(socket, until="error")
        assert said in error["message"]
        await ask(socket, "One", "fresh")
        assert (await events(socket))[-1]["type"] == "done"


async def test_scripted_troubles_and_cuts() -> None:
    sim = CartesiaSim(
        options=CartesiaSimOptions(troubles={0: Trouble(after=2, status=500), 1: Trouble(after=1, stall=True)})
    )
    async with plain(sim) as socket:
        await ask(socket, "one two three four", "a")
        assert [event["type"] for event in await events(socket, until="error")] == ["chunk", "chunk", "error"]
        await ask(socket, "one two three four", "b")
        with pytest.raises(TimeoutError):
            await events(socket, limit=30.0)
        assert sim.contexts[1].chunks == 1
        sim.drop()
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert sim.contexts[1].outcome == "lost"


# --- sound --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100])
@pytest.mark.parametrize(("encoding", "width"), [("pcm_mulaw", 1), ("pcm_alaw", 1), ("pcm_s16le", 2), ("pcm_f32le", 4)])
def test_each_encoding_holds_the_same_sound(encoding: str, width: int, rate: int) -> None:
    tone = (8000 * np.sin(np.arange(4000) * 2 * np.pi * 440 / 8000)).astype(np.int16)
    encoder = Encoder(encoding, rate)
    data = encoder.push(mulaw.encode(tone[:1000])) + encoder.push(mulaw.encode(tone[1000:])) + encoder.flush()
    assert len(data) == pytest.approx(0.5 * rate * width, abs=width)
    decoded = _decoded(data, encoding)
    truth = 8000 * np.sin(np.arange(len(decoded)) * 2 * np.pi * 440 / rate)
    middle = slice(len(decoded) // 4, len(decoded) // 2)
    assert np.abs(decoded[middle] - truth[middle]).max() < 8000 * 0.08


def _decoded(data: bytes, encoding: str) -> Any:
    if encoding == "pcm_mulaw":
        return mulaw.decode(data).astype(float)
    if encoding == "pcm_alaw":
        code = np.frombuffer(data, np.uint8).astype(int) ^ 0x55
        segment, step = (code >> 4) & 7, code & 0x0F
        magnitude = np.where(segment == 0, step * 16 + 8, ((step * 16 + 264) << np.maximum(segment - 1, 0)))
        return np.where(code & 0x80, magnitude, -magnitude).astype(float)
    if encoding == "pcm_s16le":
        return np.frombuffer(data, "<i2").astype(float)
    return np.frombuffer(data, "<f4").astype(float) * 32768


async def test_it_speaks_with_any_voice() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(ScriptedTTS(lexicon))
    async with plain(sim) as socket:
        await ask(socket, 'One <break time="1s"/>large mocha.', add_timestamps=True)
        got = await events(socket)
    assert lexicon.text(audio(got)) == "One large mocha."
    told = [word for event in got if event["type"] == "timestamps" for word in event["word_timestamps"]["words"]]
    assert told == ["One", "large", "mocha."]

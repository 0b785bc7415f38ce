"""The talk server: its routes, what it refuses, and a call's events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from voiceloop.server.talk_calls import HEARTBEAT, MAX_EVENTS, LiveCall, TalkCalls
from voiceloop.sim.carrier import Carrier, CarrierOptions

SID = "CA" + "0" * 32


def carrier(talk: Any, seed: int = 1, **headers: str) -> Carrier:
    return Carrier(
        "http://localhost/media", options=CarrierOptions(seed=seed), connector=talk.connector(), headers=headers
    )


async def ready(talk: Any) -> None:
    await asyncio.sleep(1)
    assert talk.bot_file.state == "ready"


async def events_of(response: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    """All events until the stream ends."""
    lines = (await response.text()).splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


# --- the page -----------------------------------------------------------------------------------------------


async def test_the_page_carries_a_policy_without_another_host(talking: Any) -> None:
    async with talking() as talk, talk.get("") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "connect-src 'self' ws://localhost wss://localhost;" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Permissions-Policy"].startswith("microphone=(self)")


async def test_a_file_is_not_sent_twice(talking: Any) -> None:
    async with talking() as talk:
        async with talk.get("page.js") as answer:
            assert answer.content_type == "text/javascript"
            tag = answer.headers["ETag"]
        async with talk.get("page.js", If_None_Match=tag) as answer:
            assert answer.status == 304
            assert await answer.read() == b""


@pytest.mark.parametrize(
    "path", ["nothing.js", "talk.py", "..%2ftalk.py", "%2e%2e/talk.py", "page/page.js", "__init__.py"]
)
async def test_no_other_file_can_be_had(talking: Any, path: str) -> None:
    async with (
        talking() as talk,
        talk.session.get(aiohttp.client.URL(f"http://localhost/{path}", encoded=True)) as answer,
    ):
        assert answer.status == 404


# --- other web sites ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "state", "media", f"events?call={SID}", "calls"])
async def test_another_host_is_refused_everywhere(talking: Any, path: str) -> None:
    async with talking() as talk, talk.get(path, Host="evil.example") as answer:
        assert answer.status == 403
        assert "voiceloop talk" in await answer.text()


@pytest.mark.parametrize("path", ["media", f"events?call={SID}", "state"])
async def test_a_page_of_another_origin_is_refused(talking: Any, path: str) -> None:
    async with talking() as talk:
        for origin in ("http://evil.example", "null", "http://localhost:81", "http://localhost.evil.example"):
            async with talk.get(path, Origin=origin) as answer:
                assert answer.status == 403
        async with talk.get(path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors") as answer:
            assert answer.status == 403


async def test_only_the_page_itself_can_have_the_bot_loaded_again(talking: Any) -> None:
    async with talking() as talk:
        await ready(talk)
        refused = await talk.session.post("http://localhost/load", headers={"Origin": "http://evil.example"})
        assert refused.status == 403
        taken = await talk.session.post("http://localhost/load", headers={"Origin": "http://localhost"})
        assert taken.status == 202
        await asyncio.sleep(1)
        assert talk.bot_file.loads == 2


# --- a call -------------------------------------------------------------------------------------------------


async def test_what_happens_in_a_call_is_told_while_it_happens(talking: Any) -> None:
    async with talking() as talk:
        await ready(talk)
        line = carrier(talk)
        sid = line.stream.call_sid
        async with talk.get(f"events?call={sid}") as answer:
            assert answer.content_type == "text/event-stream"
            async with line:
                await asyncio.sleep(3)
            events = await events_of(answer)
        kinds = [event.get("kind") for event in events]
        assert kinds[0] == "began"
        assert {"answer", "text", "playout", "heard", "over"} <= set(kinds)
        assert next(event["text"] for event in events if event.get("kind") == "text") == "Hello."
        assert events[-2]["kind"] == "ended"
        assert events[-2]["reason"] == "caller hung up"
        assert events[-1] == {}  # the event "over": a page must not connect again
        async with talk.get("calls") as answer:
            (call,) = await answer.json()
        assert (call["id"], call["reason"], call["running"], call["picture"]) == (sid, "caller hung up", False, True)


async def test_a_page_that_connects_again_gets_what_it_missed(talking: Any) -> None:
    async with talking() as talk:
        await ready(talk)
        line = carrier(talk)
        sid = line.stream.call_sid
        async with line:
            await asyncio.sleep(2)
        async with talk.get(f"events?call={sid}") as answer:
            everything = await events_of(answer)
        async with talk.get(f"events?call={sid}", Last_Event_ID="3") as answer:
            assert await events_of(answer) == everything[3:]


@pytest.mark.parametrize("sid", ["", "CA1", "MZ" + "0" * 32, "CA" + "G" * 32, f"{SID}0"])
async def test_a_call_id_that_is_none_is_refused(talking: Any, sid: str) -> None:
    async with talking() as talk, talk.get(f"events?call={sid}") as answer:
        assert answer.status == 400


async def test_a_call_too_many_is_told_so_and_taken_when_there_is_room(talking: Any) -> None:
    async with talking(max_calls=1) as talk:
        await ready(talk)
        first = carrier(talk, 1)
        async with first:
            await asyncio.sleep(0.5)
            socket = await talk.session.ws_connect("http://localhost/media")
            message = await socket.receive()
            assert (socket.close_code, message.extra) == (1013, "1 calls run already: end one first")
        await asyncio.sleep(0.5)
        async with carrier(talk, 2) as second:
            await asyncio.sleep(1)
            assert not second.ended
            assert len(second.heard.strip(b"\xff")) > 0


async def test_a_call_before_the_bot_is_ready_is_told_so(talking: Any, bot_path: Any) -> None:
    bot_path.write_text("bot = (\n")
    async with talking() as talk:
        await asyncio.sleep(1)
        socket = await talk.session.ws_connect("http://localhost/media")
        message = await socket.receive()
        assert (socket.close_code, message.extra) == (1013, "the bot has an error")
        async with talk.get("state") as answer:
            state = await answer.json()
        assert state["state"] == "error"
        assert state["error"] == {
            "message": "SyntaxError: '(' was never closed",
            "file": "tea.py",
            "line": 1,
            "code": "bot = (",
        }


async def test_a_call_right_after_an_edit_waits_for_the_new_bot(talking: Any, bot_path: Any) -> None:
    async with talking() as talk:
        await ready(talk)
        bot_path.write_text(bot_path.read_text().replace('"Hello."', '"Good morning."'))
        async with carrier(talk) as line:
            await asyncio.sleep(3)
            loaded = talk.bot_file.loads
        heard = sum(end - start for start, end in line.truth.sounds())
    assert loaded == 2
    assert heard > 0.5


async def test_a_server_that_stops_ends_its_calls_with_a_reason(talking: Any) -> None:
    async with talking() as talk:
        await ready(talk)
        line = carrier(talk)
        async with line, talk.get(f"events?call={line.stream.call_sid}") as answer:
            await asyncio.sleep(1)
            await asyncio.gather(talk.stop(), line.wait_ended())
            events = await events_of(answer)
        assert line.end == "closed by the server (1000)"
        assert events[-2]["reason"] == "server stopped"


async def test_the_picture_of_a_call_cannot_reach_the_server(talking: Any) -> None:
    pytest.importorskip("voiceloop.record.picture", reason="no pictures in this version")
    async with talking() as talk:
        await ready(talk)
        async with talk.get(f"picture/{SID}") as answer:
            assert answer.status == 404
        line = carrier(talk)
        async with line:
            await asyncio.sleep(2)
        await asyncio.sleep(0.5)
        async with talk.get(f"picture/{line.stream.call_sid}") as answer:
            assert answer.status == 200
            assert "Hello." in await answer.text()
            policy = answer.headers["Content-Security-Policy"]
        pytest.importorskip("PIL", reason="no Pillow: pip install 'voiceloop[picture]'")
        async with talk.get(f"picture/{line.stream.call_sid}.png") as answer:
            assert answer.content_type == "image/png"
            assert (await answer.read()).startswith(b"\x89PNG")
        for wrong in (".", ".jpg", ".png.png"):
            async with talk.get(f"picture/{line.stream.call_sid}{wrong}") as answer:
                assert answer.status == 404
        assert policy.startswith("sandbox allow-scripts")
        assert "allow-same-origin" not in policy


# --- events -------------------------------------------------------------------------------------------------


async def test_a_reader_that_is_too_slow_is_told_and_let_go() -> None:
    live = LiveCall(SID)
    live.tell({"kind": "began"})
    reader = live.events()
    assert await anext(reader) == (1, '{"kind":"began"}')
    for number in range(MAX_EVENTS + 1):
        live.tell({"kind": "text", "number": number})
    assert [event async for event in reader] == [(MAX_EVENTS + 2, '{"kind":"lost"}')]


async def test_a_reader_hears_a_heartbeat_when_nothing_happens() -> None:
    live = LiveCall(SID)
    loop = asyncio.get_running_loop()
    reader = live.events()
    began = loop.time()
    assert await anext(reader) is None
    assert loop.time() - began == HEARTBEAT
    live.tell({"kind": "ended"})
    assert [event async for event in reader] == [(1, '{"kind":"ended"}')]


async def test_pages_that_wait_for_calls_nobody_makes_are_bounded() -> None:
    calls = TalkCalls(most_expected=2)
    first = calls.expect("CA" + "1" * 32)
    calls.expect("CA" + "2" * 32)
    calls.expect("CA" + "3" * 32)
    assert [event async for event in first.events()] == [(1, '{"kind":"refused","message":"too many pages are open"}')]

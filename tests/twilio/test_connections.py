"""The live calls of a process, by their ids."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import NotRunning, Processor
from voiceloop.runtime import Runtime
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.serving import serving
from voiceloop.twilio.connections import ConnectionManager, NoSuchCall, TooManyCalls
from voiceloop.twilio.media import media_app
from voiceloop.twilio.transport import TwilioTransport


def plain(call: Call) -> Pipeline:
    return Pipeline([call.transport, AudioStreamer()])


async def test_a_call_is_found_by_its_ids_while_it_lives() -> None:
    manager = ConnectionManager()
    async with Runtime() as runtime, serving(media_app(plain, runtime, manager=manager)) as (url, connector):
        assert len(manager) == 0
        async with Carrier(url, connector=connector) as line:
            await asyncio.sleep(0.1)
            (call,) = manager
            assert manager.calls == [call]
            assert call.id in manager
            assert manager.get_call(call.id) is call
            connection = manager.get_connection(call.id)
            assert manager.get_call(connection.started.stream_sid) is call
            assert connection is call.transport
            assert connection.manager is manager
            assert isinstance(manager.get_streamer(call.id), AudioStreamer)
            assert repr(manager) == "<ConnectionManager of 1 live calls>"
            await line.hang_up()
            await asyncio.sleep(0.1)
        assert len(manager) == 0
        assert call.id not in manager
        assert list(manager) == []


async def test_a_manager_is_made_when_none_is_given() -> None:
    calls: list[Call] = []
    async with (
        Runtime() as runtime,
        serving(media_app(plain, runtime, on_call=calls.append)) as (url, connector),
        Carrier(url, connector=connector),
    ):
        await asyncio.sleep(0.1)
        transport = calls[0].transport
        assert isinstance(transport, TwilioTransport)
        assert transport.manager is not None
        assert transport.manager.calls == calls


async def test_an_unknown_call_is_an_error_that_says_which_calls_live(dial: Any) -> None:
    manager = ConnectionManager()
    for get in (manager.get_call, manager.get_connection, manager.get_streamer):
        with pytest.raises(NoSuchCall) as error:
            get("CA0")
        assert str(error.value) == "no live call 'CA0': it has ended, or never began here; no call is live"
        assert isinstance(error.value, KeyError)
        assert isinstance(error.value, VoiceloopError)
    for number in range(7):
        manager.connect(Call(Processor(), id=f"CA{number + 1}"))
    with pytest.raises(NoSuchCall, match=r"never began here; live: CA1, CA2, CA3, CA4, CA5 and 2 more$"):
        manager.get_call("CA0")


async def test_a_streamer_that_is_not_there_is_an_error_that_says_why(dial: Any) -> None:
    manager = ConnectionManager()

    def bot(call: Call) -> Pipeline:
        manager.connect(call)
        with pytest.raises(NotRunning, match="has no streamer yet: its pipeline is still being made"):
            manager.get_streamer(call.id)
        return Pipeline([call.transport])

    async with dial(bot) as caller:
        await caller.waits(0.1)
        with pytest.raises(VoiceloopError, match=r"put an AudioStreamer\(\) at the end of its pipeline"):
            manager.get_streamer(caller.call.id)
        await caller.hangs_up()
    manager.connect(other := Call(Processor(), id="CA1"))
    with pytest.raises(VoiceloopError, match="expected call 'CA1' to come by a TwilioTransport, its is a Processor"):
        manager.get_connection("CA1")
    assert manager.calls == [other]


async def test_a_call_that_is_closing_cannot_be_spoken_to(dial: Any) -> None:
    class Lingering(Processor):
        async def stop(self) -> None:
            await asyncio.sleep(1.0)

    manager = ConnectionManager()

    def bot(call: Call) -> Pipeline:
        manager.connect(call)
        return Pipeline([call.transport, Lingering(), AudioStreamer()])

    async with dial(bot) as caller:
        await caller.waits(0.1)
        hanging_up = asyncio.ensure_future(caller.carrier.hang_up())
        await caller.waits(0.5)
        assert manager.calls == [caller.call]
        with pytest.raises(NoSuchCall, match="cannot be spoken to any more: it is over, caller hung up"):
            manager.get_streamer(caller.call.id)
        await caller.report()
        await hanging_up
        assert manager.calls == []


async def test_of_two_streams_of_one_call_the_newest_counts_and_then_the_other_again() -> None:
    manager = ConnectionManager()
    old, new = Call(Processor(), id="CA1"), Call(Processor(), id="CA1")
    for call in (old, new, new):
        manager.connect(call)
    assert len(manager) == 2
    assert manager.get_call("CA1") is new
    for _ in range(2):
        manager.disconnect(new)
    assert manager.get_call("CA1") is old
    manager.disconnect(old)
    assert "CA1" not in manager


async def test_a_call_without_an_id_is_counted_and_not_found() -> None:
    manager = ConnectionManager()
    manager.connect(Call(Processor()))
    assert len(manager) == 1
    with pytest.raises(NoSuchCall, match="live: one without an id"):
        manager.get_call("")


async def test_a_call_too_many_is_refused_and_the_others_go_on() -> None:
    manager = ConnectionManager(limit=1)
    async with Runtime() as runtime, serving(media_app(plain, runtime, manager=manager)) as (url, connector):
        async with Carrier(url, connector=connector, options=CarrierOptions(seed=1)):
            await asyncio.sleep(0.1)
            (first,) = manager
            with pytest.raises(TooManyCalls, match="1 calls are live, and that is the limit"):
                manager.connect(Call(Processor()))
            async with (
                aiohttp.ClientSession(connector=connector, connector_owner=False) as session,
                session.ws_connect(url) as socket,
            ):
                await socket.send_json({"event": "start", "start": {"streamSid": "MZ2", "callSid": "CA2"}})
                message = await socket.receive()
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1013)
            assert manager.calls == [first]
        await asyncio.sleep(0.1)
        assert len(manager) == 0


async def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        ConnectionManager(limit=0)


@pytest.mark.parametrize(
    "how", ["raises", "cannot be run", "takes too long", "is cancelled", "fails in start", "socket breaks"]
)
async def test_a_call_leaves_however_it_ends(how: str) -> None:
    manager, mine = ConnectionManager(), ConnectionManager()

    class Broken(Processor):
        async def start(self) -> None:
            if how == "fails in start":
                raise LookupError("nothing there")

    class Wrong(Processor):
        def on_nothing(self, nothing: Unknown) -> None:  # type: ignore[name-defined]  # noqa: F821
            pass

    async def bot(call: Call) -> Pipeline:
        mine.connect(call)
        if how == "cannot be run":
            return Pipeline([call.transport, Wrong()])
        if how == "raises":
            raise LookupError("no such shop")
        if how in ("takes too long", "is cancelled"):
            await asyncio.sleep(60)
        return Pipeline([call.transport, Broken(), AudioStreamer()])

    async with Runtime() as runtime:
        async with (
            serving(media_app(bot, runtime, manager=manager)) as (url, connector),
            Carrier(url, connector=connector) as line,
        ):
            await asyncio.sleep(0.001)
            if how not in ("raises", "cannot be run", "fails in start"):  # these are over at once
                assert len(mine) == len(manager) == 1
            if how == "socket breaks":
                await asyncio.sleep(0.5)
                await line.cut()
            if how != "is cancelled":
                await asyncio.sleep(15)
                assert len(mine) == len(manager) == 0
        assert len(mine) == len(manager) == 0


async def test_a_call_that_has_ended_cannot_be_connected(dial: Any) -> None:
    manager = ConnectionManager()
    async with dial(plain) as caller:
        await caller.waits(0.1)
        manager.connect(caller.call)
        await caller.hangs_up()
        await caller.waits(0.1)
        with pytest.raises(NotRunning, match="cannot be connected: it has ended"):
            manager.connect(caller.call)
    assert len(manager) == 0

"""A call whose line is lost comes back, and goes on where it was; one that has ended does not."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from tests.server.shop import GREETING, PUBLIC, SORRY, VOICE, Room, shop
from voiceloop import Runtime
from voiceloop.server.aiohttp_app import phone_app, phone_of
from voiceloop.server.phone import PhoneOptions
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.serving import listen
from voiceloop.sim.twilio import TOKEN, TwilioOptions, TwilioSim
from voiceloop.testing import ScriptedTTS, script


async def test_a_call_whose_line_breaks_goes_on_with_its_memory() -> None:
    async with shop(llm=script("One tea. Anything else?", "Five minutes.")) as here:
        line = await here.sim.call(VOICE)
        await here.hears(line)
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea. Anything else?"
        here.break_off(here.calls[0])
        await line.connected(streams=2)
        assert (await here.hears(line)).startswith(SORRY)
        assert [report.reason for report in here.reports] == ["disconnected"]
        said = [message.text for message in here.calls[1].conversation if message.role == "user"]
        assert said == ["a tea please"]
        assert here.phone.counts["voice.again"] == 1
        here.calls[1].hang_up()
        await line.ended()
        assert [verb for verb, _ in line.did] == ["stream", "redirect", "stream", "redirect", "hang up"]


async def test_a_call_that_was_never_connected_is_asked_for_again_and_given_up_in_words() -> None:
    async with shop(TwilioOptions(signing="none"), strict=True, returns=2, apology="We are sorry.") as here:
        line = await here.sim.call(VOICE)
        await line.ended()
        assert line.did[-2:] == [("say", "We are sorry."), ("hang up", "")]
        assert [verb for verb, _ in line.did].count("redirect") == 3
        assert here.calls == []


async def test_a_second_stream_of_a_call_takes_its_place() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await here.hears(line)
        stream = line.streams[0]
        second = Carrier(
            f"{here.serving.url}/media",
            parameters={"token": here.phone.tokens.make(line.sid)},
            call_sid=line.sid,
            account_sid=here.sim.account_sid,
        )
        await second.connect()
        await stream.wait_ended()
        await asyncio.sleep(0.1)
        assert here.reports[0].reason == "replaced"
        assert here.calls[1].carried is not None
        assert [message.text for message in here.calls[1].carried.messages] == [GREETING]
        await second.hang_up()
        await line.ended()


async def test_the_phone_is_mounted_in_an_application_of_the_users() -> None:
    room = Room()
    async with Runtime() as runtime:
        app = web.Application()
        inner = phone_app(room.bot(), runtime, PhoneOptions(public_url=PUBLIC, auth_token=TOKEN))
        app.add_subapp("/phone", inner)
        runner = await listen(app)
        sim = TwilioSim(voice=ScriptedTTS(room.lexicon), tunnels={PUBLIC: f"http://127.0.0.1:{runner.addresses[0][1]}"})
        async with sim.listening():
            line = await sim.call(f"{PUBLIC}/phone/voice")
            assert room.lexicon.text((await line.caller.hears()).audio) == GREETING
            assert line.did == [("stream", "wss://agent.example.com/phone/media")]
            assert len(phone_of(inner).calls) == 1
            await line.hangs_up()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            assert (await session.get("/phone/healthz")).status == 200
        await runner.cleanup()

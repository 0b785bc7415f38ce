"""A call whose line is lost comes back, and goes on where it was; one that has ended does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from voiceloop import AudioStreamer, Call, CallReport, EnergyVAD, LLMAggregator, Pipeline, Runtime, TurnTaking
from voiceloop.server.aiohttp_app import phone_app, phone_of
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.serving import listen
from voiceloop.sim.twilio import TOKEN, SimCall, TwilioOptions, TwilioSim
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.twilio.rest import TwilioREST

PUBLIC = "https://agent.example.com"
VOICE = f"{PUBLIC}/voice"


@dataclass
class Shop:
    sim: TwilioSim
    phone: Phone
    lexicon: Lexicon
    calls: list[Call]
    reports: list[CallReport]
    url: str

    async def hears(self, line: SimCall) -> str:
        return self.lexicon.text((await line.caller.hears()).audio)


@asynccontextmanager
async def shop(sim_options: TwilioOptions | None = None, **options: object) -> AsyncIterator[Shop]:
    lexicon = Lexicon()
    stt, llm, tts = ScriptedSTT(lexicon), script("One tea. Anything else?", "Five minutes."), ScriptedTTS(lexicon)
    calls: list[Call] = []
    reports: list[CallReport] = []

    def bot(call: Call) -> Pipeline:
        if call.id != "rehearsal":
            calls.append(call)
            call.on_end(reports.append)
        ears = [call.transport, EnergyVAD(), stt, TurnTaking("Tea room, hello.")]
        return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])

    sim = TwilioSim(voice=ScriptedTTS(lexicon), options=sim_options)
    async with sim.listening() as base_url, TwilioREST(sim.account_sid, TOKEN, base_url=base_url) as rest:
        settings = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN, carrier=rest, **options)  # type: ignore[arg-type]
        async with serving_phone(bot, options=settings) as serving:
            sim.tunnel(PUBLIC, serving.url)
            yield Shop(sim, serving.phone, lexicon, calls, reports, serving.url)


def lose_line(call: Call) -> None:
    """The connection breaks beneath the call."""
    socket = call.transport._socket  # type: ignore[attr-defined]
    socket._req.transport.abort()


async def test_a_call_whose_line_breaks_goes_on_with_its_memory() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await here.hears(line)
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea. Anything else?"
        lose_line(here.calls[0])
        await line.connected(streams=2)
        assert (await here.hears(line)).startswith("Sorry, we were cut off.")
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
            f"{here.url}/media",
            parameters={"token": here.phone.tokens.make(line.sid)},
            call_sid=line.sid,
            account_sid=here.sim.account_sid,
        )
        await second.connect()
        await stream.wait_ended()
        await asyncio.sleep(0.1)
        assert here.reports[0].reason == "replaced"
        assert here.calls[1].carried is not None
        assert [message.text for message in here.calls[1].carried.messages] == ["Tea room, hello."]
        await second.hang_up()
        await line.ended()


async def test_the_phone_is_mounted_in_an_application_of_the_users() -> None:
    lexicon = Lexicon()
    tts = ScriptedTTS(lexicon)

    def bot(call: Call) -> Pipeline:
        return Pipeline([call.transport, TurnTaking("Tea room, hello."), tts, AudioStreamer()])

    async with Runtime() as runtime:
        app = web.Application()
        inner = phone_app(bot, runtime, PhoneOptions(public_url=PUBLIC, auth_token=TOKEN))
        app.add_subapp("/phone", inner)
        runner = await listen(app)
        sim = TwilioSim(voice=ScriptedTTS(lexicon), tunnels={PUBLIC: f"http://127.0.0.1:{runner.addresses[0][1]}"})
        async with sim.listening():
            line = await sim.call(f"{PUBLIC}/phone/voice")
            assert lexicon.text((await line.caller.hears()).audio) == "Tea room, hello."
            assert line.did == [("stream", "wss://agent.example.com/phone/media")]
            assert len(phone_of(inner).calls) == 1
            await line.hangs_up()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            assert (await session.get("/phone/healthz")).status == 200
        await runner.cleanup()

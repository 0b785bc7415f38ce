"""A server that stops takes the streams whose webhook it has answered before, and no other call."""

from __future__ import annotations

import asyncio

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import Serving, serving_phone
from voiceloop.sim.twilio import TOKEN, TwilioOptions, TwilioSim
from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script

PUBLIC = "https://agent.example.com"
OPTIONS = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN, drain=100.0)


def bot(call: Call) -> Pipeline:
    lexicon = Lexicon()
    ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("Hello.")]
    return Pipeline([*ears, LLMAggregator(script("One tea.")), ScriptedTTS(lexicon), AudioStreamer()])


async def answered(serving: Serving) -> None:
    while not serving.phone.counts["voice"]:  # noqa: ASYNC110 - a count tells nobody
        await asyncio.sleep(0.01)


async def test_a_stream_whose_webhook_was_answered_before_is_taken() -> None:
    sim = TwilioSim(options=TwilioOptions(stream_delays=(1.5,)))
    async with sim.listening(), serving_phone(bot, options=OPTIONS) as serving:
        sim.tunnel(PUBLIC, serving.url)
        calling = asyncio.create_task(sim.call(f"{PUBLIC}/voice"))
        await answered(serving)
        draining = asyncio.create_task(serving.phone.drain())
        line = await calling
        await line.caller.hears(silence=0.2)
        late = await sim.call(f"{PUBLIC}/voice")
        assert (late.status, line.status) == ("busy", "in-progress")
        assert not draining.done()
        await line.hangs_up()
        await draining
    assert sim.debugger == []


async def test_a_stream_that_does_not_come_is_waited_for_three_seconds() -> None:
    sim = TwilioSim(options=TwilioOptions(stream_delays=(9.0,)))
    async with sim.listening(), serving_phone(bot, options=OPTIONS) as serving:
        sim.tunnel(PUBLIC, serving.url)
        calling = asyncio.create_task(sim.call(f"{PUBLIC}/voice"))
        await answered(serving)
        began = asyncio.get_running_loop().time()
        await serving.phone.drain()
        assert 2.8 < asyncio.get_running_loop().time() - began < 3.2
        await calling
    assert sim.debugger[0].code == 31920

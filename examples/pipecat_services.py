"""Corner Coffee with services of Pipecat: its OpenAI model and its Cartesia voice.

pip install 'voiceloop[local,pipecat]'
OPENAI_API_KEY=… CARTESIA_API_KEY=… CARTESIA_VOICE=… voiceloop talk examples/pipecat_services.py
python examples/pipecat_services.py --simulate    # no key: both services speak with simulators, in virtual time
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, SileroVAD, TurnTaking
from voiceloop.bridges.pipecat import PipecatLLM, PipecatTTS
from voiceloop.stt.moonshine import Moonshine


def model() -> Any:
    """A model. There are as many as answers are written at the same time."""
    from pipecat.services.openai.llm import OpenAILLMService

    return OpenAILLMService(
        api_key=os.environ["OPENAI_API_KEY"],
        base_url=os.environ.get("OPENAI_BASE_URL"),
        settings=OpenAILLMService.Settings(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini")),
    )


def voice() -> Any:
    """A voice. There are as many as answers are spoken at the same time, each with its connection."""
    from pipecat.services.cartesia.tts import CartesiaTTSService

    return CartesiaTTSService(
        api_key=os.environ["CARTESIA_API_KEY"],
        url=os.environ.get("CARTESIA_URL", "wss://api.cartesia.ai/tts/websocket"),
        settings=CartesiaTTSService.Settings(voice=os.environ["CARTESIA_VOICE"]),
    )


stt, llm, tts = Moonshine(), PipecatLLM(model), PipecatTTS(voice)


def bot(call: Call) -> Pipeline:
    """One call."""
    return Pipeline(
        [
            call.transport,
            SileroVAD(),
            stt,
            TurnTaking(greeting="Corner Coffee, hi! What can I get you?"),
            LLMAggregator(llm, instructions="You take orders on the phone for Corner Coffee. One short sentence."),
            tts,
            AudioStreamer(),
        ]
    )


async def simulate() -> None:
    """A call to the bot, with simulators in the place of OpenAI and Cartesia."""
    from aiohttp import web

    from voiceloop.sim.artificial import Lexicon
    from voiceloop.sim.cartesia import CartesiaSim
    from voiceloop.sim.openai import OpenAISim
    from voiceloop.testing import dial

    lexicon = Lexicon()
    openai, cartesia = (
        OpenAISim(["One large mocha. Anything else?", "In five minutes."], first=0.3),
        CartesiaSim(lexicon),
    )
    runner = web.AppRunner(openai.app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8000).start()
    async with cartesia.listening() as url:
        os.environ |= {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": "sim"}
        os.environ |= {"CARTESIA_URL": f"ws{url.removeprefix('http')}/tts/websocket"}
        os.environ |= {"CARTESIA_API_KEY": "none", "CARTESIA_VOICE": "any"}
        async with dial(bot, llm=llm, tts=tts, lexicon=lexicon) as caller:
            await caller.hears("Corner Coffee")
            await caller.says("A large mocha please")
            await caller.hears("mocha")
            await caller.says("How long will it take")
            await caller.hears("five minutes")
            report = await caller.hangs_up()
    await runner.cleanup()
    for turn in report.turns:
        print(f"{turn.caller} -> {turn.heard}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--simulate", action="store_true", help="a call with simulators of both services")
    if parser.parse_args().simulate:
        from voiceloop.sim.loop import run_virtual

        run_virtual(simulate())
    else:
        parser.error("use --simulate, or talk to it: voiceloop talk examples/pipecat_services.py")

"""``serve(bot)`` as a process of its own: it answers, and ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from voiceloop.sim.twilio import ACCOUNT, TOKEN, TwilioSim

PUBLIC = "https://agent.example.com"
BOT = """
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.server.serve import serve
from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script

LEXICON = Lexicon()
stt, llm, tts = ScriptedSTT(LEXICON), script("One tea."), ScriptedTTS(LEXICON)

def bot(call):
    ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.")]
    return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])

serve(bot, host="127.0.0.1", port=0)
"""
ROOT = str(Path(__file__).resolve().parents[2])


@asynccontextmanager
async def process(tmp_path: Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The bot, served; killed at the end if it still runs."""
    file = tmp_path / "served.py"
    file.write_text(BOT)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "VOICELOOP_PUBLIC"))}
    served = await asyncio.create_subprocess_exec(
        sys.executable,
        str(file),
        env=kept | {"PYTHONPATH": ROOT, "PYTHONUNBUFFERED": "1"} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield served
    finally:
        if served.returncode is None:
            served.kill()
        await served.communicate()


async def first_lines(served: asyncio.subprocess.Process, count: int) -> list[str]:
    assert served.stdout is not None
    async with asyncio.timeout(30):
        return [(await served.stdout.readline()).decode() for _ in range(count)]


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_call_is_ended_cleanly_when_the_process_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    sim = TwilioSim()
    async with sim.listening() as base_url:
        account = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_BASE_URL": base_url}
        async with process(tmp_path, VOICELOOP_PUBLIC_URL=PUBLIC, **account) as served:
            lines = await first_lines(served, 4)
            assert lines[2:] == [
                f"  A call comes in:       Webhook, {PUBLIC}/voice, HTTP POST\n",
                f"  Call status changes:   {PUBLIC}/status, HTTP POST\n",
            ]
            sim.tunnel(PUBLIC, lines[0].removeprefix("Answering the phone at ").partition(",")[0])
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears(silence=0.2)
            served.send_signal(number)
            async with asyncio.timeout(10):
                await line.ended()
                output, errors = await served.communicate()
            assert line.streams[0].end == "closed by the server (1000)"
            assert served.returncode == 0
            assert b"Stopping: calls end.\n" in output
            assert b"Traceback" not in errors
            assert TOKEN.encode() not in output + errors


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TWILIO_AUTH_TOKEN": TOKEN}, "no public URL: Twilio must be able to reach this server"),
        ({"VOICELOOP_PUBLIC_URL": PUBLIC}, "no auth token, so nobody could tell Twilio from an impostor"),
    ],
)
async def test_what_is_missing_is_told_at_the_start(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    async with process(tmp_path, **environment) as served:
        async with asyncio.timeout(30):
            _, errors = await served.communicate()
        assert said in errors.decode()
        assert served.returncode == 1

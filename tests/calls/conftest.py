"""Helpers of the tests of whole calls: a plain bot, and a caller on the line with it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from voiceloop.call import Call
from voiceloop.keypad import KeyOptions
from voiceloop.language import Language
from voiceloop.llm.aggregator import LLMAggregator, LLMOptions
from voiceloop.llm.base import LLM
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.output.events import PlayoutOptions
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import STT
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS, script
from voiceloop.testing.dial import dial as dial_bot
from voiceloop.tts.base import TTS
from voiceloop.tts.processor import TTSOptions, TTSProcessor
from voiceloop.turns.endpointing import Endpointing, FixedSilence
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.processor import TurnTaking
from voiceloop.twilio.media import media_app
from voiceloop.vad.processor import EnergyVAD

NAMES = itertools.count(1)
Phone = Callable[..., AbstractAsyncContextManager[Dialled]]


@pytest.fixture
def lexicon() -> Lexicon:
    """The artificial speech of this test."""
    return Lexicon()


@pytest.fixture
def heard(lexicon: Lexicon) -> Callable[[Dialled], str]:
    """All words of the agent that the line carried whole, from the beginning of the call."""
    return lambda caller: lexicon.text(bytes(caller.carrier.heard))


@pytest.fixture
def plain_bot(lexicon: Lexicon) -> Callable[..., Callable[[Call], Pipeline]]:
    """Makes the function ``bot(call)`` of the six stages, with more of them in front of the model.

    A silence of 0.5 s ends a turn, whatever was said: most of these tests are not about that. `endpointing` makes
    another.
    """

    def make(
        greeting: str = "",
        *,
        turns: TurnOptions | None = None,
        endpointing: Callable[[], Endpointing] = FixedSilence,
        keys: KeyOptions | None = KeyOptions(),  # noqa: B008 (frozen)
        writing: LLMOptions | None = None,
        speaking: TTSOptions | None = None,
        playout: PlayoutOptions | None = None,
        instructions: str = "",
        language: str | Language = "en",
        more: Callable[[], Iterable[Processor]] = list,
    ) -> Callable[[Call], Pipeline]:
        def bot(call: Call) -> Pipeline:
            return Pipeline(
                [
                    call.transport,
                    EnergyVAD(),
                    ScriptedSTT(lexicon),
                    TurnTaking(greeting, turns, endpointing=endpointing(), keys=keys),
                    *more(),
                    LLMAggregator(script("Okay."), instructions=instructions, options=writing),
                    TTSProcessor(ScriptedTTS(lexicon), speaking),
                    AudioStreamer(playout),
                ],
                language=language,
            )

        return bot

    return make


BOT_OPTIONS = (
    "greeting",
    "turns",
    "endpointing",
    "keys",
    "writing",
    "speaking",
    "playout",
    "instructions",
    "language",
    "more",
)


@pytest.fixture
def phone(lexicon: Lexicon, plain_bot: Callable[..., Any]) -> Phone:
    """``async with phone(greeting="Hello!", llm=script("Yes.")) as caller:`` is a call with the plain bot.

    Takes the options of `plain_bot` and of `dial`; ``delay`` is the network's, each way, in seconds.
    """

    def call(*, delay: float = 0.0, **options: Any) -> AbstractAsyncContextManager[Dialled]:
        bot = plain_bot(**{name: options.pop(name) for name in BOT_OPTIONS if name in options})
        if delay:
            options["carrier"] = CarrierOptions(delay_to_server=delay, delay_from_server=delay)
        return dial_bot(bot, **{"lexicon": lexicon, "silence": 0.4, **options})

    return call


@asynccontextmanager
async def served(bot: Callable[[Call], Any], runtime: Runtime, calls: list[Call]) -> AsyncIterator[web.AppRunner]:
    """The bot behind its route, at a name in memory: ``runner.addresses[0]``. New calls are appended to `calls`."""
    runner = web.AppRunner(
        media_app(bot, runtime, on_call=calls.append), handle_signals=False, access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        await web.UnixSite(runner, f"bot-{next(NAMES)}").start()
        yield runner
    finally:
        await runner.cleanup()


class RawCarrier:
    """A media stream written by hand, message by message: what a carrier never would, too.

    Plays what comes as a carrier does, so that marks are echoed in their time.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, calls: list[Call], lexicon: Lexicon) -> None:
        self.socket = socket
        self.runner: web.AppRunner
        self.calls = calls
        self.audio = bytearray()
        self.faults: list[str] = []
        """Messages of the report's protocol faults, once it is there."""
        self.report: asyncio.Future[CallReport] = asyncio.get_running_loop().create_future()
        self.echoes = True
        self._lexicon = lexicon
        self._timestamp = 0
        self._head = 0.0
        self._reader = asyncio.ensure_future(self._read())

    @property
    def heard(self) -> str:
        """The words that came, played or not."""
        return self._lexicon.text(bytes(self.audio))

    async def send(self, message: Any) -> None:
        """A message as JSON; text and bytes as they are."""
        if isinstance(message, bytes):
            await self.socket.send_bytes(message)
        else:
            await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def start(self, **changes: Any) -> None:
        """The handshake; `changes` go into the start object."""
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {"streamSid": "MZ1", "callSid": "CA1", "accountSid": "AC1", "tracks": ["inbound"], **changes}
        await self.send({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": start})
        await asyncio.sleep(0.05)
        self.calls[-1].on_end(self.report.set_result)

    def media(self, audio: bytes, **changes: Any) -> dict[str, Any]:
        """A media message of the caller's; `changes` go into the media object."""
        payload = base64.b64encode(audio).decode()
        media = {"track": "inbound", "chunk": "1", "timestamp": str(self._timestamp), "payload": payload, **changes}
        self._timestamp += len(audio) // 8
        return {"event": "media", "sequenceNumber": "2", "streamSid": "MZ1", "media": media}

    async def says(self, text: str = "", *, then: float = 0.8, **changes: Any) -> None:
        """Speak in pieces of 20 ms, and be silent."""
        audio = self._lexicon.speak(text)[0] + b"\xff" * round(then * 8000)
        for at in range(0, len(audio) - 159, 160):
            await self.send(self.media(audio[at : at + 160], **changes))
            await asyncio.sleep(0.02)

    async def ends(self) -> CallReport:
        """Hang up; the report."""
        await self.send({"event": "stop", "sequenceNumber": "9", "streamSid": "MZ1", "stop": {"callSid": "CA1"}})
        return await self.over()

    async def over(self, limit: float = 60.0) -> CallReport:
        """Wait for the report."""
        async with asyncio.timeout(limit):
            report = await self.report
        self.faults = [fault.message for fault in report.faults if fault.kind == "twilio.protocol"]
        return report

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        async for message in self.socket:
            data = json.loads(message.data)
            if data["event"] == "media":
                audio = base64.b64decode(data["media"]["payload"])
                self.audio += audio
                self._head = max(self._head, loop.time()) + len(audio) / 8000
            elif data["event"] == "mark" and self.echoes:
                echo = {"event": "mark", "streamSid": "MZ1", "sequenceNumber": "5", "mark": data["mark"]}
                loop.call_at(max(self._head, loop.time()), self._echo, json.dumps(echo))

    def _echo(self, text: str) -> None:
        if not self.socket.closed:
            self._sending = asyncio.ensure_future(self.socket.send_str(text))


@pytest.fixture
def raw(lexicon: Lexicon, plain_bot: Callable[..., Any]) -> Callable[..., AbstractAsyncContextManager[RawCarrier]]:
    """``async with raw(llm=script("Yes.")) as line:`` is a socket at the media route of a plain bot."""

    @asynccontextmanager
    async def connect(*, llm: LLM, bot: Any = None, **options: Any) -> AsyncIterator[RawCarrier]:
        calls: list[Call] = []
        substitutes = {LLM: llm, STT: ScriptedSTT(lexicon), TTS: ScriptedTTS(lexicon)}
        async with (
            Runtime(substitutes=substitutes) as runtime,
            served(bot or plain_bot(**options), runtime, calls) as runner,
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(runner.addresses[0]))) as session,
            session.ws_connect("http://bot/media", compress=0, max_msg_size=0) as socket,
        ):
            line = RawCarrier(socket, calls, lexicon)
            line.runner = runner
            yield line
            await socket.close()
            await line._reader

    return connect

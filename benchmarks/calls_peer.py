"""The Pipecat side of ``calls.py``: a phone server of Pipecat 1.14 with the same recogniser, model and voice.

Runs in an environment that has ``pipecat-ai[websocket,silero]``, fastapi, uvicorn and uvloop, and not voiceloop. Prints
and takes the same lines as ``calls_server.py``. Every configuration has what costs less and changes nothing that a
caller hears: uvloop, 8 kHz throughout, warnings only, no metrics, no RTVI, no turn tracking, no idle time-outs, models
loaded and what is there set aside from the garbage collector before the first call.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import sys
import threading
import time
from array import array
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from loguru import logger

logger.remove()
logger.add(sys.stderr, level="WARNING")

from calls_mocks import (  # noqa: E402
    ANSWER,
    GREETING,
    LLM_DELAY,
    MARK,
    MARK_DELAY,
    TOKEN_INTERVAL,
    TRANSCRIPT,
    TTS_DELAY,
    voice,
)
from pipecat.audio.utils import create_stream_resampler, ulaw_to_pcm  # noqa: E402
from pipecat.audio.vad.silero import SileroVADAnalyzer  # noqa: E402
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADState  # noqa: E402
from pipecat.frames.frames import (  # noqa: E402
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.aggregators.llm_response_universal import (  # noqa: E402
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.audio.vad_processor import VADProcessor  # noqa: E402
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor  # noqa: E402
from pipecat.serializers.twilio import TwilioFrameSerializer  # noqa: E402
from pipecat.services.llm_service import LLMService  # noqa: E402
from pipecat.services.settings import LLMSettings, TTSSettings  # noqa: E402
from pipecat.services.tts_service import TTSService  # noqa: E402
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport  # noqa: E402
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy  # noqa: E402
from pipecat.turns.user_turn_strategies import UserTurnStrategies, default_user_turn_stop_strategies  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """How the server is set up."""

    wait: float | None = 0.0
    """Seconds after the detector's word (0.2 s after the end of speech) that end a turn; None: the turn model that is
    Pipecat's default (smart-turn v3, which comes with the package)."""
    vad: str = "silero"
    """``silero``; ``inline``: one model for all calls, in the event loop instead of a thread a call; ``energy``: a mere
    level."""
    early: bool = False
    """Whether the caller's audio ends at the recogniser: a `VADProcessor` before it, both in direct mode, instead of a
    detector in the context aggregator with audio passing all processors."""
    packets: int = 1
    """Of 20 ms, that are heard at once."""
    out_ms: int = 40
    """Audio in a message to the caller; about two messages are sent ahead."""


CONFIGURATIONS: Final = {
    "default": Configuration(wait=None),
    "timeout": Configuration(wait=0.6),
    "fast": Configuration(),
    "best": Configuration(early=True, out_ms=200),
    "custom": Configuration(early=True, out_ms=200, vad="inline", packets=2),
    "energy": Configuration(early=True, out_ms=200, vad="energy"),
}
"""``default``: as its documentation recommends. ``timeout``: without the turn model. ``fast``: a turn ends with the
detector's word, the nearest to the 200 ms of the other side. ``best``: the densest that its documented options give.
``custom``: what two small classes of one's own give beyond that. ``energy``: ``best`` without Silero, to see what the
engine takes."""


# --- the services -------------------------------------------------------------------------------------------------


class MockSTT(FrameProcessor):  # type: ignore[misc]
    """A streaming recogniser that knows by itself where speech has ended."""

    def __init__(self, mark: bytes, passthrough: bool) -> None:
        super().__init__(enable_direct_mode=True)
        self._mark = mark
        self._passthrough = passthrough  # as `audio_passthrough` of Pipecat's own recognisers

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Look for the mark."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
            return
        if self._passthrough:
            await self.push_frame(frame, direction)
        if self._mark in frame.audio:
            self.create_task(self._answer())

    async def _answer(self) -> None:
        await asyncio.sleep(MARK_DELAY)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        await self.push_frame(TranscriptionFrame(TRANSCRIPT, "caller", now, finalized=True))


class MockLLM(LLMService):  # type: ignore[misc]
    """Always the same answer, a word at a time."""

    def __init__(self) -> None:
        super().__init__(settings=_nothing(LLMSettings))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer a context; pass on the rest."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        loop = asyncio.get_running_loop()
        due = loop.time() + LLM_DELAY
        for number, word in enumerate(ANSWER.split()):
            await asyncio.sleep(max(0.0, due - loop.time()))  # who is late does not slow it down
            due += TOKEN_INTERVAL
            await self.push_frame(LLMTextFrame(word if not number else f" {word}"))
        await self.push_frame(LLMFullResponseEndFrame())


class MockTTS(TTSService):  # type: ignore[misc]
    """A voice that takes sentences."""

    def __init__(self, tone: bytes) -> None:
        super().__init__(push_start_frame=True, push_stop_frames=True, sample_rate=8000, settings=_nothing(TTSSettings))
        self._tone = tone  # 16 bits, of one word

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """All of its audio a moment later."""
        await asyncio.sleep(TTS_DELAY)
        yield TTSAudioRawFrame(self._tone * len(text.split()), 8000, 1, context_id=context_id)


def _nothing(settings: type) -> Any:
    """Settings that say nothing."""
    return settings(**{field.name: None for field in fields(settings) if field.name != "extra"})


# --- the line -----------------------------------------------------------------------------------------------------


class InlineSilero(SileroVADAnalyzer):  # type: ignore[misc]
    """Silero with one model for all calls and no threads: it takes less time than the way to a thread and back."""

    _shared: Any = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        InlineSilero._shared = InlineSilero._shared or self._model.session
        self._model.session = InlineSilero._shared  # which has no state of its own

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """Judge at once."""
        return self._run_analyzer(buffer)


class EnergyVAD(VADAnalyzer):  # type: ignore[misc]
    """Whatever is loud is speech."""

    def num_frames_required(self) -> int:
        """As many samples as Silero takes."""
        return 256

    def voice_confidence(self, buffer: bytes) -> float:
        """1 above a peak of -40 dBFS."""
        samples = array("h", buffer)
        return float(max(samples) - min(samples) > 655)

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """Judge at once."""
        return self._run_analyzer(buffer)


class JoiningSerializer(TwilioFrameSerializer):  # type: ignore[misc]
    """Makes one frame of several packets."""

    def __init__(self, stream_sid: str, packets: int, **options: Any) -> None:
        super().__init__(stream_sid, **options)
        self._packets = packets
        self._joined: list[bytes] = []

    async def deserialize(self, data: str | bytes) -> Frame | None:
        """The frame, when there is enough for one."""
        frame = await super().deserialize(data)
        if isinstance(frame, InputAudioRawFrame):
            self._joined.append(frame.audio)
            if len(self._joined) < self._packets:
                return None
            frame.audio = b"".join(self._joined)
            frame.num_frames = len(frame.audio) // 2
            self._joined.clear()
        return frame


ANALYZERS: Final = {"silero": SileroVADAnalyzer, "inline": InlineSilero, "energy": EnergyVAD}


class Bot:
    """What the calls of a run share."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.tone = b""
        self.mark = b""
        self.calls = 0

    async def prepare(self) -> None:
        """Decode what the mocks need, and load once what every call loads again."""
        resampler = create_stream_resampler()
        self.tone = await ulaw_to_pcm(voice(1), 8000, 8000, resampler)
        self.mark = await ulaw_to_pcm(MARK, 8000, 8000, resampler)
        analyzer = ANALYZERS[self.configuration.vad](sample_rate=8000)
        analyzer.set_sample_rate(8000)
        await analyzer.analyze_audio(bytes(8000))
        await analyzer.cleanup()
        if self.configuration.wait is None:
            default_user_turn_stop_strategies()

    def _transport(self, socket: WebSocket, start: dict[str, Any]) -> FastAPIWebsocketTransport:
        """The carrier's side."""
        serializing = TwilioFrameSerializer.InputParams(auto_hang_up=False)
        sid, packets = start["streamSid"], self.configuration.packets
        if packets > 1:
            serializer = JoiningSerializer(sid, packets, call_sid=start["callSid"], params=serializing)
        else:
            serializer = TwilioFrameSerializer(sid, call_sid=start["callSid"], params=serializing)
        parameters = FastAPIWebsocketParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=8000,
            audio_out_sample_rate=8000,
            audio_out_10ms_chunks=self.configuration.out_ms // 10,
            serializer=serializer,
        )
        return FastAPIWebsocketTransport(websocket=socket, params=parameters)

    def _pipeline(self, transport: FastAPIWebsocketTransport) -> Pipeline:
        """What a call goes through."""
        configuration = self.configuration
        analyzer = ANALYZERS[configuration.vad](sample_rate=8000)
        turns = None
        if configuration.wait is not None:
            turns = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=configuration.wait)])
        user = LLMUserAggregatorParams(
            vad_analyzer=None if configuration.early else analyzer, user_turn_strategies=turns
        )
        pair = LLMContextAggregatorPair(LLMContext(), user_params=user)
        ears: list[FrameProcessor] = [MockSTT(self.mark, passthrough=not configuration.early)]
        if configuration.early:
            ears.insert(0, VADProcessor(vad_analyzer=analyzer, enable_direct_mode=True))
        answer = [pair.user(), MockLLM(), MockTTS(self.tone)]
        return Pipeline([transport.input(), *ears, *answer, transport.output(), pair.assistant()])

    async def run(self, socket: WebSocket) -> None:
        """One call."""
        await socket.accept()
        await socket.receive_text()  # connected
        start = json.loads(await socket.receive_text())["start"]
        transport = self._transport(socket, start)
        worker = PipelineWorker(
            self._pipeline(transport),
            params=PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000, enable_metrics=False),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            check_dangling_tasks=False,
        )

        @transport.event_handler("on_client_connected")  # type: ignore[untyped-decorator]
        async def greet(transport: Any, client: Any) -> None:
            await worker.queue_frames([TTSSpeakFrame(GREETING)])

        @transport.event_handler("on_client_disconnected")  # type: ignore[untyped-decorator]
        async def end(transport: Any, client: Any) -> None:
            await worker.cancel()

        self.calls += 1
        try:
            runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
            await runner.add_workers(worker)
            await runner.run()
        finally:
            self.calls -= 1


# --- the process --------------------------------------------------------------------------------------------------


async def serve(name: str, port: int) -> None:
    """Until standard input ends."""
    bot, app = Bot(CONFIGURATIONS[name]), FastAPI()
    await bot.prepare()

    @app.websocket("/media")  # type: ignore[untyped-decorator]
    async def media(socket: WebSocket) -> None:
        with suppress(WebSocketDisconnect):  # hung up before the call had begun
            await bot.run(socket)

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (it has no event for that)
        await asyncio.sleep(0.05)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    say(port=server.servers[0].sockets[0].getsockname()[1], pid=os.getpid(), about=about(name))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        if line.strip() == b"stats":
            say(tasks=len(asyncio.all_tasks()), threads=threading.active_count(), calls=bot.calls)
    serving.cancel()
    os._exit(0)


def about(name: str) -> dict[str, Any]:
    """What runs, and how."""
    packages = ("pipecat-ai", "fastapi", "uvicorn", "websockets", "onnxruntime")
    return {
        "configuration": name,
        **asdict(CONFIGURATIONS[name]),
        **{package: version(package) for package in packages},
        "python": platform.python_version(),
        "loop": type(asyncio.get_running_loop()).__module__,
    }


def say(**what: Any) -> None:
    """A line for whoever has started this process."""
    print(json.dumps(what), flush=True)


def main() -> None:
    """Serve one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configuration", choices=sorted(CONFIGURATIONS), default="default")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.configuration, options.port))


if __name__ == "__main__":
    main()

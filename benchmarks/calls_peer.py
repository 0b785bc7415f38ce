"""The Pipecat side of ``calls.py``: a phone server of Pipecat 1.14 with the same recogniser, model and voice.

Runs in an environment that has ``pipecat-ai[websocket,silero]``, fastapi, uvicorn and uvloop, and not voiceloop. It is
set up for density where that changes nothing a caller hears: 8 kHz throughout, warnings only, no metrics, no RTVI, no
turn tracking, no idle time-outs, direct mode for the mocks that only look. Prints and takes the same lines as
``calls_server.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger

logger.remove()
logger.add(sys.stderr, level="ERROR")

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
from pipecat.audio.utils import ulaw_to_pcm  # noqa: E402
from pipecat.audio.vad.silero import SileroVADAnalyzer  # noqa: E402
from pipecat.audio.vad.vad_analyzer import VADParams  # noqa: E402
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
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor  # noqa: E402
from pipecat.serializers.twilio import TwilioFrameSerializer  # noqa: E402
from pipecat.services.llm_service import LLMService  # noqa: E402
from pipecat.services.settings import LLMSettings, TTSSettings  # noqa: E402
from pipecat.services.tts_service import TTSService  # noqa: E402
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport  # noqa: E402
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy  # noqa: E402
from pipecat.turns.user_turn_strategies import UserTurnStrategies  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

CONFIGURATIONS: Final = {
    "default": None,  # its own turn model
    "timeout": 0.6,
    "best": 0.0,
}
"""Seconds after the detector's word (0.2 s after the end of speech) that end a turn; None: the turn model that is the
default. The least is the nearest to the 200 ms of the other side, and does the least work."""


class MockSTT(FrameProcessor):  # type: ignore[misc]
    """A streaming recogniser that knows by itself where speech has ended."""

    def __init__(self, mark: bytes) -> None:
        super().__init__(enable_direct_mode=True)
        self._mark = mark

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Look for the mark, and pass everything on."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame) and self._mark in frame.audio:
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
            await asyncio.sleep(max(0.0, due - loop.time()))
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
    from dataclasses import fields

    return settings(**{field.name: None for field in fields(settings) if field.name != "extra"})


class Bot:
    """What the calls of a run share."""

    def __init__(self, configuration: str) -> None:
        self.wait = CONFIGURATIONS[configuration]
        self.tone = b""
        self.mark = b""
        self.calls = 0

    async def prepare(self) -> None:
        """Decode what the mocks need."""
        from pipecat.audio.utils import create_stream_resampler

        resampler = create_stream_resampler()
        self.tone = await ulaw_to_pcm(voice(1), 8000, 8000, resampler)
        self.mark = await ulaw_to_pcm(MARK, 8000, 8000, resampler)

    def user_parameters(self) -> LLMUserAggregatorParams:
        """Voice activity and the end of a turn."""
        analyzer = SileroVADAnalyzer(sample_rate=8000, params=VADParams())
        if self.wait is None:
            return LLMUserAggregatorParams(vad_analyzer=analyzer)
        stop = [SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=self.wait)]
        return LLMUserAggregatorParams(vad_analyzer=analyzer, user_turn_strategies=UserTurnStrategies(stop=stop))

    async def run(self, socket: WebSocket) -> None:
        """One call."""
        await socket.accept()
        await socket.receive_text()  # connected
        start = json.loads(await socket.receive_text())["start"]
        parameters = TwilioFrameSerializer.InputParams(auto_hang_up=False)
        serializer = TwilioFrameSerializer(start["streamSid"], call_sid=start["callSid"], params=parameters)
        transport = FastAPIWebsocketTransport(
            websocket=socket,
            params=FastAPIWebsocketParams(
                audio_in_enabled=True,
                audio_out_enabled=True,
                audio_in_sample_rate=8000,
                audio_out_sample_rate=8000,
                serializer=serializer,
            ),
        )
        pair = LLMContextAggregatorPair(LLMContext(), user_params=self.user_parameters())
        stages = [transport.input(), MockSTT(self.mark), pair.user(), MockLLM(), MockTTS(self.tone)]
        worker = PipelineWorker(
            Pipeline([*stages, transport.output(), pair.assistant()]),
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


async def serve(configuration: str) -> None:
    """Until standard input ends."""
    bot, app = Bot(configuration), FastAPI()
    await bot.prepare()

    @app.websocket("/media")  # type: ignore[untyped-decorator]
    async def media(socket: WebSocket) -> None:
        await bot.run(socket)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (it has no event for that)
        await asyncio.sleep(0.05)
    say(port=server.servers[0].sockets[0].getsockname()[1], pid=os.getpid(), about=about(configuration))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        if line.strip() == b"stats":
            say(tasks=len(asyncio.all_tasks()), threads=threading.active_count(), calls=bot.calls)
    serving.cancel()
    os._exit(0)


def about(configuration: str) -> dict[str, str]:
    """What runs."""
    import platform

    packages = {name: version(name) for name in ("pipecat-ai", "uvicorn", "onnxruntime")}
    loop = type(asyncio.get_running_loop()).__module__
    return {"configuration": configuration, **packages, "python": platform.python_version(), "loop": loop}


def say(**what: Any) -> None:
    """A line for whoever has started this process."""
    print(json.dumps(what), flush=True)


def main() -> None:
    """Serve one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configuration", choices=sorted(CONFIGURATIONS), default="default")
    configuration = parser.parse_args().configuration
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(configuration))


if __name__ == "__main__":
    main()

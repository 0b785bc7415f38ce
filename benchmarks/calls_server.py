"""The voiceloop side of ``calls.py``: a phone server with a recogniser, a model and a voice that cost nothing.

Prints ``{"port": …}`` when it listens; answers a line ``stats`` on standard input; ends with the end of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from calls_mocks import (
    ANSWER,
    GREETING,
    LLM_DELAY,
    MARK,
    MARK_DELAY,
    TOKEN_INTERVAL,
    TRANSCRIPT,
    TTS_DELAY,
    WORD_SECONDS,
    voice,
)

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, Runtime, SileroVAD, TurnTaking
from voiceloop.conversation import Message
from voiceloop.frames import Transcript, Word
from voiceloop.llm.base import LLM, Item
from voiceloop.server.event_loop import new_loop
from voiceloop.server.garbage import collecting_seldom, set_aside
from voiceloop.server.load import LoadOptions
from voiceloop.server.phone_options import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.stt.base import STT, Flush
from voiceloop.tts.base import TTS, Speech
from voiceloop.tts.phrases import PhraseCutter
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.detector import VADOptions

RATE: Final = 8000
QUIET: Final = bytes(range(0x6D, 0x80)) + bytes(range(0xED, 0x100))
"""Samples too soft to be speech."""
ENDPOINT: Final = 0.2
"""Seconds of silence that end the caller's turn."""


class MockSTT(STT):
    """A streaming recogniser that knows by itself where speech has ended."""

    per_call = True

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        """The same words for every utterance."""
        rest, segment, known, asked = b"", 0, True, None
        async for piece in audio:
            if isinstance(piece, Flush):
                asked = piece
            else:
                heard = rest + piece
                rest = heard[-len(MARK) :]
                if (found := heard.rfind(MARK)) >= 0:
                    since = (len(heard) - found - len(MARK)) / RATE
                    await asyncio.sleep(MARK_DELAY - since)
                    yield Transcript(TRANSCRIPT, final=True, segment=segment)
                    segment += 1
                    rest, known = b"", True
                elif rest.strip(QUIET):
                    known = False
            if asked is not None and known:  # it has answered for all that it heard
                yield asked
                asked = None


class MockLLM(LLM):
    """Always the same answer, a word at a time."""

    async def respond(self, messages: Sequence[Message], tools: Sequence[Any] = ()) -> AsyncGenerator[Item, None]:
        """Write it."""
        loop = asyncio.get_running_loop()
        due = loop.time() + LLM_DELAY
        for number, word in enumerate(ANSWER.split()):
            await asyncio.sleep(max(0.0, due - loop.time()))  # who is late does not slow it down
            due += TOKEN_INTERVAL
            yield word if not number else f" {word}"


class MockTTS(TTS):
    """A voice that takes phrases, and tells when its words are spoken."""

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        """Every phrase a moment after it is there."""
        cutter, spoken = PhraseCutter(), 0.0
        async for piece in text:
            for phrase in cutter.feed(piece):
                yield await self._say(phrase.text, spoken)
                spoken += len(phrase.text.split()) * WORD_SECONDS
        if rest := cutter.close().text.strip():
            yield await self._say(rest, spoken)

    async def _say(self, phrase: str, spoken: float) -> Speech:
        await asyncio.sleep(TTS_DELAY)
        words = phrase.split()
        times = [spoken + index * WORD_SECONDS for index in range(len(words))]
        timed = tuple(Word(word, at, at + WORD_SECONDS) for word, at in zip(words, times, strict=True))
        return Speech(voice(len(words)), timed)


def bot_with(options: argparse.Namespace) -> Any:
    """The bot of a run."""
    stt, llm, tts = MockSTT(), MockLLM(), MockTTS()
    turns = TurnOptions(silence=ENDPOINT, speculations=0 if options.no_speculation else 2)
    hearing = VADOptions(min_silence=options.min_silence)

    def bot(call: Call) -> Pipeline:
        turn_taking = TurnTaking(GREETING, turns, endpointing=FixedSilence())
        return Pipeline(
            [call.transport, SileroVAD(hearing), stt, turn_taking, LLMAggregator(llm), tts, AudioStreamer()]
        )

    return bot


async def serve(options: argparse.Namespace) -> None:
    """Until standard input ends."""
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(Runtime())
        phone_options = PhoneOptions(
            public_url="https://localhost",
            check=False,
            auth_token="",
            most_calls=5000,
            load=LoadOptions(refuse=options.admission),
        )
        served = await stack.enter_async_context(
            serving_phone(bot_with(options), runtime=runtime, options=phone_options, warmed=set_aside)
        )
        await stack.enter_async_context(collecting_seldom(lambda: bool(served.phone.calls)))
        port = int(served.url.rpartition(":")[2])
        say(port=port, pid=os.getpid(), about=about())
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            if line.strip() == b"stats":
                tasks = len(asyncio.all_tasks())
                say(tasks=tasks, threads=threading.active_count(), calls=len(served.phone.calls))
        os._exit(0)  # what is still on the line is of no interest


def about() -> dict[str, str]:
    """What runs."""
    import platform
    from importlib.metadata import version

    packages = {name: version(name) for name in ("voiceloop", "aiohttp", "onnxruntime")}
    return {**packages, "python": platform.python_version(), "loop": type(asyncio.get_running_loop()).__module__}


def say(**what: Any) -> None:
    """A line for whoever has started this process."""
    print(json.dumps(what), flush=True)


def main() -> None:
    """Serve one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=int)
    parser.add_argument("--asyncio", action="store_true", help="not on uvloop")
    parser.add_argument("--no-speculation", action="store_true")
    parser.add_argument("--min-silence", type=float, default=VADOptions().min_silence)
    parser.add_argument("--admission", action="store_true", help="refuse calls when there is enough to do")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    if options.asyncio:
        asyncio.run(serve(options))
    else:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(serve(options))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()

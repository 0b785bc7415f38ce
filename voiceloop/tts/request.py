"""One request to a voice outside of any pipeline: its text, its task, and its audio cut into pieces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing

from voiceloop.faults import describe, drop_frames, failure_of
from voiceloop.llm.base import Echo, Served, Usage
from voiceloop.output.payload import Utterance
from voiceloop.pull import ProviderFailed, ProviderStalled
from voiceloop.tts.base import TTS, Speech
from voiceloop.tts.patience import Patience
from voiceloop.tts.processor import TTSOptions

__all__ = ["Frames", "Script", "Source", "VoiceRequest"]

log = logging.getLogger("voiceloop.tts")

FRAME = 160
"""Bytes: 20 ms. Every piece is a multiple of this."""
LONGEST = 10 * FRAME
"""Of a piece: 200 ms."""
SILENCE = b"\xff"
CLOSE_LIMIT = 1.0
"""Seconds that a voice, and a source of text, are given to end when they are not wanted any more."""

Source = str | Iterable[str] | AsyncIterable[object]
"""A text, or pieces of it as a model writes them."""


class Script:
    """The text of one utterance, handed to the voice as it comes, and again if the voice has to be asked again."""

    def __init__(self, text: Source, utterance: Utterance) -> None:
        if not isinstance(text, str | Iterable | AsyncIterable) or isinstance(text, bytes | bytearray):
            raise TypeError(f"generate takes a text, or an iterable of pieces of text; got {type(text).__name__}")
        self.utterance = utterance
        self.given: list[str] = []
        self.given_at = 0.0
        """When the last of it was, seconds on the loop's clock."""
        self.waiting = False
        """True while the voice asks for text that is not written yet."""
        self.failure: Exception | None = None
        """What the source of the text raised; for the voice the text is over then."""
        self._source = text
        self._pieces = _pieces(text)

    async def read(self) -> AsyncIterator[str]:
        for piece in list(self.given):
            yield piece
        while self.failure is None and (text := await self._next()) is not None:
            yield text

    async def _next(self) -> str | None:
        self.waiting = True
        try:
            async for piece in self._pieces:
                if isinstance(piece, str):
                    self._take(piece)
                    return piece
                if not isinstance(piece, Usage | Echo | Served):
                    raise TypeError(f"generate takes pieces of text; one was {piece!r:.100}")
        except Exception as error:
            self.failure = error
        finally:
            self.waiting = False
        return None

    def _take(self, piece: str) -> None:
        if piece:
            self.given.append(piece)
            self.given_at = asyncio.get_running_loop().time()
            self.utterance.text += piece
            self.utterance.characters += len(piece)
            self.utterance.milestones.setdefault("text", self.given_at)

    async def close(self) -> None:
        """Have the source of the text end, too, within a limit. One that is at work for a voice that did not end
        cannot be closed."""
        for source in (self._pieces, self._source):
            if (aclose := getattr(source, "aclose", None)) is not None:
                try:
                    async with asyncio.timeout(CLOSE_LIMIT):
                        await aclose()
                except Exception as error:
                    log.warning("closing %s failed: %s", type(self._source).__name__, describe(error)[0])


async def _pieces(text: Source) -> AsyncIterator[object]:
    if isinstance(text, str):
        yield text
    elif isinstance(text, AsyncIterable):
        async for piece in text:
            yield piece
    else:
        for piece in text:
            yield piece


class Frames:
    """Cuts audio into payloads."""

    def __init__(self) -> None:
        self._left = b""

    def add(self, audio: bytes) -> Iterator[bytes]:
        """The whole frames there are by now."""
        audio = self._left + audio
        whole = len(audio) - len(audio) % FRAME
        self._left = audio[whole:]
        for start in range(0, whole, LONGEST):
            yield audio[start : min(start + LONGEST, whole)]

    def rest(self) -> Iterator[bytes]:
        """What is left, made a whole frame by silence."""
        if self._left:
            yield self._left.ljust(FRAME, SILENCE)
            self._left = b""


class VoiceRequest:
    """One request to a voice, in a task of its own, so that whoever waits for it can always give up."""

    def __init__(self, tts: TTS, script: Script, options: TTSOptions) -> None:
        self._name = type(tts).__name__
        self._script = script
        self._options = options
        self._ready: Speech | None = None
        self._news: asyncio.Future[None] | None = None
        self._space: asyncio.Future[None] | None = None
        self._failure: tuple[str, str] | None = None
        self._unwanted = False
        self._over = False
        run = self._run(tts.generate(script.read()))
        self._task = asyncio.get_running_loop().create_task(run, name=f"{self._name} of a TTSStream")
        self._task.add_done_callback(self._done)

    async def _run(self, speech: AsyncGenerator[Speech | Served, None]) -> None:
        async with aclosing(speech):
            async for piece in speech:
                if isinstance(piece, Served):
                    continue
                while self._ready is not None:
                    self._space = asyncio.get_running_loop().create_future()
                    await self._space
                self._ready = piece
                self._tell()

    def _done(self, task: asyncio.Task[None]) -> None:
        error = failure_of(task)
        if error is not None:
            self._failure = describe(error)
            drop_frames(error)
        elif task.cancelled() and not self._unwanted:
            self._failure = ("cancelled from within: something it awaited was cancelled", "")
        self._over = True
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def next(self) -> Speech | None:
        """The next piece; None when there is none. `Patience` says how long it may take."""
        patience = Patience(self._options.stall, self._options.patience, len(self._script.given))
        while True:
            try:
                return await self._next(patience.limit)
            except TimeoutError:
                if not patience.goes_on(self._script, asyncio.get_running_loop().time()):
                    raise ProviderStalled(f"{self._name}: nothing came for {self._options.stall:g} s") from None

    async def _next(self, limit: float) -> Speech | None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(loop.time() + limit):
            while self._ready is None:
                if self._over:
                    if self._failure is not None:
                        raise ProviderFailed(f"{self._name} failed: {self._failure[0]}", self._failure[1])
                    return None
                self._news = loop.create_future()
                try:
                    await self._news
                finally:
                    self._news = None
        speech, self._ready = self._ready, None
        if self._space is not None and not self._space.done():
            self._space.set_result(None)
        return speech

    def cancel(self) -> None:
        """It is not wanted any more."""
        self._unwanted = True
        self._ready = None
        self._task.cancel()

    async def close(self) -> None:
        """Cancel it, and wait for its end, within a limit."""
        if not self._task.done():
            self.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_LIMIT)
            if not self._task.done():
                log.warning("%s did not end within %g s of being cancelled, and was left", self._name, CLOSE_LIMIT)

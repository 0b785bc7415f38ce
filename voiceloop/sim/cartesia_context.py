"""One context of the simulated Cartesia: text is gathered, spoken chunk by chunk, and told in events."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from voiceloop.frames import Word
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia_record import CartesiaSimOptions, Input, SimContext, Trouble
from voiceloop.sim.cartesia_samples import Encoder
from voiceloop.sim.cartesia_wire import Events, Generation, Refusal, untagged
from voiceloop.tts.base import TTS, Speech

__all__ = ["ContextRun", "spoken"]

_SENTENCE = re.compile(r".*[.!?](?=\s)", re.DOTALL)
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def spoken(voice: Lexicon | TTS, text: str) -> AsyncGenerator[Speech, None]:
    """A text as mu-law, 8000 Hz, with the times of its words from its first sample."""
    if isinstance(voice, Lexicon):
        position = 0.0
        for written in untagged(text).split():
            audio, (word,) = voice.speak(written)
            yield Speech(audio, (Word(written, position + word.start, position + word.end),))
            position += len(audio) / 8000
        return

    async def script() -> AsyncIterator[str]:
        yield untagged(text)

    async with aclosing(voice.generate(script())) as pieces:
        async for speech in pieces:
            if isinstance(speech, Speech):
                yield speech


@dataclass(slots=True)
class _Job:
    text: str
    flush_id: int | None = None
    """Set when a flush asked for it: `flush_done` follows."""


class ContextRun:
    """A context from its first input on. `run` is its life; `take` and `cancel` are called meanwhile."""

    def __init__(
        self,
        options: CartesiaSimOptions,
        voice: Lexicon | TTS,
        first: Generation,
        record: SimContext,
        send: Send,
        trouble: Trouble | None,
    ) -> None:
        self.record = record
        self._options = options
        self._voice = voice
        self._settings = first.settings
        self.asked = first
        self._send = send
        self._trouble = trouble or Trouble()
        self._events = Events(first.context)
        self._encoder = Encoder(first.encoding, first.rate)
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._jobs: deque[_Job] = deque()
        self._buffer = ""
        self._buffered_at = 0.0
        self._flushes = 0
        self._finished = False
        self._cancelled = False
        self._quiet_since: float | None = None  # when its last audio was sent
        self._position = 0.0  # seconds of audio made

    @property
    def over(self) -> bool:
        """Whether it takes no more input."""
        return self._finished or self._cancelled or self.record.outcome is not None

    def take(self, given: Generation) -> None:
        """One more input.

        Raises:
            Refusal: it differs in what must stay the same.
        """
        if given.settings != self._settings:
            names = {*given.settings, *self._settings}
            differing = sorted(name for name in names if given.settings.get(name) != self._settings.get(name))
            message = f"all fields but transcript, continue and flush must stay the same: {', '.join(differing)}"
            raise Refusal(400, None, "Invalid request", message, given.context)
        self.record.inputs.append(Input(self._loop.time(), given.transcript, given.goes_on, given.flush))
        if not self._buffer:
            self._buffered_at = self._loop.time()
        self._buffer += given.transcript
        self._finished = not given.goes_on
        if given.flush:
            self._flushes += 1
            self._release(len(self._buffer), self._flushes)
        elif self._finished or not given.delay:
            self._release(len(self._buffer))
        elif len(self._buffer) >= self._options.enough or _SENTENCE.match(self._buffer):
            sentence = _SENTENCE.match(self._buffer)
            self._release(sentence.end() if sentence else len(self._buffer))
        self._news.set()

    def cancel(self) -> None:
        """Make no more than what is on its way."""
        self._cancelled = True
        self.record.cancelled_at = self._loop.time()
        self._news.set()

    async def run(self) -> None:
        """Speak until all is said, it is cancelled or it expires; sends `done` where that is due.

        Raises:
            Refusal: by script.
        """
        while (job := await self._next()) is not None:
            await self._speak(job)
            if job.flush_id is not None and not self._cancelled:
                await self._send(self._events.flush_done(job.flush_id))
        told = {"done": True, "cancelled": self._options.cancel_done, "expired": self._options.expiry_done}
        self.record.outcome = "cancelled" if self._cancelled else "done" if self._finished else "expired"
        if told[self.record.outcome]:
            await self._send(self._events.done())

    def _release(self, length: int, flush_id: int | None = None) -> None:
        text, self._buffer = self._buffer[:length], self._buffer[length:]
        self._buffered_at = self._loop.time()
        self._jobs.append(_Job(text, flush_id))

    async def _next(self) -> _Job | None:
        """The next text to speak; None at the end, however it came."""
        while not self._cancelled:
            if self._jobs:
                return self._jobs.popleft()
            if self._finished:
                return None
            due: float | None = None
            if self._buffer:
                due = self._buffered_at + self.asked.delay
            elif self._quiet_since is not None:
                due = self._quiet_since + self._options.expiry
            self._news.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._news.wait()
            except TimeoutError:
                if not self._buffer:
                    return None
                self._release(len(self._buffer))
        return None

    # --- speaking -----------------------------------------------------------------------------------------------

    async def _speak(self, job: _Job) -> None:
        speakable = any(map(str.isalnum, untagged(job.text)))
        if not speakable:
            return
        await asyncio.sleep(self._options.first)
        late = self._options.late_chunks
        base, told = self._position, 0
        known: list[Word] = []
        async with aclosing(self._chunks(job.text, known)) as chunks:
            async for data, end in chunks:
                if self._cancelled and (late := late - 1) < 0:
                    return
                told = await self._tell(known, base, told, end, before=True)
                await self._chunk(data, job)
                self._position = base + end
                told = await self._tell(known, base, told, end, before=False)
                await asyncio.sleep(
                    len(data) / self._encoder.byte_rate / self._options.pace if self._options.pace else 0
                )
        self._quiet_since = self._loop.time()

    async def _chunks(self, text: str, known: list[Word]) -> AsyncGenerator[tuple[bytes, float], None]:
        """Encoded audio, each with the second where it ends, counted from the start of the text. Fills `known`."""
        size = max(1, round(self._options.chunk * self._encoder.rate)) * self._encoder.width
        held, given = bytearray(), 0
        whole = self._options.times == "before"
        async with aclosing(spoken(self._voice, text)) as pieces:
            async for piece in pieces:
                known += piece.words
                held += self._encoder.push(piece.audio)
                while not whole and len(held) >= size:
                    data, held = bytes(held[:size]), held[size:]
                    given += size
                    yield data, given / self._encoder.byte_rate
        held += self._encoder.flush()
        for start in range(0, len(held), size):
            data = bytes(held[start : start + size])
            given += len(data)
            yield data, given / self._encoder.byte_rate

    async def _chunk(self, data: bytes, job: _Job) -> None:
        if self.record.chunks == self._trouble.after:
            while self._trouble.stall and not self._cancelled:
                self._news.clear()
                await self._news.wait()
            if self._trouble.stall:
                return
            if self._trouble.status:
                trouble = self._trouble
                raise Refusal(trouble.status, trouble.code, trouble.title, trouble.message, self.asked.context)
        if self.record.first_at is None:
            self.record.first_at = self._loop.time()
        self.record.chunks += 1
        self.record.seconds += len(data) / self._encoder.byte_rate
        self._quiet_since = self._loop.time()
        await self._send(self._events.chunk(data, self._options.first, self._flushes + 1 if self._flushes else None))

    async def _tell(self, known: list[Word], base: float, told: int, end: float, *, before: bool) -> int:
        """Send the words that are due around a chunk that ends at `end`; returns how many have been told."""
        times = self._options.times
        wanted = self.asked.words or self.asked.phonemes
        if times == "never" or not wanted or before is (times == "after"):
            return told
        due = told
        while due < len(known) and (
            times == "before" or (known[due].start < end if times == "with" else known[due].end <= end)
        ):
            due += 1
        words = [Word(word.text, base + word.start, base + word.end) for word in known[told:due]]
        if words and self.asked.words:
            await self._send(self._events.timestamps(words))
        if words and self.asked.phonemes:
            await self._send(self._events.phonemes(words))
        return due

"""The voice in a pipeline: text of an answer in, its audio out, while the text is still being written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from voiceloop.answer import AnswerState
from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.frames import Audio, Text, Word
from voiceloop.handlers import watch
from voiceloop.processor import Processor
from voiceloop.pull import ProviderFailed, ProviderStalled, Pull
from voiceloop.runtime import Canned
from voiceloop.served import Served
from voiceloop.stream import Stream
from voiceloop.tts.accepted import accepted
from voiceloop.tts.base import TTS, Speech
from voiceloop.tts.patience import Patience
from voiceloop.watchdogs import bark

__all__ = ["TTSOptions", "TTSProcessor"]

RATE = 8000
MAX_CANNED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class TTSOptions:
    """How long to wait for a voice, and how often to ask."""

    stall: float = 5.0
    """Seconds without audio once all text was handed over; also for a whole phrase that is rendered ahead."""
    patience: float = 15.0
    """Seconds without audio while text was handed over and more is still to come."""
    tries: int = 2
    """Requests per answer; another one is made only while nothing was spoken."""


class _Script:
    """The text of one answer, handed to the voice as it comes, and again if the voice has to be asked again."""

    def __init__(self, text: Stream[Text], call: Call) -> None:
        self._text = text
        self._answer = text.answer
        self._call = call
        self._number = 0 if call.journal is None else call.journal.number("voice")
        self.given: list[str] = []
        self.given_at = 0.0
        """When the last of it was, seconds on the loop's clock."""
        self.waiting = False
        """True while the voice asks for text that is not written yet."""

    async def read(self) -> AsyncIterator[str]:
        for piece in list(self.given):
            yield piece
        while (text := await self._next()) is not None:
            yield text

    async def _next(self) -> str | None:
        if self._call.journal is not None:
            await self._call.journal.asked(self._number)
        self.waiting = True
        try:
            async for frame in self._text:
                if self._call.journal is not None:
                    await self._call.journal.took(self._number)
                self.given.append(frame.text)
                self._answer.voiced += len(frame.text)  # at once: one that is dropped is settled before we know
                self.given_at = self._call.now
                return frame.text
            return None
        finally:
            self.waiting = False


class TTSProcessor(Processor):
    """Speaks the text of answers with a voice.

    Text reaches the voice piece by piece as the model writes it. A voice that fails before it said anything is asked
    again; one that fails later fails the answer.
    """

    def __init__(self, tts: TTS, options: TTSOptions | None = None) -> None:
        self._named = tts
        self._tts = tts
        self.options = options or TTSOptions()
        self._spoken: tuple[int, int] = (0, 0)  # an answer, and the bytes of sound it has up to here

    async def start(self) -> None:
        """Warm the voice, and render what is said in every call.

        Raises:
            VoiceloopError: nothing behind it plays what it says.
        """
        call = self.call
        if self._down is not None and not self._down[Audio].stops:
            raise VoiceloopError(
                f"the pipeline has a voice ({type(self._named).__name__}) and nothing behind it that plays audio, so "
                "nobody would hear it: put AudioStreamer() last"
            )
        self._tts = call.runtime.provider(TTS, self._named).for_language(call.language)
        await call.awaited(lambda: call.runtime.warm(self._tts))
        call.voice = self._tts
        for text in call.ahead:
            await self._render(text)
        call.work(self._render_phrases(), "canned speech")

    async def _render_phrases(self) -> None:
        for text in self.call.phrases.all():
            await self._render(text)

    async def _render(self, text: str) -> None:
        try:
            async with asyncio.timeout(self.options.stall):
                if self.call.reader is not None:
                    script = self.call.scripts[text] = await self.call.reader(text)
                    text = "".join(said for said, _ in script)
                await self.call.awaited(partial(self.call.runtime.render, self._tts, text, self._speak))
        except Exception as error:
            late = f"nothing after {self.options.stall:g} s"
            why = late if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            self.call.note_fault("canned speech", f"{text!r} could not be rendered: {why}")

    async def _speak(self, text: str) -> Canned:
        async def script() -> AsyncIterator[str]:
            yield text

        audio = bytearray()
        words: list[Word] = []
        async with aclosing(self._tts.generate(script())) as speech:
            async for piece in speech:
                if isinstance(piece, Served):
                    continue
                piece = accepted(piece, type(self._tts).__name__)
                audio += piece.audio
                words += piece.words
                if len(audio) > MAX_CANNED_SECONDS * RATE:
                    raise ProviderFailed(f"more than {MAX_CANNED_SECONDS:g} s of audio for a short phrase")
        if not audio:
            raise ProviderFailed("the voice gave no audio")
        return Canned(bytes(audio), tuple(words))

    @watch
    def on_audio(self, audio: Audio) -> None:
        """A sound of somebody else's within an answer: what is spoken behind it begins that much later."""
        before = self._spoken[1] if self._spoken[0] == audio.answer.id else 0
        self._spoken = (audio.answer.id, before + len(audio.audio))

    async def on_text(self, text: Stream[Text]) -> None:
        """Speak one answer. One that is not certain yet and fails is dropped, and nobody hears of it."""
        answer = text.answer
        try:
            await self._speak_answer(text)
        except ProviderFailed as error:
            if answer.state is not AnswerState.SPECULATIVE:
                raise
            kind = f"{type(self._tts).__name__}.failed"
            self.call.note_fault(kind, f"{error}, for an answer that was not certain yet", error.detail)
            self.call.discard(answer)

    async def _speak_answer(self, text: Stream[Text]) -> None:
        answer = text.answer
        script = _Script(text, self.call)
        begun = self._spoken[1] if self._spoken[0] == answer.id else 0
        try:
            for attempt in range(1, self.options.tries + 1):
                try:
                    await self._generate(text, script, begun)
                    break
                except ProviderFailed as error:
                    if isinstance(error, ProviderStalled) and answer.state is not AnswerState.SPECULATIVE:
                        bark(self.call, "voice_silent", self.options.stall, self.options.stall, answer=answer)
                    spoken = self._spoken[0] == answer.id and self._spoken[1] > begun
                    if attempt == self.options.tries or spoken or answer.dead:
                        raise
                    self.call.note_fault(f"{type(self._tts).__name__}.failed", f"{error}; asking again", error.detail)
        finally:
            if self._engine is not None:
                self.call.usage["tts.characters"] += sum(map(len, script.given))
                if self.call.journal is not None:
                    self.call.journal.requested("tts", {"text": "".join(script.given)})

    async def _generate(self, text: Stream[Text], script: _Script, begun: int) -> None:
        engine = self._engine
        if engine is None:
            return
        answer = text.answer
        pull: Pull[Speech | Served] = Pull(engine, self._tts.generate(script.read()), "tts", answer)
        samples = begun
        try:
            while True:
                speech = await self._next(pull, script)
                if isinstance(speech, Served):
                    self.call.note_served("tts", speech)
                    continue
                speech = accepted(speech, type(self._tts).__name__)
                offset = begun / RATE
                words = speech.words
                if begun:
                    words = tuple(Word(word.text, word.start + offset, word.end + offset) for word in words)
                samples += len(speech.audio)
                self._spoken = (answer.id, samples)
                if speech.audio:
                    answer.stamp("audio", self.call.now)
                self.push(Audio(answer, speech.audio, words))
                await answer.room()
        except StopAsyncIteration:
            if samples == begun and any(map(str.isalnum, "".join(script.given))):
                name = type(self._tts).__name__
                raise ProviderFailed(f"{name} gave no audio for {''.join(script.given)!r}") from None
        finally:
            pull.close()

    async def _next(self, pull: Pull[Speech | Served], script: _Script) -> Speech | Served:
        """The next piece; `Patience` says how long it may take."""
        patience = Patience(self.options.stall, self.options.patience, len(script.given))
        while True:
            try:
                return await pull.next(patience.limit)
            except ProviderStalled:
                if not patience.goes_on(script, self.call.now):
                    raise ProviderStalled(f"tts: nothing came for {self.options.stall:g} s") from None

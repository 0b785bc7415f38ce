"""A voice as a plain object: text in, payloads out, outside of any pipeline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from voiceloop.errors import VoiceloopError
from voiceloop.frames import UserTurn
from voiceloop.output.payload import Payload, Utterance
from voiceloop.pull import ProviderFailed
from voiceloop.runtime import Runtime
from voiceloop.tts.base import TTS
from voiceloop.tts.processor import TTSOptions
from voiceloop.tts.request import Frames, Script, Source, VoiceRequest

__all__ = ["TTSStream"]

log = logging.getLogger("voiceloop.tts")


class TTSStream:
    """Speaks texts with a voice. It keeps nothing from one text to the next: one serves all calls, at the same time.

    Args:
        tts: the voice.
        runtime: whose warmed providers, and substitutes of a test, are used. Without one the voice is asked to warm
            itself, and whoever made it closes it.
        options: how long to wait for the voice, and how often to ask.
    """

    def __init__(
        self, tts: TTS | None = None, *, runtime: Runtime | None = None, options: TTSOptions | None = None
    ) -> None:
        if tts is not None and not isinstance(tts, TTS):
            hint = f" Did you mean {tts.__name__}()?" if isinstance(tts, type) else ""
            raise TypeError(f"TTSStream takes a voice, an instance of TTS; got {tts!r}.{hint}")
        self.tts = tts
        self.runtime = runtime
        self.options = options or TTSOptions()

    def generate(
        self, text: Source, *, turn: UserTurn | None = None, language: str | None = None
    ) -> AsyncGenerator[Payload, None]:
        """Speak a text.

        The voice is given the text piece by piece, and asked for more as the payloads are taken: it is one piece
        ahead. Give the payloads to `AudioStreamer.queue_audio`. They know their words and what they belong to
        (`Payload.utterance`): when the caller interrupts, the voice is cancelled and the generator ends.

        Closing the generator early cancels the voice and closes `text`, if that is a generator. What was already
        queued is played.

        Args:
            text: a text, or an iterable or asynchronous iterable of pieces of it, with their own spaces. What a model
                yields besides text (`Usage` and the like) is passed over; a `ToolCall` is an error.
            turn: the caller's turn that this answers, for the report.
            language: a BCP 47 tag, for a voice with several.

        Yields: mu-law, 8000 Hz, mono, no header: 20 to 200 ms, a multiple of 20 ms.

        Raises:
            TypeError: `text` is neither, at once; or a piece of it is no text.
            ProviderFailed: the voice failed, gave nothing in time, or no sound at all for a text with words. It was
                asked again first if nothing had been spoken (`TTSOptions.tries`).
            LanguageError: the voice does not speak the language.
            Exception: what the source of the text raised, once all before it was spoken.
        """
        return self._generate(Script(text, Utterance(turn=turn)), language)

    async def _generate(self, script: Script, language: str | None) -> AsyncGenerator[Payload, None]:
        utterance = script.utterance
        ended = False
        try:
            tts = await self._voice(language)
            for attempt in range(1, self.options.tries + 1):
                try:
                    async with aclosing(self._speak(tts, script)) as payloads:
                        async for payload in payloads:
                            yield payload
                    break
                except ProviderFailed as error:
                    if attempt == self.options.tries or utterance.size:
                        raise
                    log.warning("%s: %s; asking again", type(tts).__name__, error)
            if script.failure is not None:
                raise script.failure
            ended = not utterance.cut
        except Exception:
            utterance.finish("failed")
            raise
        finally:
            utterance.finish("complete" if ended else "closed")
            script.failure = None  # its traceback holds this frame
            await script.close()

    async def _speak(self, tts: TTS, script: Script) -> AsyncGenerator[Payload, None]:
        """Ask the voice once."""
        utterance = script.utterance
        utterance.words.clear()  # of an attempt without sound
        frames = Frames()
        voice = VoiceRequest(tts, script, self.options)
        utterance.on_cut = voice.cancel
        try:
            while not utterance.cut and (speech := await voice.next()) is not None:
                utterance.words += speech.words
                if speech.audio:
                    utterance.milestones.setdefault("audio", asyncio.get_running_loop().time())
                for audio in frames.add(speech.audio):
                    if not utterance.cut:
                        yield utterance.payload(audio)
            for audio in frames.rest():
                if not utterance.cut:
                    yield utterance.payload(audio)
            if not (utterance.size or utterance.cut) and any(map(str.isalnum, utterance.text)):
                raise ProviderFailed(f"{type(tts).__name__} gave no audio for {utterance.text!r}")
        finally:
            utterance.on_cut = None
            await voice.close()

    async def _voice(self, language: str | None) -> TTS:
        tts = self.tts if self.runtime is None else self.runtime.provider(TTS, self.tts)
        if tts is None:
            raise VoiceloopError("there is no voice to generate with: name one, as in ConnectionManager(tts=Hibari())")
        if language is not None:
            tts = tts.for_language(language)
        await (tts.warm() if self.runtime is None else self.runtime.warm(tts))
        return tts

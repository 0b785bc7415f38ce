"""The contract of voices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import ClassVar, cast

from voiceloop.frames import Word
from voiceloop.testing.conformance_base import Request
from voiceloop.testing.conformance_common import CommonConformance
from voiceloop.testing.conformance_run import Feed, require, until
from voiceloop.tts.base import TTS, Speech

__all__ = ["TTSConformance"]

_RATE = 8000
_SLACK = 0.001
"""Seconds by which a time may be off for being rounded."""
_WORD = (0.05, 1.5)
"""Seconds of audio for each word of a text, at least and at most. 16-bit audio at 24 kHz would be six times as long."""


def _letters(texts: Iterable[str]) -> str:
    return "".join(c for text in texts for c in text.lower() if c.isalnum())


def _tokens(text: str) -> list[str]:
    """Pieces as a model writes them: parts of words, with their own spaces."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


class TTSConformance(CommonConformance[TTS, Speech]):
    """Tests of a voice."""

    kind = TTS
    request = "generate"
    texts: ClassVar[tuple[str, str]] = (
        "Good morning. We open at nine. Would you like some coffee?",
        "The train is late. It leaves at noon. Please wait here for me.",
    )
    """Two texts of three sentences each, in a language of the voice."""
    words: ClassVar[bool] = True
    """False: the voice does not tell when it speaks which word."""

    def ask(self, provider: TTS, which: int = 0) -> Request[Speech]:
        """One of the two texts."""
        return self._ask(provider, _tokens(self.texts[which]), which)

    def ask_on(self, provider: TTS) -> Request[Speech]:
        """All sentences but the last, of which only the first letters are written."""
        text = self.texts[0]
        begin = max(text.rstrip(".!?").rfind(mark) for mark in ".!?") + 1
        begun = len(text) - len(text[begin:].lstrip()) + 2
        return self._ask(provider, _tokens(text[:begun]), last=False)

    def _ask(self, provider: TTS, pieces: Sequence[str], which: int = 0, *, last: bool = True) -> Request[Speech]:
        feed = Feed(pieces, last=last, pause=lambda piece: 0.002)
        # What tells who serves is left out by the consumer.
        speech = cast(AsyncGenerator[Speech, None], provider.generate(feed))
        return Request(speech, which, feed)

    def content(self, got: Sequence[Speech]) -> object:
        """The audio."""
        return b"".join(speech.audio for speech in got if isinstance(speech, Speech))

    def check(self, request: Request[Speech], got: Sequence[Speech]) -> None:
        """All of the text is spoken as mu-law, and its words lie in the audio."""
        text = self.texts[request.which]
        for speech in got:
            require(
                isinstance(speech, Speech) and isinstance(speech.audio, bytes),
                "`generate` yields `Speech`, with its audio as bytes",
                f"{speech!r:.100}",
                "yield `Speech(audio)` or `Speech(audio, words)`",
            )
        audio = b"".join(speech.audio for speech in got)
        require(
            not audio.startswith(b"RIFF"),
            "audio is plain samples, without any header",
            "a WAV file",
            "leave out its header, or ask the voice for raw mu-law",
        )
        seconds, count = len(audio) / _RATE, len(text.split())
        require(
            _WORD[0] * count <= seconds <= _WORD[1] * count,
            f"all of the text is spoken, as mu-law, 8000 Hz, mono: {count} words take {_WORD[0] * count:.1f} to "
            f"{_WORD[1] * count:.1f} s",
            f"{len(audio)} bytes, {seconds:.2f} s",
            "yield the last audio before you return; for other formats see `voiceloop.audio.resample` and `.mulaw`",
        )
        words = [word for speech in got for word in speech.words]
        if words or self.words:
            self._check_times(words, seconds)

    def check_own(self, request: Request[Speech], got: Sequence[Speech]) -> None:
        """The words are those of the text."""
        text = self.texts[request.which]
        words = [word.text for speech in got if isinstance(speech, Speech) for word in speech.words]
        require(
            not words or _letters(words) == _letters([text]),
            f"the words put together are the words of the text as written: {text!r}",
            f"{' '.join(words)!r}",
            "yield each word once, as written, also those of the last piece, not phonemes nor numbers spelt out; "
            "put the pieces together before you look for words; keep what belongs to a request in local variables",
        )
        require(self.content(got), "a text is spoken", f"{len(got)} items without audio", "yield `Speech(audio)`")

    def _check_times(self, words: Sequence[Word], seconds: float) -> None:
        require(
            words,
            "words come with the times at which they are spoken: after an interruption they tell what was heard",
            "no words at all",
            "set `words = False` in the test class if the voice cannot tell; the library then estimates",
        )
        start = end = 0.0
        for word in words:
            require(
                start - _SLACK <= word.start <= word.end + _SLACK and end - _SLACK <= word.end,
                "words are in order: none starts or ends before the one before it, or ends before it starts",
                f"{word} after one from {start:g} to {end:g} s",
                "count times from the first sample of `generate`, not of each sentence or message",
            )
            start, end = word.start, word.end
        require(
            seconds / 2 <= end <= seconds + _SLACK,
            "the last word ends where the audio ends, or before",
            f"it ends at {end:.3f} s, the audio at {seconds:.3f} s",
            "give times in seconds; if the silence at the end is cut, cut the times too",
        )

    async def test_it_speaks_before_all_is_written(self) -> None:
        async with self.opened() as provider:
            request = self.ask_on(provider)
            consumer = self.consume(request)
            await until(lambda: consumer.done or self.content(consumer.got), self.patience)
            require(
                self.content(consumer.got) or consumer.failure,
                "the first sentences are spoken while the last one is still being written",
                f"no audio within {self.patience:g} s of two whole sentences",
                "hand text on as it comes, or speak sentence by sentence: see `voiceloop.tts.phrases.PhraseCutter`",
            )
            await until(lambda: consumer.done, 0.2)
            require(
                not consumer.done,
                "`generate` goes on until its text ends",
                f"it ended early: {consumer.failure or 'as if complete'}",
                "return when the iterator of the text is exhausted, not after a sentence",
            )
            assert request.feed is not None
            request.feed.end()
            await self.finish(consumer, request)

    async def test_how_the_text_is_divided_makes_no_difference(self) -> None:
        async with self.opened() as provider:
            for pieces in ([self.texts[0]], list(self.texts[0]), [*self.texts[0].partition(" "), "", " \n"]):
                request = self._ask(provider, pieces)
                self.check_own(request, await self.whole(request))

    async def test_no_text_gives_nothing(self) -> None:
        async with self.opened() as provider:
            for pieces in ([], [""], [" ", "\n", ""]):
                got = await self.whole(self._ask(provider, pieces))
                require(
                    not got,
                    "where there is nothing to say, nothing is said",
                    f"{len(got)} items for the text {''.join(pieces)!r}",
                    "ask the voice for nothing when the text is white space",
                )
            await self.used(provider)

"""The contract of recognisers."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar, cast

import pytest

from voiceloop.errors import MissingExtra
from voiceloop.frames import Transcript
from voiceloop.stt.base import STT, Flush
from voiceloop.testing.conformance_base import Request
from voiceloop.testing.conformance_common import CommonConformance
from voiceloop.testing.conformance_run import Feed, require, until

__all__ = ["STTConformance"]

Item = Transcript | Flush
_RATE = 8000
_SILENCE = b"\xff" * _RATE
"""One second, mu-law."""
_UNDERSTOOD = 0.5
"""Share of an utterance's words that must be understood: this is no test of how well it hears."""


@functools.cache
def _spoken(text: str) -> bytes:
    """A text in the embedded voice: mu-law, 8000 Hz. Raises `MissingExtra` without ``voiceloop[local]``."""
    from voiceloop.audio import mulaw, resample
    from voiceloop.tts.hibari_model import RATE, HibariModel

    return mulaw.encode(
        resample.to_int16(resample.resample(HibariModel("heart", 1.0).speak(text).samples, RATE, _RATE))
    )


def _words(text: str) -> Counter[str]:
    return Counter(re.sub(r"[^\w\s']", "", text.lower().replace("-", " ")).split())


def _share(of: str, found: str) -> float:
    words = _words(of)
    return (words & _words(found)).total() / words.total()


class STTConformance(CommonConformance[STT, Item]):
    """Tests of a recogniser."""

    kind = STT
    request = "transcribe"
    pace: ClassVar[float] = 1.0
    """Seconds in which a second of audio comes; less than 1 for a recogniser that may be fed faster than a call."""
    pause: ClassVar[float] = 0.5
    """Seconds of silence between the end of an utterance and the flush."""
    _per_call = False  # what the provider says

    def utterances(self) -> tuple[tuple[bytes, str], tuple[bytes, str]]:
        """Two utterances without a common word: mu-law audio, and what is said.

        These are English, in the voice of ``voiceloop[local]``. Give recordings of your own for other languages.
        """
        texts = ("We open at nine in the morning.", "Please send two large coffees.")
        try:
            first, second = map(_spoken, texts)
        except MissingExtra as error:
            pytest.skip(f"no speech to recognise: {error}, or override utterances()")
        return (first, texts[0]), (second, texts[1])

    def ask(self, provider: STT, which: int = 0) -> Request[Item]:
        """One of the two utterances, two flushes."""
        return self._ask(provider, [self.utterances()[which][0], Flush(), Flush()], which)

    def ask_on(self, provider: STT) -> Request[Item]:
        """An utterance and a flush, while the call goes on."""
        return self._ask(provider, [self.utterances()[0][0], Flush()], last=False)

    def _ask(
        self, provider: STT, sounds: Sequence[bytes | Flush], which: int = 0, *, last: bool = True
    ) -> Request[Item]:
        """Each sound followed by silence, in chunks of the provider's own choosing."""
        self._per_call = provider.per_call
        pieces: list[bytes | Flush] = []
        size = max(160, round(provider.chunk * _RATE))
        for sound in sounds:
            if isinstance(sound, Flush):
                pieces.append(sound)
                continue
            audio = sound + b"\xff" * round(self.pause * _RATE)
            pieces += [audio[at : at + size] for at in range(0, len(audio), size)]
        feed = Feed(
            pieces, last=last, pause=lambda piece: self.pace * len(piece) / _RATE if isinstance(piece, bytes) else 0
        )
        # What tells who serves is left out by the consumer.
        items = cast(AsyncGenerator[Item, None], provider.transcribe(feed))
        return Request(items, which, feed, [sound for sound in sounds if isinstance(sound, Flush)])

    def content(self, got: Sequence[Item]) -> object:
        """The words."""
        return self._told(got)

    def check(self, request: Request[Item], got: Sequence[Item]) -> None:
        """The words come before their flush, and the flushes as they were."""
        self._check_flushes(request, got)
        before = got[: got.index(request.flushes[0])]
        require(
            self._told(before).strip() or not self._told(got).strip(),
            "the words of an utterance come before the flush that follows it",
            f"all after it: {self._told(got)!r}",
            "at a flush, finish what was heard and yield its words, then the flush",
        )
        self._check_segments(got)

    def check_own(self, request: Request[Item], got: Sequence[Item]) -> None:
        """The words are those of the utterance."""
        self._check_words(self._told(got), request.which)

    def _check_words(self, told: str, which: int) -> None:
        (_, own), (_, other) = (self.utterances()[which], self.utterances()[1 - which])
        require(
            _share(own, told) >= _UNDERSTOOD and _share(other, told) < _UNDERSTOOD,
            f"the utterance {own!r} is understood, half of it at least, and not {other!r}",
            f"{told!r}",
            "decode mu-law, 8000 Hz, mono (`voiceloop.audio.mulaw`); keep what belongs to a stream in local variables; "
            "for another language override `utterances`",
        )

    def _check_flushes(self, request: Request[Item], got: Sequence[Item]) -> None:
        for item in got:
            require(
                isinstance(item, Transcript | Flush),
                "`transcribe` yields `Transcript` and `Flush`",
                f"{item!r:.100}",
                "yield `Transcript(text)`",
            )
        back = [item for item in got if isinstance(item, Flush)]
        came = [request.flushes.index(flush) if flush in request.flushes else "one of its own" for flush in back]
        require(
            came == list(range(len(request.flushes))),
            "each flush is yielded once, the same object, in order",
            f"of {len(request.flushes)} flushes came back: {came}",
            "yield the object you have read, also when there was nothing to recognise",
        )

    def _told(self, got: Sequence[Item]) -> str:
        """The words, with each segment as it was told last."""
        before: list[str] = []
        segments: dict[int, str] = {}
        final: set[int] = set()
        flushed = False
        for item in got:
            if isinstance(item, Flush):
                flushed = True
            if not isinstance(item, Transcript):
                continue
            if self._per_call and flushed and item.segment == 0 and 0 in final:
                before += [segments[number] for number in sorted(segments)]
                segments.clear()  # a stream of several utterances may count anew in each
                final.clear()
            if item.final:
                final.add(item.segment)
            segments[item.segment] = item.text
            flushed = False
        return " ".join([*before, *(segments[number] for number in sorted(segments))])

    def _check_segments(self, got: Sequence[Item]) -> None:
        segments: dict[int, Transcript] = {}
        flushed = False
        for item in got:
            if isinstance(item, Flush):
                flushed = True
                continue
            known = segments.get(item.segment)
            if self._per_call and flushed and item.segment == 0 and known is not None and known.final:
                segments, known = {}, None
            require(
                0 <= item.segment <= len(segments),
                "segments are counted from 0, without gaps",
                f"segment {item.segment} after {len(segments)} segments",
                "count them in the stream; leave all at 0 if the recogniser has none",
            )
            require(
                known is None or not known.final,
                "a final segment is not revised",
                f"{item} after {known}",
                "set `final` only when the words stay, and count `segment` up after it",
            )
            segments[item.segment] = item
            flushed = False

    async def test_words_come_while_the_stream_goes_on(self) -> None:
        async with self.opened() as provider:
            request = self.ask_on(provider)
            assert request.feed is not None
            consumer = self.consume(request)
            flush = request.flushes[0]
            # Until the flush is read, time passes with the audio.
            seconds = self.pace * (len(self.utterances()[0][0]) / _RATE + self.pause)
            await until(lambda: consumer.done or flush in consumer.got, self.patience + seconds)
            require(
                flush in consumer.got,
                "a flush is answered while the call goes on",
                f"nothing within {self.patience:g} s: {consumer.got}"
                if not consumer.done
                else f"it ended: {consumer.failure}",
                "at a flush, tell the recogniser to finish what it has, and do not wait for the end of the audio",
            )
            await until(lambda: consumer.done, 0.2)
            require(
                not consumer.done,
                "`transcribe` goes on until its audio ends",
                f"it ended early: {consumer.failure or 'as if complete'}",
                "return when the iterator of the audio is exhausted, not after an utterance",
            )
            request.feed.end()
            await self.finish(consumer, request)

    async def test_every_flush_comes_back_once_after_its_words(self) -> None:
        async with self.opened() as provider:
            (first, _), (second, _) = self.utterances()
            sounds: list[bytes | Flush] = [Flush(), first, Flush(), Flush(), second, Flush()]
            request = self._ask(provider, sounds)
            got = await self.whole(request)
            self._check_flushes(request, got)
            ends = [got.index(flush) for flush in request.flushes]
            require(
                not self._told(got[: ends[0]]).strip(),
                "nothing is understood before anything was said",
                f"{self._told(got[: ends[0]])!r}",
                "yield the flush at once when nothing was heard",
            )
            self._check_segments(got)
            told = self._told(got[: ends[3]])
            for _, words in self.utterances():
                require(
                    _share(words, told) >= _UNDERSTOOD,
                    f"a stream goes on after a flush: in the end {words!r} was said too",
                    f"{told!r}",
                    "yield what comes after a flush in a new segment, or all words so far again in the same one",
                )

    async def test_no_audio_gives_nothing(self) -> None:
        async with self.opened() as provider:
            got = await self.whole(self._ask(provider, []))
            require(not got, "no audio gives no items", f"{got}", "return when the audio ends and none has come")

    async def test_silence_gives_no_words(self) -> None:
        async with self.opened() as provider:
            cases: list[list[bytes | Flush]] = [[Flush()], [_SILENCE * 2, Flush()], [_SILENCE[:80]], [_SILENCE]]
            for sounds in cases:
                request = self._ask(provider, sounds)
                got = await self.whole(request)
                self._check_flushes(request, got)
                require(
                    not self._told(got).strip(),
                    "silence gives no words",
                    f"{self._told(got)!r}",
                    "do not ask a model that makes up words about silence: see `voiceloop.stt.activity`",
                )
            await self.used(provider)

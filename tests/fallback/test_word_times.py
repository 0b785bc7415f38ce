"""Words keep their times, in seconds of the stream, whoever heard them and from where on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import ClassVar

import pytest

from voiceloop.fallback import Fallback
from voiceloop.frames import Transcript, Word
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush

QUIET = b"\xff" * 8000
"""A second."""


class Timed(STT):
    """Tells the words since the last flush, timed from the first sample it was given; fails at a flush if told."""

    def __init__(self, lexicon: Lexicon, *, fails: bool = False) -> None:
        self._lexicon = lexicon
        self._fails = fails

    per_call: ClassVar[bool] = True

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        heard, told, segment = bytearray(), 0, 0
        async for piece in audio:
            if isinstance(piece, bytes):
                heard += piece
                continue
            if self._fails:
                raise ConnectionError("broken")
            words = [word for word in self._lexicon.listen(bytes(heard)) if word.whole][told:]
            told += len(words)
            if words:
                timed = tuple(Word(word.text, word.start / 8000, word.end / 8000) for word in words)
                yield Transcript(" ".join(word.text for word in words), True, segment, words=timed)
                segment += 1
            yield piece


class ByUtterance(Timed):
    per_call: ClassVar[bool] = False


async def said(audio: list[bytes]) -> AsyncIterator[bytes | Flush]:
    for piece in audio:
        for start in range(0, len(piece), 160):
            yield piece[start : start + 160]
        yield Flush()


@pytest.mark.parametrize("kind", [Timed, ByUtterance])
async def test_words_have_the_times_of_the_stream(lexicon: Lexicon, kind: type[Timed]) -> None:
    spoken = [QUIET + lexicon.speak(text)[0] for text in ("two coffees", "and a cake")]
    whole = b"".join(spoken)
    expected = [(word.text, word.start / 8000) for word in lexicon.listen(whole)]
    stt = Fallback([Timed(lexicon, fails=True), kind(lexicon)])
    heard = [item async for item in stt.transcribe(said(spoken)) if isinstance(item, Transcript)]
    await stt.aclose()
    told = [(word.text, word.start) for item in heard if item.final for word in item.words]
    assert [text for text, _ in told] == [text for text, _ in expected]
    assert [at for _, at in told] == pytest.approx([at for _, at in expected], abs=1e-6)

"""A recogniser that listens to the whole call in one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, ClassVar

import pytest

from voiceloop.frames import Transcript
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush
from voiceloop.testing import script

Phone = Callable[..., Any]


class Streaming(STT):
    """Final segments, numbered through the call or `anew` behind each flush; raises at the flushes it is told to."""

    per_call: ClassVar[bool] = True

    def __init__(self, lexicon: Lexicon, *, breaks_at: set[int] | None = None, anew: bool = False) -> None:
        self._lexicon = lexicon
        self._anew = anew
        self._breaks_at = breaks_at or set()
        self.streams = 0
        self.flushes = 0

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        self.streams += 1
        heard, segment = bytearray(), 0
        async for piece in audio:
            if isinstance(piece, bytes):
                heard += piece
                continue
            self.flushes += 1
            if self.flushes - 1 in self._breaks_at:
                raise ConnectionError("the line to the recogniser broke")
            await asyncio.sleep(0.1)
            if text := self._lexicon.text(bytes(heard)):
                yield Transcript(text, True, segment)
                segment += not self._anew
                heard.clear()
            yield piece


class Late(STT):
    """Answers a flush with what is not final; the final comes `after` that, written otherwise."""

    per_call: ClassVar[bool] = True

    def __init__(self, lexicon: Lexicon, after: float, more: str = ".") -> None:
        self._lexicon = lexicon
        self.after = after
        self.more = more

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        out: asyncio.Queue[Transcript | Flush | None] = asyncio.Queue()
        reader = asyncio.create_task(self._read(audio, out))
        try:
            while (item := await out.get()) is not None:
                yield item
        finally:
            reader.cancel()

    async def _read(self, audio: AsyncIterator[bytes | Flush], out: asyncio.Queue[Transcript | Flush | None]) -> None:
        heard, segment, loop = bytearray(), 0, asyncio.get_running_loop()
        async for piece in audio:
            if isinstance(piece, bytes):
                heard += piece
                continue
            if text := self._lexicon.text(bytes(heard)):
                out.put_nowait(Transcript(text, False, segment))
                final = Transcript(text.capitalize() + self.more, True, segment)
                loop.call_later(self.after, out.put_nowait, final)
                segment += 1
                heard.clear()
            out.put_nowait(piece)
        out.put_nowait(None)


@pytest.mark.parametrize("after", [0.2, 0.5, 0.8, 1.5, 2.5, 4.0])
@pytest.mark.parametrize("more", [".", " please"])
async def test_a_final_that_comes_late_is_no_turn_and_is_never_repeated(
    phone: Phone, lexicon: Lexicon, after: float, more: str
) -> None:
    llm = script("Certainly.", first=0.2)
    async with phone(stt=Late(lexicon, after, more), llm=llm) as caller:
        for words in ("two coffees", "and a cake", "that is all"):
            await caller.says(words)
            await caller.hears("Certainly.")
        report = await caller.hangs_up()
    answered = [turn.caller for turn in report.turns if turn.heard]
    assert [text.lower().removesuffix(".").removesuffix(" please") for text in answered] == [
        "two coffees",
        "and a cake",
        "that is all",
    ]
    if more == ".":
        assert len(llm.requests) == 3


@pytest.mark.parametrize("anew", [False, True], ids=["numbered through", "numbered anew"])
async def test_it_hears_every_turn_in_one_stream(phone: Phone, lexicon: Lexicon, anew: bool) -> None:
    stt = Streaming(lexicon, anew=anew)
    llm = script("Certainly.")
    async with phone(greeting="Hello!", stt=stt, llm=llm) as caller:
        await caller.hears()
        for words in ("two coffees please", "and a cake", "that is all"):
            await caller.says(words)
            reply = await caller.hears("Certainly.")
            assert reply.latency == pytest.approx(0.5, abs=0.05)
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["two coffees please", "and a cake", "that is all"]
    assert stt.streams == 1
    assert report.usage["stt.seconds"] == pytest.approx(report.duration, abs=0.3)
    assert report.faults == []


@pytest.mark.parametrize("anew", [False, True], ids=["numbered through", "numbered anew"])
async def test_a_pause_inside_a_turn_makes_two_segments_of_one_turn(phone: Phone, lexicon: Lexicon, anew: bool) -> None:
    llm = script("Certainly.")
    async with phone(stt=Streaming(lexicon, anew=anew), llm=llm) as caller:
        await caller.says("two coffees please")
        await caller.waits(0.3)
        await caller.says("and a cake")
        await caller.hears("Certainly.")
        await caller.hangs_up()
    assert [message.text for message in llm.requests[0]] == ["two coffees please and a cake"]


async def test_a_stream_that_breaks_is_opened_again_for_what_follows(phone: Phone, lexicon: Lexicon) -> None:
    stt = Streaming(lexicon, breaks_at={0})
    async with phone(stt=stt, llm=script("Certainly.")) as caller:
        await caller.says("two coffees please")
        reply = await caller.hears()
        assert reply.text == "Sorry, I didn't catch that."
        assert reply.latency <= 2.1
        for words in ("two coffees please", "and a cake"):
            await caller.says(words)
            await caller.hears("Certainly.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["two coffees please", "and a cake"]
    assert stt.streams == 2


async def test_a_stream_that_breaks_now_and_then_never_ends_the_call(phone: Phone, lexicon: Lexicon) -> None:
    stt = Streaming(lexicon, breaks_at=set(range(0, 12, 2)))
    async with phone(stt=stt, llm=script("Certainly.")) as caller:
        for number in range(6):
            await caller.says(f"coffee number {number}")
            await caller.hears("catch")
            await caller.says(f"coffee number {number}")
            await caller.hears("Certainly.")
        report = await caller.hangs_up()
    assert report.reason == "caller hung up"
    assert [turn.caller for turn in report.turns] == [f"coffee number {number}" for number in range(6)]

"""No word is lost and none comes twice: across the limits of streams, and wherever a stream breaks."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("google.cloud.speech_v2", reason="needs voiceloop[google]")

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google import Fault, GoogleSpeechSim, Limits, Timing
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.google import GoogleOptions, GoogleSTT, SpeechRefused

LEXICON = Lexicon()
SILENCE = b"\xff"
PASSING = (
    "ABORTED",
    "CANCELLED",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
    "OUT_OF_RANGE",
    "UNAVAILABLE",
    "UNKNOWN",
)


@dataclass
class Told:
    """What a recogniser made of a call."""

    items: list[Transcript | Flush] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    flushed: dict[int, float] = field(default_factory=dict)
    """When each flush was sent."""

    @property
    def segments(self) -> list[Transcript]:
        last = {item.segment: item for item in self.items if isinstance(item, Transcript)}
        return [last[number] for number in sorted(last)]

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments if segment.text)

    @property
    def waits(self) -> list[float]:
        """Seconds from each flush to its answer."""
        return [
            at - self.flushed[id(item)]
            for item, at in zip(self.items, self.times, strict=True)
            if isinstance(item, Flush)
        ]


def speech(text: str, pause: float) -> bytes:
    audio = LEXICON.speak(text)[0]
    return audio + SILENCE * round(pause * 8000)


def flushes(audio: bytes, vad: float) -> list[int]:
    """Samples at which so much silence has passed since speech."""
    wait, gaps = round(vad * 8000), re.finditer(rb"\xff+", audio)
    return [gap.start() + wait for gap in gaps if gap.start() and gap.end() - gap.start() >= wait]


async def line(audio: bytes, told: Told, *, vad: float = 0.18) -> AsyncIterator[bytes | Flush]:
    """A phone line in real time, in pieces of 0.1 s, with a flush after so much silence."""
    loop, at = asyncio.get_running_loop(), 0
    start, ask = loop.time(), flushes(audio, vad)
    while at < len(audio):
        end = min(at + 800, len(audio), ask[0] if ask else len(audio))
        await asyncio.sleep(start + end / 8000 - loop.time())
        yield audio[at:end]
        at = end
        if ask and ask[0] == at:
            del ask[0]
            item = Flush()
            told.flushed[id(item)] = loop.time()
            yield item


async def hear(stt: GoogleSTT, audio: bytes, **options: Any) -> Told:
    told, loop = Told(), asyncio.get_running_loop()
    await stt.warm()
    try:
        async with aclosing(stt.transcribe(line(audio, told, **options))) as items:
            async for item in items:
                told.items.append(item)
                told.times.append(loop.time())
    finally:
        await stt.aclose()
    return told


def words(draw: random.Random, number: int) -> list[str]:
    """Different words of different lengths."""
    return [f"{'abcdefgh'[: draw.randrange(1, 8)]}{index}" for index in range(number)]


def said(draw: random.Random, all_words: Iterable[str], pauses: tuple[float, float]) -> bytes:
    """Words with pauses between some of them."""
    audio = bytearray()
    for word in all_words:
        audio += speech(word, draw.uniform(*pauses) if draw.random() < 0.2 else 0.0)
    return bytes(audio)


@pytest.mark.long
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_call_of_20_minutes(version: Literal["v1", "v2"]) -> None:
    draw = random.Random(1)
    spoken = words(draw, 2600)
    audio = said(draw, spoken, (0.1, 2.0))
    assert len(audio) / 8000 > 1200
    sim = GoogleSpeechSim(LEXICON)
    told = await hear(GoogleSTT(version=version, channel=sim.channel), audio)
    assert told.text.split() == spoken
    assert all(segment.final for segment in told.segments)
    assert {stream.status for stream in sim.streams} <= {"OK", "CANCELLED"}


@pytest.mark.parametrize("version", [pytest.param("v1", marks=pytest.mark.long), "v2"])
async def test_a_call_without_a_flush_crosses_the_limit_of_a_stream_in_a_silence(version: Literal["v1", "v2"]) -> None:
    draw = random.Random(2)
    spoken = words(draw, 700)
    audio = said(draw, spoken, (0.8, 3.0))
    sim = GoogleSpeechSim(LEXICON)
    stt = GoogleSTT(version=version, channel=sim.channel, options=GoogleOptions(spare=False))
    told = await hear(stt, audio, vad=10.0)
    assert told.text.split() == spoken
    assert len(sim.streams) == len(audio) // (8000 * 240) + 1
    assert all(240 <= stream.audio < 290 for stream in sim.streams[:-1])


@pytest.mark.parametrize("version", [pytest.param("v1", marks=pytest.mark.long), "v2"])
async def test_a_stream_is_replaced_in_the_middle_of_speech_when_there_is_no_silence(
    version: Literal["v1", "v2"],
) -> None:
    spoken = words(random.Random(3), 1000)
    sim = GoogleSpeechSim(LEXICON)
    stt = GoogleSTT(version=version, channel=sim.channel, options=GoogleOptions(spare=False))
    told = await hear(stt, speech(" ".join(spoken), 1.0), vad=10.0)
    assert told.text.split() == spoken
    assert [round(stream.audio) for stream in sim.streams[:-1]] == [290] * (len(sim.streams) - 1)
    assert len(sim.streams) > 1


async def test_a_segment_that_never_becomes_final_is_sent_again_in_part_only() -> None:
    spoken = words(random.Random(4), 500)
    sim = GoogleSpeechSim(LEXICON, timing=Timing(longest=1000.0))
    stt = GoogleSTT(channel=sim.channel, options=GoogleOptions(spare=False))
    audio = speech(" ".join(spoken), 1.0)
    told = await hear(stt, audio, vad=10.0)
    assert told.text.split() == spoken
    assert sim.seconds < 2 * len(audio) / 8000


async def test_a_stream_that_meets_its_limit_all_the_same_is_taken_up_by_the_next() -> None:
    spoken = words(random.Random(5), 300)
    sim = GoogleSpeechSim(LEXICON, limits=Limits(v1=30.0, v2=25.0))
    stt = GoogleSTT(channel=sim.channel, options=GoogleOptions(spare=False))
    told = await hear(stt, said(random.Random(5), spoken, (0.6, 1.0)), vad=10.0)
    assert told.text.split() == spoken
    assert "ABORTED" in {stream.status for stream in sim.streams}


STATUSES = st.builds(
    Fault,
    how=st.sampled_from(["status", "status", "status", "cut", "end"]),
    code=st.sampled_from(PASSING),
    at=st.one_of(st.none(), st.floats(0.0, 12.0)),
)


@given(
    seed=st.integers(0, 1000),
    faults=st.dictionaries(st.integers(0, 30), STATUSES, max_size=12),
    timing=st.sampled_from(["google", "fast", Timing(interim=0.6, median=1.6, p95=2.5), Timing(flush=0.1)]),
    version=st.sampled_from(["v1", "v2"]),
    split=st.booleans(),
    ends=st.sampled_from(["word", "audio"]),
    spare=st.booleans(),
)
@settings(max_examples=settings.default.max_examples * 3 // 5, deadline=None)
async def test_wherever_streams_break_every_word_comes_once(
    seed: int, faults: dict[int, Fault], timing: Any, version: Any, split: bool, ends: str, spare: bool
) -> None:
    draw = random.Random(seed)
    spoken = words(draw, 40)
    audio = said(draw, spoken, (0.05, 3.0))
    sim = GoogleSpeechSim(LEXICON, timing=timing, faults=faults, split=split, ends=ends, seed=seed)
    stt = GoogleSTT(version=version, channel=sim.channel, options=GoogleOptions(spare=spare, tries=20))
    told = await hear(stt, audio)
    assert told.text.split() == spoken
    assert len(told.waits) == len(told.flushed)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("cut", [0.35, 1.2, 2.0], ids=lambda cut: f"held after {cut} s")
async def test_a_call_on_hold_keeps_no_stream_and_goes_on_after(version: Literal["v1", "v2"], cut: float) -> None:
    """No audio for a minute: Google would end the stream after 10 s."""
    audio, at = speech("words before the hold", 1.0), round(cut * 8000)
    sim = GoogleSpeechSim(LEXICON)
    stt, told = GoogleSTT(version=version, channel=sim.channel), Told()

    async def held() -> AsyncIterator[bytes | Flush]:
        async for piece in line(audio[:at], told, vad=10.0):
            yield piece
        await asyncio.sleep(60.0)
        assert sim.open_streams == 0
        async for piece in line(audio[at:] + speech("and words behind it", 1.0), told):
            yield piece

    await stt.warm()
    async with aclosing(stt.transcribe(held())) as items:
        told.items = [item async for item in items]
    await stt.aclose()
    heard = told.text.split()
    assert heard[-4:] == ["and", "words", "behind", "it"]
    assert [word for word in ["words", "before", "the", "hold"] if word not in heard] == (
        ["before"] if cut < 0.4 else []
    )
    assert heard.count("words") == 2
    assert {stream.status for stream in sim.streams} <= {"OK", "CANCELLED"}


@pytest.mark.parametrize("how", ["stall", "status"])
async def test_a_flush_is_answered_within_its_limit_with_the_words_there_are(how: Any) -> None:
    sim = GoogleSpeechSim(LEXICON, faults=lambda number: Fault(how, code="UNAVAILABLE", at=0.6))
    stt = GoogleSTT(channel=sim.channel, options=GoogleOptions(limit=1.0, drain=1.5, tries=1000))
    told = await hear(stt, speech("well nobody answers me", 4.0))
    assert told.waits == [pytest.approx(1.0, abs=0.01)]
    assert told.text == "well"


async def test_what_a_silent_stream_was_asked_another_one_answers() -> None:
    sim = GoogleSpeechSim(LEXICON, faults={0: Fault("stall")})
    told = await hear(GoogleSTT(channel=sim.channel, options=GoogleOptions(spare=False)), speech("hear me out", 4.0))
    assert told.text == "hear me out"
    assert told.waits == [pytest.approx(1.5 + 0.1, abs=0.05)]


async def test_a_service_that_only_fails_is_given_up_after_some_tries() -> None:
    sim = GoogleSpeechSim(LEXICON, faults=lambda number: Fault(code="UNAVAILABLE"))
    stt = GoogleSTT(channel=sim.channel, options=GoogleOptions(spare=False))
    with pytest.raises(SpeechRefused, match=r"cannot be reached or fails.*\[UNAVAILABLE: The service is currently"):
        await hear(stt, speech("hello", 9.0), vad=20.0)
    assert [round(stream.opened, 3) for stream in sim.streams] == [0.1, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]


async def test_word_times_count_from_the_first_sample_of_the_call() -> None:
    audio = SILENCE * 16000 + speech("one two", 1.5) + speech("three", 1.0)
    sim = GoogleSpeechSim(LEXICON)
    told = await hear(GoogleSTT(channel=sim.channel), audio)
    found = [(word.text, word.start, word.end) for segment in told.segments for word in segment.words]
    heard = [(word.text, word.start / 8000, word.end / 8000) for word in LEXICON.listen(audio)]
    assert [
        (text, pytest.approx(start, abs=0.001), pytest.approx(end, abs=0.001)) for text, start, end in heard
    ] == found
    assert len(sim.streams) > 1


async def test_a_flush_half_closes_and_the_next_stream_is_open_already() -> None:
    sim = GoogleSpeechSim(LEXICON)
    told = await hear(GoogleSTT(channel=sim.channel), speech("one two three", 2.0) + speech("four five", 2.0))
    first = next(stream for stream in sim.streams if stream.audio)
    second = next(stream for stream in sim.streams if stream.audio and stream is not first)
    assert first.half_closed == pytest.approx(next(iter(told.flushed.values())), abs=0.001)
    assert second.opened < first.half_closed
    assert told.text == "one two three four five"


@pytest.mark.parametrize(
    ("timing", "settle", "wait"),
    [
        (Timing(interim=0.1, p95=0.88), "interim", 0.1),  # the last word was there when the flush came
        (Timing(interim=0.25, p95=0.88), "interim", 0.17),  # it comes 0.07 s after it, and is stable 0.1 s later
        (Timing(interim=0.25, p95=0.88), "final", 0.70),
        (Timing(interim=0.25, p95=0.88, flush=0.15), "final", 0.15),  # a half-close hurries the service
        (Timing(interim=5.0, median=4.0, p95=4.0), "interim", 3.82),  # nothing to answer with before
    ],
)
async def test_how_long_a_flush_waits(timing: Timing, settle: Any, wait: float) -> None:
    sim = GoogleSpeechSim(LEXICON, timing=timing)
    told = await hear(
        GoogleSTT(channel=sim.channel, options=GoogleOptions(settle=settle)), speech("a coffee please", 6.0)
    )
    assert told.waits == [pytest.approx(wait, abs=0.025)]
    assert told.text == "a coffee please"

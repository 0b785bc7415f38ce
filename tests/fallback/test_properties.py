"""However the first ones fail: what comes out in the end is whole, in order, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.conversation import Message
from voiceloop.fallback import Fallback
from voiceloop.fallback.continuing import GO_ON
from voiceloop.frames import Transcript
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import Flush
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.testing.conformance_run import Feed
from voiceloop.tts.base import Speech

WORDS = ["coffee,", "tea,", "and", "cake.", "today", "we", "have", "very", "good", "sandwiches.", "5", "5", "yes"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
FAILING = st.lists(
    st.builds(lambda how, after: Failing(how, after=after), st.sampled_from(["raise", "stall"]), st.integers(0, 8)),
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(st.permutations(WORDS).map(" ".join), FAILING, st.sampled_from([0.0, 3.0, 30.0]))
async def test_an_answer_is_written_once(text: str, failing: Sequence[Failing], rate: float) -> None:
    def reply(messages: Sequence[Message]) -> str:
        told = messages[-1].text.startswith(GO_ON[:20])
        return text[len(messages[-2].text) :].strip() or "." if told else text

    models = [ScriptedLLM(reply, rate=rate, failing=each) for each in (*failing, None)]
    llm = Fallback(models)
    got = "".join([item async for item in llm.respond([Message("user", "Hello?")]) if isinstance(item, str)])
    await llm.aclose()
    assert got.split() == text.split()


@settings(max_examples=60, deadline=None)
@given(TEXTS, FAILING, st.integers(1, 9), st.sampled_from([0.0, 0.05]))
async def test_a_text_is_spoken_once(text: str, failing: Sequence[Failing], size: int, pause: float) -> None:
    lexicon = Lexicon()
    tts = Fallback([ScriptedTTS(lexicon, failing=each) for each in (*failing, None)])
    feed = Feed([text[at : at + size] for at in range(0, len(text), size)], pause=lambda piece: pause)
    items = [item async for item in tts.generate(feed) if isinstance(item, Speech)]
    await tts.aclose()
    audio = b"".join(item.audio for item in items)
    words = [word for item in items for word in item.words]
    assert lexicon.text(audio) == text
    assert [word.text for word in words] == text.split()
    for word in words:  # each where its sound is
        assert audio[round(word.start * 8000) : round(word.end * 8000)] == lexicon.sound(word.text)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), FAILING)
async def test_every_word_is_understood_once(texts: list[str], failing: Sequence[Failing]) -> None:
    lexicon = Lexicon()
    flushes = [Flush() for _ in texts]
    sounds = [item for text, flush in zip(texts, flushes, strict=True) for item in (lexicon.speak(text)[0], flush)]
    stt = Fallback([ScriptedSTT(lexicon, failing=each) for each in (*failing, None)])
    got: list[Any] = [item async for item in stt.transcribe(paced(sounds))]
    await stt.aclose()
    segments: dict[int, str] = {}
    final: set[int] = set()
    for item in got:
        if isinstance(item, Transcript):
            assert item.segment <= len(segments)
            assert item.segment not in final
            segments[item.segment] = item.text
            final |= {item.segment} if item.final else set()
    assert " ".join(" ".join(segments[number] for number in sorted(segments)).split()) == " ".join(texts)
    assert [item for item in got if isinstance(item, Flush)] == flushes


async def paced(sounds: Sequence[bytes | Flush]) -> AsyncIterator[bytes | Flush]:
    """Audio as it comes, and time to answer for it."""
    for sound in sounds:
        if isinstance(sound, bytes):
            for at in range(0, len(sound), 800):
                await asyncio.sleep(0.1)
                yield sound[at : at + 800]
        else:
            yield sound
            await asyncio.sleep(5.0)

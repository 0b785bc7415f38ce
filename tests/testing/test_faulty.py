"""Faults are plain data, wrappers without faults change nothing, and each fault is at its place in the items."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from voiceloop.conversation import Message, ToolCall
from voiceloop.frames import Transcript
from voiceloop.llm.anthropic_errors import Failure
from voiceloop.llm.base import Usage
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import Flush
from voiceloop.testing import LLMConformance, STTConformance, TTSConformance
from voiceloop.testing.faulty import (
    CODE_FAULTS,
    PROVIDER_FAULTS,
    FaultyLLM,
    FaultySTT,
    FaultyTTS,
    HandlerFault,
    LLMFault,
    STTFault,
    ToolFault,
    TTSFault,
    fault_from_dict,
)
from voiceloop.testing.scripted import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.tts.base import Speech

ASK = [Message("user", "What is there?")]
LEXICON = Lexicon()
DRAWS: list[Callable[[random.Random], Any]] = [each.draw for each in (*PROVIDER_FAULTS, *CODE_FAULTS)]


# --- data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", DRAWS)
def test_a_fault_that_was_kept_as_json_is_the_same(draw: Callable[[random.Random], Any]) -> None:
    for seed in range(200):
        fault = draw(random.Random(seed))
        assert fault_from_dict(json.loads(json.dumps(fault.as_dict()))) == fault


@pytest.mark.parametrize("draw", DRAWS)
def test_the_same_seed_draws_the_same_and_every_fault_is_drawn(draw: Callable[[random.Random], Any]) -> None:
    first, second = ([draw(random.Random(f"fault {seed}")) for seed in range(400)] for _ in range(2))
    assert first == second
    assert {fault.what for fault in first} == set(first[0].WHATS)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"of": "fax", "what": "cut"}, "got one of 'fax'"),
        ({"of": "llm", "what": "tired"}, "a fault of llm is one of late, .*; got 'tired'"),
        ({"of": "llm", "what": "cut", "when": 3}, "not a fault of llm"),
        ({"of": "llm", "what": "late", "seconds": float("nan")}, "must be a number and not negative"),
        ({"of": "tts", "what": "cut", "after": -1}, "counted from 0"),
        ({"of": "tool", "what": "raise", "number": -1}, "counted from 0"),
    ],
)
def test_what_is_no_fault_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fault_from_dict(values)


def test_a_fault_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a fault of stt, got one of 'llm'"):
        STTFault.from_dict(LLMFault("cut").as_dict())


# --- without faults -----------------------------------------------------------------------------------------


class TestSTTWithoutFaults(STTConformance):
    def utterances(self) -> tuple[tuple[bytes, str], tuple[bytes, str]]:
        first, second = ((LEXICON.speak(text)[0], text) for text in ("two large coffees please", "and some cake today"))
        return first, second

    def provider(self) -> FaultySTT:
        return FaultySTT(ScriptedSTT(LEXICON, delay=0.3), [STTFault("cut", request=99)])

    def failing_provider(self) -> FaultySTT:
        return FaultySTT(ScriptedSTT(LEXICON), [STTFault("cut", request=None, after=1)])

    def stalled_provider(self) -> FaultySTT:
        return FaultySTT(ScriptedSTT(LEXICON), [STTFault("stalled", request=None)])


def reply(messages: Sequence[Message]) -> Any:
    """Knows two capitals, and asks for prices."""
    if messages and messages[-1].results:
        return f"It is {messages[-1].results[0].text}."
    last = next((message.text for message in reversed(messages) if message.role == "user"), "")
    known = {
        "What is the capital of France?": "The capital of France is Paris.",
        "What is the capital of Japan?": "It is Tokyo.",
        "What does a latte cost?": ("Let me look.", calls("price", drink="latte")),
    }
    return known.get(last, "Cherries are red. Grass is green. The sky is blue.")


class TestLLMWithoutFaults(LLMConformance):
    def provider(self) -> FaultyLLM:
        return FaultyLLM(ScriptedLLM(reply, first=0.3, rate=20), [LLMFault("cut", request=99)])

    def failing_provider(self) -> FaultyLLM:
        return FaultyLLM(ScriptedLLM(reply), [LLMFault("cut", request=None, after=2)])

    def stalled_provider(self) -> FaultyLLM:
        return FaultyLLM(ScriptedLLM(reply), [LLMFault("stalled", request=None, after=2)])


class TestTTSWithoutFaults(TTSConformance):
    def provider(self) -> FaultyTTS:
        return FaultyTTS(ScriptedTTS(LEXICON), [TTSFault("cut", request=99)])

    def failing_provider(self) -> FaultyTTS:
        return FaultyTTS(ScriptedTTS(LEXICON), [TTSFault("cut", request=None)])

    def stalled_provider(self) -> FaultyTTS:
        return FaultyTTS(ScriptedTTS(LEXICON), [TTSFault("stalled", request=None)])


# --- where a fault strikes -----------------------------------------------------------------------------------


async def said(llm: FaultyLLM) -> list[Any]:
    """The items of a request, and the error at its end if there is one."""
    items: list[Any] = []
    try:
        async for item in llm.respond(ASK):
            items.append(item)
    except (Exception, asyncio.CancelledError) as error:
        items.append(type(error).__name__)
    return items


FIRST, SECOND = ["One", " two", " three"], ["Four"]
REST = Usage(3, 3)


@pytest.mark.parametrize(
    ("fault", "items"),
    [
        (LLMFault("cut"), ["ConnectionResetError"]),
        (LLMFault("cut", after=2), ["One", " two", "ConnectionResetError"]),
        (LLMFault("cut", after=3), [*FIRST, REST, "ConnectionResetError"]),
        (LLMFault("cut", after=4), [*FIRST, REST]),
        (LLMFault("ended", after=1), ["One"]),
        (LLMFault("cancelled", after=1), ["One", "CancelledError"]),
        (LLMFault("late", 1.0), [*FIRST, REST]),
        (LLMFault("unknown tool", after=1), ["One", ToolCall("call_1", "no_such_tool", "{}")]),
        (LLMFault("wrong type", after=1), ["One", 42, " two", " three", REST]),
        (LLMFault("wrong type", after=3), [*FIRST, REST, 42]),
        (LLMFault("empty text", after=1), ["One", "", " ", "\n"]),
    ],
)
async def test_a_fault_takes_the_place_of_the_item_it_names(fault: LLMFault, items: list[Any]) -> None:
    llm = FaultyLLM(script("One two three", "Four"), [fault])
    assert await said(llm) == items
    assert (await said(llm))[:1] == SECOND
    assert [each.fault for each in llm.injected] == ([] if fault.after == 4 else [fault])


async def test_a_refused_request_does_not_reach_the_provider() -> None:
    inner = script("One", "Two")
    llm = FaultyLLM(inner, [LLMFault("rate limited", 7.0)])
    with pytest.raises(Failure, match=r"too many requests .* \(429\).*it asks to wait 7 s") as failed:
        [item async for item in llm.respond(ASK)]
    assert (failed.value.again, failed.value.wait, inner.requests) == (True, 7.0, [])
    assert (await said(llm))[0] == "One"


async def test_requests_are_counted_behind_those_that_are_skipped() -> None:
    llm = FaultyLLM(script("Yes."), [LLMFault("ended", request=1)], skip=1)
    assert [len(await said(llm)) for _ in range(4)] == [2, 2, 0, 2]


async def test_slow_pauses_before_each_item_and_late_once_and_the_record_says_when() -> None:
    loop = asyncio.get_running_loop()
    slow, late = LLMFault("slow", 2.0, after=1), LLMFault("late", 5.0, request=1)
    llm = FaultyLLM(script("One two three", rate=10), [slow, late])
    await said(llm)
    assert loop.time() == pytest.approx(2 * 0.1 + 2 * 2.0)
    assert [(round(at, 3), fault.what) for at, fault in llm.injected] == [(0.1, "slow")]
    await said(llm)
    assert loop.time() == pytest.approx(4.2 + 0.2 + 5.0)
    assert llm.requests == [0.0, pytest.approx(4.2)]


async def test_a_tool_loop_goes_on_in_every_later_request() -> None:
    llm = FaultyLLM(script("Yes."), [LLMFault("tool loop", request=1)])
    assert [[type(item) for item in await said(llm)] for _ in range(3)] == [[str, Usage], [ToolCall], [ToolCall]]


@pytest.mark.parametrize("seconds", [0.0, 3.0])
async def test_what_is_deaf_swallows_cancellation_until_it_is_let_go_or_its_time_is_over(seconds: float) -> None:
    llm = FaultyLLM(script("Yes."), [LLMFault("deaf", seconds)])
    task = asyncio.create_task(said(llm))
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.sleep(0.5)
    assert not task.done()
    if seconds:
        await asyncio.sleep(0.6)
    else:
        llm.let_go()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert task.done()


async def test_what_is_deaf_within_the_provider_is_let_go_too() -> None:
    llm = FaultyLLM(script("Yes.", failing=Failing("deaf")), [])
    task = asyncio.create_task(said(llm))
    await asyncio.sleep(1.0)
    llm.let_go()
    assert await task == []


async def heard(stt: FaultySTT, *texts: str) -> list[Any]:
    """One utterance with a flush behind each text: segments and texts of transcripts; whether a flush is the one that
    was sent."""
    flushes: list[Flush] = []

    async def audio() -> AsyncIterator[bytes | Flush]:
        for text in texts:
            yield LEXICON.speak(text)[0]
            flushes.append(Flush())
            yield flushes[-1]

    found: list[Any] = []
    async for item in stt.transcribe(audio()):
        if isinstance(item, Transcript):
            found.append((item.text, item.final) if item.final else item.text)
        else:
            found.append(item in flushes if isinstance(item, Flush) else repr(item))
    return found


@pytest.mark.parametrize(
    ("what", "first", "second"),
    [
        ("empty transcript", ["", True, "", True], ["c", True]),
        ("repeated final", [("a", True), ("a", True), True, ("a b", True), ("a b", True), True], ["c", True]),
        ("after the flush", [True, True, "a"], ["c", True, "a b"]),
        ("no flush", ["a", "a b"], ["c", True]),
        ("wrong flush", ["a", False, False, "a b", False, False], ["c", True]),
        ("wrong type", ["'a'", True, "'a b'", True], ["c", True]),
    ],
)
async def test_what_a_recogniser_does_that_it_must_not(what: str, first: list[Any], second: list[Any]) -> None:
    stt = FaultySTT(ScriptedSTT(LEXICON), [STTFault(what)])
    assert await heard(stt, "a", "b") == first
    assert await heard(stt, "c") == second


async def test_words_of_an_old_utterance_come_before_those_of_the_next_one() -> None:
    stt = FaultySTT(ScriptedSTT(LEXICON), [STTFault("old utterance", request=1)])
    assert await heard(stt, "a") == ["a", True]
    assert await heard(stt, "b") == ["a", "b", True]
    assert await heard(stt, "c") == ["c", True]


async def spoken(fault: TTSFault, text: str = "a b") -> list[Any]:
    async def script() -> AsyncIterator[str]:
        yield text

    return [item async for item in FaultyTTS(ScriptedTTS(LEXICON), [fault]).generate(script())]


async def test_the_audio_of_a_voice_is_cut_gathered_or_followed_by_more() -> None:
    whole = LEXICON.speak("a b")[0]
    odd = await spoken(TTSFault("odd pieces"))
    assert [len(piece.audio) for piece in odd][:4] == [1, 7, 333, 1]
    assert b"".join(piece.audio for piece in odd) == whole
    (long,) = await spoken(TTSFault("long piece"))
    assert (len(long.audio), long.audio[: len(whole)]) == (80_000, whole)
    more = await spoken(TTSFault("more audio"))
    assert b"".join(piece.audio for piece in more[:2]) == whole
    assert (len(more[2].audio), more[2].words) == (16_000, ())
    assert await spoken(TTSFault("wrong type", after=1)) == [Speech(*LEXICON.speak("a")), LEXICON.speak("b")[0]]


@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("words backwards", lambda words: words[0].end > words[1].end and words[0].end < words[0].start),
        ("words beyond", lambda words: words[0].start >= 60),
        ("words before", lambda words: words[1].end < 0),
        ("words nan", lambda words: words[0].start != words[0].start),
        ("words infinite", lambda words: words[0].end == float("inf")),
        ("only words", lambda words: len(words) == 2),
    ],
)
async def test_times_of_words_are_what_they_must_not_be(what: str, holds: Callable[[Any], bool]) -> None:
    pieces = await spoken(TTSFault(what))
    assert holds([word for piece in pieces for word in piece.words])
    assert bool(b"".join(piece.audio for piece in pieces)) == (what != "only words")


def test_constructors_are_simple() -> None:
    assert [kind.of for kind in (*PROVIDER_FAULTS, *CODE_FAULTS)] == ["stt", "llm", "tts", "tool", "handler"]
    assert ToolFault("raise", tool="price") == ToolFault("raise", 0.0, 0, "price")
    assert HandlerFault("block", 0.2, 3, "Own", "on_digit").number == 3

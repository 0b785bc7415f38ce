"""Scripted providers take as long as they are told, in each part and for each request, and mishear by seed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.frames import Transcript
from voiceloop.llm.base import Usage
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import Flush
from voiceloop.testing import STTConformance, TTSConformance
from voiceloop.testing.scripted import Failing, Mishearing, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.testing.scripted_timing import for_request

LEXICON = Lexicon(letter=0.05, gap=0.05)
ASK = [Message("user", "What is there?")]


async def timed(items: AsyncGenerator[Any, None]) -> list[tuple[float, Any]]:
    """The items, and when each came, seconds from now."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return [(round(loop.time() - began, 3), item) async for item in items]


# --- for each request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (0.3, [0.3, 0.3, 0.3]),
        ([0.1, 0.2], [0.1, 0.2, 0.2]),
        ((0.1,), [0.1, 0.1, 0.1]),
        (lambda number: number / 10, [0.0, 0.1, 0.2]),
        ({1: 0.5}, [{1: 0.5}] * 3),
    ],
)
def test_a_value_is_the_same_for_all_requests_or_another_one_for_each(value: Any, values: list[Any]) -> None:
    assert [for_request(value, number) for number in range(3)] == values


def test_an_empty_list_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="got an empty list"):
        for_request([], 0)


# --- the model ----------------------------------------------------------------------------------------------


async def asked(llm: ScriptedLLM, messages: Sequence[Message] = ASK) -> list[tuple[float, str]]:
    return [(at, item) for at, item in await timed(llm.respond(messages)) if not isinstance(item, Usage)]


async def test_a_model_begins_writes_and_pauses_as_told_for_each_request() -> None:
    llm = script("One two three", first=[1.0, 0.0], rate=lambda number: 10 * (number + 1), pauses=[{1: 0.5}, {}])
    assert await asked(llm) == [(1.0, "One"), (1.6, " two"), (1.7, " three")]
    assert await asked(llm) == [(0.0, "One"), (0.05, " two"), (0.1, " three")]


async def test_one_of_the_replies_may_be_a_function_of_what_was_asked() -> None:
    llm = script("Hello.", lambda messages: f"You said {messages[-1].text}", lambda messages: calls("hours"))
    assert [item for _, item in await asked(llm)] == ["Hello."]
    assert [item for _, item in await asked(llm, [Message("user", "tea")])] == ["You", " said", " tea"]
    assert [item.name for _, item in await asked(llm)] == ["hours"]  # type: ignore[attr-defined]


async def test_a_script_may_fail_and_a_reply_may_be_an_error() -> None:
    llm = script("One two", LookupError("no such thing"), failing=Failing("empty", after=1, requests={0}))
    assert [item for _, item in await asked(llm)] == ["One"]
    with pytest.raises(LookupError, match="no such thing"):
        await asked(llm)


# --- the voice ----------------------------------------------------------------------------------------------


async def spoken(tts: ScriptedTTS, *pieces: str) -> list[tuple[float, int, str]]:
    """When each piece of voice came, how many milliseconds it is long, and the words told with it."""

    async def text() -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    found = await timed(tts.generate(text()))
    return [(at, len(piece.audio) // 8, " ".join(word.text for word in piece.words)) for at, piece in found]


async def test_a_voice_of_half_the_speed_of_speech_takes_twice_as_long() -> None:
    tts = ScriptedTTS(LEXICON, first=[0.3, 0.1], speed=[0.5, 0.0])
    assert await spoken(tts, "tea abcd it") == [(0.3, 200, "tea"), (0.8, 250, "abcd"), (1.1, 150, "it")]
    assert await spoken(tts, "tea abcd it") == [(0.1, 200, "tea"), (0.1, 250, "abcd"), (0.1, 150, "it")]


async def test_a_voice_gives_pieces_of_one_size_and_each_word_with_the_piece_in_which_it_begins() -> None:
    tts = ScriptedTTS(LEXICON, chunk=0.16, speed=1.0)
    pieces = await spoken(tts, "tea ab", "cd it")
    assert pieces == [(0.0, 160, "tea"), (0.16, 160, "abcd"), (0.32, 160, "it"), (0.44, 120, "")]
    assert await spoken(ScriptedTTS(LEXICON, chunk=0.16, words=False), "tea") == [(0.0, 160, ""), (0.0, 40, "")]


async def test_the_audio_and_the_times_of_words_do_not_depend_on_the_size_of_pieces() -> None:
    async def text() -> AsyncIterator[str]:
        yield "tea abcd it"

    whole = [piece async for piece in ScriptedTTS(LEXICON).generate(text())]
    cut = [piece async for piece in ScriptedTTS(LEXICON, chunk=0.07).generate(text())]
    assert b"".join(piece.audio for piece in whole) == b"".join(piece.audio for piece in cut)
    assert [word for piece in whole for word in piece.words] == [word for piece in cut for word in piece.words]


@pytest.mark.parametrize("text", ["one\ntwo three", "one\u2028two\tthree", "one two  three\r\n"])
async def test_a_voice_takes_any_blank_between_words(text: str) -> None:
    assert [word for _, _, word in await spoken(ScriptedTTS(LEXICON), text)] == ["one", "two", "three"]


async def test_half_a_character_has_no_sound_of_its_own() -> None:
    assert [word for _, _, word in await spoken(ScriptedTTS(LEXICON), "caf\u00e9 a\ud800")] == ["caf\u00e9", "a?"]


# --- the recogniser -----------------------------------------------------------------------------------------


async def heard(stt: ScriptedSTT, *said: str | float) -> list[tuple[float, Any]]:
    """What a recogniser gives for texts, silence in seconds, and a flush behind each text, in real time: (when, text,
    segment, final), or (when, "flush")."""

    async def audio() -> AsyncIterator[bytes | Flush]:
        for each in said:
            sound = LEXICON.speak(each)[0] if isinstance(each, str) else b"\xff" * round(each * 8000)
            for at in range(0, len(sound), 400):
                await asyncio.sleep(len(sound[at : at + 400]) / 8000)
                yield sound[at : at + 400]
            if isinstance(each, str):
                yield Flush()

    def shown(item: Any) -> Any:
        return (item.text, item.segment, item.final) if isinstance(item, Transcript) else "flush"

    return [(at, shown(item)) for at, item in await timed(stt.transcribe(audio()))]


async def test_each_flush_is_answered_after_its_own_delay() -> None:
    stt = ScriptedSTT(LEXICON, delay=[0.3, 0.1])
    assert await heard(stt, "ab cd", "ef") == [
        (0.6, ("ab cd", 0, False)),
        (0.6, "flush"),
        (0.85, ("ab cd ef", 0, False)),
        (0.85, "flush"),
    ]


async def test_interim_transcripts_lag_behind_and_the_flush_comes_after_them() -> None:
    stt = ScriptedSTT(LEXICON, interims=0.15, lag=0.2, delay=0.05)
    assert await heard(stt, "ab cd ef") == [
        (0.35, ("ab", 0, False)),
        (0.5, ("ab cd", 0, False)),
        (0.65, ("ab cd ef", 0, False)),
        (0.65, ("ab cd ef", 0, False)),
        (0.65, "flush"),
    ]


async def test_finals_come_late_while_the_caller_goes_on_in_another_segment() -> None:
    stt = ScriptedSTT(LEXICON, final=0.4)
    assert await heard(stt, "ab", 0.1, "cd", 1.0) == [
        (0.15, ("ab", 0, False)),
        (0.15, "flush"),
        (0.4, ("cd", 1, False)),
        (0.4, "flush"),
        (0.55, ("ab", 0, True)),
        (0.8, ("cd", 1, True)),
    ]
    assert await heard(ScriptedSTT(LEXICON, final=0.0), "ab", "cd") == [
        (0.15, ("ab", 0, True)),
        (0.15, "flush"),
        (0.3, ("cd", 1, True)),
        (0.3, "flush"),
    ]


async def test_a_recogniser_that_is_cancelled_reads_no_more() -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(heard(ScriptedSTT(LEXICON, interims=0.1, lag=0.1), "abc def", 5.0))
    await asyncio.sleep(0.4)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_failing_works_with_interims_too() -> None:
    stt = ScriptedSTT(LEXICON, interims=0.1, failing=Failing("raise", after=1))
    with pytest.raises(ConnectionError, match="broken, as scripted"):
        await heard(stt, "ab cd ef")


async def test_words_are_misheard_dropped_and_repeated_by_seed() -> None:
    text = "a large latte, and some tea. Then one latte more please"
    always = Mishearing({"latte": "ladder", "tea": "tee"})
    assert (await heard(ScriptedSTT(LEXICON, mishearing=always), text))[0][1][0] == (
        "a large ladder, and some tee. Then one ladder more please"
    )
    drawn = [Mishearing(drop=0.3, repeat=0.3, seed=seed) for seed in range(6)]
    texts = [" ".join(each.heard(text.split(), 0)) for each in drawn]
    assert texts == [" ".join(each.heard(text.split(), 0)) for each in drawn]
    assert len(set(texts)) == 6
    assert Mishearing(drop=1.0).heard(["tea"], 0) == []
    assert Mishearing(repeat=1.0).heard(["tea"], 0) == ["tea", "tea"]


def test_what_was_misheard_does_not_change_with_what_follows() -> None:
    words = [f"word{number}" for number in range(40)]
    wrong = Mishearing(dict.fromkeys(words, "other"), rate=0.5, drop=0.2, repeat=0.2, seed=4)
    whole = wrong.heard(words, 3)
    for end in range(len(words)):
        part = wrong.heard(words[:end], 3)
        assert whole[: len(part)] == part
    assert wrong.heard(words, 4) != whole


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="probabilities lie between 0 and 1"):
        Mishearing(drop=1.5)


# --- they keep the contract ---------------------------------------------------------------------------------


class TestLiveSTT(STTConformance):
    def utterances(self) -> tuple[tuple[bytes, str], tuple[bytes, str]]:
        first, second = ((LEXICON.speak(text)[0], text) for text in ("two large coffees please", "and some cake today"))
        return first, second

    def provider(self) -> ScriptedSTT:
        return ScriptedSTT(LEXICON, delay=0.2, interims=0.2, lag=0.1, final=0.1)

    def failing_provider(self) -> ScriptedSTT:
        return ScriptedSTT(LEXICON, interims=0.2, failing=Failing("raise", after=1))

    def stalled_provider(self) -> ScriptedSTT:
        return ScriptedSTT(LEXICON, interims=0.2, failing=Failing("stall"))


class TestSlowTTS(TTSConformance):
    def provider(self) -> ScriptedTTS:
        return ScriptedTTS(LEXICON, first=0.2, speed=0.8, chunk=0.05)

"""A voice as a plain object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from voiceloop.conversation import ToolCall
from voiceloop.errors import VoiceloopError
from voiceloop.frames import Word
from voiceloop.language import LanguageError
from voiceloop.llm.base import Usage
from voiceloop.pull import ProviderFailed, ProviderStalled
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Failing, ScriptedTTS
from voiceloop.tts.base import TTS, Speech
from voiceloop.tts.processor import TTSOptions
from voiceloop.tts.stream import TTSStream


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon()


class Pieces(TTS):
    """Speaks pieces of these lengths, whatever it is told."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes
        self.warmed = self.asked = 0

    async def warm(self) -> None:
        self.warmed += 1

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        self.asked += 1
        async for _ in text:
            pass
        for number, size in enumerate(self.sizes):
            yield Speech(bytes([number + 1]) * size, (Word(f"w{number}", 0.0, 0.1),) if size else ())


async def whole(stream: TTSStream, text: Any, into: list[Any] | None = None, **options: Any) -> list[Any]:
    payloads = [] if into is None else into
    async for payload in stream.generate(text, **options):
        payloads.append(payload)
    return payloads


@pytest.mark.parametrize("sizes", [(160,), (1, 158, 1, 0, 7), (16000,), (100, 4000, 33), (3,), ()])
async def test_payloads_are_whole_frames_of_at_most_200_ms_and_lose_nothing(sizes: tuple[int, ...]) -> None:
    payloads = await whole(TTSStream(Pieces(*sizes)), "...")
    audio = b"".join(bytes([number + 1]) * size for number, size in enumerate(sizes))
    assert b"".join(payloads) == audio + b"\xff" * (-len(audio) % 160)
    assert [len(payload) % 160 for payload in payloads] == [0] * len(payloads)
    assert all(0 < len(payload) <= 1600 for payload in payloads)
    assert [payload.position for payload in payloads] == [sum(map(len, payloads[:at])) for at in range(len(payloads))]


async def test_the_first_payload_comes_with_the_voices_first_piece(lexicon: Lexicon) -> None:
    async def tokens() -> AsyncIterator[str]:
        yield "Hello "
        await asyncio.sleep(100)
        yield "there"

    stream = TTSStream(ScriptedTTS(lexicon, first=0.2), options=TTSOptions(stall=200))
    began = asyncio.get_running_loop().time()
    async with aclosing(stream.generate(tokens())) as payloads:
        first = await anext(payloads)
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.2)
        assert first.utterance.words == [Word("Hello", 0.0, 0.25)]
        assert first.utterance.milestones == {"text": pytest.approx(began), "audio": pytest.approx(began + 0.2)}


async def test_several_texts_at_once_do_not_mix(lexicon: Lexicon) -> None:
    stream = TTSStream(ScriptedTTS(lexicon, first=0.1))
    texts = [f"this is number {number} of all" for number in range(20)]
    spoken = await asyncio.gather(*(whole(stream, text) for text in texts))
    assert [lexicon.text(b"".join(payloads)) for payloads in spoken] == texts
    assert [payloads[0].utterance.text for payloads in spoken] == texts
    assert len({id(payload.utterance) for payloads in spoken for payload in payloads}) == 20


@pytest.mark.parametrize("text", ["", " \n", []])
async def test_where_there_is_nothing_to_say_nothing_comes(lexicon: Lexicon, text: Any) -> None:
    assert await whole(TTSStream(ScriptedTTS(lexicon)), text) == []


@pytest.mark.parametrize("text", [None, 17, b"hello", lambda: "hello"])
async def test_what_is_no_text_is_refused_at_once(lexicon: Lexicon, text: Any) -> None:
    with pytest.raises(TypeError, match="generate takes a text, or an iterable of pieces of text; got "):
        TTSStream(ScriptedTTS(lexicon)).generate(text)


async def test_a_voice_that_was_not_made_is_refused() -> None:
    with pytest.raises(TypeError, match=r"an instance of TTS; got .* Did you mean Pieces\(\)\?"):
        TTSStream(Pieces)  # type: ignore[arg-type]


async def test_without_a_voice_the_error_says_how_to_name_one() -> None:
    with pytest.raises(VoiceloopError, match=r"there is no voice .* ConnectionManager\(tts="):
        await whole(TTSStream(), "hello")


async def test_a_tool_call_in_a_models_answer_is_an_error_and_its_usage_is_not(lexicon: Lexicon) -> None:
    stream = TTSStream(ScriptedTTS(lexicon))
    assert lexicon.text(b"".join(await whole(stream, ["one ", Usage(1, 2), "two"]))) == "one two"
    payloads: list[Any] = []
    with pytest.raises(TypeError, match="generate takes pieces of text; one was ToolCall"):
        await whole(stream, ["one ", ToolCall("1", "price", "{}"), "two"], payloads)
    assert lexicon.text(b"".join(payloads)) == "one"


async def test_an_error_of_the_text_comes_once_all_before_it_was_spoken(lexicon: Lexicon) -> None:
    async def tokens() -> AsyncIterator[str]:
        yield "one two "
        raise LookupError("the model is gone")

    payloads: list[Any] = []
    with pytest.raises(LookupError, match="the model is gone"):
        await whole(TTSStream(ScriptedTTS(lexicon)), tokens(), payloads)
    assert lexicon.text(b"".join(payloads)) == "one two"
    assert payloads[0].utterance.ended == "failed"


async def test_a_voice_that_fails_before_any_sound_is_asked_again_with_the_same_text(lexicon: Lexicon) -> None:
    voice = ScriptedTTS(lexicon, failing=Failing("raise", requests={0}))
    assert lexicon.text(b"".join(await whole(TTSStream(voice), iter(["one ", "two ", "three"])))) == "one two three"
    assert voice.failing is not None
    assert voice.failing.count == 2


@pytest.mark.parametrize(
    ("how", "after", "asked", "error"),
    [
        ("raise", 0, 2, "ScriptedTTS failed: ConnectionError: broken, as scripted"),
        ("raise", 1, 1, "ScriptedTTS failed: ConnectionError: broken, as scripted"),
        ("stall", 0, 2, "ScriptedTTS: nothing came for 5 s"),
        ("stall", 1, 1, "ScriptedTTS: nothing came for 5 s"),
        ("empty", 0, 2, "ScriptedTTS gave no audio for 'one two three'"),
    ],
)
async def test_a_voice_that_fails_is_an_error_within_its_limit(
    lexicon: Lexicon, how: Any, after: int, asked: int, error: str
) -> None:
    voice = ScriptedTTS(lexicon, failing=Failing(how, after=after))
    began = asyncio.get_running_loop().time()
    payloads: list[Any] = []
    with pytest.raises(ProviderFailed) as failure:
        await whole(TTSStream(voice), "one two three", payloads)
    assert str(failure.value) == error
    assert asyncio.get_running_loop().time() - began == pytest.approx(5 * asked if how == "stall" else 0.0)
    assert voice.failing is not None
    assert voice.failing.count == asked
    assert lexicon.text(b"".join(payloads)) == ("one" if after else "")


async def test_a_voice_that_waits_for_its_text_is_not_stalled_but_one_that_sits_on_it_is(lexicon: Lexicon) -> None:
    async def late() -> AsyncIterator[str]:
        await asyncio.sleep(20)
        yield "hello"

    assert lexicon.text(b"".join(await whole(TTSStream(ScriptedTTS(lexicon)), late()))) == "hello"

    async def slow() -> AsyncIterator[str]:
        while True:
            yield "letters without an end"[:1]
            await asyncio.sleep(1)

    began = asyncio.get_running_loop().time()
    with pytest.raises(ProviderStalled):
        await whole(TTSStream(ScriptedTTS(lexicon), options=TTSOptions(tries=1)), slow())
    assert asyncio.get_running_loop().time() - began == pytest.approx(15.0)


async def test_closing_it_cancels_the_voice_and_the_text(lexicon: Lexicon) -> None:
    ended: list[str] = []

    class Voice(ScriptedTTS):
        async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
            try:
                async for speech in super().generate(text):
                    yield speech
            finally:
                ended.append("voice")

    async def tokens() -> AsyncIterator[str]:
        try:
            while True:
                yield "word "
        finally:
            ended.append("text")

    async with aclosing(TTSStream(Voice(lexicon)).generate(tokens())) as payloads:
        payload = await anext(payloads)
        await asyncio.sleep(10)
        assert ended == []
        assert payload.utterance.text.count("word") < 6  # no more is made than is asked for
    assert sorted(ended) == ["text", "voice"]
    assert payload.utterance.ended == "closed"


async def test_a_loop_that_is_cancelled_while_it_waits_leaves_nothing(lexicon: Lexicon) -> None:
    loop = asyncio.ensure_future(whole(TTSStream(ScriptedTTS(lexicon, first=3.0)), "hello"))
    await asyncio.sleep(1)
    loop.cancel()
    await asyncio.wait([loop])
    assert loop.cancelled()
    assert len(asyncio.all_tasks()) == 1


async def test_a_voice_that_swallows_its_cancellation_is_left_behind_within_a_second(
    lexicon: Lexicon, caplog: pytest.LogCaptureFixture
) -> None:
    voice = ScriptedTTS(lexicon, failing=Failing("deaf", after=1))
    payloads = TTSStream(voice).generate("one two three")
    await anext(payloads)
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    await payloads.aclose()
    assert asyncio.get_running_loop().time() - began == pytest.approx(1.0)
    assert "ScriptedTTS did not end within 1 s of being cancelled, and was left" in caplog.text
    assert voice.failing is not None
    voice.failing.let_go()
    await asyncio.sleep(0.01)


async def test_the_voice_is_warmed_once_in_a_runtime_and_may_be_substituted() -> None:
    named, other = Pieces(160), Pieces(320)
    async with Runtime() as runtime:
        stream = TTSStream(named, runtime=runtime)
        assert [len(await whole(stream, "a")) for _ in range(3)] == [1, 1, 1]
        assert named.warmed == 1
    async with Runtime(substitutes={TTS: other}) as runtime:
        assert b"".join(await whole(TTSStream(named, runtime=runtime), "a")) == b"\x01" * 320
    assert named.asked == 3


async def test_a_language_the_voice_does_not_speak_is_an_error() -> None:
    class English(Pieces):
        languages = ("en",)

    stream = TTSStream(English(160))
    assert len(await whole(stream, "a", language="en")) == 1
    with pytest.raises(LanguageError):
        await whole(stream, "a", language="de")


async def test_text_that_comes_late_gives_the_voice_its_time_from_there(lexicon: Lexicon) -> None:
    class Slow(TTS):
        async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
            async for piece in text:
                await asyncio.sleep(0.3)
                yield Speech(lexicon.speak(piece)[0])

    async def late() -> AsyncIterator[str]:
        yield "One."
        await asyncio.sleep(5.0)  # the next words are there just before the stall limit has passed
        yield "Two."

    payloads = await whole(TTSStream(Slow(), options=TTSOptions(stall=5.0)), late())
    assert lexicon.text(b"".join(payloads)) == "One. Two."

"""What a fallback is made of, and how it gets ready and is closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.errors import VoiceloopError
from voiceloop.fallback import Fallback, FallbackFailed, FallbackOptions
from voiceloop.language import LanguageError
from voiceloop.llm.base import LLM, Echo, Item, ToolCall, ToolSpec
from voiceloop.served import Served
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, script
from voiceloop.tts.base import TTS, Speech

QUESTION = [Message("user", "Hello?")]


def test_it_is_of_the_kind_of_its_members() -> None:
    lexicon = Lexicon()
    assert isinstance(Fallback([ScriptedSTT(lexicon), ScriptedSTT(lexicon)]), STT)
    assert isinstance(Fallback([script("Yes.")]), LLM)
    assert isinstance(Fallback([ScriptedTTS(lexicon), Fallback([ScriptedTTS(lexicon)])]), TTS)


@pytest.mark.parametrize(
    ("providers", "error", "says"),
    [
        ([], VoiceloopError, "at least one provider, got an empty list"),
        ([ScriptedLLM], TypeError, r"Did you mean ScriptedLLM\(\)\?"),
        (["gpt"], TypeError, "instances of STT, LLM or TTS, got 'gpt'"),
        (script("Yes."), TypeError, "takes a list of providers"),
        ([script("Yes."), ScriptedTTS(Lexicon())], VoiceloopError, r"ScriptedLLM \(LLM\), ScriptedTTS \(TTS\)"),
        ([same := script("Yes."), same], VoiceloopError, "stands in the list twice"),
    ],
)
def test_what_cannot_be_is_told(providers: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Fallback(providers)


@pytest.mark.parametrize("wrong", [{"first": 0.0}, {"stall": -1.0}, {"rest": 0.0}, {"rest": 20.0, "rest_most": 10.0}])
def test_waits_must_make_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="all waits must be positive"):
        FallbackOptions(**wrong)


class Tricky(ScriptedLLM):
    """Warms as it is told."""

    takes_tools = False

    def __init__(self, *replies: Any, warming: float | Exception = 0.0, closing: Exception | None = None) -> None:
        super().__init__(replies or ["Yes."])
        self.warming = warming
        self.closing = closing
        self.warmed = self.closed = 0

    async def warm(self) -> None:
        self.warmed += 1
        if isinstance(self.warming, Exception):
            raise self.warming
        await asyncio.sleep(self.warming)

    async def aclose(self) -> None:
        self.closed += 1
        if self.closing is not None:
            raise self.closing


async def answer(llm: LLM, messages: Sequence[Message] = QUESTION, tools: Sequence[ToolSpec] = ()) -> list[Item]:
    return [item async for item in llm.respond(messages, tools)]


def text(items: Sequence[Item]) -> str:
    return "".join(item for item in items if isinstance(item, str))


async def test_one_that_cannot_be_warmed_rests_and_is_warmed_when_it_is_tried_again() -> None:
    first, second = Tricky("One.", warming=ConnectionError("no route")), Tricky("Two.")
    llm = Fallback([first, second])
    await llm.warm()
    items = await answer(llm)
    assert (text(items), items[0]) == ("Two.", Served("Tricky 2", "Tricky 1", "ConnectionError: no route"))
    first.warming = 0.1
    await asyncio.sleep(10)
    items = await answer(llm)
    assert (text(items), items[0], first.warmed) == ("One.", Served("Tricky 1"), 2)
    await llm.aclose()
    assert (first.closed, second.closed) == (1, 1)


async def test_when_none_can_be_warmed_the_first_error_is_told() -> None:
    llm = Fallback([Tricky(warming=ConnectionError("one")), Tricky(warming=ConnectionError("two"))])
    with pytest.raises(ConnectionError, match="one"):
        await llm.warm()
    await llm.aclose()


async def test_one_that_takes_long_to_warm_is_not_waited_for_when_another_is_ready() -> None:
    loop = asyncio.get_running_loop()
    slow = Tricky("One.", warming=8.0)
    llm = Fallback([slow, Tricky("Two.")])
    await llm.warm()
    assert loop.time() == pytest.approx(5.0)
    assert text(await answer(llm)) == "Two."
    await asyncio.sleep(11)
    assert text(await answer(llm)) == "One."
    assert slow.warmed == 1
    await llm.aclose()


async def test_all_are_closed_though_one_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Tricky(closing=OSError("stuck")), Tricky()
    llm = Fallback([first, second])
    with caplog.at_level(logging.WARNING, "voiceloop"):
        await llm.aclose()
    assert (first.closed, second.closed) == (1, 1)
    assert caplog.messages == ["closing Tricky 1 failed: OSError: stuck"]


async def test_what_does_not_end_is_given_up_when_it_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing("deaf", requests={0})
    llm = Fallback([ScriptedLLM(["One."], failing=failing), script("Two.")])
    assert text(await answer(llm)) == "Two."
    with caplog.at_level(logging.WARNING, "voiceloop"):
        await llm.aclose()
    assert "given up, for they do not end: answer of ScriptedLLM 1" in caplog.text
    failing.let_go()


async def test_when_all_fail_it_is_told_what_each_did() -> None:
    llm = Fallback([script(ConnectionError("refused")), ScriptedLLM(["Yes."], failing=Failing("empty"))])
    with pytest.raises(FallbackFailed) as told:
        await answer(llm)
    assert str(told.value) == (
        "none of the providers could do it: ScriptedLLM 1: ConnectionError: refused; "
        "ScriptedLLM 2: it ended without writing anything"
    )


async def test_a_slow_one_that_is_first_after_all_serves_and_is_not_held_to_have_failed() -> None:
    first, second = ScriptedLLM(["One."], first=0.8), ScriptedLLM(["Two."], first=0.5)
    llm = Fallback([first, second])
    for _ in range(2):
        items = await answer(llm)
        assert (text(items), items[0]) == ("One.", Served("ScriptedLLM 1"))
    assert len(second.requests) == 2  # it was asked in vain


async def test_a_fallback_of_fallbacks_tells_who_did_it() -> None:
    broken = Fallback([script(OSError("1")), script(OSError("2"))])
    llm = Fallback([broken, Fallback([ScriptedLLM(["Yes."])])])
    why = "FallbackFailed: none of the providers could do it: ScriptedLLM 1: OSError: 1; ScriptedLLM 2: OSError: 2"
    served = [item for item in await answer(llm) if isinstance(item, Served)]
    assert served == [Served("ScriptedLLM", "FallbackLLM 1", why)]


class Asking(LLM):
    """Says something, asks for a tool, and then fails or ends."""

    takes_tools = True

    def __init__(self, fails: bool) -> None:
        self.fails = fails
        self.echoes: list[Any] = []

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        self.echoes.append([message.echo for message in messages if message.calls])
        yield "Let me lo"
        yield "ok"
        yield ToolCall("1", "price")
        yield Echo("signed")
        if self.fails:
            raise ConnectionError("cut")


@pytest.mark.parametrize("fails", [False, True])
async def test_an_answer_that_asked_for_a_tool_is_over_and_its_echo_finds_its_way_back(fails: bool) -> None:
    first, second = Asking(fails), Asking(False)
    llm = Fallback([first, second])
    assert llm.takes_tools
    items = await answer(llm, QUESTION, [ToolSpec("price", "The price.")])
    assert items[:-1] == [Served("Asking 1"), "Let me ", "look", ToolCall("1", "price")]
    echo = items[-1]
    assert isinstance(echo, Echo)
    asked = Message("assistant", "Let me look", calls=(ToolCall("1", "price"),), echo=echo.content)
    await answer(llm, [*QUESTION, asked], [ToolSpec("price", "The price.")])
    assert (first.echoes, second.echoes) == (([[]], [[None]]) if fails else ([[], ["signed"]], []))


class German(ScriptedTTS):
    languages = ("de",)


class English(ScriptedTTS):
    languages = ("en",)


async def test_those_that_know_the_language_of_the_call_stand_in_for_each_other() -> None:
    lexicon = Lexicon()
    english, german = English(lexicon, failing=Failing("raise")), German(lexicon)
    tts = Fallback([english, german, German(lexicon)])
    assert tts.languages == ("en", "de")
    assert tts.for_language("de") is tts.for_language("de")
    assert tts.for_language("de").providers == tts.providers[1:]
    assert Fallback([german]).for_language("de-CH").providers == (german,)
    with pytest.raises(LanguageError, match=r"English knows en.*German knows de"):
        tts.for_language("fr")
    both = Fallback([ScriptedTTS(lexicon), german])
    assert both.languages is None
    assert both.for_language("de") is both


async def test_the_source_of_a_text_that_breaks_is_no_failure_of_the_voice() -> None:
    lexicon = Lexicon()
    tts = Fallback([ScriptedTTS(lexicon), ScriptedTTS(lexicon)])

    async def source() -> AsyncIterator[str]:
        yield "Good morning "
        raise LookupError("the model is gone")

    audio = bytearray()

    async def speak() -> None:
        async for item in tts.generate(source()):
            audio.extend(item.audio if isinstance(item, Speech) else b"")

    with pytest.raises(LookupError, match="the model is gone"):
        await speak()
    assert lexicon.text(bytes(audio)) == "Good morning"
    assert await anext(tts.generate(one("Hello."))) == Served("ScriptedTTS 1")


async def one(piece: str) -> AsyncIterator[str]:
    yield piece

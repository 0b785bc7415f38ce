"""After a rehearsal the first caller waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from voiceloop import LLM, AudioStreamer, Call, EnergyVAD, LLMAggregator, Message, Pipeline, Runtime, TurnTaking
from voiceloop.llm.base import ToolSpec, Usage
from voiceloop.rehearsal import REHEARSAL, rehearse
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedSTT, ScriptedTTS

LEXICON = Lexicon()


class Slow(LLM):
    """A model that takes a minute to load and to read its instructions."""

    def __init__(self) -> None:
        self.prepared: list[str] = []

    async def warm(self) -> None:
        await asyncio.sleep(60)

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        await asyncio.sleep(60)
        self.prepared.append(beginning[0].text)

    async def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        yield "Sure."


def bot_of(llm: LLM, tts: ScriptedTTS, calls: list[str]) -> Any:
    def bot(call: Call) -> Pipeline:
        calls.append(call.id)
        stages = [call.transport, EnergyVAD(), ScriptedSTT(LEXICON), TurnTaking("Hello there.")]
        return Pipeline([*stages, LLMAggregator(llm, instructions="Be kind."), tts, AudioStreamer()])

    return bot


async def test_models_are_warm_prompts_read_and_the_greeting_rendered() -> None:
    llm, tts, calls = Slow(), ScriptedTTS(LEXICON), list[str]()
    async with Runtime() as runtime:
        report = await rehearse(bot_of(llm, tts, calls), runtime)
        assert (report.reason, report.faults, calls) == (REHEARSAL, [], [REHEARSAL])
        assert llm.prepared == ["Be kind."]
        rendered = runtime.canned(tts, "Hello there.")
        assert rendered is not None
        assert LEXICON.text(rendered.audio) == "Hello there."
        assert [word.text for word in rendered.words] == ["Hello", "there."]
        assert runtime.limits.start == 10.0


async def test_what_cannot_start_is_in_the_report() -> None:
    class Broken(Slow):
        async def warm(self) -> None:
            raise ConnectionError("no such model")

    async with Runtime() as runtime:
        report = await rehearse(bot_of(Broken(), ScriptedTTS(LEXICON), []), runtime)
        assert report.reason == "failed"
        assert "no such model" in report.faults[0].message

"""An answer that has failed, and the caller speaks over what is left of it."""

from __future__ import annotations

from typing import Any

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS

LEXICON = Lexicon()
STT, LLM, TTS = ScriptedSTT(LEXICON), ScriptedLLM(["Yes."]), ScriptedTTS(LEXICON)
MENU = "We have coffee and latte and mocha and tea and cake and bread and soup and juice and water and milk " * 2


def bot(call: Call) -> Pipeline:
    return Pipeline([call.transport, EnergyVAD(), STT, TurnTaking("Hello"), LLMAggregator(LLM), TTS, AudioStreamer()])


async def test_an_answer_that_has_failed_is_still_cut_when_the_caller_speaks(dial: Any) -> None:
    """What was made of it before is still played: up to ten seconds of it."""
    llm = ScriptedLLM([MENU], rate=50, failing=Failing("raise", after=24, requests={0}))
    async with dial(bot, llm=llm) as caller:
        await caller.hears("Hello")
        await caller.says("what do you have")
        cut = await caller.interrupts("a mocha please", after=1.0)
        await caller.hangs_up()
    assert cut.agent_stopped - cut.speech.speech_started < 0.2

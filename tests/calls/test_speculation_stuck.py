"""An answer that was begun before it was certain that the caller is done, and gets stuck on its way to the voice."""

from __future__ import annotations

import asyncio

from voiceloop.call import Call
from voiceloop.frames import AnswerEnded, Commit, Text
from voiceloop.language import Phrases
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.testing.dial import dial
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

LIMIT = 3.0
"""Seconds in which an answer must be heard."""


class Stuck(Processor):
    """Never passes on the first text that comes."""

    def __init__(self) -> None:
        self.count = 0

    async def on_text(self, text: Text) -> None:
        self.count += 1
        if self.count == 1:
            await asyncio.get_running_loop().create_future()
        self.push(text)


async def test_a_guess_that_was_right_and_gets_stuck_is_given_up_for_an_apology_that_is_heard(lexicon: Lexicon) -> None:
    model = ScriptedLLM(["Two lattes, fine.", "Four dollars."], speculative=True)

    def bot(call: Call) -> Pipeline:
        hearing = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("", TurnOptions(model_limit=LIMIT))]
        return Pipeline([*hearing, LLMAggregator(model), Stuck(), ScriptedTTS(lexicon), AudioStreamer()])

    async with dial(bot, llm=model, lexicon=lexicon, silence=0.4) as caller:
        said = await caller.says("Two lattes, please.")
        sorry = await caller.hears()
        assert sorry.text == Phrases().apology
        assert LIMIT < sorry.started - said.speech_ended < LIMIT + 1.0
        (commit,) = caller.frames(Commit)
        ended = {frame.answer: frame.answer.outcome for frame in caller.frames(AnswerEnded)}
        assert ended[commit.answer] == "failed"
        await caller.says("What does that cost?")
        assert (await caller.hears()).text == "Four dollars."
        report = await caller.hangs_up()
    assert [fault.kind for fault in report.faults] == ["model.silent"]
    assert [(turn.caller, turn.heard) for turn in report.turns] == [
        ("Two lattes, please.", ""),
        ("What does that cost?", "Four dollars."),
    ]

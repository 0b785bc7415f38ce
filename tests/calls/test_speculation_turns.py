"""Answers begun before it was certain that the caller is done, with the real turn-taking: wrong guesses, stuck ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.frames import AnswerEnded, Commit, Speculation, Text
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


async def test_what_was_begun_for_a_guess_is_not_heard_when_the_caller_goes_on(lexicon: Lexicon) -> None:
    def answer(messages: Sequence[Message]) -> str:
        return "Two lattes and a tea, fine." if "tea" in messages[-1].text else "Two lattes, fine."

    model = ScriptedLLM(answer, speculative=True)

    def bot(call: Call) -> Pipeline:
        hearing = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("", TurnOptions(finished=1.0))]
        return Pipeline([*hearing, LLMAggregator(model), ScriptedTTS(lexicon), AudioStreamer()])

    async with dial(bot, llm=model, lexicon=lexicon, silence=0.4) as caller:
        await caller.says("Two lattes, please.")
        await caller.waits(0.25)
        assert [frame.turn.text for frame in caller.frames(Speculation)] == ["Two lattes, please."]
        await caller.says("And a tea.")
        assert (await caller.hears()).text == "Two lattes and a tea, fine."
        (first, *_), ended = caller.frames(Speculation), caller.frames(AnswerEnded)
        assert [frame.answer.outcome for frame in ended if frame.answer.turn is first.turn] == ["discarded"]
        assert caller.memory == [
            "user: Two lattes, please. And a tea.",
            "assistant: Two lattes and a tea, fine.",
        ]
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["Two lattes, please. And a tea."]

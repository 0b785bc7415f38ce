"""A processor's own sound in the middle of an answer: the answer is spoken in two parts, and remembered as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.audio.dtmf import tones
from voiceloop.frames import Audio, Text
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedSTT, ScriptedTTS, dial, script
from voiceloop.tts.processor import TTSProcessor
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD


class Chime(Processor):
    """Plays a sound where the model writes a star."""

    def __init__(self, sound: bytes) -> None:
        self._sound = sound

    def on_text(self, text: Text) -> None:
        """What stands in front of the star, the sound, and what stands behind it."""
        before, star, after = text.text.partition("*")
        if before:
            self.push(Text(text.answer, before))
        if star:
            self.push(Audio(text.answer, self._sound, silent=True))
        if after:
            self.push(Text(text.answer, after))


def plain(text: str) -> list[str]:
    """Words, without punctuation and capitals."""
    return [word.strip(".,").casefold() for word in text.split()]


@pytest.mark.parametrize("keys", ["", "12", "1234567890"])
async def test_the_words_behind_a_sound_count_as_heard_when_they_were(
    keys: str, lexicon: Lexicon, heard: Callable[[Any], str]
) -> None:
    sound = tones(keys) if keys else b""

    def bot(call: Any) -> Pipeline:
        ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("")]
        mouth = [LLMAggregator(script("")), Chime(sound), TTSProcessor(ScriptedTTS(lexicon)), AudioStreamer()]
        return Pipeline([*ears, *mouth])

    story = "We have coffee today. * And here is some cake and a bit of bread, and soup for everyone who is hungry."
    async with dial(bot, lexicon=lexicon, llm=script(story, "Sure.")) as caller:
        await caller.says("what do you have")
        await caller.interrupts("no thank you", after=2.5 + len(sound) / 8000)
        sounded = plain(heard(caller))
        report = await caller.hangs_up()
    turn = report.turns[0]
    remembered = plain(turn.heard.replace("* ", ""))
    assert turn.interrupted
    assert "cake" in remembered  # it was cut in the second part
    assert remembered == sounded[: len(remembered)]  # never ahead
    assert len(sounded) - len(remembered) <= 1
    assert turn.unheard.endswith("hungry.")

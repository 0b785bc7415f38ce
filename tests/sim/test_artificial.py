"""Artificial words are heard by an energy VAD as speech from their beginning to their end, and read back exactly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from voiceloop.audio.levels import level
from voiceloop.frames import Transcript, UserTurn
from voiceloop.sim.artificial import KEY, LOUD, Lexicon
from voiceloop.sim.caller import speech_bounds
from voiceloop.sim.playback import QUIET
from voiceloop.stt.base import Flush
from voiceloop.testing import Dial, ScriptedSTT
from voiceloop.vad.detector import Event, Paused, SpeechDetector, Started
from voiceloop.vad.energy import EnergyModel

BLOCK = 160
"""Samples the phone sends at once, which are also a window of the model."""
LETTERS = "appointmentsinsuranceimmediate"
WORDS = [LETTERS[:size] for size in range(1, 31)]
SENTENCES = [
    "I need an appointment.",
    "Immediately please, my insurance is with Northumberland Mutual Assurance Association.",
    "What are the responsibilities of telecommunication infrastructure administrators, internationally?",
    "I am at a bus stop and it is as far to go to it as to be in it.",
]
SILENCE = b"\xff" * BLOCK


def heard(audio: bytes) -> list[Event]:
    """What an energy VAD makes of the audio of a line."""
    line, detector = EnergyModel().new_line(), SpeechDetector()
    events: list[Event] = []
    for start in range(0, len(audio) - BLOCK + 1, BLOCK):
        events += detector.feed(line.probability(audio[start : start + BLOCK]), start, BLOCK)
    return events


def one_utterance(speech: bytes, lead: int) -> bool:
    """Whether the speech, behind so many samples of silence, is all one utterance and no window of it is missed."""
    first, end = (lead + at for at in speech_bounds(speech))
    match heard(b"\xff" * lead + speech + SILENCE * 20):
        case [Started(at_sample=begun), Paused(at_sample=stopped)]:
            return first - BLOCK < begun <= first + BLOCK and stopped > end - BLOCK
    return False


@pytest.mark.parametrize("letter", [0.05, 0.1])
def test_every_word_is_one_utterance_wherever_the_blocks_of_the_vad_fall(letter: float) -> None:
    lexicon = Lexicon(letter=letter)
    leads = [BLOCK * (50 + block) + part for block in range(16) for part in (0, 80)]
    assert [(word, lead) for word in WORDS for lead in leads if not one_utterance(lexicon.sound(word), lead)] == []


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize(("letter", "gap"), [(0.05, 0.06), (0.05, 0.05), (0.04, 0.1)])
def test_every_sentence_is_one_utterance(sentence: str, letter: float, gap: float) -> None:
    speech, _ = Lexicon(letter=letter, gap=gap).speak(sentence)
    speech = speech[: speech_bounds(speech)[1]]
    assert [block for block in range(16) if not one_utterance(speech, BLOCK * (50 + block))] == []


def test_noise_that_stays_level_is_no_speech_to_the_same_vad() -> None:
    noise = bytes(code for word in ("one", "two", "three") for code in Lexicon().sound(word)[: 3 * BLOCK])
    assert len(heard(SILENCE * 50 + noise * 20 + SILENCE * 20)) == 2
    assert not one_utterance(noise * 20, 50 * BLOCK)


@pytest.mark.parametrize("word", WORDS)
def test_words_are_as_long_as_their_letters_and_never_silent(word: str) -> None:
    sound = Lexicon().sound(word)
    assert len(sound) == 400 * max(2, len(word))
    assert not set(sound) - set(LOUD)
    assert not set(sound) & set(QUIET)
    assert min(level(sound[at : at + BLOCK]) for at in range(0, len(sound) - BLOCK + 1, BLOCK)) > -23.0


def test_levels_rise_and_fall_as_syllables_do() -> None:
    sound = Lexicon().sound("appointments")
    levels = [level(sound[at : at + BLOCK]) for at in range(0, len(sound), BLOCK)]
    falls = [at for at, (before, after) in enumerate(pairwise(levels)) if after < before - 10]
    rises = [at for at, (before, after) in enumerate(pairwise(levels)) if after > before + 10]
    assert falls == [5, 15]  # every 0.2 s
    assert rises == [9, 19]  # for 80 ms


def test_every_cut_is_known_from_a_whole_word_and_a_word_is_read_wherever_it_stands() -> None:
    lexicon = Lexicon()
    speech, words = lexicon.speak("appointment, I")
    size = round(words[0].end * 8000)
    for end in range(KEY, size, 7):
        assert [(word.text, word.whole, word.end) for word in lexicon.listen(SILENCE + speech[:end])] == [
            ("appointment,", False, BLOCK + end)
        ]
    assert [(word.text, word.whole) for word in lexicon.listen(speech[900:])] == [("I", True)]
    assert lexicon.text(SILENCE + speech) == "appointment, I"


async def test_a_long_word_that_is_cut_is_not_understood() -> None:
    lexicon = Lexicon()
    sound, stt = lexicon.sound("immediately"), ScriptedSTT(lexicon)

    async def understood(audio: bytes) -> list[str]:
        async def pieces() -> AsyncIterator[bytes | Flush]:
            yield audio
            yield Flush()

        return [item.text async for item in stt.transcribe(pieces()) if isinstance(item, Transcript)]

    assert await understood(sound) == ["immediately"]
    assert await understood(sound[:-1]) == []


@pytest.mark.parametrize("wait", [0.0, 0.02, 0.14, 0.26])
async def test_the_bot_gets_whole_sentences_with_long_words(dial: Dial, wait: float) -> None:
    async with dial("examples/coffee_bot.py") as caller:
        await caller.hears()
        for sentence in SENTENCES[:3]:
            await caller.waits(wait)
            await caller.says(sentence)
            await caller.hears()
        assert [turn.text for turn in caller.frames(UserTurn)] == SENTENCES[:3]

"""Artificial speech that a voice activity model takes for a voice, and that programs read without sharing a lexicon."""

from __future__ import annotations

import numpy as np
import pytest

from voiceloop.sim.voiced import VoicedLexicon
from voiceloop.vad.silero import WINDOW, SileroModel

TEXTS = [
    "How much is a large latte? What did I order?",
    "Yes.",
    "I",
    "Äpfel für Müller, 12 + 34 – 7 €.",
    "日本語 を 話します",
]
SILENCE = b"\xff" * 2560


@pytest.mark.parametrize("text", TEXTS)
def test_another_lexicon_reads_what_was_spoken(text: str) -> None:
    audio, words = VoicedLexicon().speak(text)
    heard = VoicedLexicon().listen(SILENCE + audio)
    assert [word.text for word in heard] == text.split()
    assert all(word.whole for word in heard)
    assert [(word.start - len(SILENCE)) / 8000 for word in heard] == pytest.approx([word.start for word in words])


def test_a_word_that_was_cut_is_known_and_not_whole() -> None:
    audio, words = VoicedLexicon().speak("cappuccino latte")
    cut = audio[: round(words[1].start * 8000) + 900]
    assert [(word.text, word.whole) for word in VoicedLexicon().listen(cut)] == [("cappuccino", True), ("latte", False)]
    assert VoicedLexicon().text(cut) == "cappuccino"


@pytest.mark.parametrize("noise", [b"\x10" * 400, b"\x25\xaa", b"", b"\x25\xaa\x2f", b"\x25\xaa\x2f\xa0\x25" * 9])
def test_sounds_that_spell_nothing_are_passed_over(noise: bytes) -> None:
    assert [word.text for word in VoicedLexicon().listen(SILENCE + noise + SILENCE) if word.whole] == []


def test_a_word_too_long_to_spell_is_spoken_and_not_read() -> None:
    audio, _ = VoicedLexicon().speak("a" * 300 + " tea")
    assert VoicedLexicon().text(audio) == "tea"


def test_a_voice_activity_model_takes_it_for_speech() -> None:
    pytest.importorskip("onnxruntime")
    audio, _ = VoicedLexicon().speak(TEXTS[0])
    line, whole = SileroModel().new_line(), SILENCE + audio + SILENCE
    found = [line.probability(whole[at : at + WINDOW]) for at in range(0, len(whole) - WINDOW + 1, WINDOW)]
    before, after = len(SILENCE) // WINDOW, len(found) - len(SILENCE) // WINDOW
    assert np.mean(np.array(found[before:after]) > 0.5) > 0.85
    assert max(found[:before]) < 0.3
    assert max(found[-3:]) < 0.3

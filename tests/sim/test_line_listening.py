"""Artificial speech through noise and echo."""

from __future__ import annotations

import numpy as np
import pytest

from voiceloop.audio.mulaw import decode, encode
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.line_audio import LineAudio
from voiceloop.sim.line_faults import LineEcho, LineFault, Noise
from voiceloop.sim.line_listening import NoisyLexicon

TEXT = "I would like a large latte, please. And a cake!"
OTHER = "We have coffee and tea and bread."


def through(fault: LineEcho | Noise, audio: bytes, heard: bytes = b"") -> bytes:
    seen: list[LineFault] = []
    line = LineAudio((fault,), bytearray(heard), lambda fault, start: seen.append(fault))
    audio += b"\xff" * (-len(audio) % 160)
    mixed = b"".join(line.mix(audio[start : start + 160], start) for start in range(0, len(audio), 160))
    assert seen == [fault]
    return mixed


def test_clean_speech_is_read_as_by_any_lexicon() -> None:
    noisy, plain = NoisyLexicon(), Lexicon()
    audio, _ = noisy.speak(TEXT)
    assert (audio, noisy.text(audio)) == (plain.speak(TEXT)[0], TEXT)
    cut = audio[: len(audio) // 2]
    assert noisy.listen(cut) == plain.listen(cut)
    assert noisy.listen(b"\xff" * 800) == []


@pytest.mark.parametrize("level", [-65.0, -50.0, -36.0])
def test_words_are_understood_in_noise(level: float) -> None:
    lexicon = NoisyLexicon()
    audio, words = lexicon.speak(TEXT)
    mixed = through(Noise(level=level, seed=1), audio)
    assert mixed != audio
    assert lexicon.text(mixed) == TEXT
    assert [word.start / 8000 for word in lexicon.listen(mixed)] == [word.start for word in words]


@pytest.mark.parametrize("level", [-40.0, -31.0])
def test_words_are_understood_over_the_agents_echo_and_the_echo_is_not(level: float) -> None:
    lexicon = NoisyLexicon()
    agent, _ = lexicon.speak(OTHER)
    audio, _ = lexicon.speak(TEXT)
    assert lexicon.text(through(LineEcho(delay=0.1, level=level), audio, agent + b"\xff" * len(audio))) == TEXT


def test_words_cut_in_noise_are_not_whole_and_too_much_noise_leaves_none() -> None:
    lexicon = NoisyLexicon()
    audio, _ = lexicon.speak("latte please")
    mixed = through(Noise(level=-45.0), audio)
    assert [(word.text, word.whole) for word in lexicon.listen(mixed[:1600])] == [("latte", False)]
    loud = np.clip(decode(audio) + np.random.default_rng(1).normal(0, 20_000, len(audio)), -32768, 32767)
    assert lexicon.text(encode(loud.astype(np.int16))) == ""

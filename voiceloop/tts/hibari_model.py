"""Hibari itself: a phrase in, 24 kHz samples and the times of the words out. Blocking; safe in several threads.

The network decides how long each phoneme lasts but keeps that to itself. It is read from inside the graph: a
graph may be given one more output by appending to its serialised form, without any package that edits graphs. So the
word times are those of the voice, to its frame of 25 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voiceloop.errors import ModelError, require
from voiceloop.frames import Word

__all__ = ["RATE", "HibariModel", "Voice", "with_output"]

RATE = 24_000
"""Sample rate of the voice, Hz."""

_FRAME_ENDS = "/CumSum_output_0"
"""Name inside the graph of the running sum of the phonemes' lengths, in frames of 25 ms at speed 1."""
_MOST = 400
"""Phonemes in one run; it was not trained on more."""
_HOP = 0.005
"""Seconds over which a level is taken to find a place to cut."""
_NEAR = 0.05
"""Words are parted within so many seconds of the end of the first."""
_QUIET = 0.01
"""Less than this share of the loudest level is silence. Silence between words goes to the second of them: that one is
spoken with its whole sentence, so the pause is meant."""
_PAUSES = frozenset(' ,.;:!?…—“”"()')
"""Characters among the phonemes that stand for a pause or nothing, not for a sound."""


@dataclass(slots=True, frozen=True)
class Voice:
    """A phrase as spoken."""

    samples: npt.NDArray[np.float32]
    """24 kHz, -1..1."""
    words: tuple[Word, ...]
    """Words as pronounced, seconds from the first sample."""
    cut_before: bool = False
    """Whether the samples begin where other speech was cut off, not in silence."""
    cut_after: bool = False
    """So at their end."""


class HibariModel:
    """The voice, its pronunciation rules, and what it needs of the package's own classes."""

    def __init__(self, voice: str, speed: float) -> None:
        """Load. Blocks for about half a second.

        Raises:
            MissingExtra: hibari-tts or onnxruntime is not installed.
            ModelError: the voice is not known or cannot be loaded.
        """
        for module in ("onnxruntime", "hibari"):
            require(module, "local", "Hibari")
        voices, hibari = require("hibari.voices", "local"), require("hibari", "local")
        self._dsp = require("hibari.dsp", "local")
        self._g2p_rules = require("hibari.g2p", "local")
        if voice not in voices.VOICES:
            raise ModelError(f"hibari has no voice {voice!r}; it has {', '.join(sorted(voices.VOICES))}")
        self._speed = np.asarray([speed], np.float32)
        try:
            graph = Path(voices.voice_path(voice)).read_bytes()
            self._voice: Any = hibari.Hibari(voice=voice, model=with_output(graph, _FRAME_ENDS))
        except Exception as error:  # onnxruntime and urllib raise many kinds
            raise ModelError(f"cannot load the voice {voice!r} of hibari: {error}") from error
        self._outputs = [output.name for output in self._voice.sess.get_outputs()]
        self._g2p = self._voice.g2p
        self._g2p.oov  # noqa: B018  the network for unknown words loads when first asked for: do it now

    def speak(self, text: str, *, before: str = "", after: str = "") -> Voice:
        """Say `text`. The same text gives the same samples.

        Args:
            before: what was said before in the same sentence.
            after: what comes after in the same sentence, at least roughly. Melody and length of a word depend on its
                neighbours: `text` then sounds as in a sentence `before text after`, out of which it is cut.
        """
        if (before or after) and (voice := self._within(text, before, after)):
            return voice
        parts: list[npt.NDArray[np.float32]] = []
        words: list[Word] = []
        offset = 0.0
        for run in self._runs(text):
            samples, times = self._say(run)
            words += (Word(word.text, word.start + offset, word.end + offset) for word in times)
            parts.append(samples)
            offset += len(samples) / RATE
        return Voice(np.concatenate(parts) if parts else np.zeros(0, np.float32), tuple(words))

    def _within(self, text: str, before: str, after: str) -> Voice | None:
        """Say `text` as a part of a sentence; None if that would be too long, or its words cannot be told apart."""
        runs = list(self._runs(" ".join(part for part in (before, text, after) if part)))
        if len(runs) != 1:
            return None
        samples, words = self._say(runs[0])
        first, last = self._count(before, words), self._count(f"{before} {text}", words)
        if first is None or last is None or first == last or (before and not first) or (after and last == len(words)):
            return None
        begin = _between(samples, words[first - 1], words[first]) if before else 0
        end = _between(samples, words[last - 1], words[last]) if after else len(samples)
        shift = begin / RATE
        inner = (Word(word.text, word.start - shift, word.end - shift) for word in words[first:last])
        return Voice(samples[begin:end], tuple(inner), bool(before), bool(after))

    def _count(self, text: str, words: Sequence[Word]) -> int | None:
        """How many of `words` are `text`, if they begin with it."""
        own = [word for run in self._runs(text) for word, _ in self._sounding(run)]
        return len(own) if own == [word.text for word in words[: len(own)]] else None

    def _runs(self, text: str) -> Iterator[list[tuple[str, str]]]:
        """Words and their phonemes, in runs that the network can say at once."""
        for sentence in self._voice.split_sentences(text):
            run: list[tuple[str, str]] = []
            length = 0
            for word in self._pronounce(sentence):
                if run and length + len(word[1]) + 1 > _MOST:
                    yield run
                    run, length = [], 0
                run.append(word)
                length += len(word[1]) + 1
            if any(phonemes for _, phonemes in run):
                yield run

    def _pronounce(self, sentence: str) -> list[tuple[str, str]]:
        """Words as spelt out (numbers, times, units in words), each with its phonemes and punctuation."""
        tokens = self._g2p.phonemize_tokens(self._g2p.tokenize(self._g2p_rules.normalize(sentence)))
        words: list[tuple[str, str]] = []
        text = phonemes = ""
        for token in tokens:
            text += token.text
            phonemes += token.phonemes or ""
            if token.whitespace:
                words.append((text, phonemes.strip()))
                text = phonemes = ""
        return [*words, (text, phonemes.strip())] if text else words

    def _sounding(self, run: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Those of a run that are heard."""
        vocabulary = self._voice.vocab
        return (word for word in run if any(c in vocabulary and c not in _PAUSES for c in word[1]))

    def _say(self, run: Sequence[tuple[str, str]]) -> tuple[npt.NDArray[np.float32], list[Word]]:
        vocabulary = self._voice.vocab
        ids = [0]
        spans: list[tuple[str, int, int]] = []  # word, and its sounds as first and last position in ids
        for text, phonemes in run:
            if not phonemes:
                continue
            if len(ids) > 1:
                ids.append(vocabulary[" "])
            sounds = []
            for character in phonemes:
                if character in vocabulary:
                    if character not in _PAUSES:
                        sounds.append(len(ids))
                    ids.append(vocabulary[character])
            if sounds:
                spans.append((text, sounds[0], sounds[-1]))
        ids.append(0)
        found = self._voice.sess.run(None, {"ids": np.asarray([ids], np.int64), "speed": self._speed})
        outputs = dict(zip(self._outputs, found, strict=True))
        ends = outputs.pop(_FRAME_ENDS).reshape(-1)
        spectrum = (outputs[name][0] for name in ("lh", "theta", "ln", "lr", "phi", "f0"))
        samples = self._dsp.synth(*spectrum, np.random.default_rng(0))
        frame = len(samples) / RATE / float(ends[-1])  # seconds
        return samples, [
            Word(text, float(ends[first - 1]) * frame, float(ends[last]) * frame) for text, first, last in spans
        ]


def _between(samples: npt.NDArray[np.float32], word: Word, following: Word) -> int:
    """Where to cut between two words, as a sample: the quietest place soon after the first, or the beginning of the
    silence around it."""
    hop = round(_HOP * RATE)
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    level = np.sqrt(np.square(frames).mean(axis=1))
    begin = round(word.end / _HOP)
    end = max(begin + 1, round(min(following.start, word.end + _NEAR) / _HOP))
    at = begin + int(np.argmin(level[begin:end]))
    while at > 0 and level[at - 1] <= _QUIET * float(level.max()):
        at -= 1
    return at * hop + hop // 2


def with_output(graph: bytes, name: str) -> bytes:
    """A serialised ONNX model with one more output: the inner tensor `name`.

    Two serialised messages put together are their merger: lists grow, messages are merged field by field. What is
    appended is a model (field 7: graph) of a graph (field 12: an output) of an output (field 1: its name).
    """
    message = name.encode()
    for field in (1, 12, 7):
        if len(message) > 127:
            raise ValueError(f"the name {name!r} is too long: lengths over 127 need more than one byte")
        message = bytes([field << 3 | 2, len(message)]) + message
    return graph + message

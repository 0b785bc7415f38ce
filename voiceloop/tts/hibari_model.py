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
_PAUSES = frozenset(' ,.;:!?…—“”"()')
"""Characters among the phonemes that stand for a pause or nothing, not for a sound."""


@dataclass(slots=True, frozen=True)
class Voice:
    """A phrase as spoken."""

    samples: npt.NDArray[np.float32]
    """24 kHz, -1..1."""
    words: tuple[Word, ...]
    """Words as pronounced, seconds from the first sample."""


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

    def speak(self, text: str) -> Voice:
        """Say `text`. The same text gives the same samples."""
        parts: list[npt.NDArray[np.float32]] = []
        words: list[Word] = []
        offset = 0.0
        for run in self._runs(text):
            samples, times = self._say(run)
            words += (Word(word.text, word.start + offset, word.end + offset) for word in times)
            parts.append(samples)
            offset += len(samples) / RATE
        return Voice(np.concatenate(parts) if parts else np.zeros(0, np.float32), tuple(words))

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

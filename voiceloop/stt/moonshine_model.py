"""Moonshine itself: 16 kHz samples in, text out. Blocking; safe to use from several threads at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voiceloop.errors import ModelError, require
from voiceloop.stt.moonshine_fold import ENCODER, FIRST, STEP, folded
from voiceloop.weights import MOONSHINE_BASE_EN, fetch

__all__ = ["RATE", "MoonshineModel", "read_tokens", "text_of"]

RATE = 16_000
"""Sample rate of the model, Hz."""

_BOS, _EOS = 1, 2
_LEAD, _TAIL = 0.3, 0.1
"""Silence put before and after the speech, seconds. Without it the model may end at once on what begins abruptly."""
_TOKENS_PER_SECOND = 6.5
"""No one speaks more tokens than this in a second; what goes on longer is a loop."""
_SHORTEST = 0.1
"""Less audio than this holds no word, seconds."""


class MoonshineModel:
    """The three graphs and the vocabulary. A run keeps its state in locals, so runs may overlap."""

    def __init__(self, graphs: Path, tokenizer: Path) -> None:
        ort = require("onnxruntime", "local", "Moonshine")
        options = ort.SessionOptions()
        # One thread a run: more cost more CPU than they save time, and calls run beside each other.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._encoder, self._first, self._step = (
                ort.InferenceSession(str(graphs / name), options, providers=["CPUExecutionProvider"])
                for name in (ENCODER, FIRST, STEP)
            )
        except Exception as error:  # onnxruntime raises classes of its own, by kind of damage
            raise ModelError(
                f"cannot load Moonshine from {graphs}: {error}. Delete that directory and try again."
            ) from error
        self._first_outputs = [output.name for output in self._first.get_outputs()]
        self._step_outputs = [output.name for output in self._step.get_outputs()]
        self._tokens = read_tokens(tokenizer.read_bytes())

    @classmethod
    def load(cls) -> MoonshineModel:
        """Load the model, fetching and preparing its weights the first time. Blocks.

        Raises:
            MissingExtra: onnxruntime (or, the first time, onnx) is not installed.
            WeightsError: the weights cannot be fetched.
            ModelError: they cannot be prepared or loaded.
        """
        require("onnxruntime", "local", "Moonshine")
        files = fetch(MOONSHINE_BASE_EN)
        tokenizer = files["tokenizer.bin"]
        return cls(folded(tokenizer.parent), tokenizer)

    def transcribe(self, samples: npt.NDArray[np.float32]) -> str:
        """The words spoken in `samples` (16 kHz, -1..1), cased and punctuated.

        It must hold speech: from anything else the model makes up words, because it is not allowed to say nothing.
        Up to about 30 s at a time, which is what it was trained on.
        """
        if len(samples) < _SHORTEST * RATE:
            return ""
        padded = np.zeros(len(samples) + round((_LEAD + _TAIL) * RATE), np.float32)
        start = round(_LEAD * RATE)
        padded[start : start + len(samples)] = samples
        most = math.ceil(len(padded) / RATE * _TOKENS_PER_SECOND)
        return text_of(self._decode(padded, most), self._tokens)

    def _decode(self, samples: npt.NDArray[np.float32], most: int) -> list[int]:
        (states,) = self._encoder.run(None, {"input_values": samples[None]})
        feed: dict[str, Any] = {"input_ids": np.array([[_BOS]]), "encoder_hidden_states": states}
        outputs = dict(zip(self._first_outputs, self._first.run(None, feed), strict=True))
        logits = outputs.pop("logits")[0, -1]
        logits[_EOS] = -np.inf  # there is speech: it must not end before the first word
        token = int(logits.argmax())
        feed = {_past(name): value for name, value in outputs.items()}
        tokens: list[int] = []
        while token != _EOS:
            tokens.append(token)
            if len(tokens) == most:
                break
            feed["input_ids"] = np.array([[token]])
            outputs = dict(zip(self._step_outputs, self._step.run(None, feed), strict=True))
            token = int(outputs.pop("logits")[0, -1].argmax())
            feed.update((_past(name), value) for name, value in outputs.items())
        return tokens


def _past(name: str) -> str:
    """The input that takes what an output gave."""
    return name.replace("present.", "past_key_values.")


def read_tokens(data: bytes) -> list[bytes]:
    """The vocabulary: each entry is its length and its bytes; a length over 127 takes two bytes, low one first.

    Raises:
        ModelError: an entry goes beyond the end.
    """
    tokens: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128 and at < len(data):
            length += 128 * (data[at] - 1)
            at += 1
        if at + length > len(data):
            raise ModelError(
                f"the vocabulary is cut: entry {len(tokens)} of {length} bytes starts at {at} of {len(data)}"
            )
        tokens.append(data[at : at + length])
        at += length
    return tokens


def text_of(ids: Sequence[int], tokens: Sequence[bytes]) -> str:
    """The text of token ids. Ids 0 to 2 are control tokens; then come 256 raw bytes, then pieces with ▁ for a space."""
    raw = b"".join(tokens[i] for i in ids if i > _EOS and i < len(tokens))
    return raw.decode("utf-8", errors="replace").replace("▁", " ").strip()

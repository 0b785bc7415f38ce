"""What a phone line adds to the caller's voice: the agent's own voice coming back, and noise. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceloop.audio.mulaw import decode, encode
from voiceloop.sim.line_faults import LineEcho, Noise
from voiceloop.sim.playback import BLOCK, RATE

__all__ = ["LineAudio"]

_FULL_SCALE: Final = 32768.0
_NOISE_LENGTH: Final = 4 * RATE  # samples after which noise repeats


class LineAudio:
    """Mixes echo and noise into the blocks of the caller's audio while they are on.

    Args:
        faults: what is mixed in.
        heard: what the line carries to the caller, mu-law, from the start of the stream; it grows.
        struck: told of a fault when its first block comes, with its time in samples.
    """

    def __init__(
        self,
        faults: tuple[LineEcho | Noise, ...],
        heard: bytearray,
        struck: Callable[[LineEcho | Noise, int], None],
    ) -> None:
        self._heard = heard
        self._struck = struck
        self._faults = faults
        self._seen: set[int] = set()
        self._noises = {index: _noise(fault) for index, fault in enumerate(faults) if isinstance(fault, Noise)}

    def mix(self, block: bytes, start: int) -> bytes:
        """A block as it goes on the line; `start` is its first sample, from the start of the stream."""
        added: npt.NDArray[np.float32] | None = None
        at = start / RATE
        for index, fault in enumerate(self._faults):
            if not (fault.at <= at and (fault.length is None or at < fault.at + fault.length)):
                continue
            if index not in self._seen:
                self._seen.add(index)
                self._struck(fault, start)
            part = self._echo(fault, start) if isinstance(fault, LineEcho) else self._noise(index, start)
            if part is not None:
                added = part if added is None else added + part
        if added is None:
            return block
        return encode(np.clip(np.rint(decode(block) + added), -32768, 32767).astype(np.int16))

    def _echo(self, fault: LineEcho, start: int) -> npt.NDArray[np.float32] | None:
        first = start - round(fault.delay * RATE)
        if first + BLOCK <= 0:
            return None
        came = self._heard[max(0, first) : first + BLOCK]
        if not came.strip(b"\xff\x7f"):
            return None  # the agent was silent then
        voice = np.zeros(BLOCK, np.float32)
        voice[BLOCK - len(came) :] = decode(came)
        return voice * np.float32(10 ** (fault.level / 20))

    def _noise(self, index: int, start: int) -> npt.NDArray[np.float32]:
        first = start % _NOISE_LENGTH
        return self._noises[index][first : first + BLOCK]


def _noise(fault: Noise) -> npt.NDArray[np.float32]:
    peak = _FULL_SCALE * 10 ** (fault.level / 20) * 3**0.5  # of evenly distributed samples of that RMS
    return np.random.default_rng(fault.seed).uniform(-peak, peak, _NOISE_LENGTH).astype(np.float32)

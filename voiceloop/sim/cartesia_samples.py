"""The sample formats of Cartesia's audio. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw
from voiceloop.audio.resample import Resampler, to_float32, to_int16

__all__ = ["ENCODINGS", "RATES", "Encoder", "wav_header"]

RATES: Final = (8000, 16000, 22050, 24000, 44100, 48000)
"""Samples a second, Hz."""
_UNKNOWN: Final = 0xFFFFFFFF
"""The length in the header of a stream."""


def _alaw_table() -> npt.NDArray[np.uint8]:
    """Indexed by the 16 bits of a sample read as unsigned: ITU-T G.711 (11/88), Table 1, every other bit inverted."""
    sample = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    segment = np.zeros_like(magnitude)
    for bit in range(4, 11):
        segment += magnitude >> bit != 0
    code = (segment << 4) | ((magnitude >> np.maximum(segment - 1, 0)) & 0x0F)
    table: npt.NDArray[np.uint8] = (np.where(sample < 0, code, code | 0x80) ^ 0x55).astype(np.uint8)
    return table


_ALAW = _alaw_table()


def _alaw(samples: npt.NDArray[np.int16]) -> bytes:
    return _ALAW[np.ascontiguousarray(samples).view(np.uint16)].tobytes()


def _s16le(samples: npt.NDArray[np.int16]) -> bytes:
    return samples.astype("<i2").tobytes()


def _f32le(samples: npt.NDArray[np.int16]) -> bytes:
    return to_float32(samples).astype("<f4").tobytes()


ENCODINGS: Final[dict[str, tuple[int, Callable[[npt.NDArray[np.int16]], bytes]]]] = {
    "pcm_f32le": (4, _f32le),
    "pcm_s16le": (2, _s16le),
    "pcm_mulaw": (1, mulaw.encode),
    "pcm_alaw": (1, _alaw),
}
"""Bytes of a sample, and how they are made."""


class Encoder:
    """Phone audio to what was asked for.

    Args:
        encoding: one of `ENCODINGS`.
        rate: samples a second, Hz.
    """

    def __init__(self, encoding: str, rate: int) -> None:
        self.width, self._encode = ENCODINGS[encoding]
        self.rate = rate
        self._plain = encoding == "pcm_mulaw" and rate == mulaw.RATE
        self._resampler = Resampler(mulaw.RATE, rate)

    @property
    def byte_rate(self) -> int:
        """Bytes a second."""
        return self.rate * self.width

    def push(self, audio: bytes) -> bytes:
        """The next piece of mu-law, 8000 Hz."""
        if self._plain:
            return audio
        return self._encode(to_int16(self._resampler.push(to_float32(mulaw.decode(audio)))))

    def flush(self) -> bytes:
        """What the change of rate held back."""
        return b"" if self._plain else self._encode(to_int16(self._resampler.flush()))


def wav_header(encoding: str, rate: int) -> bytes:
    """Of a WAV file whose length is not known yet, as streamed.

    Args:
        encoding: one of `ENCODINGS`.
        rate: samples a second, Hz.
    """
    width, _ = ENCODINGS[encoding]
    form = {"pcm_s16le": 1, "pcm_f32le": 3, "pcm_alaw": 6, "pcm_mulaw": 7}[encoding]
    fmt = struct.pack("<HHIIHH", form, 1, rate, rate * width, width, 8 * width)
    riff = struct.pack("<4sI4s4sI", b"RIFF", _UNKNOWN, b"WAVE", b"fmt ", len(fmt))
    return riff + fmt + struct.pack("<4sI", b"data", _UNKNOWN)

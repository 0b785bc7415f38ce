"""WAV files: read what recorders write, write what players read.

The reader is forgiving where audio can be saved (a file cut short, a header never completed by a writer that died)
and says what is wrong where it cannot. Format: Microsoft, "Multimedia Programming Interface and Data Specifications
1.0" (1991), and the WAVEFORMATEXTENSIBLE header (2007).

All of this blocks on the disk: off the event loop, please.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw
from voiceloop.errors import VoiceloopError

__all__ = ["LARGEST", "WavAudio", "WavError", "WavWriter", "read_wav", "write_wav"]

LARGEST: Final = 512 * 1024 * 1024
"""The largest file that is read, bytes."""

_PCM, _FLOAT, _MULAW, _EXTENSIBLE = 1, 3, 7, 0xFFFE
_UNKNOWN: Final = 0xFFFFFFFF
"""A chunk's size while it is still being written."""
_LONGEST_DATA: Final = _UNKNOWN - 64
_BUFFER: Final = 16384
"""Bytes held before they go to the disk: half a second of a call in stereo."""
_CONVERT: Final = "convert it with: ffmpeg -i IN -ac 1 -c:a pcm_s16le OUT.wav"

Floats = npt.NDArray[np.float32]
PathLike = str | os.PathLike[str]


class WavError(VoiceloopError):
    """A WAV file cannot be read or written. The message says what was expected, what came and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class WavAudio:
    """A recording, mixed down to one channel."""

    samples: Floats
    """Shape ``[n]``, in -1..1."""
    rate: int
    """Samples a second, Hz."""

    @property
    def seconds(self) -> float:
        """Its length, seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class _Format:
    code: int
    channels: int
    rate: int
    bits: int


def read_wav(source: PathLike | bytes) -> WavAudio:
    """Read a WAV file from a path or from its bytes: PCM of 8 to 32 bits, float of 32 or 64, or mu-law.

    Any rate; channels are mixed down to one by their mean. A file cut short gives the audio that is there.

    Raises `WavError` for what is not such a file, cannot be opened, or is larger than `LARGEST`.
    """
    if isinstance(source, bytes):
        name, data, too_large = "the data", source, False
    else:
        name = os.fspath(source)
        try:
            with open(source, "rb") as file:
                too_large = os.fstat(file.fileno()).st_size > LARGEST
                data = b"" if too_large else file.read(LARGEST + 1)
        except OSError as error:
            raise WavError(f"cannot read {name}: {error.strerror or error}; expected a readable WAV file") from error
    if too_large or len(data) > LARGEST:
        raise WavError(f"{name} is larger than {LARGEST >> 20} MB, the most that is read at once: split it")
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        came = f"starts with {data[:12]!r}" if data else "is empty"
        raise WavError(f"{name} is not a WAV file: expected RIFF....WAVE, but it {came}; {_CONVERT}")
    header, audio = _chunks(name, data)
    return WavAudio(_samples(name, header, audio), header.rate)


def _chunks(name: str, data: bytes) -> tuple[_Format, memoryview]:
    header: _Format | None = None
    position = 12
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if kind == b"fmt ":
            header = _format(name, data[position : position + size])
        elif kind == b"data":
            if header is None:
                raise WavError(f"{name} is not a usable WAV file: expected a format before the audio; {_CONVERT}")
            if size == 0 and struct.unpack_from("<I", data, 4)[0] == 0:
                size = _UNKNOWN  # a writer that never came back to fill in the sizes
            return header, memoryview(data)[position : position + size]
        position += size + (size & 1)
    missing = "format" if header is None else "audio"
    raise WavError(
        f"{name} holds no {missing}: expected a '{'fmt ' if header is None else 'data'}' chunk "
        f"in its {len(data)} bytes; it may be cut short: fetch or record it again"
    )


def _format(name: str, chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise WavError(f"{name} has a broken header: expected a format of 16 bytes or more, got {len(chunk)}")
    code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE and len(chunk) >= 26:
        code = struct.unpack_from("<H", chunk, 24)[0]  # the first bytes of the sub-format's GUID
    if not channels or not rate:
        raise WavError(f"{name} has a broken header: expected channels and a rate, got {channels} and {rate} Hz")
    known = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _MULAW: (8,)}
    if bits not in known.get(code, ()):
        raise WavError(
            f"{name} has format {code:#x} with {bits} bits: expected PCM of 8, 16, 24 or 32 bits, "
            f"float of 32 or 64, or mu-law; {_CONVERT}"
        )
    return _Format(code, channels, rate, bits)


def _samples(name: str, header: _Format, audio: memoryview) -> Floats:
    frame = header.channels * header.bits // 8
    audio = audio[: len(audio) // frame * frame]
    samples: Floats
    if header.code == _MULAW:
        samples = mulaw.decode(audio) * np.float32(1 / 32768)
    elif header.code == _FLOAT:
        kind = "<f4" if header.bits == 32 else "<f8"
        samples = np.nan_to_num(np.frombuffer(audio, kind).astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    elif header.bits == 8:  # the one unsigned width
        samples = (np.frombuffer(audio, np.uint8).astype(np.float32) - 128) * np.float32(1 / 128)
    elif header.bits == 24:
        wide = np.zeros((len(audio) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(audio, np.uint8).reshape(-1, 3)
        samples = wide.view("<i4")[:, 0] * np.float32(2.0**-31)
    else:
        kind = "<i2" if header.bits == 16 else "<i4"
        samples = np.frombuffer(audio, kind).astype(np.float32) * np.float32(2.0 ** (1 - header.bits))
    samples = samples.astype(np.float32, copy=False)
    if header.channels > 1:
        samples = samples.reshape(-1, header.channels).mean(axis=1, dtype=np.float32)
    return samples


def _header(rate: int, channels: int, data: int) -> bytes:
    size = _UNKNOWN if data == _UNKNOWN else 36 + data
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        size,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        channels,
        rate,
        rate * channels * 2,
        channels * 2,
        16,
        b"data",
        data,
    )


def _frames(samples: npt.NDArray[np.int16], channels: int | None) -> npt.NDArray[np.int16]:
    """As ``[n, channels]``, checked."""
    if samples.dtype != np.int16:
        raise TypeError(f"expected int16 samples, got {samples.dtype}: use voiceloop.audio.resample.to_int16")
    shaped = samples.reshape(-1, 1) if samples.ndim == 1 else samples
    if shaped.ndim != 2 or not 1 <= shaped.shape[1] <= 0xFFFF or channels not in (None, shaped.shape[1]):
        expected = "[n] or [n, channels]" if channels is None else f"[n, {channels}]"
        raise ValueError(f"expected samples of shape {expected}, got {list(samples.shape)}")
    return shaped


def write_wav(path: PathLike, samples: npt.NDArray[np.int16], rate: int) -> None:
    """Write 16-bit samples, shape ``[n]`` or ``[n, channels]``, at `rate` Hz.

    The file appears whole or not at all: it is written beside its place and moved there.
    Raises `WavError` when it cannot be written.
    """
    frames = _frames(samples, None)
    target = Path(os.path.realpath(path))
    special = target.exists() and not target.is_file()  # a pipe or a device is written, never replaced
    part = target if special else target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        try:
            with WavWriter(part, rate, frames.shape[1]) as writer:
                writer.write(frames)
            if not special:
                os.replace(part, target)
        except BaseException:
            if not special:
                part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error
    except WavError as error:
        if isinstance(error.__cause__, OSError):
            raise _unwritable(path, error.__cause__) from error.__cause__
        raise


def _unwritable(path: PathLike, error: OSError) -> WavError:
    return WavError(
        f"cannot write {os.fspath(path)}: {error.strerror or error}; "
        "expected a place in an existing, writable directory with room"
    )


class WavWriter:
    """Writes a WAV file piece by piece, 16 bits; a process that dies midway leaves all but the last 16 KB.

    A context manager. Until `close` the header says "length unknown", which `read_wav` and most players take as
    "to the end of the file".
    """

    def __init__(self, path: PathLike, rate: int, channels: int = 2) -> None:
        if not (1 <= rate <= _UNKNOWN // (2 * channels or 1) and 1 <= channels <= 0x7FFF):
            raise ValueError(f"expected a rate in Hz and 1 to 32767 channels, got {rate} and {channels}")
        self.path, self.rate, self.channels = path, rate, channels
        self.frames = 0
        """Frames written: one sample of every channel each."""
        try:
            self._file: BinaryIO = open(path, "wb", buffering=_BUFFER)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise _unwritable(path, error) from error
        self._write(_header(rate, channels, _UNKNOWN))

    def write(self, samples: npt.NDArray[np.int16]) -> None:
        """Append samples of shape ``[n, channels]`` (or ``[n]``, for one channel)."""
        if self._file.closed:
            raise ValueError(f"{os.fspath(self.path)} is closed: write before close()")
        frames = _frames(samples, self.channels)
        if (self.frames + len(frames)) * self.channels * 2 > _LONGEST_DATA:
            raise WavError(f"{os.fspath(self.path)} would pass 4 GB, the most a WAV file can hold: start another")
        self._write(frames.astype("<i2", copy=False).tobytes())
        self.frames += len(frames)

    def close(self) -> None:
        """Complete the header and close the file. Closing twice does nothing."""
        if self._file.closed:
            return
        try:
            with self._file:
                if self._file.seekable():
                    self._file.seek(0)
                    self._file.write(_header(self.rate, self.channels, self.frames * self.channels * 2))
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

from __future__ import annotations

import os
import struct
import wave
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.audio import mulaw, wav
from voiceloop.audio.wav import WavError, WavWriter, read_wav, write_wav
from voiceloop.errors import VoiceloopError

RAMP = np.array([0, 0.25, -0.5, 0.75, -1.0], dtype=np.float32)


def chunk(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    return kind + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def fmt(code: int, bits: int, channels: int = 1, rate: int = 8000) -> bytes:
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits))


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return chunk(b"RIFF", body)


def pcm(bits: int) -> bytes:
    if bits == 8:
        return (RAMP * 128 + 128).astype(np.uint8).tobytes()
    wide = (RAMP.astype(np.float64) * 2**31).astype("<i4")
    return wide.view(np.uint8).reshape(-1, 4)[:, 4 - bits // 8 :].tobytes()


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("rate", [8000, 11025, 48000])
def test_pcm_of_every_width_and_rate(bits: int, rate: int) -> None:
    audio = read_wav(riff(fmt(1, bits, rate=rate), chunk(b"data", pcm(bits))))
    assert audio.rate == rate
    assert audio.samples.dtype == np.float32
    assert audio.samples.tolist() == RAMP.tolist()
    assert audio.seconds == 5 / rate


def test_float_and_mulaw() -> None:
    for code, bits, data in [(3, 32, RAMP.astype("<f4")), (3, 64, RAMP.astype("<f8"))]:
        assert read_wav(riff(fmt(code, bits), chunk(b"data", data.tobytes()))).samples.tolist() == RAMP.tolist()
    every = bytes(range(256))
    expected = (mulaw.decode(every) / 32768).tolist()
    assert read_wav(riff(fmt(7, 8), chunk(b"data", every))).samples.tolist() == expected


def test_numbers_that_are_none_become_silence() -> None:
    data = np.array([np.nan, np.inf, -np.inf], dtype="<f4").tobytes()
    assert read_wav(riff(fmt(3, 32), chunk(b"data", data))).samples.tolist() == [0, 1, -1]


def test_channels_are_mixed_down_by_their_mean() -> None:
    data = np.array([[8192, 16384], [-32768, 32767]], dtype="<i2").tobytes()
    samples = read_wav(riff(fmt(1, 16, channels=2), chunk(b"data", data))).samples
    assert samples == pytest.approx([0.375, -1 / 65536])


def test_extensible_headers_and_unknown_chunks() -> None:
    extension = struct.pack("<HHIH14s", 22, 16, 0, 1, bytes.fromhex("000000001000800000aa00389b71"))
    header = chunk(b"fmt ", struct.pack("<HHIIHH", 0xFFFE, 1, 16000, 32000, 2, 16) + extension)
    audio = read_wav(
        riff(chunk(b"LIST", b"odd"), header, chunk(b"fact", b"1234"), chunk(b"data", pcm(16)), chunk(b"tail", b"x"))
    )
    assert (audio.samples.tolist(), audio.rate) == (RAMP.tolist(), 16000)


def test_a_file_cut_short_gives_what_is_there() -> None:
    whole = riff(fmt(1, 16), chunk(b"data", pcm(16)))
    assert read_wav(whole[:-3]).samples.tolist() == RAMP[:3].tolist()  # in the middle of a sample
    assert read_wav(riff(fmt(1, 16), chunk(b"data", pcm(16), size=0xFFFFFFFF))).samples.tolist() == RAMP.tolist()
    unfinished = b"RIFF\0\0\0\0WAVE" + fmt(1, 16) + chunk(b"data", pcm(16), size=0)
    assert read_wav(unfinished).samples.tolist() == RAMP.tolist()
    assert read_wav(riff(fmt(1, 16), chunk(b"data", b""))).samples.tolist() == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a WAV file: expected RIFF....WAVE, but it is empty"),
        (b"ID3\x04" + b"\0" * 40, r"is not a WAV file: .* starts with b'ID3"),
        (riff(), "holds no format: expected a 'fmt ' chunk"),
        (riff(fmt(1, 16)), "holds no audio: expected a 'data' chunk"),
        (riff(chunk(b"data", b"1234")), "expected a format before the audio"),
        (riff(chunk(b"fmt ", b"1234")), "expected a format of 16 bytes or more, got 4"),
        (riff(fmt(85, 0), chunk(b"data", b"")), r"format 0x55 with 0 bits: expected PCM .* convert it with: ffmpeg"),
        (riff(fmt(1, 12), chunk(b"data", b"")), "with 12 bits"),
        (riff(fmt(1, 16, channels=0), chunk(b"data", b"")), "expected channels and a rate, got 0 and 8000 Hz"),
        (riff(fmt(1, 16, rate=0), chunk(b"data", b"")), "got 1 and 0 Hz"),
    ],
)
def test_what_is_no_wav_says_so(data: bytes, message: str) -> None:
    with pytest.raises(WavError, match=message):
        read_wav(data)
    assert issubclass(WavError, VoiceloopError)


@given(st.binary(max_size=80), st.integers(0, 60), st.integers(0, 70))
def test_broken_files_give_audio_or_a_wav_error(noise: bytes, at: int, cut: int) -> None:
    data = bytearray(riff(fmt(1, 16, channels=2), chunk(b"data", pcm(16))))
    data[at : at + len(noise)] = noise
    with suppress(WavError):
        assert read_wav(bytes(data[:cut])).samples.ndim == 1


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(wav.LARGEST + 1)  # sparse
    with pytest.raises(WavError, match=r"huge.wav is larger than 512 MB"):
        read_wav(path)


def test_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(WavError, match=f"cannot read {path}: "):
            read_wav(path)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 2)])
def test_what_is_written_is_read_back_by_anyone(tmp_path: Path, shape: tuple[int, ...]) -> None:
    samples = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) * 1000
    path = tmp_path / "out.wav"
    path.write_bytes(b"the old one")
    write_wav(path, samples, 8000)
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnframes()) == (8000, 2, 5)
        assert file.getnchannels() == (shape[1] if len(shape) > 1 else 1)
        assert file.readframes(9) == samples.astype("<i2").tobytes()
    mono = samples.reshape(5, -1).mean(axis=1) / 32768
    assert read_wav(str(path)).samples == pytest.approx(mono)
    assert os.listdir(tmp_path) == ["out.wav"]


def test_writing_where_one_cannot_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "out.wav"
    with pytest.raises(WavError, match=f"cannot write {missing}: .*; expected a place in an existing"):
        write_wav(missing, np.zeros(4, dtype=np.int16), 8000)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(WavError, match=f"cannot write {folder}: "):
        write_wav(folder, np.zeros(4, dtype=np.int16), 8000)
    with pytest.raises(WavError, match=f"cannot write {missing}: "):
        WavWriter(missing, 8000)
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(folder) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_a_wav_error() -> None:
    with pytest.raises(WavError, match="cannot write /dev/full: "):
        write_wav("/dev/full", np.zeros(100_000, dtype=np.int16), 8000)
    assert os.path.exists("/dev/full")


def test_a_stream_in_stereo_can_be_read_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    piece = np.tile(np.array([[8192, 16384]], dtype=np.int16), (8000, 1))
    with WavWriter(path, 8000, channels=2) as writer:
        writer.write(piece)
        killed = read_wav(path)  # as if the process had died here
        assert len(killed.samples) >= 8000 - 16384 // 4
        assert (killed.samples == 0.375).all()
        writer.write(piece[:3])
        assert writer.frames == 8003
    writer.close()
    assert len(read_wav(path).samples) == 8003
    with wave.open(str(path)) as file:
        assert (file.getnframes(), file.getnchannels()) == (8003, 2)
    with pytest.raises(ValueError, match="is closed: write before close"):
        writer.write(piece)


def test_samples_of_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with pytest.raises(TypeError, match="int16 samples, got float32"):
        write_wav(path, RAMP, 8000)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shape \[n\] or \[n, channels\], got \[1, 2, 3\]"):
        write_wav(path, np.zeros((1, 2, 3), dtype=np.int16), 8000)
    with WavWriter(path, 8000) as writer, pytest.raises(ValueError, match=r"shape \[n, 2\], got \[7\]"):
        writer.write(np.zeros(7, dtype=np.int16))
    with pytest.raises(ValueError, match="got 0 and 2"):
        WavWriter(path, 0)

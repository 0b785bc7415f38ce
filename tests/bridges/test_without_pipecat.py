"""Pipecat is imported when it is used, and not before; where it is missing the error says what to install."""

from __future__ import annotations

import subprocess
import sys

BLOCK = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pipecat", "loguru"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_bridge_imports_no_pipecat() -> None:
    code = "import voiceloop.bridges.pipecat\nprint(sorted(name for name in sys.modules if 'pipecat' in name))"
    assert run(code) == "['voiceloop.bridges.pipecat', 'voiceloop.bridges.pipecat_pool']"


def test_importing_voiceloop_does_not_import_the_bridge() -> None:
    code = "import voiceloop\nvoiceloop.Pipeline\nprint([name for name in sys.modules if 'bridges' in name])"
    assert run(code) == "[]"


def test_the_error_names_the_extra() -> None:
    code = """
import asyncio
import importlib.util
import voiceloop.errors
voiceloop.errors.find_spec = lambda name: None if name == "pipecat" else importlib.util.find_spec(name)
from voiceloop.bridges.pipecat import PipecatLLM, PipecatProcessor, PipecatTTS
for use in (
    lambda: asyncio.run(PipecatLLM(object).warm()),
    lambda: asyncio.run(PipecatTTS(object).warm()),
    lambda: PipecatProcessor(object()),
):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    assert run(code).splitlines() == [
        f"{name} needs the package pipecat: pip install 'voiceloop[pipecat]'"
        for name in ("PipecatLLM", "PipecatTTS", "PipecatProcessor")
    ]

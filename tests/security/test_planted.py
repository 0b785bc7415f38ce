"""The search for planted secrets finds them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.planted import PLANTED, found
from voiceloop.sim.twilio import TOKEN
from voiceloop.twilio.token import StreamTokens

ROOT = Path(__file__).parent.parent.parent
LEAKS = """
import logging, os, subprocess, sys
import pytest
from tests.security.planted import PLANTED

TOKEN = PLANTED["the auth token of the simulated Twilio"]

def test_prints_it():
    print("token", TOKEN)

def test_logs_it():
    logging.getLogger("voiceloop.some").debug("the token is %s", TOKEN)

@pytest.fixture
def late():
    yield
    print(TOKEN, file=sys.stderr)

def test_tells_it_at_its_end(late):
    pass

def test_has_a_process_that_tells_it():
    subprocess.run([sys.executable, "-c", f"print('{TOKEN}')"], check=True)

@pytest.mark.shows_secrets
def test_may():
    print(TOKEN)

def test_keeps_it():
    print("token", TOKEN[:6])
"""


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.long)])
def test_a_test_that_shows_a_secret_fails_and_is_named(tmp_path: Path, workers: int) -> None:
    file = tmp_path / "test_leaks.py"
    file.write_text(LEAKS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest", str(file)]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    command += ["-n", str(workers)] if workers else []
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert run.returncode == 1, run.stdout + run.stderr
    named = {line.rpartition("::")[2].split()[0] for line in run.stdout.splitlines() if "has shown what nobody" in line}
    leaky = {"prints_it", "logs_it", "tells_it_at_its_end", "has_a_process_that_tells_it"}
    assert named == {f"test_{name}" for name in leaky}
    assert "the auth token of the simulated Twilio is in the captured log call: …" in run.stdout
    assert "6 passed, 4 errors" in run.stdout


@pytest.mark.parametrize("secret", PLANTED.values(), ids=PLANTED)
def test_each_secret_is_found_and_not_shown_again(secret: str) -> None:
    (hit,) = found([("Captured log call", f"first line\nDEBUG x:1 it is {secret}, so\nlast")])
    assert secret not in hit
    assert "it is ***, so" in hit


def test_what_every_call_makes_anew_is_found() -> None:
    token = StreamTokens(TOKEN, lambda: 1e9).make("CA" + "1" * 32)
    assert len(found([("log", f'<Parameter name="token" value="{token}"/>')])) == 1
    assert len(found([("log", "'X-Twilio-Signature': 'RSOYDt4T1cUTdK1PDd93/VVr8B8='")])) == 1
    assert found([("log", "POST /voice was refused (403): it has no X-Twilio-Signature, so it does not come")]) == []


def test_the_auth_token_of_the_simulator_is_planted() -> None:
    assert TOKEN in PLANTED.values()

"""``voiceloop new``: what it makes works at once, and nothing is lost by it."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest

from tests.warm import python
from voiceloop import __version__
from voiceloop.cli.load import load_bot
from voiceloop.cli.new import add_new, make_project, new
from voiceloop.errors import VoiceloopError
from voiceloop.testing import Dial, ScriptedLLM

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    *("bot.py", "test_bot.py", "requirements.txt", "requirements-dev.txt", "Dockerfile", "README.md"),
    *(".env.example", ".dockerignore", ".gitignore"),
}


class Small(ScriptedLLM):
    """A model that takes no tools, as the built-in one."""

    takes_tools: ClassVar[bool] = False


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project."""
    make_project("front-desk", tmp_path)
    return tmp_path / "front-desk"


async def test_the_command_makes_the_files_and_says_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    add_new(parser.add_subparsers())
    assert await new(parser.parse_args(["new", "front-desk"])) == 0
    assert {file.name for file in (tmp_path / "front-desk").iterdir()} == FILES
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Made front-desk: bot.py, test_bot.py, ")
    assert "  cd front-desk" in rest


def test_its_tests_pass_at_once(project: Path) -> None:
    options = ["-q", "-W", "error", "-p", "voiceloop.testing.plugin", "-p", "no:cacheprovider", "--rootdir", "."]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = python("pytest", *options, cwd=project, env=environment, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^4 passed", run.stdout, re.MULTILINE), run.stdout


@pytest.mark.parametrize(("kind", "offered"), [(ScriptedLLM, ["opening_hours", "hang_up"]), (Small, [])])
async def test_tools_are_offered_to_a_model_that_takes_them(
    kind: type[ScriptedLLM], offered: list[str], project: Path, dial: Dial
) -> None:
    llm = kind(["Bring it in."])
    async with dial(load_bot(project / "bot.py"), llm=llm) as caller:
        await caller.hears("Bicycle shop")
        await caller.says("My bicycle is broken.")
        await caller.hears("Bring it in")
        report = await caller.hangs_up()
    assert report.faults == []
    assert [tool.name for tool in llm.offered[0]] == offered


def test_nothing_is_left_to_be_filled_in_and_no_line_is_too_long(project: Path) -> None:
    for file in project.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\{\{|\}\}", text), file.name
        assert text.endswith("\n"), file.name
        if file.suffix == ".py":
            compile(text, file.name, "exec")
            assert max(map(len, text.splitlines())) <= 120


def test_it_asks_for_extras_that_there_are(project: Path) -> None:
    asked = (project / "requirements.txt").read_text(encoding="utf-8").splitlines()[-1]
    found = re.fullmatch(r"voiceloop\[([a-z,]+)\]~=([0-9.]+)", asked)
    assert found is not None, asked
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(found[1].split(",")) <= set(extras)
    assert found[2] == __version__


def test_the_example_of_the_environment_holds_no_secret_and_explains_every_name(project: Path) -> None:
    before = ""
    names = []
    for line in (project / ".env.example").read_text(encoding="utf-8").splitlines():
        found = re.match(r"(?:# )?([A-Z_]+)=(.*)", line)
        if found:
            names.append(found[1])
            assert found[2] == "", line
            assert before, f"{found[1]} is not explained"
        before = line
    assert {"TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "VOICELOOP_PUBLIC_URL", "VOICELOOP_STORE"} <= set(names)
    assert len(names) == len(set(names))


def test_what_is_secret_or_of_callers_reaches_neither_repository_nor_image(project: Path) -> None:
    if subprocess.run(["git", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "--quiet", "."], cwd=project, check=True, capture_output=True)
    private = [
        ".env",
        "voiceloop-calls.db",
        "voiceloop-calls.db-wal",
        "voiceloop-spool/1",
        "recordings/CA1.wav",
        "call.wav",
        "call.vlog",
    ]
    private += ["voiceloop-call.html", ".voiceloop/test/call-1.jsonl"]
    run = subprocess.run(["git", "check-ignore", *private, *FILES], cwd=project, capture_output=True, text=True)
    assert run.stdout.split() == private
    left_out = (project / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert {".env", ".env.*", ".git", "recordings", "voiceloop-calls.db*", "voiceloop-spool", "*.wav", "*.vlog"} <= set(
        left_out
    )


def test_the_image_serves_the_bot_as_a_user_without_rights_and_without_a_shell(project: Path) -> None:
    lines = (project / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert {word for word, _ in steps} == {
        *("FROM", "RUN", "ENV", "VOLUME", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD"),
    }
    last = dict(steps)
    assert last["USER"] == "agent"
    assert last["CMD"] == '["voiceloop", "serve", "bot.py", "--host", "0.0.0.0", "--port", "8080"]'
    check = re.search(r"CMD (\[.*\])$", last["HEALTHCHECK"])
    assert check is not None
    program = json.loads(check[1])
    assert program[:2] == ["python", "-c"]
    compile(program[2], "healthcheck", "exec")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/tmp/a", "-a", "a-", "A", "a b", "a\n", "é", "a" * 61, "$(a)"])
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(VoiceloopError, match="expected a name such as front-desk"):
        make_project(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_is_not_touched(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "desk"
    there.mkdir() if kind == "folder" else there.write_text("mine")
    with pytest.raises(VoiceloopError, match="is there already, and nothing is overwritten"):
        make_project("desk", tmp_path)
    assert list(there.iterdir()) == [] if kind == "folder" else there.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(VoiceloopError, match="the project cannot be written to"):
        make_project("desk", tmp_path / "missing")

"""Every code block of the README and of the documentation runs, and every command in them is one that exists.

Each page is a small project in a folder of its own. A Python block whose first line is ``# name.py`` is that file;
other blocks are modules without a name and may import the named ones. Blocks with tests are run by pytest, through
the ``dial`` fixture where they use it; blocks with a bot are called; the rest is executed. Commands are checked
against the parsers of the programs they name.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.warm import python
from voiceloop.cli.main import parser as command_line
from voiceloop.cli.table import turn_table

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").rglob("*.md")])
LIMIT = 120.0
"""Seconds that the blocks of a page may take."""
LANGUAGES = ("python", "sh", "console", "text", "json", "yaml")
OWN = (".wav", ".gguf")
"""Files that a reader brings along."""
FENCE = re.compile(r"^( *)(`{3,}|~{3,})(.*)$")
NAME = re.compile(r"^# (\w+\.py)\n")
INLINE = re.compile(r"`((?:\.venv/bin/)?(?:python3?|voiceloop|pip|mkdocs|pytest) [^`]+)`")
TEST = re.compile(r"^(?:async )?def test_", re.MULTILINE)
PASSED = re.compile(r"^PASSED (\w+\.py)::", re.MULTILINE)

OTHERS = '''
"""The blocks of the page that are no tests: executed, and called where they define a bot."""
import importlib
import pytest

@pytest.mark.parametrize("name", {names})
def test_it_runs(name):
    importlib.import_module(name)

@pytest.mark.parametrize("name", {names})
async def test_its_bot_answers(name, dial):
    module = importlib.import_module(name)
    if hasattr(module, "bot"):
        async with dial(module) as caller:
            await caller.waits(5)
            await caller.says("a coffee please")
            await caller.waits(5)
            report = await caller.hangs_up()
        assert [turn.caller for turn in report.turns] == ["a coffee please"]
        assert report.turns[0].heard
        assert report.faults == []
'''


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def tests(self) -> bool:
        return TEST.search(self.text) is not None

    @property
    def file(self) -> str:
        """The name of the module it is."""
        named = NAME.match(self.text)
        if named:
            return named[1]
        return f"{'test_' if self.tests else ''}line_{self.line}.py"

    @property
    def commands(self) -> list[str]:
        """What a reader types."""
        lines = self.text.splitlines()
        if self.language == "sh":
            return [line for line in lines if line.strip()]
        return [line[2:] for line in lines if line.startswith("$ ")] if self.language == "console" else []


def blocks(text: str, page: str) -> list[Block]:
    """The fenced blocks of a page. Raises `ValueError` for one that is not closed."""
    found: list[Block] = []
    opened: tuple[int, str, str, str] | None = None
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                opened, body = (number, fence[1], fence[2], fence[3].strip()), []
        elif fence and fence[2].startswith(opened[2]) and not fence[3].strip():
            found.append(Block(page, opened[0], opened[3], "\n".join(body) + "\n"))
            opened = None
        else:
            body.append(line.removeprefix(opened[1]))
    if opened is not None:
        raise ValueError(f"{page}:{opened[0]}: a block that is not closed")
    return found


def problems(text: str, page: str, folder: Path) -> list[str]:
    """What is wrong with the blocks of a page; `folder` is an empty one to run them in."""
    found = blocks(text, page)
    files = {block.file for block in found if block.language == "python"}
    wrong = [f"{b.where}: a block of {b.language or 'nothing'}" for b in found if b.language not in LANGUAGES]
    for block in found:
        if block.language == "console" and not block.commands:
            wrong.append(f"{block.where}: a console without a command")
        for command in block.commands:
            wrong += [f"{block.where}: {problem}" for problem in wrong_command(command, files)]
    for number, line in enumerate(text.splitlines(), 1):
        for command in INLINE.findall(line):
            wrong += [f"{page}:{number}: {problem}" for problem in wrong_command(command, files)]
    return wrong + wrong_code([block for block in found if block.language == "python"], folder)


# --- Python -------------------------------------------------------------------------------------------------


def wrong_code(found: list[Block], folder: Path) -> list[str]:
    """Run the Python blocks of a page."""
    if not found:
        return []
    files: dict[str, Block] = {}
    for block in found:
        if block.file in files:
            return [f"{block.where}: {block.file} again, after line {files[block.file].line}"]
        files[block.file] = block
        (folder / block.file).write_text(block.text)
    others = [Path(name).stem for name, block in files.items() if not block.tests]
    if others:
        (folder / "test_others.py").write_text(OTHERS.format(names=others))
    expected = {name for name, block in files.items() if block.tests} | ({"test_others.py"} if others else set())
    # Loading every plugin that happens to be installed takes longer than most pages.
    options = ["-p", "no:cacheprovider", "-p", "voiceloop.testing.plugin", "--rootdir", str(folder)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    try:
        run = python(
            "pytest", "-rA", "-W", "error", *options, *sorted(expected), cwd=folder, env=environment, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        return [f"{found[0].page}: its blocks took more than {LIMIT:g} s"]
    if run.returncode or not expected <= set(PASSED.findall(run.stdout)) or " skipped" in run.stdout:
        return [f"{found[0].page}: {', '.join(sorted(expected))} did not all pass\n{run.stdout}{run.stderr}"]
    return []


# --- commands -----------------------------------------------------------------------------------------------


def wrong_command(line: str, files: Iterable[str] = ()) -> list[str]:
    """What is wrong with a line for the shell. `files` are there, besides those of the checkout."""
    wrong = []
    for part in line.split("&&"):
        words = shlex.split(part, comments=True)
        program = words[0].rpartition("/")[2] if words else ""
        arguments = words[1:]
        if program in ("python", "python3") and arguments[:1] == ["-m"] and len(arguments) > 1:
            program, arguments = arguments[1], arguments[2:]
        if program == "voiceloop":
            wrong += _voiceloop(arguments, files)
        elif program == "pip":
            wrong += _pip(arguments)
        elif program in ("pytest", "mkdocs", "venv"):
            module = (program, *arguments[:1]) if program == "mkdocs" else (program,)
            wrong += _options(module, arguments)
            if program == "pytest":
                wrong += _missing([word for word in arguments if word.endswith(".py") or "/" in word], files)
        elif program in ("python", "python3") and arguments and (ROOT / arguments[0]).is_file():
            wrong += _options((arguments[0],), arguments[1:])
        elif words != [".ci/run"]:
            wrong.append(f"{part.strip()!r}: not a command this test knows")
    return wrong


def _voiceloop(arguments: list[str], files: Iterable[str]) -> list[str]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            options = command_line().parse_args(arguments)
        except SystemExit as stop:
            return [said.getvalue()] if stop.code else []
    bot = getattr(options, "bot", None)
    return _missing([bot] if bot else [], files)


def _pip(arguments: list[str]) -> list[str]:
    if arguments[:1] != ["install"]:
        return [f"pip {' '.join(arguments)}: expected pip install"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = [extra for word in arguments for found in re.findall(r"\[(.*)\]", word) for extra in found.split(",")]
    return [f"no extra {extra!r}" for extra in named if extra not in extras]


def _missing(names: Iterable[str], files: Iterable[str]) -> list[str]:
    return [
        f"no file {name}"
        for name in names
        if name not in files and not name.endswith(OWN) and not (ROOT / name.partition("::")[0]).exists()
    ]


def _options(program: tuple[str, ...], arguments: list[str]) -> list[str]:
    known = help_of(program)
    options = {word.partition("=")[0] for word in arguments if word.startswith("-")}
    return [f"{' '.join(program)} has no option {o}" for o in sorted(options) if not re.search(rf"{o}(?![\w-])", known)]


@cache
def help_of(program: tuple[str, ...]) -> str:
    """What a module or a script of the checkout says of itself."""
    run = python(*program, "--help", cwd=ROOT, env=os.environ | {"COLUMNS": "200"}, timeout=LIMIT)
    assert run.returncode == 0, run.stderr
    return run.stdout


# --- the pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_the_page_works(page: Path, tmp_path: Path) -> None:
    wrong = problems(page.read_text(), str(page.relative_to(ROOT)), tmp_path)
    assert not wrong, "\n".join(wrong)


def test_the_readme_opens_with_two_commands_that_need_nothing_but_python() -> None:
    text = (ROOT / "README.md").read_text()
    first = blocks(text, "README.md")[:2]
    assert [block.language for block in first] == ["sh", "sh"]
    assert [len(block.commands) for block in first] == [1, 1]
    assert all(block.text.startswith("python3 -m venv .venv && .venv/bin/pip install ") for block in first)
    assert first[0].text.rstrip().endswith(".venv/bin/voiceloop demo")
    assert first[1].text.rstrip().endswith(".venv/bin/python -m pytest -n auto --dist loadfile")
    assert "#" not in "\n".join(text.splitlines()[1 : first[1].line])  # no heading stands between


def test_the_output_of_the_demo_is_shown_in_its_present_form() -> None:
    shown = [block.text for block in blocks((ROOT / "README.md").read_text(), "README.md") if block.language == "text"]
    assert any("\n".join(turn_table([]).splitlines()) in text for text in shown)


# --- the checker --------------------------------------------------------------------------------------------

BOT = """```python
# shop.py
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.llm.llamacpp import LlamaCpp
from voiceloop.stt.moonshine import Moonshine
from voiceloop.tts.hibari import Hibari

def bot(call):
    ears = [call.transport, EnergyVAD(), Moonshine(), TurnTaking()]
    return Pipeline([*ears, LLMAggregator(LlamaCpp()), Hibari(), AudioStreamer()])
```
"""
CALL = """```python
from shop import bot

async def test_it_answers(dial):
    async with dial(bot) as caller:
        await caller.says("hello")
        await caller.hears("okay")
```
"""


def test_a_page_with_a_bot_and_its_test_has_no_problem(tmp_path: Path) -> None:
    assert problems(BOT + CALL, "page.md", tmp_path) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (BOT + CALL.replace('"okay"', '"certainly"'), "expected to hear 'certainly', heard 'Okay.'"),
        pytest.param(
            BOT + CALL.replace("caller.hears", "caller.listens"), "no attribute 'listens'", marks=pytest.mark.long
        ),
        (BOT + CALL.replace("test_it_answers(dial)", "test_it_answers(phone)"), "fixture 'phone' not found"),
        pytest.param(BOT + CALL.replace("from shop", "from store"), "No module named 'store'", marks=pytest.mark.long),
        (BOT + CALL.replace("    async with", '    import pytest; pytest.skip("later")\n    async with'), "skipped"),
        (BOT.replace("EnergyVAD(), M", "M"), "page.md: test_others.py did not all pass"),
        pytest.param(BOT.replace("TurnTaking()", "TurnTaking"), "Did you mean TurnTaking()?", marks=pytest.mark.long),
        (BOT + BOT, "page.md:12: shop.py again, after line 1"),
        ("```python\nfrom voiceloop import Pipline\n```\n", "cannot import name 'Pipline'"),
        pytest.param("```python\nx = (\n```\n", "was never closed", marks=pytest.mark.long),
        ("1. Do\n\n   ```python\n   raise LookupError('found')\n   ```\n", "LookupError: found"),
        ("```\nvoiceloop demo\n```\n", "page.md:1: a block of nothing"),
        ("```sh\nvoiceloop demo --sed 3\n```\n", "unrecognized arguments: --sed"),
        ("```sh\nvoiceloop call\n```\n", "invalid choice: 'call'"),
        ("```sh\nvoiceloop demo shop.py\n```\n", "no file shop.py"),
        ("```console\n$ python benchmarks/engine.py --jsn\n```\n", "benchmarks/engine.py has no option --jsn"),
        ("```console\n$ python benchmarks/motor.py\n```\n", "not a command this test knows"),
        ("```console\n$ .venv/bin/pip install '.[locl]'\n```\n", "no extra 'locl'"),
        ("```console\n$ python -m pytest tests/nothing\n```\n", "no file tests/nothing"),
        ("```console\n$ python -m mkdocs build --strickt\n```\n", "mkdocs build has no option --strickt"),
        ("```console\nvoiceloop demo\n```\n", "a console without a command"),
        ("Type `voiceloop demo --jsn`.\n", "page.md:1: usage: voiceloop"),
        ("| run | `python benchmarks/motor.py` |\n", "not a command this test knows"),
    ],
)
def test_what_is_broken_is_found(page: str, said: str, tmp_path: Path) -> None:
    found = problems(page, "page.md", tmp_path)
    assert len(found) == 1
    assert said in found[0]


def test_a_block_that_is_not_closed_is_found() -> None:
    with pytest.raises(ValueError, match=r"page\.md:2: a block that is not closed"):
        blocks("text\n```python\nx = 1\n", "page.md")

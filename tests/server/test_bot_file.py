"""A bot file is loaded, warmed, and loaded again when it was edited."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from voiceloop.cli.load import load_bot
from voiceloop.runtime import Runtime
from voiceloop.server.bot_file import LOOK, BotFile


class Prepared:
    """Stands in for warming: remembers what was prepared, and can take its time or fail."""

    def __init__(self) -> None:
        self.runtimes: list[Runtime] = []
        self.seconds = 0.0
        self.closed: list[str] = []

    async def __call__(self, module: ModuleType, runtime: Runtime) -> None:
        await runtime.warm(_Provider(module.NAME, self))
        self.runtimes.append(runtime)
        await asyncio.sleep(self.seconds)
        module.bot(None)


class _Provider:
    def __init__(self, name: str, kept: Prepared) -> None:
        self.name, self.kept = name, kept

    async def warm(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        self.kept.closed.append(self.name)


@asynccontextmanager
async def watched(file: Path, prepared: Any, **options: Any) -> AsyncIterator[BotFile]:
    bot_file = BotFile(file, load=load_bot, prepare=prepared, **options)
    bot_file.start()
    try:
        yield bot_file
    finally:
        await bot_file.aclose()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a bot with a name; every edit has another size, as times of files may be coarse."""

    def put(name: str, rest: str = "", file: str = "edited.py") -> Path:
        path = tmp_path / file
        path.write_text(f"NAME = {name!r}\n{rest}\ndef bot(call): pass\n")
        return path

    return put


async def after(seconds: float = 2 * LOOK) -> None:
    await asyncio.sleep(seconds)


async def test_an_edit_is_loaded_and_the_old_providers_are_closed(write: Any) -> None:
    prepared = Prepared()
    async with watched(write("first"), prepared) as bot_file:
        await after()
        loaded = bot_file.enter()
        assert loaded is not None
        assert loaded.module.NAME == "first"
        await loaded.leave()
        write("the second")
        assert bot_file.enter() is None  # not the old one, once it was edited
        await after()
        assert prepared.closed == ["first"]
        loaded = bot_file.enter()
        assert loaded is not None
        assert loaded.module.NAME == "the second"
        assert bot_file.loads == 2
    assert prepared.closed == ["first", "the second"]


async def test_a_call_that_runs_keeps_what_it_runs_on(write: Any) -> None:
    prepared = Prepared()
    async with watched(write("first"), prepared) as bot_file:
        await after()
        loaded = bot_file.enter()
        assert loaded is not None
        write("the second")
        await after()
        assert prepared.closed == []
        assert bot_file.state == "ready"
        await loaded.leave()
        assert prepared.closed == ["first"]


async def test_a_module_beside_the_file_counts_as_the_file(write: Any, tmp_path: Path) -> None:
    (tmp_path / "beside_menu.py").write_text("TEA = 1\n")
    async with watched(write("first", "import beside_menu"), Prepared()) as bot_file:
        await after()
        (tmp_path / "beside_menu.py").write_text("TEA = 100\n")
        await after()
        loaded = bot_file.enter()
        assert loaded is not None
        assert loaded.module.beside_menu.TEA == 100
        assert bot_file.loads == 2
    sys.modules.pop("beside_menu", None)


@pytest.mark.parametrize(
    ("rest", "line", "said", "code"),
    [
        ("x = (", 2, "SyntaxError: '(' was never closed", "x = ("),
        ("y = 1 / 0", 2, "ZeroDivisionError: division by zero", "y = 1 / 0"),
        ("import sys; sys.exit(3)", 2, "the file ends the program when it is imported (SystemExit: 3)", None),
        ("import nowhere_to_be_found", 2, "ModuleNotFoundError: No module named 'nowhere_to_be_found'", None),
    ],
)
async def test_an_error_names_file_line_and_code(write: Any, rest: str, line: int, said: str, code: str | None) -> None:
    async with watched(write("wrong", rest), Prepared()) as bot_file:
        await after()
        assert bot_file.state == "error"
        assert bot_file.error is not None
        assert (bot_file.error.file, bot_file.error.line, bot_file.error.message) == ("edited.py", line, said)
        assert bot_file.error.code == (code or rest)
        assert bot_file.enter() is None
        write("mended")
        await after()
        assert bot_file.state == "ready"
        assert bot_file.error is None


async def test_an_error_when_the_bot_is_tried_names_its_line_and_closes_what_was_warmed(write: Any) -> None:
    prepared = Prepared()
    path = write("wrong")
    path.write_text("NAME = 'wrong'\ndef bot(call):\n    return call.nothing\n")
    async with watched(path, prepared) as bot_file:
        await after()
        assert bot_file.error is not None
        assert (bot_file.error.line, bot_file.error.code) == (3, "return call.nothing")
        assert prepared.closed == ["wrong"]


async def test_an_edit_while_models_load_is_not_kept_waiting(write: Any) -> None:
    prepared = Prepared()
    prepared.seconds = 600.0
    async with watched(write("slow"), prepared) as bot_file:
        await after()
        assert bot_file.state == "loading"
        prepared.seconds = 0.0
        write("quick one")
        await after(4 * LOOK)
        assert bot_file.state == "ready"
        assert prepared.closed == ["slow"]


async def test_substitutes_are_made_anew_for_each_load(write: Any) -> None:
    prepared, made = Prepared(), []

    def substitutes() -> dict[type, Any]:
        made.append(object())
        return {int: made[-1]}

    async with watched(write("first"), prepared, substitutes=substitutes) as bot_file:
        await after()
        write("the second")
        await after()
        assert bot_file.state == "ready"
    assert [runtime.provider(int, 0) for runtime in prepared.runtimes] == made
    assert len(made) == 2


async def test_a_missing_file_is_an_error_until_it_is_there(write: Any, tmp_path: Path) -> None:
    async with watched(tmp_path / "later.py", Prepared()) as bot_file:
        await after()
        assert bot_file.state == "error"
        assert bot_file.error is not None
        assert "there is no file" in bot_file.error.message
        write("now", file="later.py")
        await after()
        assert bot_file.state == "ready"

"""Which bot is meant by what `dial` is given: a function, a module, or the path of a file."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType

from voiceloop.errors import VoiceloopError
from voiceloop.twilio.media import Bot

__all__ = ["bot_of", "loaded"]


def bot_of(given: object, beside: Iterable[Path] = ()) -> tuple[Bot, str]:
    """The function ``bot(call)``, and what people call it.

    Args:
        given: the function, the module that holds it, or the path of its file.
        beside: folders in which a file of that name is looked for, when it is not in the present one.

    Raises:
        VoiceloopError: it is none of these, or there is no such file.
    """
    __tracebackhide__ = True
    if isinstance(given, str | PathLike):
        given = loaded(str(_file(fspath(given), list(beside)).resolve()))
    answer = getattr(given, "bot", given)
    if not callable(answer):
        raise VoiceloopError(
            f"dial needs the function bot(call), a module that has one, or the path of its file, got {given!r}"
        )
    home = given.__name__ if isinstance(given, ModuleType) else getattr(answer, "__module__", "")
    name = getattr(answer, "__qualname__", type(answer).__name__).rpartition(".")[2]
    shown = home.rpartition(".")[2].removeprefix("voiceloop_bot_")
    return answer, shown if name == "bot" and shown else name


@cache
def loaded(path: str) -> ModuleType:
    """A bot file, loaded once: what it builds is shared by all calls, as when it is served."""
    __tracebackhide__ = True
    from voiceloop.cli.load import load_bot

    return load_bot(path)


def _file(given: str, beside: list[Path]) -> Path:
    __tracebackhide__ = True
    folders = list(dict.fromkeys([Path.cwd(), *beside]))
    for folder in folders:
        if (folder / given).is_file():
            return folder / given
    if Path(given).name == given and not given.endswith(".py"):
        raise VoiceloopError(
            f"dial({given!r}): a module is given as the module, not its name: import {given} and dial({given}), "
            f'or give the path of its file, "{given}.py"'
        )
    wanted = [folder / given for folder in folders]
    near = [str(file) for path in wanted for file in _near(path)]
    raise VoiceloopError(
        f"expected a bot file, a Python module with bot(call), but there is no file {' nor '.join(map(str, wanted))}"
        + (f". Did you mean {' or '.join(near)}?" if near else "")
    )


def _near(path: Path) -> Iterable[Path]:
    """Files beside it that are called nearly the same."""
    if not path.parent.is_dir():
        return []
    there = [file.name for file in path.parent.glob("*.py") if not file.name.startswith("test_")]
    return [path.parent / name for name in get_close_matches(path.name, there)]

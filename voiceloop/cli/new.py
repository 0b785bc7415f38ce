"""``voiceloop new``: a project with a bot, its test, and what it takes to serve it."""

from __future__ import annotations

import argparse
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from voiceloop import __version__
from voiceloop.errors import VoiceloopError, quoted

__all__ = ["add_new", "make_project", "new"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST: Final = 60
"""Characters of a name: Docker takes it for an image, and systems for a folder."""
_SUFFIX: Final = ".template"
_NEXT: Final = """
Next:
  cd {name}
  pip install -r requirements-dev.txt
  python -m pytest          calls the bot, in virtual time
  voiceloop serve bot.py    serves it: without an account, for simulated calls from this machine
  voiceloop sim call        rings it, from another terminal
README.md says how it gets a number."""


def add_new(commands: Any) -> None:
    """Add the command to those of ``voiceloop``."""
    command = commands.add_parser(
        "new",
        help="make a project: a bot, its test, a Dockerfile",
        description="Makes a folder with a small bot that runs without a key, a test of it that passes, a Dockerfile, "
        "and a file that explains the environment. Nothing is overwritten.",
    )
    command.add_argument("name", metavar="NAME", help="of the folder: small letters, digits, '-' and '_'")
    command.add_argument("--verbose", action="store_true", help="log what happens inside")
    command.set_defaults(bot=None)


async def new(options: argparse.Namespace) -> int:
    """Make the project in the current folder; returns the exit status.

    Raises:
        VoiceloopError: the name cannot be one, there is something of that name, or it cannot be written.
    """
    made = make_project(options.name, Path.cwd())
    print(f"Made {options.name}: {', '.join(made)}")
    print(_NEXT.format(name=options.name))
    return 0


def make_project(name: str, parent: Path) -> list[str]:
    """Make the folder `name` in another one; returns the names of its files.

    Raises:
        VoiceloopError: the name cannot be one, there is something of that name, or it cannot be written.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise VoiceloopError(
            f"expected a name such as front-desk (small letters, digits, '-' and '_' between them, at most {_LONGEST} "
            f"characters), got {quoted(name)!r}"
        )
    folder = parent / name
    try:
        folder.mkdir()
        for file, text in _template(name).items():
            with (folder / file).open("x", encoding="utf-8", newline="\n") as made:
                made.write(text)
    except FileExistsError:
        raise VoiceloopError(f"{folder} is there already, and nothing is overwritten: choose another name") from None
    except OSError as error:
        raise VoiceloopError(f"the project cannot be written to {folder}: {error.strerror or error}") from None
    return list(_template(name))


def _template(name: str) -> dict[str, str]:
    """The files of a project by their names, those to read first first."""
    texts = {
        source.name.removesuffix(_SUFFIX): source.read_text(encoding="utf-8")
        for source in (files("voiceloop") / "template").iterdir()
        if source.name.endswith(_SUFFIX)
    }
    # In the package they must not begin with a dot: a .gitignore there would hide files from git.
    named = {re.sub("^dot-", ".", file): text for file, text in texts.items()}
    filled = {file: text.replace("{{name}}", name).replace("{{version}}", __version__) for file, text in named.items()}
    return dict(sorted(filled.items(), key=lambda entry: (not entry[0].endswith(".py"), entry[0].lower())))

"""Load a bot file: a module with ``bot(call) -> Pipeline``."""

from __future__ import annotations

import importlib.util
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from voiceloop.errors import VoiceloopError

__all__ = ["BotFileError", "example", "load_bot"]


class BotFileError(VoiceloopError):
    """A bot file that cannot be used."""


def load_bot(path: str | Path) -> ModuleType:
    """Import a bot file.

    Raises:
        BotFileError: there is no such file, or it defines no ``bot``.
        Exception: whatever the file itself raises when it is imported.
    """
    path = Path(path)
    if not path.is_file():
        raise BotFileError(f"expected a bot file, a Python module with bot(call), but there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"voiceloop_bot_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BotFileError(f"expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "bot", None)):
        raise BotFileError(f"{path} defines no function bot(call) that returns a Pipeline")
    return module


def example(name: str) -> Path:
    """A bundled example: inside the installed package, or beside it in a checkout."""
    inside = Path(str(files("voiceloop"))) / "examples" / name
    return inside if inside.is_file() else Path(str(files("voiceloop"))).parent / "examples" / name

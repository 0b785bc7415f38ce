"""Load a bot file: a module with ``bot(call) -> Pipeline``."""

from __future__ import annotations

import importlib.util
import sys
from importlib.resources import files
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe

__all__ = ["BotFileError", "example", "load_bot"]


class BotFileError(VoiceloopError):
    """A bot file that cannot be used."""


def load_bot(path: str | Path) -> ModuleType:
    """Import a bot file.

    Its folder is put on the import path, as Python does for a script.

    Raises:
        BotFileError: there is no such file, it raises when it is imported, or it defines no ``bot``.
        MissingExtra: it needs a package that an extra brings.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise BotFileError(f"expected a bot file, a Python module with bot(call), but there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"voiceloop_bot_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BotFileError(f"expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if str(path.resolve().parent) not in sys.path:
        sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except VoiceloopError:
        raise
    except Exception as error:
        raise BotFileError(f"{path}{_line_of(error, path)}: {describe(error)[0]}") from error
    if not callable(getattr(module, "bot", None)):
        raise BotFileError(f"{path} defines no function bot(call) that returns a Pipeline")
    return module


def _line_of(error: Exception, path: Path) -> str:
    """The last line of the file that had a part in an error, as ``:12``."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f":{error.lineno}"
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if Path(frame.filename) == path.absolute()]
    return f":{lines[-1]}" if lines else ""


def example(name: str) -> Path:
    """A bundled example: inside the installed package, or beside it in a checkout."""
    inside = Path(str(files("voiceloop"))) / "examples" / name
    return inside if inside.is_file() else Path(str(files("voiceloop"))).parent / "examples" / name

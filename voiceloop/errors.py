"""Errors of the library, what they may quote, and the one way to import an optional package."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Final

__all__ = ["MissingExtra", "ModelError", "VoiceloopError", "quoted", "require"]

_QUOTE = 200
"""Characters of what came from outside that are put into a message."""


class VoiceloopError(Exception):
    """The root of every error this library raises on purpose."""


class ModelError(VoiceloopError):
    """A model cannot be loaded or refuses to work: a missing or broken file, a prompt that does not fit."""


class MissingExtra(VoiceloopError, ImportError):
    """An optional package is needed and not installed. The message names the extra that brings it."""


def quoted(text: str) -> str:
    """What came from outside, on one line, cut short, without control characters."""
    line = " ".join(text[: 8 * _QUOTE].split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= _QUOTE else f"{line[: _QUOTE - 1]}…"


_SENDS_NOTHING: Final = ("ORT_DISABLE_TELEMETRY", "1")
"""onnxruntime keeps an id of the machine and what it would tell its makers in the home folder, unless told otherwise
before it is imported."""


def require(module: str, extra: str, what: str | None = None) -> ModuleType:
    """Import an optional module, or say which extra to install.

    Args:
        module: dotted name of the module, such as ``onnxruntime``.
        extra: the extra of voiceloop that brings it, such as ``local``.
        what: who needs it, for the message; "This" when not given.

    Raises:
        MissingExtra: the package is not installed.
        ImportError: it is installed and broken; passed on, because installing it again may not be the answer.
    """
    package = module.partition(".")[0]
    try:
        missing = find_spec(package) is None
    except (ValueError, ImportError):  # a module without a spec: it is there
        missing = False
    if missing:
        raise MissingExtra(
            f"{what or 'This'} needs the package {package}: pip install 'voiceloop[{extra}]'", name=package
        )
    os.environ.setdefault(*_SENDS_NOTHING)
    return import_module(module)

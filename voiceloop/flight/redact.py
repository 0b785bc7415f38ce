"""Leaves out of a recording what must not be kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["Redaction"]

_LETTER = re.compile(r"\w")
_KEPT = frozenset(
    {"k", "kind", "type", "role", "outcome", "reason", "id", "call_id", "name", "at", "python", "version"}
)
"""Keys whose values say what a thing is, not what was said."""


class Redaction:
    """What stands in place of audio and text.

    Args:
        audio: whether audio becomes silence.
        text: whether letters and digits become ``x``.
    """

    def __init__(self, *, audio: bool, text: bool) -> None:
        self.audio: Callable[[bytes], bytes] = _silence if audio else _same
        self.text: Callable[[str], str] = _masked if text else _same
        self.value: Callable[[Any], Any] = _masked_value if text else _same
        self.parts = tuple(name for name, left_out in (("audio", audio), ("text", text)) if left_out)


def _same(value: Any) -> Any:
    return value


def _silence(audio: bytes) -> bytes:
    return b"\xff" * len(audio)


def _masked(text: str) -> str:
    return _LETTER.sub("x", text)


def _masked_value(value: Any) -> Any:
    if isinstance(value, str):
        return _masked(value)
    if isinstance(value, list | tuple):
        return [_masked_value(each) for each in value]
    if isinstance(value, dict):
        return {
            key: each if key in _KEPT and isinstance(each, str) else _masked_value(each) for key, each in value.items()
        }
    return value

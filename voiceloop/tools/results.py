"""What a tool gave back, as text for a model. Needs the extra ``tools`` (pydantic) for more than text."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from typing import Any

from voiceloop.errors import require
from voiceloop.tools.errors import BadResult

__all__ = ["DONE", "bounded", "text_of"]

DONE = "done"
"""What a model reads when a tool gave back nothing."""


def text_of(value: Any, limit: int) -> str:
    """A result as text: `str` as it is, None as ``done``, all else as JSON.

    Dataclasses, pydantic models, named tuples, dates, decimals, enums and sets become what JSON has for them.

    Args:
        limit: characters; what is longer is cut, and says so.

    Raises:
        BadResult: it cannot be written as JSON.
    """
    if value is None:
        return DONE
    if isinstance(value, str) and not isinstance(value, Enum):
        return bounded(value, limit)
    if isinstance(value, Iterator | AsyncIterator):
        raise BadResult(f"it gave back a {type(value).__name__}: return a list")
    core = require("pydantic_core", "tools", "A tool")
    try:
        plain = core.to_jsonable_python(value, inf_nan_mode="strings")
        return bounded(plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False), limit)
    except (ValueError, TypeError, RecursionError):  # pydantic's errors are ValueErrors
        raise BadResult(
            f"it gave back a {type(value).__name__} that cannot be written as JSON: return text, numbers, lists, "
            "dicts, dataclasses or pydantic models"
        ) from None


def bounded(text: str, limit: int) -> str:
    """Text that can be sent: cut when it is too long, without halves of characters."""
    if len(text) > limit:
        text = f"{text[:limit]}… (cut: {limit} of {len(text)} characters)"
    return text.encode("utf-8", "replace").decode()

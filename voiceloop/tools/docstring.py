"""What the docstring of a tool tells a model. Needs the extra ``tools``."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

from voiceloop.errors import require

__all__ = ["Doc", "read_doc"]


@dataclass(slots=True, frozen=True)
class Doc:
    """A docstring, taken apart."""

    text: str = ""
    """All that stands before the sections. What is returned and raised is told to people only."""
    parameters: dict[str, str] = field(default_factory=dict)
    """What it says of each parameter."""


def read_doc(text: str | None) -> Doc:
    """Read a docstring in the style of Google, NumPy, Sphinx or Epydoc; whichever finds most in it.

    Raises:
        MissingExtra: the package docstring-parser is not installed.
    """
    if not text or not text.strip():
        return Doc()
    parser = require("docstring_parser", "tools", "A tool")
    try:
        parsed = parser.parse(inspect.cleandoc(text))
    except parser.ParseError:  # sections that are none: then all of it is text
        return Doc(_joined(text))
    said = "\n\n".join(part for part in (parsed.short_description, parsed.long_description) if part)
    return Doc(_joined(said), {each.arg_name: _joined(each.description or "") for each in parsed.params})


def _joined(text: str) -> str:
    """Without the line breaks that only kept lines short; an empty line stays a new one."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())

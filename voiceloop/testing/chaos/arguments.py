"""Arguments for a tool, made from its JSON schema: right ones, and wrong ones."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["arguments"]

_DEEP: Final = 4
_FORMATS: Final = {
    "date": "2030-02-03",
    "time": "14:05:00",
    "date-time": "2030-02-03T14:05:00Z",
    "duration": "PT20M",
    "uuid": "5f0c3a52-7b1e-4c6d-9a3b-0d2f4e6a8c10",
    "email": "jo@example.com",
    "uri": "https://example.com/",
}
_OTHERS: Final[tuple[Any, ...]] = (None, 7, "seven", [], {}, True)


def arguments(schema: Mapping[str, Any], draw: random.Random, word: str, wrong: str = "") -> str:
    """What a model would write to ask for a tool.

    Args:
        schema: of the object that holds the arguments.
        draw: where chance comes from.
        word: stands where text is wanted.
        wrong: ``missing``: one that is needed is left out; ``type``: one is of another type; ``extra``: one that there
            is not; ``json``: the text breaks off. Anything else: nothing.
    """
    values = _object(schema, draw, word, 0)
    if wrong == "missing" and (needed := [name for name in schema.get("required", ()) if name in values]):
        del values[draw.choice(needed)]
    elif wrong == "type" and values:
        values[draw.choice(list(values))] = draw.choice(_OTHERS)
    elif wrong == "extra":
        values[f"no_{word}"] = word
    text = json.dumps(values)
    return text[: draw.randrange(len(text))] or "{" if wrong == "json" else text


def _object(schema: Mapping[str, Any], draw: random.Random, word: str, depth: int) -> dict[str, Any]:
    needed = schema.get("required", ())
    return {
        name: _value(each, draw, word, depth + 1)
        for name, each in schema.get("properties", {}).items()
        if name in needed or draw.random() < 0.5
    }


def _value(schema: Mapping[str, Any], draw: random.Random, word: str, depth: int) -> Any:
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return _value(draw.choice(schema[several]), draw, word, depth)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return draw.choice(schema["enum"])
    kind = schema.get("type", "string")
    return _MAKERS.get(kind if isinstance(kind, str) else draw.choice(list(kind)), _text)(schema, draw, word, depth)


def _text(schema: Mapping[str, Any], draw: random.Random, word: str, depth: int) -> str:
    text = _FORMATS.get(schema.get("format", ""), word)
    while len(text) < schema.get("minLength", 0):
        text += word
    return text[: schema.get("maxLength", 10_000)]


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = 1 if high is None else high - 10
    return low, low + 10 if high is None else high


def _whole(schema: Mapping[str, Any], draw: random.Random, word: str, depth: int) -> int:
    low, high = _bounds(schema)
    low, high = int(low) + ("exclusiveMinimum" in schema), int(high) - ("exclusiveMaximum" in schema)
    step = int(schema.get("multipleOf", 1)) or 1
    return draw.randint(low, max(low, high)) // step * step


def _number(schema: Mapping[str, Any], draw: random.Random, word: str, depth: int) -> float:
    low, high = _bounds(schema)
    return round(low + (high - low) * draw.uniform(0.1, 0.9), 2)


def _array(schema: Mapping[str, Any], draw: random.Random, word: str, depth: int) -> list[Any]:
    if depth > _DEEP:
        return []
    least = schema.get("minItems", 0)
    size = draw.randint(least, max(least, min(schema.get("maxItems", 3), 3)))
    return [_value(schema.get("items", {}), draw, word, depth + 1) for _ in range(size)]


def _mapping(schema: Mapping[str, Any], draw: random.Random, word: str, depth: int) -> dict[str, Any]:
    return {} if depth > _DEEP else _object(schema, draw, word, depth)


_MAKERS: Final[dict[str, Any]] = {
    "string": _text,
    "integer": _whole,
    "number": _number,
    "boolean": lambda schema, draw, word, depth: draw.random() < 0.5,
    "null": lambda schema, draw, word, depth: None,
    "array": _array,
    "object": _mapping,
}

"""What somebody outside did to a call, read from its recording."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from voiceloop.frames import Word
from voiceloop.turns.expect import Expect

if TYPE_CHECKING:
    from voiceloop.call import Call

__all__ = ["arguments_of"]

_EXPECT: Final = {field.name for field in fields(Expect)}
"""A recorder writes it as any dataclass, by its fields."""


def arguments_of(arguments: list[Any], options: dict[str, Any], call: Call) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a method of the call, as `voiceloop.flight.recorder` wrote them."""
    given = [_value(each, call) for each in arguments]
    named = {name: _value(each, call) for name, each in options.get("options", {}).items()}
    return given, named


def _value(value: Any, call: Call) -> Any:
    if isinstance(value, list):
        return [_value(each, call) for each in value]
    if not isinstance(value, dict):
        return value
    if "answer" in value and call._engine is not None:
        return next((each for each in call._engine.unheard if each.id == value["answer"]), None)
    if "audio" in value:
        return base64.b64decode(value["audio"])
    if "word" in value:
        return Word(*value["word"])
    if value.keys() == _EXPECT:
        figures = value["figures"]
        return Expect(**{**value, "figures": None if figures is None else tuple(figures)})
    return value

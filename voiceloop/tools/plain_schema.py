"""JSON schemas made plain, so that every service and every grammar of a local model takes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["plain"]

_DROPPED = {"title", "discriminator", "$defs", "examples"}
_LISTS = ("anyOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "propertyNames", "contains")
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_REF = "#/$defs/"


def plain(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema without titles and references, each object closed.

    Args:
        schema: as pydantic makes it.
        shared: what its references name. A definition that holds itself cannot be written out: it stays in ``$defs``.
    """
    work = _Plain(shared)
    made: dict[str, Any] = work.schema(schema, ())
    while missing := [name for name in work.kept if name not in work.defs]:
        for name in missing:
            work.defs[name] = {}
            work.defs[name] = work.schema(shared[name], (name,))
    return made | ({"$defs": work.defs} if work.defs else {})


class _Plain:
    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self.kept: dict[str, None] = {}
        """Definitions that hold themselves, in the order in which they were met."""
        self.defs: dict[str, Any] = {}

    def schema(self, schema: Any, inside: tuple[str, ...]) -> Any:
        if not isinstance(schema, Mapping):
            return schema  # true or false
        name = str(schema.get("$ref", "")).removeprefix(_REF)
        if name:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            if name in inside or name in self.kept:
                self.kept[name] = None
                return {"$ref": _REF + name, **self.schema(rest, inside)}
            return self.schema({**self._shared[name], **rest}, (*inside, name))
        made: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _DROPPED:
                continue
            if key == "const":
                made["enum"] = [value]
            elif key == "oneOf":
                made["anyOf"] = [self.schema(each, inside) for each in value]
            elif key in _LISTS:
                made[key] = [self.schema(each, inside) for each in value]
            elif key in _SINGLE:
                made[key] = self.schema(value, inside)
            elif key in _MAPS:
                made[key] = {each: self.schema(inner, inside) for each, inner in value.items()}
            else:
                made[key] = value
        if "properties" in made:
            made.setdefault("additionalProperties", False)
        return _without_null(made)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What may be left out need not also be null."""
    if schema.get("default", ...) is not None:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("default", "anyOf")}
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **rest}
    return rest | ({"anyOf": choices} if choices else {})

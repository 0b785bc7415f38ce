"""The arguments of a tool: their JSON schema, and their reading. Needs the extra ``tools`` (pydantic)."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

from voiceloop.errors import require
from voiceloop.tools.errors import BadArguments, BadTool, quoted
from voiceloop.tools.plain_schema import plain
from voiceloop.tools.signature import REQUIRED, Parameter
from voiceloop.tools.typed_dicts import modern

__all__ = ["ARGUMENTS_LIMIT", "Arguments"]

ARGUMENTS_LIMIT = 100_000
"""Characters of arguments that are read."""
_TOLD = 5
"""Mistakes that a model is told of at once."""


class Arguments:
    """The arguments of one tool.

    Args:
        parameters: what it takes.
        name: what messages call it.

    Raises:
        BadTool: a type that has no JSON schema.
        MissingExtra: pydantic is not installed.
    """

    def __init__(self, parameters: Sequence[Parameter], name: str) -> None:
        self._parameters = {each.name: each for each in parameters}
        self._adapters = {each.name: _adapter(each, name) for each in parameters}
        self.schema: Mapping[str, Any] = self._schema(name)
        """JSON schema of the object that holds them."""

    def read(self, text: str) -> dict[str, Any]:
        """The values of the arguments in a JSON object, those that are given.

        Raises:
            BadArguments: they do not fit. Nothing else is raised, unless by a validator of the user's own.
        """
        given = self._object(text)
        values, wrong = {}, []
        for name, parameter in self._parameters.items():
            if name not in given:
                wrong += [f"{name}: missing"] if parameter.default is REQUIRED else []
                continue
            try:
                values[name] = self._adapters[name].validate_python(given[name])
            except _pydantic().ValidationError as error:
                wrong += _told(name, error)
        wrong += [f"{quoted(name)}: there is no such argument" for name in given if name not in self._parameters]
        if wrong:
            more = [f"and {len(wrong) - _TOLD} more"] if len(wrong) > _TOLD else []
            raise BadArguments("; ".join([*wrong[:_TOLD], *more]), self)
        return values

    def __str__(self) -> str:
        """What it takes, in a line."""
        if not self._parameters:
            return "no arguments: {}"
        parts = []
        for name, schema in self.schema["properties"].items():
            optional = "" if name in self.schema.get("required", ()) else " (may be left out)"
            parts.append(f"{json.dumps(name)}: {_type(schema)}{optional}")
        return f"a JSON object {{{', '.join(parts)}}}"

    def _object(self, text: str) -> dict[str, Any]:
        if len(text) > ARGUMENTS_LIMIT:
            raise BadArguments(f"they are longer than {ARGUMENTS_LIMIT} characters", self)
        try:
            given = json.loads(text, parse_constant=_no_number) if text.strip() else {}
            if isinstance(given, str):  # some models write the object as a JSON string
                given = json.loads(given, parse_constant=_no_number) if given.strip() else {}
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else quoted(str(error))
            raise BadArguments(f"they are not JSON ({why}): {quoted(text)}", self) from None
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise BadArguments(f"expected an object, got {quoted(text)}", self)
        return given

    def _schema(self, name: str) -> dict[str, Any]:
        pydantic = _pydantic()
        inputs = [(each, "validation", adapter) for each, adapter in self._adapters.items()]
        try:
            found, shared = pydantic.TypeAdapter.json_schemas(inputs, schema_generator=_generator())
        except pydantic.errors.PydanticUserError:
            raise BadTool(
                f"{name}: JSON cannot hold the type of {self._culprit()}. Use types that JSON has, or that can be made "
                "from it."
            ) from None
        properties = {}
        for parameter in self._parameters.values():
            properties[parameter.name] = schema = dict(found[parameter.name, "validation"])
            if parameter.description:
                schema["description"] = parameter.description
            schema |= _shown(parameter.default)
        whole: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        if required := [each.name for each in self._parameters.values() if each.default is REQUIRED]:
            whole["required"] = required
        return plain(whole, shared.get("$defs", {}))

    def _culprit(self) -> str:
        """The parameter whose type has no schema."""
        for each, adapter in self._adapters.items():
            try:
                adapter.json_schema(schema_generator=_generator())
            except _pydantic().errors.PydanticUserError:
                return f"{each!r}, {inspect.formatannotation(self._parameters[each].hint)}"
        return "a parameter"


def _pydantic() -> Any:
    return require("pydantic", "tools", "A tool")


def _adapter(parameter: Parameter, name: str) -> Any:
    """Reads values of a parameter."""
    pydantic = _pydantic()
    hint = parameter.hint.__origin__ if hasattr(parameter.hint, "__metadata__") else parameter.hint
    if hint in (Any, object, bytes, bytearray):
        raise BadTool(
            f"{name}: the type of {parameter.name!r} says nothing a model can use: write str, int, list[str], …"
        )
    try:
        return pydantic.TypeAdapter(modern(parameter.hint))
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation) as error:
        raise BadTool(
            f"{name}: {parameter.name!r} cannot be read from JSON: {_reason(error, hint)}. Use str, int, float, bool, "
            "Literal, Enum, list, dict, date, a dataclass, a TypedDict or a pydantic model."
        ) from None


@cache
def _generator() -> Any:
    """Schemas without warnings: what cannot be shown of a default is left out."""
    base = require("pydantic.json_schema", "tools", "A tool").GenerateJsonSchema
    return type("Schemas", (base,), {"ignored_warning_kinds": {"skipped-choice", "non-serializable-default"}})


def _shown(default: Any) -> dict[str, Any]:
    """The default, as a model sees it; None is not shown, for it means that the argument may be left out."""
    if default is REQUIRED or default is None:
        return {} if default is REQUIRED else {"default": None}
    core = require("pydantic_core", "tools", "A tool")
    try:
        return {"default": core.to_jsonable_python(default)}
    except (ValueError, TypeError):
        return {}


def _told(name: str, error: Any) -> Iterator[str]:
    """The mistakes in an argument, one line each."""
    for each in error.errors(include_url=False, include_context=False):
        place = name + "".join(f"[{key}]" if isinstance(key, int) else f".{quoted(key)}" for key in each["loc"])
        message = quoted(each["msg"].replace("Input should be", "expected", 1), 300)
        if each["type"] == "missing":
            yield f"{place}: missing"
        else:
            yield f"{place}: {message}, got {quoted(json.dumps(each['input'], default=repr, ensure_ascii=False))}"


def _type(schema: Mapping[str, Any]) -> str:
    """A type, in a word or two."""
    if "enum" in schema:
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"][:20])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    kind = str(schema.get("type", "value"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _reason(error: Exception, hint: Any) -> str:
    """Why pydantic cannot read a type, in our words: its own advice is for authors of its models."""
    if isinstance(error, _pydantic().errors.PydanticUndefinedAnnotation):
        return f"the name {error.name!r} in its type is not defined"
    found = re.search(r"<class '([\w.]+)'>", str(error))
    return f"JSON has no {found[1] if found else inspect.formatannotation(hint)}"

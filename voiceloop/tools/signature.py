"""What a function takes: its parameters, their types and what its docstring says of them."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from voiceloop.call import Call
from voiceloop.tools.docstring import Doc, read_doc
from voiceloop.tools.errors import BadTool

__all__ = ["REQUIRED", "Parameter", "Signature", "Unresolved", "core", "is_async", "read", "uses_call"]

REQUIRED: Any = inspect.Parameter.empty
"""The default of a parameter that has none."""
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")  # what the services allow as the name of a property


class Unresolved(BadTool):
    """An annotation names what is not there yet."""


@dataclass(slots=True, frozen=True)
class Parameter:
    """One that the model fills in."""

    name: str
    hint: Any
    """Its type, resolved, with what stands in `typing.Annotated`."""
    default: Any
    description: str


@dataclass(slots=True, frozen=True)
class Signature:
    """What a tool is made from."""

    parameters: tuple[Parameter, ...]
    call: str | None
    """The parameter that the library fills with the call of the conversation."""
    call_needed: bool
    text: str
    """What the docstring says of the whole."""


def core(thing: Any) -> Any:
    """The function behind partials, bound methods, callable objects and decorators."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    if not inspect.isroutine(thing):
        thing = type(thing).__call__
    return inspect.unwrap(getattr(thing, "__func__", thing))


def is_async(thing: Any) -> bool:
    """Whether calling it gives something to await."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    return inspect.iscoroutinefunction(thing if inspect.isroutine(thing) else type(thing).__call__)


def uses_call(thing: Any) -> bool:
    """Whether it works on a `Call` that it is bound to or closes over."""
    while isinstance(thing, functools.partial):
        if any(isinstance(value, Call) for value in (*thing.args, *thing.keywords.values())):
            return True
        thing = thing.func
    cells = getattr(core(thing), "__closure__", None) or ()
    return isinstance(getattr(thing, "__self__", None), Call) or any(map(_holds_call, cells))


def _holds_call(cell: Any) -> bool:
    try:
        return isinstance(cell.cell_contents, Call)
    except ValueError:  # nothing is in it yet
        return False


def read(thing: Callable[..., Any], name: str) -> Signature:
    """Read a function.

    Args:
        name: what messages call it.

    Raises:
        BadTool: it cannot be a tool; `Unresolved` if that is so because an annotation names something unknown.
        MissingExtra: docstring-parser is not installed.
    """
    function = core(thing)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise BadTool(f"{name}: expected a function, found a generator. A tool returns once: use return, not yield.")
    doc = read_doc(_docstring(thing, function))
    unknown = sorted(doc.parameters.keys() - _all_names(thing, function))
    if unknown:
        raise BadTool(f"{name}: its docstring tells of {', '.join(unknown)}, which it does not take. Mend the name.")
    taken = _taken(thing, name)
    hints = _hints(function, list(taken), name)
    calls = [each for each in taken if _is_call(hints[each])]
    if len(calls) > 1:
        raise BadTool(f"{name}: expected at most one parameter of the type Call, found {' and '.join(calls)}.")
    return Signature(
        tuple(_parameter(taken[each], hints[each], doc) for each in taken if each not in calls),
        calls[0] if calls else None,
        bool(calls) and taken[calls[0]].default is REQUIRED,
        doc.text,
    )


def _docstring(thing: Any, function: Any) -> str | None:
    while isinstance(thing, functools.partial):  # its own docstring is that of all partials
        thing = thing.func
    text = function.__doc__
    return text if text or inspect.isroutine(thing) else type(thing).__doc__


def _all_names(thing: Any, function: Any) -> set[str]:
    """The parameters that the docstring may tell of, also those that are filled in already."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    return {each.lstrip("*") for each in inspect.signature(thing).parameters} if callable(function) else set()


def _taken(thing: Callable[..., Any], name: str) -> dict[str, inspect.Parameter]:
    """The parameters that are left to fill in."""
    try:
        parameters = inspect.signature(thing).parameters
    except ValueError:
        raise BadTool(f"{name}: its parameters cannot be known, for it is not written in Python. Wrap it.") from None
    filled = thing.keywords if isinstance(thing, functools.partial) else {}
    taken = {key: value for key, value in parameters.items() if key not in filled}
    for key, parameter in taken.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise BadTool(
                f"{name}: takes {parameter}, and a model must know each argument by name: write "
                f"def {_written(name)}(first: str, second: int = 1)."
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise BadTool(f"{name}: {key!r} cannot be given by name. Take the '/' out of its parameters.")
        if not _NAME.fullmatch(key):
            raise BadTool(f"{name}: expected a parameter named in at most 64 ASCII letters, found {key!r}.")
    return taken


def _hints(function: Any, names: list[str], name: str) -> dict[str, Any]:
    """The resolved types of these parameters. Others, and what it returns, need not be resolvable."""
    try:
        written: Mapping[str, Any] = function.__annotations__ if hasattr(function, "__annotations__") else {}
        missing = [each for each in names if each not in written]
        if missing:
            raise BadTool(
                f"{name}: expected a type for each parameter, found none for {', '.join(missing)}. Write "
                f"def {_written(name)}({_typed(names, missing)})."
            )

        def holder() -> None: ...

        holder.__annotations__ = {each: written[each] for each in names}
        # A module may import Call for type checkers only.
        space = {"Call": Call, **(function.__globals__ if isinstance(function, FunctionType) else {})}
        return typing.get_type_hints(holder, globalns=space, localns=_closed_over(function), include_extras=True)
    except (NameError, AttributeError, SyntaxError) as error:
        raise Unresolved(
            f"{name}: a type of its parameters cannot be found ({error}). Define or import it at the top of the "
            "module, outside 'if TYPE_CHECKING:' and outside functions."
        ) from None


def _written(name: str) -> str:
    """The name of a tool, as it may stand behind ``def``."""
    return name.replace("-", "_")


def _typed(names: list[str], missing: list[str]) -> str:
    """Parameters with a type for those that have none, for an example."""
    return ", ".join(f"{each}: str" if each in missing else f"{each}: …" for each in names)


def _closed_over(function: Any) -> dict[str, Any]:
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    found = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _is_call(hint: Any) -> bool:
    return any(isinstance(each, type) and issubclass(each, Call) for each in (hint, *typing.get_args(hint)))


def _parameter(parameter: inspect.Parameter, hint: Any, doc: Doc) -> Parameter:
    said = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, str)]
    text = said[0] if said else doc.parameters.get(parameter.name, "")
    return Parameter(parameter.name, hint, parameter.default, text)

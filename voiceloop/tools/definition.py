"""A tool: a Python function that a model may ask for."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, ParamSpec, TypeVar, overload
from weakref import WeakKeyDictionary

from voiceloop.llm.base import ToolSpec
from voiceloop.tools.errors import BadTool
from voiceloop.tools.schema import Arguments
from voiceloop.tools.signature import Signature, Unresolved, core, is_async, read, uses_call

__all__ = ["Tool", "ToolOptions", "as_tool", "tool"]

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(slots=True, frozen=True)
class ToolOptions:
    """How a tool is offered and run."""

    name: str | None = None
    """What the model calls it: letters, digits, ``_`` and ``-``, at most 64. None: the name of the function."""
    description: str | None = None
    """What the model is told of it. None: what stands in the docstring, before its sections."""
    timeout: float = 20.0
    """Seconds after which the model is told that nothing came."""
    slow: str | None = None
    """What the caller is told when it takes long. None: the library's own words, in the language of the call."""
    side_effects: bool = True
    """Whether it changes something. False for a tool that only looks things up: it may run twice, and for an answer
    that is never given."""
    thread: bool | None = None
    """Whether a plain ``def`` runs in a thread. None: unless it takes a `Call`, is bound to one or closes over one,
    because a call may only be used on its event loop."""
    limit: int = 8000
    """Characters of a result that the model is given."""

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise BadTool(f"expected a name of letters, digits, '_' and '-', at most 64, got {self.name!r}")
        if self.description is not None and not self.description.strip():
            raise BadTool("the description of a tool is empty: say what it does, or leave it out")
        if not self.timeout > 0:
            raise BadTool(f"timeout must be more than 0 s, got {self.timeout}")
        if self.limit < 1:
            raise BadTool(f"limit must be at least 1 character, got {self.limit}")


@dataclass(slots=True, frozen=True)
class _Form:
    """What is read from a function, once."""

    signature: Signature
    arguments: Arguments


_forms: WeakKeyDictionary[Any, dict[Any, _Form]] = WeakKeyDictionary()


class Tool(Generic[P, R]):
    """A function, as a model sees it. It can still be called as the function it was made from.

    Args:
        function: a function, sync or async, a bound method, a callable object or a `functools.partial`. What a
            partial fills in the model does not see.
        options: how to offer and run it.

    Raises:
        BadTool: the function cannot be a tool.
        MissingExtra: pydantic or docstring-parser is not installed.
    """

    def __init__(self, function: Callable[P, R], options: ToolOptions | None = None) -> None:
        self.function = _checked(function)
        self.options = options or ToolOptions()
        self.name = self.options.name or _name(function)
        self._form: _Form | None = None
        functools.update_wrapper(self, function, updated=())
        self._unbound = _is_unbound(function)
        if not self._unbound:
            with suppress(Unresolved):  # a type that is defined further down in the module; `spec` tells if it is not
                self._read()

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """A tool in a class: that of an object is bound to it, as a method is."""
        if instance is None:
            return self
        return Tool(self.function.__get__(instance, owner), replace(self.options, name=self.name))

    @property
    def spec(self) -> ToolSpec:
        """What the model is told.

        Raises: `BadTool`: a type cannot be found, or it is the method of no object.
        """
        form = self._read()
        description = self.options.description or form.signature.text
        if not description:
            raise BadTool(
                f"{self.name}: a model knows a tool by its description, and there is none. Write a docstring, or pass "
                "description=."
            )
        return ToolSpec(self.name, description, form.arguments.schema)

    @property
    def arguments(self) -> Arguments:
        """Reads what the model gives it."""
        return self._read().arguments

    @property
    def call_parameter(self) -> str | None:
        """The parameter that takes the call, if there is one."""
        return self._read().signature.call

    @property
    def needs_call(self) -> bool:
        """Whether it cannot run without a call."""
        return self._read().signature.call_needed

    @property
    def in_thread(self) -> bool:
        """Whether it runs in a thread."""
        if is_async(self.function):
            return False
        if self.options.thread is not None:
            return self.options.thread
        return self.call_parameter is None and not uses_call(self.function)

    def _read(self) -> _Form:
        if self._unbound:
            raise BadTool(
                f"{self.name}: is a method without its object: offer that of an object, such as shop.{self.name}"
            )
        if self._form is None:
            self._form = _form(self.function, self.name)
        return self._form


def _form(function: Any, name: str) -> _Form:
    """What a function is read as. A method, and a partial that fills in the same, are read once for all calls."""
    base, places, filled = _unwrapped(function)
    key = (places, filled, inspect.ismethod(base), inspect.isroutine(base))
    written = getattr(base, "__func__", base) if inspect.isroutine(base) else type(base).__call__
    try:
        forms = _forms.setdefault(written, {})
    except TypeError:  # no weak reference can be made to it
        forms = {}
    if key not in forms:
        signature = read(function, name)
        forms[key] = _Form(signature, Arguments(signature.parameters, name))
    return forms[key]


def _unwrapped(function: Any) -> tuple[Any, int, tuple[str, ...]]:
    """What partials are made from, how many arguments they fill in by their place, and which by name."""
    places = 0
    names: set[str] = set()
    while isinstance(function, functools.partial):
        places += len(function.args)
        names |= function.keywords.keys()
        function = function.func
    return function, places, tuple(sorted(names))


def _name(function: Any) -> str:
    function, *_ = _unwrapped(function)
    name = function.__name__ if inspect.isroutine(function) else type(function).__name__
    if not _NAME.fullmatch(name):
        raise BadTool(f"{name!r} is no name for a tool: pass name= of letters, digits, '_' and '-', at most 64")
    return str(name)


def _is_unbound(function: Any) -> bool:
    """Whether it is a method, read while its class is being defined."""
    if not inspect.isfunction(function):
        return False
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and first.name == "self" and first.annotation is first.empty


def _checked(thing: Callable[P, R]) -> Callable[P, R]:
    """A thing that can be called, or an error that says what it is instead."""
    if inspect.iscoroutine(thing):
        thing.close()
        raise BadTool("expected a function, got a coroutine: pass the function itself, without calling it")
    if isinstance(thing, type):
        raise BadTool(
            f"expected a function, got the class {thing.__name__}: pass a function or the method of an object"
        )
    if isinstance(thing, classmethod | staticmethod):
        raise BadTool(f"expected a function, got a {type(thing).__name__}: put @tool below it")
    if not callable(thing):
        raise BadTool(
            f"expected a function, got {thing!r:.80}: pass the function itself, as in LLMAggregator(tools=[price])"
        )
    return thing


def as_tool(thing: Any) -> Tool[..., Any]:
    """A `Tool` as it is; one made from a function, a bound method, a callable object or a `functools.partial`.

    What stands in an attribute ``__tool__`` of the function, a mapping of `ToolOptions`, counts: for code that is to
    be offered as a tool and cannot import this package.

    Raises:
        BadTool: it cannot be one.
    """
    return thing if isinstance(thing, Tool) else Tool(thing, _options(thing))


def _options(thing: Any) -> ToolOptions:
    return ToolOptions(**getattr(core(_checked(thing)), "__tool__", {}))


@overload
def tool(function: Callable[P, R], /, **options: Any) -> Tool[P, R]: ...
@overload
def tool(
    *, name: str | None = ..., description: str | None = ..., **options: Any
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(function: Any = None, /, **options: Any) -> Any:
    """Make a tool of a function; also a decorator, with and without options.

    Args:
        function: as for `Tool`; a tool that is there already is made anew with other options.
        options: those of `ToolOptions`.

    Raises:
        BadTool: the function cannot be a tool.
        TypeError: an option that there is not.
    """
    unknown = options.keys() - {each.name for each in fields(ToolOptions)}
    if unknown:
        known = ", ".join(each.name for each in fields(ToolOptions))
        raise TypeError(f"@tool has no option {', '.join(sorted(unknown))}: it has {known}")

    def make(function: Any) -> Tool[..., Any]:
        if isinstance(function, Tool):
            return Tool(function.function, replace(function.options, **options))
        return Tool(function, replace(_options(function), **options))

    return make if function is None else make(function)

"""Handlers: the ``on_*`` methods of a processor, read once when its class is defined.

The frame type is the annotation of the handler's argument, or the argument of `handles`. A wrong one is an error
when the class is defined; annotations that are strings are resolved when a pipeline is first compiled.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from voiceloop.errors import VoiceloopError
from voiceloop.frames import AnswerEnd, Content, Frame, Signal
from voiceloop.stream import Stream

__all__ = ["Handler", "HandlerError", "Kind", "collect", "handles", "resolve", "transforms", "watch"]

_NOTHING = (inspect.Signature.empty, None, "None")

F = TypeVar("F", bound=Callable[..., Any])


class HandlerError(VoiceloopError, TypeError):
    """A handler that cannot be one."""


class Kind(IntEnum):
    """How a handler is run. Zero is the common case, so that the dispatcher can test it by truth."""

    INLINE = 0
    ASYNC = 1
    STREAM = 2
    TRANSFORM = 3
    WATCH = 4
    PASS = 5
    """Not a handler: a gate that only keeps the order of content it has no handler for."""


_MARKS = {Kind.WATCH: "watch", Kind.TRANSFORM: "transforms"}


@dataclass(slots=True)
class Handler:
    """One handler of a processor class."""

    name: str
    kind: Kind
    frame_type: type[Frame] | None
    """None until a string annotation is resolved."""
    owner: type


def handles(frame_type: type[Frame]) -> Callable[[F], F]:
    """Say by hand which frames a handler takes, where an annotation cannot."""

    def mark(function: F) -> F:
        function.__voiceloop_type__ = frame_type  # type: ignore[attr-defined]
        return function

    return mark


def watch(function: F) -> F:
    """Look at content without consuming it. The method must be a plain ``def``."""
    function.__voiceloop_kind__ = Kind.WATCH  # type: ignore[attr-defined]
    return function


def transforms(function: F) -> F:
    """Replace a signal: the method returns the frame that goes on in its place. It must be a plain ``def``."""
    function.__voiceloop_kind__ = Kind.TRANSFORM  # type: ignore[attr-defined]
    return function


def collect(cls: type) -> dict[str, Handler]:
    """The handlers of a class, by method name. Raises `HandlerError` for one that is wrong."""
    for name in ("start", "stop"):
        if not inspect.iscoroutinefunction(getattr(cls, name)):
            raise HandlerError(f"{_where(cls, name)}: expected async def, found a plain def.")
    found: dict[str, Handler] = {}
    for name in dir(cls):
        function = inspect.getattr_static(cls, name)
        if isinstance(function, staticmethod | classmethod) and name.startswith("on_"):
            raise HandlerError(f"{_where(cls, name)}: expected a method, found a {type(function).__name__}.")
        if not inspect.isfunction(function):
            continue
        if name.startswith("on_") or hasattr(function, "__voiceloop_type__") or hasattr(function, "__voiceloop_kind__"):
            owner = next(base for base in cls.__mro__ if name in base.__dict__)
            found[name] = _read(owner, name, function)
    _refuse_doubles(cls, found)
    return found


def resolve(cls: type, handlers: dict[str, Handler]) -> None:
    """Resolve string annotations. Raises `HandlerError` when one names nothing, or no frame."""
    for handler in handlers.values():
        if handler.frame_type is not None:
            continue
        function = inspect.getattr_static(cls, handler.name)
        parameter = _parameter(handler.owner, handler.name, function)
        try:
            local = {**vars(handler.owner), handler.owner.__name__: handler.owner}
            hints = typing.get_type_hints(function, localns=local)
        except (NameError, AttributeError, SyntaxError, TypeError) as error:
            raise HandlerError(
                f"{_where(handler.owner, handler.name)}: the annotation {parameter.annotation!r} names something that "
                f"cannot be found ({error}). Import the frame type outside 'if TYPE_CHECKING:', or use @handles(Type)."
            ) from None
        _set_type(handler, hints[parameter.name], _is_async(function))
    _refuse_doubles(cls, handlers)


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether it is an async def, also below decorators that keep to `functools.wraps`."""
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def _where(owner: type, name: str) -> str:
    return f"{owner.__qualname__}.{name}"


def _parameter(owner: type, name: str, function: Callable[..., Any]) -> inspect.Parameter:
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 2:
        raise HandlerError(
            f"{_where(owner, name)}: expected two parameters, self and a frame, found {len(parameters)}. "
            f"A method that is no handler needs a name that does not begin with 'on_'."
        )
    return parameters[1]


def _read(owner: type, name: str, function: Callable[..., Any]) -> Handler:
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise HandlerError(
            f"{_where(owner, name)}: expected a function, found a generator. Use self.push(frame) instead of yield."
        )
    parameter = _parameter(owner, name, function)
    is_async = _is_async(function)
    kind = getattr(function, "__voiceloop_kind__", Kind.ASYNC if is_async else Kind.INLINE)
    if kind in (Kind.WATCH, Kind.TRANSFORM) and is_async:
        raise HandlerError(f"{_where(owner, name)}: @{_MARKS[kind]} needs a plain def, found async def.")
    handler = Handler(name, kind, None, owner)
    declared = getattr(function, "__voiceloop_type__", parameter.annotation)
    if declared is inspect.Parameter.empty:
        raise HandlerError(
            f"{_where(owner, name)}: expected a frame type as the annotation of '{parameter.name}', found none. "
            f"Write 'def {name}(self, {parameter.name}: Text)', or put @handles(Text) above it."
        )
    if kind is not Kind.TRANSFORM and inspect.signature(function).return_annotation not in _NOTHING:
        raise HandlerError(
            f"{_where(owner, name)}: a handler returns nothing, found '-> "
            f"{_name(inspect.signature(function).return_annotation)}'. Send frames on with self.push(frame)."
        )
    if not isinstance(declared, str):
        _set_type(handler, declared, is_async)
    return handler


def _set_type(handler: Handler, declared: Any, is_async: bool) -> None:
    where = _where(handler.owner, handler.name)
    if typing.get_origin(declared) is Stream:
        (declared,) = typing.get_args(declared)
        if not is_async:
            raise HandlerError(f"{where}: a Stream is read with 'async for', so this must be an async def.")
        if not (isinstance(declared, type) and issubclass(declared, Content)):
            raise HandlerError(f"{where}: expected Stream of a content frame, found Stream[{_name(declared)}].")
        handler.kind = Kind.STREAM
    if not (isinstance(declared, type) and issubclass(declared, Frame)):
        raise HandlerError(f"{where}: expected a frame type, found {_name(declared)}.")
    if not issubclass(declared, Signal | Content):
        raise HandlerError(f"{where}: expected a subclass of Signal or Content, found {_name(declared)} itself.")
    if handler.kind is Kind.TRANSFORM and not issubclass(declared, Signal):
        raise HandlerError(f"{where}: @transforms is for signals; content is consumed, so push another frame.")
    if handler.kind is Kind.WATCH and not issubclass(declared, Content):
        raise HandlerError(f"{where}: @watch is for content; a handler of a signal never consumes it anyway.")
    if declared is AnswerEnd and is_async:
        raise HandlerError(f"{where}: the end of an answer is only looked at, so this must be a plain def.")
    handler.frame_type = declared


def _refuse_doubles(cls: type, handlers: dict[str, Handler]) -> None:
    seen: dict[tuple[type, bool], str] = {}
    for handler in handlers.values():
        if handler.frame_type is None:
            continue
        key = (handler.frame_type, handler.kind is Kind.WATCH)
        if key in seen:
            raise HandlerError(
                f"{cls.__qualname__}: expected one handler of {handler.frame_type.__name__}, "
                f"found two, {seen[key]} and {handler.name}."
            )
        seen[key] = handler.name


def _name(thing: Any) -> str:
    return thing.__qualname__ if isinstance(thing, type) else repr(thing)

"""`typing.TypedDict` before Python 3.12 lacks what pydantic needs of it; here it is made anew. Pure."""

from __future__ import annotations

import sys
import typing
from functools import reduce
from operator import or_
from types import GenericAlias, UnionType
from typing import Any

from voiceloop.errors import require

__all__ = ["modern"]


def modern(hint: Any) -> Any:
    """The same type, with every `typing.TypedDict` in it as one of typing_extensions."""
    if sys.version_info >= (3, 12):
        return hint
    return _modern(hint)


def _modern(hint: Any) -> Any:
    if typing.is_typeddict(hint) and type(hint).__module__ == "typing":
        return _rebuilt(hint)
    arguments = typing.get_args(hint)
    changed = tuple(map(_modern, arguments)) if not isinstance(hint, type) or isinstance(hint, GenericAlias) else ()
    if not changed or all(new is old for new, old in zip(changed, arguments, strict=True)):
        return hint
    if isinstance(hint, UnionType):
        return reduce(or_, changed)
    if hasattr(hint, "__metadata__"):
        return typing.Annotated[(changed[0], *hint.__metadata__)]
    if isinstance(hint, GenericAlias):
        return GenericAlias(typing.cast(type, hint.__origin__), changed)
    return hint.copy_with(changed)


def _rebuilt(old: Any) -> Any:
    extensions = require("typing_extensions", "tools", "A TypedDict")
    fields = {}
    for name, hint in typing.get_type_hints(old, include_extras=True).items():
        needed = name in old.__required_keys__
        if (mark := typing.get_origin(hint)) in (typing.Required, typing.NotRequired):
            (hint,), needed = typing.get_args(hint), mark is typing.Required  # the keys miss marks that were strings
        fields[name] = (extensions.Required if needed else extensions.NotRequired)[_modern(hint)]
    new = extensions.TypedDict(old.__name__, fields)
    new.__doc__, new.__module__ = old.__doc__, old.__module__
    return new

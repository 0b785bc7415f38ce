"""What a plan is made of: numbered items, each with all its numbers, so that dropping one changes no other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from voiceloop.errors import VoiceloopError

if TYPE_CHECKING:
    from voiceloop.testing.chaos.scene import Scene

__all__ = ["GROUPS", "BadPlan", "Item", "item_from_dict", "simpler_numbers", "to"]

GROUPS: dict[str, str] = {
    "caller": "what the caller does",
    "model": "what the model says, and which tools it asks for",
    "bot": "what the bot's own code says and does in between",
    "latency": "how long recogniser and voice take",
    "line": "delays of the line, and what goes wrong with it",
    "provider": "what goes wrong at recogniser, model and voice",
    "stall": "the process stands still",
    "code": "handlers and tools that raise, block or hang",
}
"""Kinds of items, for `Plan.drawn`'s and the command line's ``only``."""

KINDS: dict[str, type[Item]] = {}


class BadPlan(VoiceloopError, ValueError):
    """What was given is no plan."""


def to(simplest: Any, default: Any = dataclasses.MISSING) -> Any:
    """A field whose value the shrinker moves towards the simplest one."""
    return field(default=default, metadata={"simplest": simplest})


def simpler_numbers(value: Any, simplest: Any) -> Iterator[Any]:
    """Values between: the simplest one first, then half way, then a little."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isinstance(simplest, int | float):
        if value != simplest:
            yield simplest
        return
    tried = {value}
    for share in (0.0, 0.5, 0.9):
        near = simplest + (value - simplest) * share
        near = int(near) if isinstance(value, int) else round(near, 1 if share else 3)
        if near not in tried and abs(near - simplest) < abs(value - simplest):
            tried.add(near)
            yield near


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens in a call."""

    kind: ClassVar[str] = ""
    """Its name in a file."""
    group: ClassVar[str] = ""
    """One of `GROUPS`."""

    number: int
    """Of the item within its plan; it keeps it when others are dropped."""

    def __init_subclass__(cls) -> None:
        if cls.kind:
            KINDS[cls.kind] = cls

    def __str__(self) -> str:
        """What it is, for a person, in a line without its number."""
        raise NotImplementedError

    def join(self, scene: Scene) -> None:
        """Put it into what is to be run."""
        raise NotImplementedError

    def simpler(self) -> Iterator[Self]:
        """The same with simpler numbers, the simplest first."""
        for each in fields(self):
            if "simplest" in each.metadata:
                for value in simpler_numbers(getattr(self, each.name), each.metadata["simplest"]):
                    yield dataclasses.replace(self, **{each.name: value})

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"number": self.number, "kind": self.kind, **self._values()}

    def _values(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "number"}

    @classmethod
    def of_values(cls, number: int, values: Mapping[str, Any]) -> Self:
        """What `as_dict` was made of, but for number and kind."""
        return cls(number, **values)


def item_from_dict(given: Mapping[str, Any]) -> Item:
    """The item that `Item.as_dict` made this of.

    Raises:
        BadPlan: it is none.
    """
    values = dict(given)
    number, kind = values.pop("number", None), values.pop("kind", None)
    if not isinstance(number, int) or not isinstance(kind, str) or kind not in KINDS:
        raise BadPlan(f"expected an item with a number and a kind ({', '.join(KINDS)}), got {given!r:.200}")
    try:
        return KINDS[kind].of_values(number, values)
    except (TypeError, ValueError, KeyError) as error:
        raise BadPlan(f"item {number} ({kind}): {error}") from None

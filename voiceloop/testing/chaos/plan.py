"""A plan: all that happens in one call, drawn from a seed, as numbered items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from voiceloop.llm.base import LLM
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded
from voiceloop.stt.base import STT

# Not used by name here: a plan read from a file knows only the items of modules that were imported.
from voiceloop.testing.chaos import bot_items, caller_items, fault_items, line_items, model_items
from voiceloop.testing.chaos.caller_items import Act
from voiceloop.testing.chaos.items import GROUPS, BadPlan, Item, item_from_dict
from voiceloop.testing.chaos.scene import Scene
from voiceloop.testing.dialled import Dialled
from voiceloop.tts.base import TTS

__all__ = ["BadPlan", "Plan"]

_ = (bot_items, caller_items, fault_items, line_items, model_items)


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in one call. The same plan gives the same call."""

    seed: int
    """What it was drawn from."""
    items: tuple[Item, ...]
    """In the order of their numbers."""
    drawn_items: int = 0
    """How many there were when it was drawn."""

    @classmethod
    def drawn(cls, seed: int, *, only: Collection[str] | None = None) -> Plan:
        """The plan of a seed.

        Args:
            seed: any number.
            only: what may go wrong in it or be told by chance: some of `GROUPS`; None for all. The caller always
                speaks. The items that are left keep their numbers.

        Raises:
            BadPlan: a group that there is not.
        """
        from voiceloop.testing.chaos.drawing import draw

        if only is not None and (unknown := set(only) - GROUPS.keys()):
            raise BadPlan(f"expected some of {', '.join(GROUPS)}, got {', '.join(sorted(unknown))}")
        items = draw(seed)
        kept = items if only is None else tuple(each for each in items if each.group in {"caller", *only})
        return cls(seed, kept, len(items))

    def keep(self, numbers: Iterable[int]) -> Plan:
        """The plan with these items alone.

        Raises:
            BadPlan: a number that no item has.
        """
        wanted = set(numbers)
        if unknown := wanted - {item.number for item in self.items}:
            known = ", ".join(map(str, self.numbers)) or "no items"
            raise BadPlan(f"seed {self.seed} has the items {known}, and none with the number {min(unknown)}")
        return replace(self, items=tuple(item for item in self.items if item.number in wanted))

    def with_item(self, item: Item) -> Plan:
        """The plan with another item in the place of the one with its number."""
        return replace(self, items=tuple(item if each.number == item.number else each for each in self.items))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of its items."""
        return tuple(item.number for item in self.items)

    def scene(
        self, lexicon: Lexicon, *, stt: STT | None = None, llm: LLM | None = None, tts: TTS | None = None
    ) -> Scene:
        """What its items come to, around the providers that are given."""
        scene = Scene(lexicon)
        for item in self.items:
            item.join(scene)
        return scene.ready(stt=stt, llm=llm, tts=tts)

    async def perform(self, caller: Dialled) -> None:
        """Have the caller do what is in it; returns when all is done, or the call is over."""
        with suppress(CallEnded):
            for item in self.items:
                if isinstance(item, Act):
                    await item.perform(caller)

    def lines(self) -> list[str]:
        """One for each item."""
        return [f"{item.number:>3}  {item}" for item in self.items]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "seed": self.seed,
            "drawn_items": self.drawn_items,
            "items": [item.as_dict() for item in self.items],
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Plan:
        """The plan that `as_dict` made this of.

        Raises:
            BadPlan: it is none.
        """
        items, seed = given.get("items"), given.get("seed")
        if not isinstance(items, list) or not isinstance(seed, int):
            raise BadPlan("expected a plan, an object with a seed and items")
        made = tuple(item_from_dict(each) for each in items)
        numbers = [item.number for item in made]
        if len(set(numbers)) != len(numbers):
            raise BadPlan("two items of the plan have the same number")
        return cls(seed, tuple(sorted(made, key=lambda item: item.number)), int(given.get("drawn_items", len(made))))

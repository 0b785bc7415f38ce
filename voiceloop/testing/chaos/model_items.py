"""What the model says and asks for. Each item belongs to one request, so that dropping one moves no other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from voiceloop.testing.chaos.arguments import arguments
from voiceloop.testing.chaos.items import Item, to
from voiceloop.testing.chaos.words import text_of
from voiceloop.testing.scripted import Calls

if TYPE_CHECKING:
    from voiceloop.llm.base import ToolSpec
    from voiceloop.testing.chaos.scene import Scene

__all__ = ["Answers", "Asks", "Guesses"]

LEAVING = frozenset({"hang_up", "transfer"})
"""Names of tools that end a call: asked for now and then only."""
WRONG = ("missing", "type", "extra", "json", "name")
"""What can be wrong with a request for a tool."""


@dataclass(frozen=True, slots=True)
class Answers(Item):
    """What the model writes in answer to one request."""

    kind: ClassVar[str] = "answers"
    group: ClassVar[str] = "model"

    request: int
    """From 0. A request without such an item is answered with two words."""
    words: int = to(1)
    sentence: int = to(0)
    """Words in each sentence; 0: one sentence."""
    first: float = to(0.0)
    """Seconds until the first word."""
    rate: float = to(0.0)
    """Words a second; 0: all at once."""

    def __str__(self) -> str:
        length = "1 word" if self.words == 1 else f"{self.words} words"
        sentences = f" in sentences of {self.sentence}" if 0 < self.sentence < self.words else ""
        pace = f", the first after {self.first:g} s" if self.first else ""
        pace += f", {self.rate:g} words a second" if self.rate else ""
        return f"model, request {self.request}: {length}{sentences}{pace}"

    def join(self, scene: Scene) -> None:
        scene.answers[self.request] = self

    def text(self) -> str:
        """What it writes."""
        return text_of("m", self.request, self.words, self.sentence)


@dataclass(frozen=True, slots=True)
class Asks(Item):
    """A tool of the bot's that the model asks for in one request, behind what it writes."""

    kind: ClassVar[str] = "asks"
    group: ClassVar[str] = "model"

    request: int
    """From 0."""
    pick: int = to(0)
    """Which of the tools it is offered; counted on from the first one again when there are fewer."""
    leaving: bool = to(False)
    """Whether it is to be one that ends the call (`hang_up`, `transfer`)."""
    wrong: str = to("")
    """What is wrong with it: one of `WRONG`, or nothing."""

    def __str__(self) -> str:
        which = f"for a tool that ends the call (no. {self.pick})" if self.leaving else f"for tool no. {self.pick}"
        return f"model, request {self.request}: asks {which}" + (f", wrong: {self.wrong}" if self.wrong else "")

    def join(self, scene: Scene) -> None:
        scene.asks.setdefault(self.request, []).append(self)

    def of(self, tools: Sequence[ToolSpec]) -> Calls | None:
        """The request, when a bot offers these tools; None when none of them fits."""
        fitting = [tool for tool in tools if (tool.name in LEAVING) == self.leaving]
        if not fitting:
            return None
        tool = fitting[self.pick % len(fitting)]
        draw = random.Random(f"arguments {self.number} {tool.name}")
        name = f"no_{tool.name}" if self.wrong == "name" else tool.name
        return Calls(name, arguments(tool.parameters, draw, text_of("t", self.number, 1).strip("."), self.wrong))


@dataclass(frozen=True, slots=True)
class Guesses(Item):
    """The model is asked before it is certain that the caller is done, and what it says then may be thrown away."""

    kind: ClassVar[str] = "guesses"
    group: ClassVar[str] = "model"

    def __str__(self) -> str:
        return "model: asked also before it is certain that the caller is done"

    def join(self, scene: Scene) -> None:
        scene.speculative = True

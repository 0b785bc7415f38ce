"""What it takes to interrupt the agent, by what it is doing: one small table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal, get_args

__all__ = ["RULES", "Rule", "Situation", "rules_with"]

By = Literal["speech", "long speech", "words", "nothing"]


class Situation(Enum):
    """What the agent is doing while the caller speaks."""

    GREETING = "greeting"
    """It says its first words of the call: callers say "hello?" then, and lines crackle."""
    THINKING = "thinking"
    """An answer is being prepared; nothing of it is heard yet."""
    SPEAKING = "speaking"
    PROTECTED = "protected"
    """It says what may not be cut off (``interruptible=False``)."""
    TOOL = "tool running"
    """A tool works for the answer, whether something is being said meanwhile or not."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What interrupts the agent."""

    interrupted_by: By
    """``speech``: `TurnOptions.barge_in` seconds of it, at once and for good.

    ``long speech``: those pause the agent; a word recognised, or `TurnOptions.certain` seconds of speech, interrupt it.
    Without either it goes on from the first word that was not heard.

    ``words``: the same, but no length of speech without a word does.

    ``nothing``: the agent speaks on; what the caller says is kept and answered afterwards.
    """
    backchannels: bool = False
    """Whether "mhm" and "okay" interrupt like other words."""

    def __post_init__(self) -> None:
        if self.interrupted_by not in get_args(By):
            raise ValueError(f"interrupted_by is one of {', '.join(get_args(By))}; got {self.interrupted_by!r}")


RULES: Final[Mapping[Situation, Rule]] = MappingProxyType(
    {
        Situation.GREETING: Rule("long speech"),
        Situation.THINKING: Rule("long speech"),
        Situation.SPEAKING: Rule("long speech"),
        Situation.PROTECTED: Rule("nothing"),
        Situation.TOOL: Rule("words"),
    }
)
"""The rules of `TurnTaking`; ``TurnTaking(rules={Situation.GREETING: Rule("words")})`` changes one of them."""


def rules_with(changed: Mapping[Situation, Rule] | None) -> Mapping[Situation, Rule]:
    """All rules, some of them changed.

    Raises:
        TypeError: a key is no `Situation`, or a value no `Rule`.
    """
    for situation, rule in (changed or {}).items():
        if not isinstance(situation, Situation) or not isinstance(rule, Rule):
            raise TypeError(f"rules= takes {{Situation.GREETING: Rule(...)}}, got {{{situation!r}: {rule!r}}}")
    return {**RULES, **(changed or {})}

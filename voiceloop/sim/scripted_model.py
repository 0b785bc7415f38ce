"""A simulated model that follows a conversation: for each thing the caller says, what it answers, tools included."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from voiceloop.conversation import Message
from voiceloop.errors import VoiceloopError
from voiceloop.sim.anthropic import Reply, ToolUse

__all__ = ["Exchange", "ScriptError", "ScriptedModel", "exchanges_of", "lines_of", "repeating"]

Said = str | Sequence[str | tuple[str, Mapping[str, Any]]]
"""One answer: a text; or a text and the tools that are asked for behind it, each a name with its arguments."""
Exchange = tuple[Any, ...]
"""What the caller says, then the answer (`Said`), and one more for each time the model is asked again with results."""
ALIKE = 0.5
"""How alike two texts must be to be taken for the same; recognisers spell in their own way."""
LOST = "Sorry, could you say that again?"
_FORM = '[["How much is a latte?", ["One second.", ["price", {"drink": "latte"}]], "It is $4.50."], …]'


class ScriptError(VoiceloopError):
    """A conversation that is not written as it should be."""


def exchanges_of(text: str) -> list[Exchange]:
    """A conversation from JSON: a list of exchanges, each a list of what the caller says and of the answers. A tool
    that an answer asks for is a list, too: its name and its arguments.

    Raises:
        ScriptError: it is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"expected a conversation as JSON, like {_FORM}: {error}") from None
    if not isinstance(found, list) or not found:
        raise ScriptError(f"expected a conversation as a list that is not empty, like {_FORM}")
    for number, exchange in enumerate(found, 1):
        whole = isinstance(exchange, list) and len(exchange) > 1 and isinstance(exchange[0], str)
        if not whole or not all(map(_is_answer, exchange[1:])):
            raise ScriptError(f"exchange {number}: expected what the caller says, then answers, like {_FORM}")
    return [tuple(exchange) for exchange in found]


def _is_answer(said: object) -> bool:
    return isinstance(said, str) or (isinstance(said, list) and all(map(_is_part, said)))


def _is_part(part: object) -> bool:
    tool = isinstance(part, list) and len(part) == 2 and isinstance(part[0], str) and isinstance(part[1], dict)
    return isinstance(part, str) or tool


def repeating(messages: Sequence[Message]) -> Reply:
    """A model that repeats what the caller said last."""
    said = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return Reply(f"You said: {said}" if said else LOST)


def lines_of(exchanges: Sequence[Exchange]) -> list[tuple[str, bool]]:
    """What the caller says in each exchange, and whether they say it over the agent (``- One small mocha.``)."""
    return [(said.removeprefix("-").strip(), said.startswith("-")) for said, *_ in exchanges]


class ScriptedModel:
    """Answers of `AnthropicSim`, found by what the caller has said last."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._answers = [
            (said, answers) for (said, _), (_, *answers) in zip(lines_of(exchanges), exchanges, strict=True)
        ]

    def __call__(self, messages: Sequence[Message]) -> Reply:
        """The answer to a conversation."""
        last = max((index for index, message in enumerate(messages) if message.role == "user"), default=0)
        rounds = sum(message.role == "tool" for message in messages[last:])
        said = messages[last].text if messages else ""
        alike, answers = max(
            ((_alike(said, known), answers) for known, answers in self._answers), key=lambda pair: pair[0]
        )
        if alike < ALIKE or rounds >= len(answers):
            return Reply(LOST)
        return _reply(answers[rounds])


def _alike(said: str, known: str) -> float:
    """How alike the end of what was said is to a known text, 0 to 1."""
    heard, wanted = _words(said), _words(known)
    return SequenceMatcher(None, heard[-2 * len(wanted) :], wanted).ratio()


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


def _reply(said: Said) -> Reply:
    if isinstance(said, str):
        return Reply(said)
    text = " ".join(part for part in said if isinstance(part, str))
    return Reply(text, tools=[ToolUse(part[0], part[1]) for part in said if not isinstance(part, str)])

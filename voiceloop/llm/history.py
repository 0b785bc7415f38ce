"""Keeps a growing conversation within what a model can read, and in the form that it accepts. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from voiceloop.conversation import Message, ToolResult

__all__ = [
    "CANCELLED",
    "CHARACTERS_PER_TOKEN",
    "CUT",
    "OPENING",
    "alternating",
    "as_remembered",
    "estimate",
    "estimate_json",
    "fit",
    "paired",
    "remembered",
]

CHARACTERS_PER_TOKEN = 3.0
"""A cautious guess for English; tokenisers come to 3.5 to 4.5."""
_PER_MESSAGE = 8
"""Tokens a chat template adds around a message, at most."""
_PER_CALL = 24
"""The same for a call of a tool and for its result: names, identifiers, brackets."""

OPENING = "Hello?"
"""What the caller is taken to have said when the agent speaks first."""
CANCELLED = "cancelled"
"""What a tool gave that was stopped before it gave anything."""
CUT = "—"
"""Where a sentence was cut off. A word in brackets would say it as well, but models repeat what they see in their own
messages, and a voice would read that out; a dash is punctuation, and makes no sound."""
_DANGLING = ",;:-–—…、，；："
"""Punctuation that promises more, of which nothing came."""


def as_remembered(message: Message) -> str:
    """The text of a message as a model is given it: where the caller cut the agent off, a dash stands.

    "We have coffee, latte," with "and mocha." unheard is "We have coffee, latte —". A sentence that was heard to its
    end keeps its full stop before the dash. What was interrupted when all of it had been heard is whole.
    """
    if not message.interrupted or not message.text or not any(map(str.isalnum, message.unheard)):
        return message.text
    heard = message.text.rstrip()
    while heard and (heard[-1] in _DANGLING or heard[-1].isspace()):
        heard = heard[:-1]
    return f"{heard} {CUT}" if heard else ""


def remembered(messages: Iterable[Message]) -> list[Message]:
    """The messages that models are given, as they are given them: without asides, and each `as_remembered`."""
    given: list[Message] = []
    for message in messages:
        if message.aside:
            continue
        text = as_remembered(message)
        given.append(message if text == message.text else replace(message, text=text))
    return given


def alternating(messages: Sequence[Message]) -> list[Message]:
    """The same conversation in the form that all chat templates accept, for many raise an error at any other.

    That is: one message of instructions, then the caller and the agent in turn, the caller first. Messages without
    text are left out (an answer of which nothing was heard), and so is what tools were asked and gave: it is for models
    that know nothing of tools.
    """
    instructions = "\n\n".join(message.text for message in messages if message.role == "system" and message.text)
    turns: list[Message] = []
    for message in messages:
        if message.role in ("system", "tool") or not message.text.strip():
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, f"{turns[-1].text} {message.text}")
        else:
            turns.append(Message(message.role, message.text) if message.calls else message)
    if not turns or turns[0].role == "assistant":
        turns.insert(0, Message("user", OPENING))
    return [Message("system", instructions), *turns] if instructions else turns


def paired(messages: Sequence[Message]) -> list[Message]:
    """The same conversation with exactly one result for each call, in the message right behind, in the order asked.

    A call without a result (a barge-in while its tool ran) gets an error, `CANCELLED`. Results that belong to no call
    of the message before are left out, and so is a second result or a second call of the same identifier.
    """
    turns: list[Message] = []
    seen: set[str] = set()
    for index, message in enumerate(messages):
        if message.role == "tool":
            continue
        calls = tuple({call.id: call for call in message.calls if call.id not in seen}.values())
        if message.role != "assistant" or not calls:
            turns.append(Message(message.role, message.text) if message.calls or message.results else message)
            continue
        seen.update(call.id for call in calls)
        behind = messages[index + 1] if index + 1 < len(messages) else None
        given = {result.id: result for result in reversed(behind.results)} if behind and behind.role == "tool" else {}
        results = tuple(given.get(call.id) or ToolResult(call.id, CANCELLED, error=True) for call in calls)
        whole = calls == message.calls and not message.results
        turns.append(message if whole else Message("assistant", message.text, calls=calls))
        same = behind is not None and behind.results == results and not behind.calls
        turns.append(behind if behind and same else Message("tool", "", results=results))
    return turns


def estimate(messages: Sequence[Message], characters_per_token: float = CHARACTERS_PER_TOKEN) -> int:
    """About how many tokens the messages take, rather too many than too few."""
    return sum(_size(message, characters_per_token) for message in messages)


def estimate_json(value: object, characters_per_token: float = CHARACTERS_PER_TOKEN) -> int:
    """The same of what is sent as JSON, such as the descriptions of tools."""
    return math.ceil(len(json.dumps(value)) / characters_per_token) if value else 0


def fit(
    messages: Sequence[Message],
    tokens: int,
    characters_per_token: float = CHARACTERS_PER_TOKEN,
    *,
    fixed: int = 0,
) -> list[Message]:
    """The messages without the oldest turns that do not fit into `tokens`.

    Instructions (role ``system``), the first `fixed` messages and the last message always stay; a result of a tool
    stays with its call, and the call with what the caller had said before. What remains begins with the caller, where
    there is a choice, since chat templates expect that. Turns go in blocks of about half the room: so the beginning
    of the prompt, which the model has cached, changes seldom and not at every turn.
    """
    kept = [message for index, message in enumerate(messages) if message.role == "system" or index < fixed]
    turns = [message for index, message in enumerate(messages) if message.role != "system" and index >= fixed]
    room = tokens - estimate(kept, characters_per_token)
    over = estimate(turns, characters_per_token) - room
    if over <= 0:
        return list(messages)
    block = max(1, room // 2)
    # Counted from the first turn, whose size never changes: the same turns go until the next block is full.
    goal = math.ceil(over / block) * block
    last, start, gone = _last_turn(turns), 0, 0
    while start < last and gone < goal:
        gone += _size(turns[start], characters_per_token)
        start += 1
    while start < last and turns[start].role != "user":
        start += 1
    return kept + turns[start:]


def _size(message: Message, characters_per_token: float) -> int:
    characters, size = len(message.text), _PER_MESSAGE
    for call in message.calls:
        characters += len(call.name) + len(call.arguments)
        size += _PER_CALL
    for result in message.results:
        characters += len(result.text)
        size += _PER_CALL
    if message.echo is not None:
        characters += len(str(message.echo))
    return size + math.ceil(characters / characters_per_token)


def _last_turn(turns: Sequence[Message]) -> int:
    """The first of the messages that must stay: the last one, or what the tools that it tells of were asked for."""
    last = len(turns) - 1
    if last < 0 or turns[last].role != "tool":
        return last
    asked = (index for index in range(last, -1, -1) if turns[index].role == "user")
    return next(asked, 0)

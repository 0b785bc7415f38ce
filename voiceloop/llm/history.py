"""Keeps a growing conversation within what a model can read. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from voiceloop.conversation import Message

__all__ = ["CHARACTERS_PER_TOKEN", "OPENING", "alternating", "estimate", "fit"]

CHARACTERS_PER_TOKEN = 3.0
"""A cautious guess for English; tokenisers come to 3.5 to 4.5."""
_PER_MESSAGE = 8
"""Tokens a chat template adds around a message, at most."""

OPENING = "Hello?"
"""What the caller is taken to have said when the agent speaks first."""


def alternating(messages: Sequence[Message]) -> list[Message]:
    """The same conversation in the form that all chat templates accept, for many raise an error at any other.

    That is: one message of instructions, then the caller and the agent in turn, the caller first. Messages without
    text are left out (an answer of which nothing was heard).
    """
    instructions = "\n\n".join(message.text for message in messages if message.role == "system" and message.text)
    turns: list[Message] = []
    for message in messages:
        if message.role == "system" or not message.text.strip():
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, f"{turns[-1].text} {message.text}")
        else:
            turns.append(message)
    if not turns or turns[0].role == "assistant":
        turns.insert(0, Message("user", OPENING))
    return [Message("system", instructions), *turns] if instructions else turns


def estimate(messages: Sequence[Message], characters_per_token: float = CHARACTERS_PER_TOKEN) -> int:
    """About how many tokens the messages take, rather too many than too few."""
    return sum(math.ceil(len(message.text) / characters_per_token) + _PER_MESSAGE for message in messages)


def fit(messages: Sequence[Message], tokens: int, characters_per_token: float = CHARACTERS_PER_TOKEN) -> list[Message]:
    """The messages without the oldest turns that do not fit into `tokens`.

    Instructions (role ``system``) and the last message always stay. What remains begins with the caller, where
    there is a choice, since chat templates expect that. Turns go in blocks of about half the room: so the beginning
    of the prompt, which the model has cached, changes seldom and not at every turn.
    """
    instructions = [message for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    room = tokens - estimate(instructions, characters_per_token)
    over = estimate(turns, characters_per_token) - room
    if over <= 0:
        return list(messages)
    block = max(1, room // 2)
    # Counted from the first turn, whose size never changes: the same turns go until the next block is full.
    goal = math.ceil(over / block) * block
    gone = 0
    while len(turns) > 1 and gone < goal:
        gone += estimate(turns[:1], characters_per_token)
        del turns[0]
    while len(turns) > 1 and turns[0].role == "assistant":
        del turns[0]
    return instructions + turns

"""Words of the caller that come too late for an answer: they belong in the conversation all the same."""

from __future__ import annotations

from collections.abc import Iterable

from voiceloop.conversation import Conversation, Message

__all__ = ["correct", "keep"]


def keep(conversation: Conversation, text: str, before: str = "") -> Message | None:
    """Put words into the conversation that nobody will answer any more.

    Args:
        conversation: of the call.
        text: all that was said and is in no turn.
        before: text of the turn that was taken back into it, because the caller went on before an answer was heard.
            What the conversation holds of that turn is not repeated.

    Returns: the message that holds the words; None when there was nothing to add.
    """
    held = _held(conversation, before)
    if held and text.split() == before.split():
        return None
    went_on = bool(held) and f"{text} ".startswith(f"{before} ")
    rest = text[len(before) :].strip() if went_on else text
    last = conversation[-1] if held else None
    if last is not None and last is held[-1]:
        others = len(held) > 1
        if went_on:
            last.text = f"{last.text} {rest}"
        elif not others:  # the recogniser has changed its mind about a turn that stands in one message
            last.text = text
        else:
            return conversation.add("user", text)
        return last
    return conversation.add("user", rest)


def correct(conversation: Conversation, before: str, text: str) -> None:
    """Put right what a turn said. Where it stands in several messages, the last of them takes what is new.

    Args:
        conversation: of the call.
        before: what the turn was held to say.
        text: what it said.
    """
    messages = list(conversation)
    for place in range(len(messages), 0, -1):
        if messages[place - 1].role != "user" or not (held := _held(messages[:place], before)):
            continue
        others = " ".join(message.text for message in held[:-1])
        went_on = not others or f"{text} ".startswith(f"{others} ")
        held[-1].text = text[len(others) :].strip() if went_on else text
        held[-1].aside = False  # with other words it may be more than a sign that the caller listens
        return


def _held(conversation: Iterable[Message], text: str) -> list[Message]:
    """The latest messages of the caller that together say a text; none when there are no such."""
    wanted, found = text.split(), list[Message]()
    for message in reversed(list(conversation)):
        if not wanted:
            break
        if message.role != "user":
            continue
        words = message.text.split()
        if not words or wanted[-len(words) :] != words:
            return []
        del wanted[-len(words) :]
        found.insert(0, message)
    return [] if wanted else found

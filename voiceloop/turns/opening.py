"""What an agent says first: its greeting; or, on a call that was cut off, what lets it go on where it was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from voiceloop.conversation import Conversation, Message
from voiceloop.cut_off import NOT_CONNECTED
from voiceloop.frames import UserTurn

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.call import Call

__all__ = ["Next", "Resumed", "open_call", "resume"]

_SENTENCE: Final = re.compile(r"[.!?…。！？]+[\"'”’)\]]*(?=\s|$)|[。！？]")
"""The end of a sentence."""
_CLOSING: Final = "\"'”’)] "


class Next(Enum):
    """How an agent goes on when it has said that the line was lost."""

    GREET = auto()
    """Nothing was said that anybody knows of."""
    ANSWER = auto()
    """The caller's last words are answered now."""
    GO_ON = auto()
    """What its tools gave is there, or that they were cut off: it goes on from that."""
    SAY = auto()
    """Something of its own is said again."""
    ASK = auto()
    """Its sentence is not known to the end: the caller is asked to say theirs again."""


@dataclass(slots=True, frozen=True)
class Resumed:
    """What an agent does first on a call that was cut off."""

    then: Next
    text: str = ""
    """What the caller had said, or what the agent says again."""
    unanswered: tuple[Message, ...] = ()
    """The messages of the caller that hold that text."""
    given: tuple[Message, ...] = ()
    """What the agent had asked a tool for, and was given, if it has talked on since."""


def resume(conversation: Conversation, fillers: Sequence[str] = ()) -> Resumed:
    """How to go on with a conversation that was cut off. Pure.

    Args:
        conversation: what was said, as it was heard.
        fillers: texts of the agent's that say nothing of their own, such as "Sorry, we were cut off."
    """
    skipped = {text.strip() for text in fillers}
    told = [each for each in conversation if not each.aside and each.role != "system"]
    while told and told[-1].role == "assistant" and not told[-1].calls and _whole(told[-1]) in {*skipped, ""}:
        told.pop()
    if not told:
        return Resumed(Next.GREET)
    last = told[-1]
    if last.role == "user":
        return _answer(told)
    if last.role == "tool" or last.calls:
        return Resumed(Next.GO_ON)
    return _promised(told) or _again(last)


def _answer(told: list[Message]) -> Resumed:
    """The caller had spoken and heard no answer."""
    first = len(told)
    while first and told[first - 1].role == "user":
        first -= 1
    words = tuple(told[first:])
    return Resumed(Next.ANSWER, " ".join(message.text for message in words), words)


def _promised(told: list[Message]) -> Resumed | None:
    """The agent had said goodbye to be followed by somebody else, who has not come."""
    last = max((place for place, each in enumerate(told) if each.role != "assistant" or each.calls), default=-1)
    if last < 1 or not any(result.text == NOT_CONNECTED for result in told[last].results):
        return None
    return Resumed(Next.GO_ON, given=(told[last - 1], told[last]))


def _again(message: Message) -> Resumed:
    """The agent had spoken: the sentence that was cut, and what was to follow it; else its last question."""
    whole, heard = _whole(message), len(message.text.strip())
    cut = any(map(str.isalnum, message.unheard))
    ends = [found.end() for found in _SENTENCE.finditer(whole)]
    if not cut:
        starts = [0, *(end for end in ends if end < len(whole))]
        text = whole[starts[-1] :]
        if len(starts) > 1 and not _asks(text) and _asks(whole[starts[-2] : starts[-1]]):
            text = whole[starts[-2] :]  # "Anything else? Take your time."
        return Resumed(Next.SAY, text.strip())
    start = max((end for end in ends if end <= heard), default=0)
    known = max((end for end in ends if end > start), default=0)
    text = whole[start:known].strip()
    return Resumed(Next.SAY, text) if text else Resumed(Next.ASK)


def _whole(message: Message) -> str:
    """All that was written of a message, heard or not."""
    heard, unheard = message.text.strip(), message.unheard.strip()
    if not any(map(str.isalnum, unheard)):
        return heard
    return f"{heard} {unheard}" if heard and unheard else heard or unheard


def _asks(sentence: str) -> bool:
    return sentence.rstrip(_CLOSING).endswith(("?", "？"))


def open_call(call: Call, greeting: str) -> tuple[tuple[Answer, ...], UserTurn | None]:
    """Say the first words of a call.

    Returns: what is said, into which the caller may say hello; and the turn that is to be answered now.
    """
    if call.recording is not None:
        call.recording.announce()
    if call.carried is None:
        return ((call.say(greeting),) if greeting else ()), None
    phrases, now = call.phrases, call.now
    fillers = (phrases.cut_off, phrases.still_there, phrases.not_understood, phrases.one_moment, phrases.still_working)
    resumed = resume(call.conversation, fillers)
    if resumed.then in (Next.ANSWER, Next.GO_ON):
        sorry = call.say(phrases.cut_off)
        for message in resumed.unanswered:  # whoever answers the turn remembers it
            call.conversation.take_back(message)
        if resumed.given:  # what a model goes on from stands last
            call.conversation.put_last(resumed.given)
        return (sorry,), UserTurn(resumed.text, now, now, now, now)
    again = {Next.GREET: greeting, Next.SAY: resumed.text, Next.ASK: phrases.apology}[resumed.then]
    return tuple(call.say(text) for text in (phrases.cut_off, again) if text), None

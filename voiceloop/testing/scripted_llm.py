"""A model that answers from a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from voiceloop.conversation import Message, ToolCall
from voiceloop.llm.base import LLM, ToolSpec, Usage
from voiceloop.sim.checks import check_seconds
from voiceloop.testing.scripted_failing import Failing, check_failing, strikes
from voiceloop.testing.scripted_timing import PerRequest, check_requests, for_request, number_for_request

__all__ = ["Answerer", "Calls", "Reply", "ScriptedLLM", "calls", "script"]


@dataclass(slots=True, frozen=True)
class Calls:
    """What a scripted model says when it asks for a tool; made by `calls`."""

    name: str
    arguments: str


def calls(name: str, arguments: str | None = None, /, **values: Any) -> Calls:
    """Ask for a tool: ``calls("price", drink="latte")``.

    Args:
        name: of the tool.
        arguments: JSON, as a model writes it, also broken, in place of values.
        values: what it is given.
    """
    return Calls(name, json.dumps(values) if arguments is None else arguments)


Said = str | BaseException | Calls | Sequence[str | Calls]
"""Text, tools, both in order, or an error to raise."""
Answerer = Callable[[Sequence[Message]], Said]
"""Answers what was asked: gets the messages of the request."""
Reply = Said | Answerer


class ScriptedLLM(LLM):
    """Answers from a script.

    Args:
        replies: texts in order, the last one again when they run out. A reply that asks for tools is `calls`, or
            several and text: ``("Let me look.", calls("price", drink="latte"))``; the one after it answers their
            results. An exception is raised instead of answering. A function of the messages gives any of these; it
            may be one of the replies, or stand for all of them.
        first: seconds until the first token; for each request: see `PerRequest`.
        rate: tokens per second; 0 for all at once. The same for each request, or not.
        failing: what goes wrong.
        pauses: seconds of silence before a token, by its number from 0: ``{3: 2.0}``. The same for each request, or
            not.
        speculative: whether it may be asked for answers that may be thrown away, see `LLM.speculative`. Not by default,
            so that every request is one that somebody waits for.

    Each request takes the next reply, also one that fails: its text is used up. With ``speculative=True`` a request
    that has the same conversation in front of the caller's last words as the one before gets that one's reply again,
    unless that failed: nobody has heard it. So the replies are given in order, however often the model was asked.

    Raises:
        TypeError: an argument is of another kind, or a reply is none.
        ValueError: there is no reply, or a time is negative or not finite.
    """

    takes_tools: ClassVar[bool] = True

    def __init__(
        self,
        replies: Sequence[Reply] | Answerer,
        *,
        first: PerRequest[float] = 0.0,
        rate: PerRequest[float] = 0.0,
        failing: Failing | None = None,
        pauses: PerRequest[Mapping[int, float]] | None = None,
        speculative: bool = False,
    ) -> None:
        _check_replies(replies)
        check_requests("ScriptedLLM", first=first, rate=rate)
        check_failing("ScriptedLLM", failing)
        self._replies = replies
        self.first = first
        self.rate = rate
        self.failing = failing
        self.pauses: PerRequest[Mapping[int, float]] = {} if pauses is None else pauses
        _check_pauses(self.pauses)
        self.speculative = speculative
        self._place = -1  # of the last reply that was taken
        self._spent = True  # whether it can be given no more
        self.requests: list[list[Message]] = []
        """What the model was asked, oldest first: copies of the messages of each request."""
        self.offered: list[tuple[ToolSpec, ...]] = []
        """The tools that it was offered in each request."""

    async def respond(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[str | ToolCall | Usage, None]:
        """The next reply, word by word."""
        number = len(self.requests)
        self.requests.append([replace(message) for message in messages])
        self.offered.append(tuple(tools))
        reply = self._reply(self._next(), messages)
        if first := number_for_request("ScriptedLLM", "first", self.first, number):
            await asyncio.sleep(first)
        if isinstance(reply, BaseException):
            self._spent = True
            raise reply
        items = _items([reply] if isinstance(reply, str | Calls) else reply, messages)
        rate = number_for_request("ScriptedLLM", "rate", self.rate, number)
        pauses = for_request(self.pauses, number)
        fails = strikes(self.failing)
        for index, item in enumerate(items):
            if fails(index) and self.failing is not None:
                self._spent = True
                await self.failing.strike()
                return
            if wait := (1 / rate if index and rate else 0.0) + pauses.get(index, 0.0):
                await asyncio.sleep(wait)
            yield item
        yield Usage(sum(len(m.text.split()) for m in messages), len(items))

    def _next(self) -> int:
        """Which reply the last request gets, from 0."""
        if not self.speculative or self._spent or _another(*self.requests[-2:]):
            self._place += 1
        self._spent = False
        return self._place

    def _reply(self, number: int, messages: Sequence[Message]) -> Said:
        replies = self._replies
        reply = replies if callable(replies) else replies[min(number, len(replies) - 1)]
        if not callable(reply):
            return reply
        said = reply(messages)
        if not _sayable(said):
            raise TypeError(f"a function in the script of ScriptedLLM must give {_SAYABLE}, gave {said!r}")
        return said

    def let_go(self) -> None:
        """End what is deaf."""
        if self.failing is not None:
            self.failing.let_go()


_SAYABLE = "texts, calls(…), exceptions, or tuples of texts and calls"


def _check_replies(replies: object) -> None:
    if callable(replies):
        return
    if isinstance(replies, str) or not isinstance(replies, Sequence):
        raise TypeError(f"ScriptedLLM takes a list of replies, or a function of the messages, got {replies!r}")
    if not replies:
        raise ValueError(f"ScriptedLLM needs at least one reply, got {replies!r}")
    for reply in replies:
        _check_reply("ScriptedLLM takes a list of", reply)


def _check_reply(taken: str, reply: object) -> None:
    if not callable(reply) and not _sayable(reply):
        raise TypeError(f"{taken} texts, calls(…), exceptions, functions, and tuples of texts and calls, got {reply!r}")


def _another(before: Sequence[Message], asked: Sequence[Message]) -> bool:
    """Whether more was said between two requests than the caller's last words. How much was heard of what the agent had
    said may become more exact meanwhile."""
    front, front_before = ([(each.role, each.results) for each in messages[:-1]] for messages in (asked, before))
    return front != front_before or any(messages[-1].role != "user" for messages in (asked, before))


def _sayable(reply: object) -> bool:
    if isinstance(reply, list | tuple):
        return all(isinstance(part, str | Calls) for part in reply)
    return isinstance(reply, str | Calls | BaseException)


def _check_pauses(pauses: object) -> None:
    for each in pauses if isinstance(pauses, list | tuple) else (pauses,):
        if callable(each):
            continue
        if not isinstance(each, Mapping):
            raise TypeError(f"ScriptedLLM: pauses must be seconds by the number of a token, {{3: 2.0}}, got {each!r}")
        for seconds in each.values():
            check_seconds("ScriptedLLM: pauses must be", seconds)


def _items(reply: Sequence[str | Calls], messages: Sequence[Message]) -> list[str | ToolCall]:
    """A reply as it is given: words, and calls with identifiers that are new in the conversation."""
    items: list[str | ToolCall] = []
    made = sum(len(message.calls) for message in messages)
    for part in reply:
        if isinstance(part, Calls):
            made += 1
            items.append(ToolCall(f"call_{made}", part.name, part.arguments))
        else:
            for word in part.split():
                items.append(f" {word}" if items else word)
    return items


def script(
    *replies: Reply,
    first: PerRequest[float] = 0.0,
    rate: PerRequest[float] = 0.0,
    failing: Failing | None = None,
    pauses: PerRequest[Mapping[int, float]] | None = None,
    speculative: bool = False,
) -> ScriptedLLM:
    """A model that says these things, one each time it is asked, and then the last one again.

    Args:
        replies: texts, `calls`, both in a tuple, exceptions to raise, or functions of the messages that give these.
        first: seconds until the first token; one number, or one for each request.
        rate: tokens per second; 0 for all at once. The same for each request, or not.
        failing: what goes wrong.
        pauses: seconds of silence before a token, by its number from 0.
        speculative: whether it may be asked for answers that may be thrown away; see `ScriptedLLM`.

    Each request takes the next one, also a request that fails: its text is used up.
    """
    if not replies:
        raise ValueError("script() needs at least one reply")
    for reply in replies:
        _check_reply("script() takes", reply)
    return ScriptedLLM(replies, first=first, rate=rate, failing=failing, pauses=pauses, speculative=speculative)

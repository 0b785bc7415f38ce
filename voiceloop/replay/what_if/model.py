"""The model of a what-if: to each request what it answered to the same request when the call was recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, Final

from voiceloop.flight.items import NotKept
from voiceloop.llm.base import LLM, Item, Message, ToolSpec
from voiceloop.llm.history import CUT
from voiceloop.replay.difference import side_by_side
from voiceloop.replay.read_back import failure_of_entry
from voiceloop.replay.what_if.desk import Desk, sleep_until
from voiceloop.replay.what_if.ears import plain_words
from voiceloop.replay.what_if.ground import Standing
from voiceloop.replay.what_if.recorded import Request

__all__ = ["WhatIfLLM"]

SAME_TURN: Final = 0.1
"""Two turns whose last words ended within so many seconds are about the same words."""
GRACE: Final = 0.1
"""Seconds for today's call to call a request off where the recorded one was."""


class WhatIfLLM(LLM):
    """Answers from the recording.

    Rules, the first that fits:

    1. The same request was recorded: its answer, each piece as long after the request.
    2. A request was recorded with the same messages but for how much of an answer had been heard, or for the commas
       and capitals of what the caller said: likewise.
    3. A request was recorded at the end of the same words of the caller: its answer stands in.
    4. None of these: nothing comes. When the caller goes on before an answer would have been heard, the call goes on,
       too; else the what-if ends here.
    """

    speculative = False

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        """What was answered to that."""
        desk = self._desk
        return self._answer(desk.request, desk.ground.turn, desk.round)

    async def _answer(self, asked: tuple[bytes, ...], turn: float | None, number: int) -> AsyncGenerator[Item, None]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        request = self._find(asked, turn, number)
        if request is None:
            await self._unknown(asked, turn)
            return
        made, wrote = request.made, False
        later = began - made.at
        for at, item in made.items:
            await sleep_until(at + later)
            if not isinstance(item, NotKept):
                wrote = True
                yield item
        if made.ended is not None:
            await sleep_until(made.ended + later)
            if made.failure is not None:
                raise failure_of_entry(made.failure)
            return
        await sleep_until(made.until + later + GRACE)
        if wrote:
            what = "the recorded answer was called off here: what the model would have gone on to write is not known"
            self._desk.ground.leave(loop.time(), Standing.STAND_IN, what)
        else:
            await self._unknown(
                asked, turn, "the recorded request was called off before the model had written anything"
            )

    # --- which request ---

    def _find(self, asked: tuple[bytes, ...], turn: float | None, number: int) -> Request | None:
        requests = self._desk.recorded.requests
        same = [each for each in requests if each.parts == asked]
        if same:
            found = _unused(same)
            if found.used:
                what = "the model is asked the same again, and was not then: it is given the same answer again"
                self._leave(Standing.STAND_IN, what)
            found.used = True
            return found
        near = [each for each in requests if self._unlike(each.parts, asked)]
        if near:
            found = _unused(near)
            only = " and in ".join(sorted(self._unlike(found.parts, asked)))
            what = f"the request differs only in {only}: the recorded answer is taken"
            self._leave(Standing.NEAR, what, found, asked)
            found.used = True
            return found
        for each in requests:
            if (
                turn is not None
                and each.turn is not None
                and abs(each.turn - turn) < SAME_TURN
                and each.round == number
            ):
                what = "the model is asked something else at the end of the same words: the recorded answer stands in"
                self._leave(Standing.STAND_IN, what, each, asked)
                each.used = True
                return each
        return None

    def _unlike(self, one: tuple[bytes, ...], other: tuple[bytes, ...]) -> set[str]:
        """In which small ways two requests differ, in words; empty when they differ in a great one."""
        if len(one) != len(other):
            return set()
        ways = [_way(self._part(a), self._part(b)) for a, b in zip(one, other, strict=True) if a != b]
        return set() if "" in ways else set(ways)

    def _part(self, digest: bytes) -> Any:
        return json.loads(self._desk.parts.get(digest, b"null"))

    # --- where there is none ---

    async def _unknown(self, asked: tuple[bytes, ...], turn: float | None, what: str = "") -> None:
        """Nothing comes; and when the caller does not go on, the what-if ends."""
        desk = self._desk
        loop = asyncio.get_running_loop()
        nearest = self._nearest(turn)
        what = what or "the model is asked what it was never asked: what it would have answered is not known"
        departure = self._leave(Standing.UNKNOWN, what, nearest, asked)
        try:
            await sleep_until(loop.time() + desk.first_sound)
            await desk.may_be_heard()
        except BaseException:
            departure.withdrawn = desk.known_until is None
            raise
        desk.stop()
        await loop.create_future()

    def _nearest(self, turn: float | None) -> Request | None:
        """To show beside it: the request at the end of the next words that the recording has."""
        later = [
            each for each in self._desk.recorded.requests if turn is None or (each.turn or 0.0) >= turn - SAME_TURN
        ]
        return later[0] if later else None

    def _leave(
        self, standing: Standing, what: str, request: Request | None = None, asked: tuple[bytes, ...] = ()
    ) -> Any:
        recorded, today = side_by_side(self._texts(request.parts if request else ()), self._texts(asked))
        return self._desk.ground.leave(asyncio.get_running_loop().time(), standing, what, recorded, today)

    def _texts(self, parts: Iterable[bytes]) -> list[str]:
        return [_shown(self._part(each)) for each in parts]


def _shown(part: Any) -> str:
    """A part of a request in a line."""
    if not isinstance(part, list):
        return "(not kept)"
    name, value = part
    if name != "messages" or not isinstance(value, dict):
        return f"{name}: {value.get('name', value) if isinstance(value, dict) else value}"
    did = [f"{call['name']}({call['arguments']})" for call in value.get("calls", ())]
    did += [result["text"] for result in value.get("results", ())]
    said = value.get("text", "")
    return " ".join(f"{value['role']}: {said}{' ' if said and did else ''}{'; '.join(did)}".split())


def _unused(requests: Sequence[Request]) -> Request:
    """The first that was not given yet; else the last."""
    return next((each for each in requests if not each.used), requests[-1])


def _as_far(left: list[str], right: list[str]) -> bool:
    """Whether one of two texts is how the other begins; `CUT` stands where one was cut off."""
    one, other = (plain_words(words[:-1] if words[-1:] == [CUT] else words) for words in (left, right))
    size = min(len(one), len(other))
    return one[:size] == other[:size]


def _way(one: Any, other: Any) -> str:
    """In which small way two parts differ; empty when it is a great one."""
    if not (isinstance(one, list) and isinstance(other, list) and one[0] == other[0] == "messages"):
        return ""
    a, b = dict(one[1]), dict(other[1])
    left, right = a.pop("text", "").split(), b.pop("text", "").split()
    if a != b:
        return ""
    if a.get("role") == "assistant" and _as_far(left, right):
        return "how much of what the agent said had been heard"
    if a.get("role") == "user" and plain_words(left) == plain_words(right):
        return "how the caller's words are written"
    return ""

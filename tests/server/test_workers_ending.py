"""How a server ends: what each stage lets calls do, and how one leads to the next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from voiceloop.server.ending import Ending, Stage
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.sim.twilio import TOKEN


@dataclass
class Talk:
    """A call that ends by itself after a while, or some seconds after it was asked to."""

    phone: Phone
    lasts: float
    last_words: float
    id: str = "CA1"
    ending: str | None = None
    did: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.phone.enter(1, cast("Any", self))
        self._at(self.lasts, "its own end")

    def _at(self, delay: float, why: str) -> None:
        asyncio.get_running_loop().call_later(delay, self._over, why)

    def _over(self, why: str) -> None:
        if 1 in self.phone.calls:
            self.did.append(f"{asyncio.get_running_loop().time():g}: {why}")
            self.phone.leave(1)

    def hang_up(self, reason: str) -> None:
        self._at(self.last_words, "last words")

    def end(self, reason: str) -> None:
        self._over("cut")


class Silent:
    """A keeper that remembers nothing."""

    def began(self, call: object) -> None: ...


def phone(drain: float = 300.0) -> Phone:
    made = Phone(
        cast("Any", None), cast("Any", None), PhoneOptions(public_url="https://a.b", auth_token=TOKEN, drain=drain)
    )
    made.keeper = cast("Any", Silent())
    return made


@pytest.mark.parametrize(
    ("orders", "lasts", "last_words", "ended"),
    [
        ([(1, Stage.DRAIN)], 50, 2, "50: its own end"),
        ([(1, Stage.LEAVE)], 50, 2, "50: its own end"),
        ([(1, Stage.DRAIN)], 900, 2, "303: last words"),
        ([(1, Stage.LEAVE)], 900, 2, "303: last words"),
        ([(1, Stage.DRAIN)], 900, 20, "311: cut"),
        ([(1, Stage.END)], 50, 2, "3: last words"),
        ([(1, Stage.END)], 50, 20, "11: cut"),
        ([(1, Stage.DRAIN), (5, Stage.END)], 50, 2, "7: last words"),
        ([(1, Stage.LEAVE), (5, Stage.DRAIN)], 50, 2, "50: its own end"),
        ([(1, Stage.LEAVE), (5, Stage.END)], 50, 2, "7: last words"),
        ([(1, Stage.LEAVE), (5, Stage.DRAIN), (9, Stage.END)], 50, 2, "11: last words"),
        ([(1, Stage.END), (2, Stage.HURRY)], 50, 5, "2: cut"),
        ([(1, Stage.DRAIN), (2, Stage.HURRY)], 50, 5, "2: cut"),
        ([(1, Stage.END), (2, Stage.DRAIN)], 50, 5, "6: last words"),
    ],
)
async def test_a_call_ends_as_the_stages_say(
    orders: list[tuple[float, Stage]], lasts: float, last_words: float, ended: str
) -> None:
    served, loop = phone(), asyncio.get_running_loop()
    began = loop.time()
    ending = Ending()
    for at, stage in orders:
        loop.call_at(began + at, ending.reach, stage)
    call = Talk(served, lasts, last_words)
    call.begin()
    await ending.carried_out(served)
    assert call.did == [ended]
    assert served.calls == {}


async def test_who_leaves_takes_no_connections_and_still_answers_what_comes() -> None:
    served, ending, left = phone(), Ending(), []
    call = Talk(served, 10, 1)
    call.begin()
    ending.reach(Stage.LEAVE)
    doing = asyncio.create_task(ending.carried_out(served, lambda: left.append(served.stopping)))
    await asyncio.sleep(5)
    assert left == [False]
    assert not served.stopping
    assert not doing.done()
    await doing


async def test_who_drains_takes_no_more_calls() -> None:
    served, ending = phone(), Ending()
    Talk(served, 10, 1).begin()
    doing = asyncio.create_task(ending.carried_out(served))
    await asyncio.sleep(5)
    assert (served.stopping, doing.done()) == (False, False)
    ending.reach(Stage.DRAIN)
    await asyncio.sleep(1)
    assert (served.stopping, doing.done()) == (True, False)
    await doing


async def test_each_stage_is_told_once_and_none_goes_back() -> None:
    told: list[Stage] = []
    ending = Ending(told.append)
    for stage in (Stage.DRAIN, Stage.DRAIN, Stage.LEAVE, Stage.HURRY, Stage.END):
        ending.reach(stage)
    assert told == [Stage.DRAIN, Stage.HURRY]
    await ending.carried_out(phone())

"""A call that was dialled, driven again: who answered is known as it was, and a message is left again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.shop import Shop, shop
from voiceloop import Call, Pipeline
from voiceloop.flight import read_flight
from voiceloop.replay import replay
from voiceloop.server.dialling import DialOptions
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.twilio import Machine, Phone

THEM = "+15550003333"
MESSAGE = "This is the tea room. Your order is ready. Goodbye."
MAILBOX = Machine(greeting="We are not at home, please leave a message after the tone.")


def dialled(folder: Path, options: DialOptions, bots: list[Callable[[Call], Pipeline]]) -> list[Path]:
    """Have a machine answer; gives the recordings of its lines."""

    async def run(here: Shop) -> None:
        here.phone.runtime.record = folder / "flights"
        bots.append(here.phone.bot)  # type: ignore[arg-type]
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        calling = asyncio.ensure_future(here.dialler.dial(THEM, params={"order": "17"}, options=options))
        line = await here.line()
        if options.machine == "tell":
            await line.connected()
            await asyncio.sleep(20)
            await line.hangs_up()
        await calling

    async def whole() -> None:
        async with shop() as here:
            await run(here)

    run_virtual(whole(), strict=True)
    return sorted((folder / "flights").glob("*.vlog"))


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("machine", ["message", "hang up", "tell"])
def test_a_call_that_a_machine_answered_takes_the_same_course_again(tmp_path: Path, machine: str, wait: bool) -> None:
    bots: list[Callable[[Call], Pipeline]] = []
    options = DialOptions(machine=machine, message=MESSAGE if machine == "message" else "", wait=wait)  # type: ignore[arg-type]
    (path,) = dialled(tmp_path, options, bots)
    seen: list[tuple[str, dict[str, str]]] = []

    def bot(call: Call) -> Pipeline:
        seen.append((call.answered_by, call.params))
        return bots[0](call)

    header = read_flight(path).header["call"]
    assert (header["answered_by"], header["params"]) == ("machine" if wait else "", {"order": "17"})
    outcome = replay(path, bot)
    assert outcome.equal, str(outcome)
    assert seen == [("machine" if wait else "", {"order": "17"})]

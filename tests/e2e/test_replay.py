"""Calls of the examples' bot on the simulated services, recorded and driven again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import open_shop
from voiceloop.flight import FlightOptions, read_flight
from voiceloop.replay import replay
from voiceloop.sim.anthropic import Reply, ToolUse
from voiceloop.sim.loop import run_virtual

MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars and a large one five."


async def asks(bar: Any, line: Any) -> None:
    await line.caller.says("What is a small latte?")
    await bar.hears(line)
    await line.caller.says("Thank you.")
    await bar.hears(line)
    await bar.report(line)


async def interrupts(bar: Any, line: Any) -> None:
    await line.caller.says("What do you have?")
    await line.caller.interrupts("One mocha, please.", after=1.5)
    await bar.hears(line)
    await bar.report(line)


async def wants_a_person(bar: Any, line: Any) -> None:
    await line.caller.says("Somebody else, please.")
    await bar.over(line)


PRICE = ToolUse("price", {"drink": "latte", "size": "small"})
TALKS: dict[str, tuple[Callable[..., Any], list[str | Reply]]] = {
    "tool": (asks, [Reply("Let me look.", tools=[PRICE]), "Four.", "Bye."]),
    "barge-in": (interrupts, [MENU, "One mocha, sure."]),
    "transfer": (wants_a_person, [Reply("One moment.", tools=[ToolUse("transfer", {"to": "+14155550100"})]), "Bye."]),
    "hang-up": (wants_a_person, [Reply("Goodbye.", tools=[ToolUse("hang_up")])]),
}


@pytest.mark.parametrize("talk", TALKS)
def test_a_call_on_google_anthropic_and_cartesia_takes_the_same_course_again(tmp_path: Path, talk: str) -> None:
    path = tmp_path / "call.vlog"
    act, answers = TALKS[talk]

    async def call() -> Any:
        async with open_shop(answers, round_trip=0.12, record=FlightOptions(path)) as bar:
            await act(bar, await bar.rings())
            return bar.module.bot, bar.reports[0]

    bot, report = run_virtual(call(), strict=True)
    outcome = replay(path, bot)
    assert outcome.equal, str(outcome)
    assert outcome.whole
    flight = read_flight(path)
    assert flight.header["providers"]["stt"]["name"] == "GoogleSTT"
    assert flight.report is not None
    assert flight.report["reason"] == report.reason
    assert [turn["heard"] for turn in flight.report["turns"]] == [turn.heard for turn in report.turns]

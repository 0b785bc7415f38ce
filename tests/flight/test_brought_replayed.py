"""A call that was cut off and goes on, on a second line that is recorded: what it brought along is had again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.shop import SORRY, Shop, shop
from voiceloop import Call, Pipeline
from voiceloop.flight import BadFlight, FlightOptions, brought, read_flight
from voiceloop.flight.timeline import timeline_of
from voiceloop.replay import replay
from voiceloop.replay.restored import brought as brought_along
from voiceloop.replay.what_if import what_if
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.twilio import SimCall
from voiceloop.store.call_state import COMES_BACK
from voiceloop.testing import calls, script

Talk = Callable[[Shop, SimCall], Awaitable[None]]
ANSWERS = ("One tea. Anything else?", "Five minutes.", "You are welcome.")


class Lines:
    """The recordings of the lines of one call, and its bot."""

    def __init__(self, where: Path, talk: Talk, *, redact: tuple[str, ...] = (), **options: Any) -> None:
        self._bot: Any = None

        async def run() -> None:
            async with shop(**{"llm": script(*ANSWERS, first=0.3, rate=30), **options}) as here:
                here.phone.runtime.record = FlightOptions(where / "flights", redact)
                self._bot = here.phone.bot
                line = await here.rings()
                await talk(here, line)

        run_virtual(run(), strict=True)
        self.paths = sorted((where / "flights").glob("*.vlog"), key=lambda path: read_flight(path).header["at"])

    def bot(self, call: Call) -> Pipeline:
        """Today's bot."""
        made: Pipeline = self._bot(call)
        return made


async def asks_and_is_cut_off(here: Shop, line: SimCall) -> None:
    await here.hears(line)
    await line.caller.says("a tea please")
    await here.hears(line)
    assert (await here.lost(line)).startswith(SORRY)
    await line.caller.says("how long does it take")
    await here.hears(line)


async def is_cut_off_before_the_answer(here: Shop, line: SimCall) -> None:
    await here.hears(line)
    await line.caller.says("a tea please")
    await asyncio.sleep(0.2)
    assert (await here.lost(line)).startswith(SORRY)
    await asyncio.sleep(6)


async def is_cut_off_in_the_answer(here: Shop, line: SimCall) -> None:
    await here.hears(line)
    await line.caller.says("a tea please")
    await asyncio.sleep(2.0)
    await here.lost(line)
    await asyncio.sleep(6)


async def is_cut_off_twice(here: Shop, line: SimCall) -> None:
    await asks_and_is_cut_off(here, line)
    await here.lost(line)
    await line.caller.says("thank you")
    await here.hears(line)


def slow(call: Call) -> list[Any]:
    async def brew(drink: str) -> str:
        """Brew."""
        await asyncio.sleep(4)
        return "brewed"

    return [brew, call.hang_up]


TOOLS = {"llm": script(("Let me see.", calls("brew", drink="tea")), "It is ready.", "Bye.", rate=30), "tools": slow}


@pytest.mark.parametrize(
    ("talk", "options"),
    [
        (asks_and_is_cut_off, {}),
        (is_cut_off_before_the_answer, {}),
        (is_cut_off_in_the_answer, {}),
        (is_cut_off_in_the_answer, TOOLS),
        (is_cut_off_twice, {}),
    ],
    ids=["after an answer", "before the answer", "in the answer", "in a tool", "twice"],
)
def test_the_line_that_a_call_goes_on_with_takes_the_same_course_again(
    tmp_path: Path, talk: Talk, options: dict[str, Any]
) -> None:
    lines = Lines(tmp_path, talk, **options)
    assert len(lines.paths) == 2 + (talk is is_cut_off_twice)
    for number, path in enumerate(lines.paths):
        outcome = replay(path, lines.bot)
        assert outcome.equal, str(outcome)
        assert outcome.whole
        assert outcome.messages > 10
        carried = brought_along(read_flight(path))
        assert (carried.streams if carried else 0) == number


def test_a_call_that_came_from_a_store_takes_the_same_course_again(tmp_path: Path) -> None:
    lines = Lines(tmp_path, asks_and_is_cut_off, folder=tmp_path)
    first, second = map(read_flight, lines.paths)
    assert first.report is not None
    assert first.report["reason"] in COMES_BACK
    carried = brought_along(second)
    assert carried is not None
    assert [message.text for message in carried.messages] == ["Tea room, hello.", "a tea please", ANSWERS[0]]
    assert replay(second, lines.bot).equal


def test_what_was_brought_along_is_what_the_call_knew(tmp_path: Path) -> None:
    known: list[Any] = []

    async def talk(here: Shop, line: SimCall) -> None:
        await asks_and_is_cut_off(here, line)
        known.append(here.calls[1].carried)

    lines = Lines(tmp_path, talk)
    assert brought_along(read_flight(lines.paths[0])) is None
    assert brought_along(read_flight(lines.paths[1])) == known[0]
    assert known[0].turns[0].latency is not None
    assert known[0].duration > 3


def test_a_recording_from_before_this_was_kept_is_replayed_as_before(tmp_path: Path) -> None:
    lines = Lines(tmp_path, asks_and_is_cut_off)
    first, second = map(read_flight, lines.paths)
    del first.header["call"]["answered_by"]
    assert replay(first, lines.bot).equal
    del second.header["brought"]
    outcome = replay(second, lines.bot)
    assert outcome.difference is not None  # there it is a call that only begins
    assert (outcome.difference.at, outcome.messages) == (0.0, 0)


def test_more_than_is_kept_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brought, "LONGEST", 200)
    lines = Lines(tmp_path, asks_and_is_cut_off)
    assert set(read_flight(lines.paths[1]).header["brought"]) == {"bytes"}
    for drive in (replay, what_if):
        with pytest.raises(
            BadFlight, match=r"without what the call brought along \(it was \d+ bytes, more than the 200"
        ):
            drive(lines.paths[1], lines.bot)


def test_what_was_brought_along_and_cannot_be_read_is_no_recording_to_replay(tmp_path: Path) -> None:
    lines = Lines(tmp_path, asks_and_is_cut_off)
    wrong: list[Any] = [[], {}, {"messages": [{"role": "nobody"}]}, {"messages": 3}]
    for broken in wrong:
        flight = read_flight(lines.paths[1])
        flight.header["brought"] = broken
        with pytest.raises(BadFlight, match="what the call brought along cannot be read"):
            replay(flight, lines.bot)


def test_without_text_what_was_brought_along_has_none(tmp_path: Path) -> None:
    lines = Lines(tmp_path, is_cut_off_twice, redact=("text",), **TOOLS)
    assert len(lines.paths) == 3
    for path in lines.paths[1:]:
        carried = brought_along(read_flight(path))
        assert carried is not None
        assert carried.messages[1].text == "x xxx xxxxxx"
        assert carried.turns[0].caller == "x xxx xxxxxx"
        assert b"a tea please" not in path.read_bytes()


def test_the_timeline_of_a_later_line_counts_the_turns_of_the_call(tmp_path: Path) -> None:
    flight = read_flight(Lines(tmp_path, asks_and_is_cut_off).paths[1])
    timeline = timeline_of(flight)
    assert [(turn.number, turn.text) for turn in timeline.turns] == [(2, "how long does it take")]


def test_a_what_if_begins_with_what_was_brought_along(tmp_path: Path) -> None:
    lines = Lines(tmp_path, asks_and_is_cut_off)
    outcome = what_if(lines.paths[1], lines.bot)
    assert not outcome.departures, str(outcome)
    assert [row.what for row in outcome.rows] == ["same"]

"""Replays a recording: today's pipeline, driven by what entered the call when it was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from voiceloop.call import Call
from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.faults import FaultPolicy, describe
from voiceloop.flight.brought import TooLong
from voiceloop.flight.items import from_json, to_json
from voiceloop.flight.reader import BadFlight, Flight, read_flight
from voiceloop.pipeline import Pipeline, pipeline_of
from voiceloop.replay.difference import Difference, side_by_side
from voiceloop.replay.journal import ReplayJournal
from voiceloop.replay.line import transport_of
from voiceloop.replay.loop import ReplayLoop
from voiceloop.replay.providers import ReplayRuntime, substitutes_of
from voiceloop.replay.restored import brought, restore
from voiceloop.runtime import Limits

__all__ = ["Replayed", "bot_of", "flight_to_drive", "replay"]

Bot = Callable[[Call], Pipeline | Awaitable[Pipeline]]

_PASSING = ("duration", "faults", "abandoned")
"""Of a report, what is not compared: times that nobody decides by, and what providers do when they are cancelled."""


@dataclass(slots=True)
class Replayed:
    """What a replay came to."""

    equal: bool
    """Whether the call took the same course: the same messages to the carrier in the same order, at the same places."""
    difference: Difference | None
    """Where it first did not."""
    messages: int
    """Messages to the carrier that were the same."""
    entries: int
    """Entries of the recording that came to pass."""
    seconds: float
    """Length of the recording."""
    whole: bool
    """Whether the recording goes to the end of the call."""

    def __str__(self) -> str:
        if self.difference is not None:
            return str(self.difference)
        end = "" if self.whole else ", where the recording breaks off"
        return f"equal: {self.messages} messages to the carrier, {self.seconds:.1f} s{end}"


def replay(path: str | PathLike[str] | Flight, bot: Bot | None = None) -> Replayed:
    """Drive today's pipeline through a recorded call.

    No provider is asked, no tool is run, no connection is opened: what they gave is in the recording. It stops at the
    first thing that is not as it was.

    Args:
        path: the recording.
        bot: today's bot; without it the one that the recording names.

    Raises:
        BadFlight: the recording cannot be replayed: something was left out of it, or it is of another kind of line.
        BotFileError: the bot cannot be loaded.
        RuntimeError: an event loop is running in this thread already.
    """
    _require_no_loop()
    flight = flight_to_drive(path)
    bot = bot or bot_of(flight)
    loop = ReplayLoop(max_time=None)
    driver = ReplayJournal(flight, loop)
    failure = _run(loop, _call(flight, driver, bot))
    if failure and driver.difference is None:
        driver.difference = Difference(loop.time() - flight.header["at"], "the call failed", "it went on", failure)
    difference = driver.difference or _reports(flight, driver)
    length = flight.entries[-1].at - flight.header["at"] if flight.entries else 0.0
    return Replayed(difference is None, difference, driver.messages, driver.compared, length, flight.whole)


def flight_to_drive(path: str | PathLike[str] | Flight) -> Flight:
    """A recording that a call can be driven from.

    Raises:
        BadFlight: something was left out of it, or it is of another kind of line.
    """
    flight = path if isinstance(path, Flight) else read_flight(path)
    if flight.redacted:
        raise _not_whole(flight, " and ".join(flight.redacted))
    if flight.header["line"]["kind"] != "TwilioTransport":
        raise BadFlight(f"{flight.path}: a call over a {flight.header['line']['kind']} cannot be replayed")
    try:
        brought(flight)
    except TooLong as error:
        raise _not_whole(flight, f"what the call brought along ({error})") from None
    return flight


def _not_whole(flight: Flight, left_out: str) -> BadFlight:
    return BadFlight(f"{flight.path} was recorded without {left_out}: it can be inspected, not replayed")


def _require_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("replay() runs a loop of its own: call it from a plain def test, or in a thread")


def bot_of(flight: Flight) -> Bot:
    """The bot that a recording names.

    Raises:
        BadFlight: it names none, or it is gone.
        BotFileError: it cannot be loaded.
    """
    named = flight.header.get("bot") or {}
    file, name = named.get("file", ""), named.get("name", "")
    if not file or "<locals>" in name:
        raise BadFlight(f"{flight.path} names no bot that can be loaded ({name or 'none'}): say which, --bot FILE")
    if not Path(file).is_file():
        raise BadFlight(f"{flight.path} was recorded with the bot {file}, which is not there: say which, --bot FILE")
    found: Any = load_bot(file)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise BadFlight(f"{file} has no {name} any more: say which bot, --bot FILE")
    return found  # type: ignore[no-any-return]


def _run(loop: ReplayLoop, call: Any) -> str:
    """Run to the end; what it failed with, if it did."""
    try:
        loop.run_until_complete(call)
    except VoiceloopError:
        raise
    except Exception as error:
        return describe(error)[0]
    finally:
        loop.shut_down()
    return ""


async def _call(flight: Flight, driver: ReplayJournal, bot: Bot) -> None:
    header = flight.header
    runtime = ReplayRuntime(
        substitutes=substitutes_of(header, driver),
        limits=Limits(**header["limits"]),
        faults=FaultPolicy(**header["faults"]),
    )
    told = ("id", "caller", "number", "direction", "params")
    call = Call(transport_of(header), runtime=runtime, **{name: header["call"][name] for name in told})
    call.made_by = bot
    call.journal = driver
    restore(call, flight)
    pipeline = await pipeline_of(bot, call)
    await pipeline.run(call)


def _reports(flight: Flight, driver: ReplayJournal) -> Difference | None:
    """How the two reports differ, when all else is equal."""
    recorded, today = flight.report, driver.report
    if recorded is None or today is None:
        return None
    today = from_json(to_json(today))
    for name, value in recorded.items():
        if name not in _PASSING and today.get(name) != value:
            left, right = (
                [f"{each}" for each in (v if isinstance(v, list) else [v])] for v in (value, today.get(name))
            )
            one, other = side_by_side(left, right)
            return Difference(flight.entries[-1].at - flight.header["at"], f"the reports differ in {name}", one, other)
    return None

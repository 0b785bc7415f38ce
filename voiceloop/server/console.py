"""What a server says to whoever looks at its console: calls that begin and end, and how it stops."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

from voiceloop.call import Call
from voiceloop.observe.lines import one_line
from voiceloop.observe.logs import is_json
from voiceloop.report import CallReport
from voiceloop.server.ending import Stage
from voiceloop.server.starting import CannotStart

if TYPE_CHECKING:
    from voiceloop.server.phone import Phone

__all__ = ["Console", "complain", "note", "say", "warn"]

log: Final = logging.getLogger("voiceloop.server")

_SHOWN: Final = 200
"""Characters of a caller and of a number: SIP lets callers choose theirs."""
_LONGEST: Final = 2000
"""Characters of a fault."""


def say(text: str) -> None:
    """Print to standard output; where logs are JSON, log it line by line. That nobody reads it harms no call."""
    _tell(text, sys.stdout, logging.INFO)


def note(text: str) -> None:
    """The same to standard error."""
    _tell(text, sys.stderr, logging.INFO)


def warn(text: str) -> None:
    """The same for what somebody should look after."""
    _tell(text, sys.stderr, logging.WARNING)


def complain(error: Exception, advice: str = "") -> None:
    """Tell why a server cannot start.

    Args:
        advice: a further line.
    """
    problem = error if isinstance(error, CannotStart) else CannotStart([str(error)])
    told = "\n".join(problem.problems) if is_json() else problem.told
    _tell("\n".join(filter(None, (told, advice))), sys.stderr, logging.ERROR)


def _tell(text: str, stream: IO[str], level: int) -> None:
    if is_json():
        for line in filter(None, map(str.strip, text.splitlines())):
            log.log(level, "%s", line)
        return
    with suppress(OSError, ValueError):
        print(text, file=stream, flush=True)


class Console:
    """Tells how calls go."""

    def began(self, call: Call) -> None:
        """A call begins."""
        caller, number = one_line(call.caller, _SHOWN) or "unknown", one_line(call.number, _SHOWN)
        note(f"call {call.id}: {call.direction}, {caller} to {number}")
        call.on_end(self.ended)

    def ended(self, report: CallReport) -> None:
        """It has ended."""
        lines = [f"call {report.call_id}: {report.reason}, {report.duration:.0f} s, {len(report.turns)} turns"]
        lines += [f"  fault: {fault.kind}: {one_line(fault.message, _LONGEST)}" for fault in report.faults]
        note("\n".join(lines))

    def level(self, phone: Phone, busy: bool, why: str) -> None:
        """The process has enough to do, or takes calls again."""
        if not busy:
            note(f"Free again: {phone.live} on the line.")
        elif phone.options.load.refuse:
            warn(f"Busy: {phone.live} on the line; {why}. New calls are not taken for now.")
        else:
            warn(f"Busy: {phone.live} on the line; {why}.")

    def ending(self, stage: Stage, phone: Phone) -> None:
        """The server goes on to end."""
        live = len(phone.calls)
        if stage == Stage.DRAIN and live:
            calls = "1 call goes" if live == 1 else f"{live} calls go"
            say(
                f"Stopping: no new calls are taken; {calls} on, for {phone.options.drain:g} s at most. "
                "A second signal ends them when the agent has finished its sentence."
            )
        elif stage == Stage.HURRY:
            say("Stopping: calls end at once.")
        elif stage != Stage.LEAVE:
            say("Stopping: calls end.")

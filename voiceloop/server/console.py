"""What a server says to whoever looks at its console: calls that begin and end, and how it stops."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from voiceloop.call import Call
from voiceloop.report import CallReport
from voiceloop.server.ending import Stage

if TYPE_CHECKING:
    from voiceloop.server.phone import Phone

__all__ = ["Console", "note", "say"]


def say(text: str) -> None:
    """Print to standard output. That nobody reads it harms no call."""
    with suppress(OSError, ValueError):
        print(text, flush=True)


def note(text: str) -> None:
    """Print to standard error."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


class Console:
    """Tells how calls go."""

    def began(self, call: Call) -> None:
        """A call begins."""
        note(f"call {call.id}: {call.direction}, {call.caller or 'unknown'} to {call.number}")
        call.on_end(self.ended)

    def ended(self, report: CallReport) -> None:
        """It has ended."""
        lines = [f"call {report.call_id}: {report.reason}, {report.duration:.0f} s, {len(report.turns)} turns"]
        lines += [f"  fault: {fault.kind}: {fault.message}" for fault in report.faults]
        note("\n".join(lines))

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

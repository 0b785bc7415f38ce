"""``voiceloop dial``: calls somebody, and a bot talks to them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

from voiceloop.cli.dial_arguments import MACHINE
from voiceloop.cli.load import load_bot
from voiceloop.cli.outcome import Show
from voiceloop.cli.table import turn_table
from voiceloop.errors import VoiceloopError
from voiceloop.server.dialling import DialOptions, dial_out
from voiceloop.server.phone_options import PhoneOptions

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.server.dialling import Outcome

__all__ = ["dial"]


async def dial(options: argparse.Namespace) -> int:
    """Call, and show how it goes; returns the exit status.

    Raises:
        VoiceloopError: what is ordered cannot be, the bot cannot start, or something that Twilio needs is missing.
    """
    if not 0 <= options.port <= 65535:
        raise VoiceloopError(f"expected --port from 0 to 65535, got {options.port}")
    show = Show(quiet=options.json)
    ordered = DialOptions(
        ring=options.ring,
        limit=options.limit,
        machine=MACHINE[options.machine or ("message" if options.message else "ignore")],  # type: ignore[arg-type]
        message=options.message,
        wait=options.wait,
    )
    params = _params(options.param)
    module = load_bot(options.bot)

    def began(call: Call) -> None:
        show.note("They have answered.")
        call.on_turn(lambda turn: show.conversation(call.conversation))
        call.on_end(lambda report: show.conversation(report.conversation))

    async with _interruptible():
        outcome = await dial_out(
            options.to,
            module,
            from_=options.from_,
            params=params,
            options=ordered,
            host=options.host,
            port=options.port,
            public_url=options.public_url,
            phone=PhoneOptions(on_call=began),
            tell=show.note,
        )
    _tell(outcome, options, show)
    return 0 if outcome.status == "answered" else 1


def _params(given: list[str]) -> dict[str, str]:
    params = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise VoiceloopError(f"expected --param NAME=VALUE, got {text!r}")
        params[name] = value
    return params


@contextlib.asynccontextmanager
async def _interruptible() -> Any:
    """SIGTERM, too, cancels what runs in the block, so that the call is hung up and no telephone goes on ringing."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        task.cancel()

    with contextlib.suppress(NotImplementedError):  # no signals on this system's loop
        loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not told:
            raise
        raise VoiceloopError("it was told to stop; the call was hung up") from None
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)


def _tell(outcome: Outcome, options: argparse.Namespace, show: Show) -> None:
    report = outcome.report
    if options.json:
        result = {
            "status": outcome.status,
            "answered_by": outcome.answered_by,
            "message_left": outcome.message_left,
            "call": outcome.call_sid,
            "duration": outcome.duration,
            "why": outcome.why,
            "code": outcome.code,
            "reason": report.reason if report else None,
            "turns": [turn.as_dict() for turn in report.turns] if report else [],
            "faults": [f"{fault.kind}: {fault.message}" for fault in report.faults] if report else [],
        }
        print(json.dumps(result, indent=2))
    if outcome.status != "answered":
        print(f"voiceloop: {options.to}: {outcome.status}: {outcome.why}", file=sys.stderr)
        return
    who = {"machine": "an answering machine", "fax": "a fax", "human": "a person"}.get(outcome.answered_by, "")
    if who:
        show.line(f"{who.capitalize()} has answered." + (" The message was left." if outcome.message_left else ""))
    if report is not None:
        show.line(f"The call ended: {report.reason}, after {report.duration:.1f} s.")
        if report.turns:
            show.line()
            show.line(turn_table(report.turns))
        for fault in report.faults:
            show.line(f"fault: {fault.kind}: {fault.message}")

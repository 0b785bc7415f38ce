"""How calls go, as records of the log with fields: ``call_began``, ``turn``, ``call_ended``. No words, just figures."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from voiceloop.call import Call
from voiceloop.observe.logs import CALLS
from voiceloop.rehearsal import REHEARSAL
from voiceloop.report import CallReport, Turn

__all__ = ["log_call"]

log: Final = logging.getLogger(CALLS)


def log_call(call: Call) -> None:
    """Log a call's begin, turns and end at INFO. For ``phone.on_call``. The event is in the field ``event``; the fields
    are said in docs/metrics.md."""
    if call.replayed or call.id == REHEARSAL or not log.isEnabledFor(logging.INFO):
        return
    extra = {
        "event": "call_began",
        "call": call.id,
        "direction": call.direction,
        "caller": call.caller,
        "number": call.number,
        "again": call.carried is not None,
    }
    log.info("call began", extra=extra)
    call.on_turn(partial(_turn, call.id))
    call.on_end(_end)


def _turn(call_id: str, turn: Turn) -> None:
    waited = {} if turn.latency is None else {f"{name}_ms": ms for name, ms in turn.latency.as_ms().items()}
    log.info(
        "turn %d",
        turn.number,
        extra={"event": "turn", "call": call_id, "turn": turn.number, "interrupted": turn.interrupted, **waited},
    )


def _end(report: CallReport) -> None:
    extra = {
        "event": "call_ended",
        "call": report.call_id,
        "reason": report.reason,
        "seconds": round(report.duration, 3),
        "turns": len(report.turns),
        "interruptions": sum(turn.interrupted for turn in report.turns),
        "faults": len(report.faults),
        "watchdogs": sum(report.watchdogs.values()),
        "abandoned": len(report.abandoned),
    }
    if report.cost is not None:
        extra["cost"] = report.cost.total
    log.info("call ended: %s", report.reason, extra=extra)

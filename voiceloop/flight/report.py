"""A call's report as plain values."""

from __future__ import annotations

from typing import Any

from voiceloop.flight.items import plain
from voiceloop.report import CallReport

__all__ = ["report_values"]


def report_values(report: CallReport) -> dict[str, Any]:
    """Everything in a report that JSON can hold."""
    return {
        "call_id": report.call_id,
        "reason": report.reason,
        "duration": report.duration,
        "turns": [turn.as_dict() for turn in report.turns],
        "conversation": [
            {
                "role": message.role,
                "text": message.text,
                "unheard": message.unheard,
                "interrupted": message.interrupted,
                "aside": message.aside,
                "calls": plain(message.calls),
                "results": plain(message.results),
            }
            for message in report.conversation
        ],
        "usage": dict(report.usage),
        "faults": plain(report.faults),
        "abandoned": list(report.abandoned),
        "watchdogs": dict(report.watchdogs),
        "served": plain(report.served),
        "speculation": plain(report.speculation),
        "cost": plain(report.cost),
    }

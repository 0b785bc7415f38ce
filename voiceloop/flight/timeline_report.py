"""A call's report from the plain values that stand at the end of its recording. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voiceloop.conversation import Conversation, Message, ToolCall, ToolResult
from voiceloop.latency import Latency
from voiceloop.prices import Cost
from voiceloop.report import CallReport, FaultRecord, Turn
from voiceloop.speculated import Speculated

__all__ = ["report_from", "turn_from"]


def report_from(values: Mapping[str, Any]) -> CallReport:
    """What `voiceloop.flight.report.report_values` was given."""
    conversation = Conversation()
    for message in values["conversation"]:
        conversation.append(_message(message))
    report = CallReport(
        call_id=values["call_id"],
        reason=values["reason"],
        duration=float(values["duration"]),
        conversation=conversation,
        turns=[turn_from(number, turn) for number, turn in enumerate(values["turns"], 1)],
        usage=dict(values["usage"]),
        faults=[
            FaultRecord(fault["kind"], fault["message"], fault["detail"], float(fault["at"]))
            for fault in values["faults"]
        ],
        abandoned=list(values["abandoned"]),
        served=dict(values["served"]),
        cost=None if not isinstance(values["cost"], dict) else Cost(**values["cost"]),
    )
    report.speculation = Speculated(**values.get("speculation", {}))
    report.watchdogs = {**report.watchdogs, **values.get("watchdogs", {})}
    return report


def turn_from(number: int, values: Mapping[str, Any]) -> Turn:
    """What `Turn.as_dict` gave. The answer's number is kept where the values have it."""
    parts = values["latency_ms"]
    latency = None
    if parts is not None:
        latency = Latency(**{name: ms / 1000 for name, ms in parts.items() if name != "total"})
    return Turn(
        number,
        values["caller"],
        heard=values["heard"],
        unheard=values["unheard"],
        interrupted=values["interrupted"],
        latency=latency,
        answer=values.get("answer", 0),
        gained=values.get("gained_ms", 0.0) / 1000,
    )


def _message(values: Mapping[str, Any]) -> Message:
    return Message(
        values["role"],
        values["text"],
        values["unheard"],
        values["interrupted"],
        calls=tuple(ToolCall(**call) for call in values["calls"]),
        results=tuple(ToolResult(**result) for result in values["results"]),
        aside=values.get("aside", False),
    )

"""What a call carries from line to line, as JSON can hold it: between processes, and in recordings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from voiceloop.carried import Carried
from voiceloop.latency import Latency
from voiceloop.report import Turn
from voiceloop.store.record import fault_of, message_dict, message_of, turn_dict, turn_of

__all__ = ["carried_of", "carried_values"]


def carried_values(carried: Carried) -> dict[str, Any]:
    """Plain values of all but `Message.echo`: of an earlier answer no model is given that."""
    return {
        "messages": [message_dict(message) for message in carried.messages],
        "turns": [_turn_values(turn) for turn in carried.turns],
        "usage": dict(carried.usage),
        "faults": [asdict(fault) for fault in carried.faults],
        "duration": carried.duration,
        "streams": carried.streams,
        "served": {kind: dict(counts) for kind, counts in carried.served.items()},
    }


def carried_of(values: Mapping[str, Any]) -> Carried:
    """What `carried_values` has made values of.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, VoiceloopError: these are no such values.
    """
    return Carried(
        messages=[message_of(each) for each in values["messages"]],
        turns=[_turn_of(each) for each in values["turns"]],
        usage=dict(values["usage"]),
        faults=[fault_of(each) for each in values["faults"]],
        duration=float(values["duration"]),
        streams=int(values["streams"]),
        served={kind: dict(counts) for kind, counts in values["served"].items()},
    )


def _turn_values(turn: Turn) -> dict[str, Any]:
    """Its times, too, as they were: a record rounds them."""
    latency = None if turn.latency is None else list(asdict(turn.latency).values())
    return {**turn_dict(turn), "latency": latency, "gained": turn.gained}


def _turn_of(values: Mapping[str, Any]) -> Turn:
    latency = None if values["latency"] is None else Latency(*map(float, values["latency"]))
    return replace(turn_of(values), latency=latency, gained=float(values["gained"]))

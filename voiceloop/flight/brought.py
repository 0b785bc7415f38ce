"""What a call brought along from the lines it was on before, in the header of its recording. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from voiceloop.carried import Carried
from voiceloop.flight.items import to_json
from voiceloop.flight.redact import Redaction
from voiceloop.latency import Latency
from voiceloop.report import Turn
from voiceloop.store.record import fault_of, message_dict, message_of, turn_dict, turn_of

__all__ = ["LONGEST", "TooLong", "brought_of", "brought_values"]

LONGEST: Final = 4 * 1024 * 1024
"""Bytes of JSON that are kept of it: the conversation of many hours."""


class TooLong(ValueError):
    """It was more than is kept."""


def brought_values(carried: Carried, redaction: Redaction) -> dict[str, Any]:
    """As JSON can hold it; only its ``bytes`` when that is more than `LONGEST`.

    All but `Message.echo`: of an earlier answer no model is given that.
    """
    values = {
        "messages": redaction.value([message_dict(message) for message in carried.messages]),
        "turns": redaction.value([_turn_values(turn) for turn in carried.turns]),
        "usage": dict(carried.usage),
        "faults": redaction.value([asdict(fault) for fault in carried.faults]),
        "duration": carried.duration,
        "streams": carried.streams,
        "served": {kind: dict(counts) for kind, counts in carried.served.items()},
    }
    size = len(to_json(values))
    return values if size <= LONGEST else {"bytes": size}


def brought_of(values: Mapping[str, Any]) -> Carried:
    """What `brought_values` has made values of.

    Raises:
        TooLong: it was not kept.
        ValueError, KeyError, TypeError, AttributeError, VoiceloopError: these are no such values.
    """
    if "bytes" in values:
        raise TooLong(f"it was {values['bytes']} bytes, more than the {LONGEST} that are kept")
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

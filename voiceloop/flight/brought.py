"""What a call brought along from the lines it was on before, in the header of its recording. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from voiceloop.carried import Carried
from voiceloop.flight.items import to_json
from voiceloop.flight.redact import Redaction
from voiceloop.store.carried_values import carried_of, carried_values

__all__ = ["LONGEST", "TooLong", "brought_of", "brought_values"]

LONGEST: Final = 4 * 1024 * 1024
"""Bytes of JSON that are kept of it: the conversation of many hours."""
_TOLD: Final = ("messages", "turns", "faults")
"""What may hold words of people."""


class TooLong(ValueError):
    """It was more than is kept."""


def brought_values(carried: Carried, redaction: Redaction) -> dict[str, Any]:
    """As JSON can hold it (`carried_values`); only its ``bytes`` when that is more than `LONGEST`."""
    values = carried_values(carried)
    values |= {name: redaction.value(values[name]) for name in _TOLD}
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
    return carried_of(values)

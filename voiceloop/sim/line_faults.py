"""What goes wrong between a caller and an agent: faults that a simulated carrier injects. Data only.

``CarrierOptions(faults=(Late(at=3.0, length=0.5, by=0.3), CutToServer(after=70_000)))``. Times are seconds since the
start of the stream, and are looked at every 20 ms. Each fault can be written as JSON (`as_dict`, `fault_from_dict`)
and drawn by chance (`draw`, `draw_fault`). What was injected, and when, stands in `Carrier.injected`.

What is not here: messages out of order, and the agent's messages lost or doubled. One TCP connection carries a stream,
which keeps order and loses nothing; nothing known of Twilio's says that it numbers messages other than as it sends
them. `Rubbish` has media with old timestamps for those who do not trust that.
"""

from __future__ import annotations

import dataclasses
from random import Random
from typing import Any, Final, TypeAlias

from voiceloop.sim.line_faults_sound import (
    LineEcho,
    MarksDoubled,
    MarksEarly,
    MarksLate,
    MarksNever,
    MarksSwapped,
    Noise,
    Stall,
    StrayMark,
)
from voiceloop.sim.line_faults_wire import (
    Bunched,
    Closed,
    CutFromServer,
    CutToServer,
    Doubled,
    HalfOpen,
    Late,
    Lost,
    NoStop,
    Rubbish,
)

__all__ = [
    "BY_KIND",
    "Bunched",
    "Closed",
    "CutFromServer",
    "CutToServer",
    "Doubled",
    "HalfOpen",
    "Late",
    "LineEcho",
    "LineFault",
    "Lost",
    "MarksDoubled",
    "MarksEarly",
    "MarksLate",
    "MarksNever",
    "MarksSwapped",
    "NoStop",
    "Noise",
    "Rubbish",
    "Stall",
    "StrayMark",
    "draw_fault",
    "fault_from_dict",
]

LineFault: TypeAlias = (
    Late
    | Bunched
    | Lost
    | Doubled
    | CutToServer
    | CutFromServer
    | Closed
    | HalfOpen
    | NoStop
    | Rubbish
    | MarksEarly
    | MarksLate
    | MarksNever
    | MarksDoubled
    | MarksSwapped
    | StrayMark
    | LineEcho
    | Noise
    | Stall
)
"""Any of them."""

BY_KIND: Final[dict[str, type[LineFault]]] = {
    fault.kind: fault
    for fault in (
        *(Late, Bunched, Lost, Doubled, CutToServer, CutFromServer, Closed, HalfOpen, NoStop, Rubbish),
        *(MarksEarly, MarksLate, MarksNever, MarksDoubled, MarksSwapped, StrayMark, LineEcho, Noise, Stall),
    )
}
"""The faults by their names in JSON."""


def draw_fault(random: Random, length: float, kinds: tuple[str, ...] = tuple(BY_KIND)) -> LineFault:
    """A fault of one of these kinds, each as likely as the others, for a call of that many seconds."""
    return BY_KIND[random.choice(kinds)].draw(random, length)


def fault_from_dict(data: dict[str, Any]) -> LineFault:
    """The fault that `as_dict` wrote.

    Raises:
        ValueError: there is no such kind, or it has no such field or value.
    """
    values = dict(data)
    kind = values.pop("kind", None)
    if kind not in BY_KIND:
        raise ValueError(f"expected a fault of kind {', '.join(BY_KIND)}; got {kind!r}")
    try:
        return BY_KIND[kind](**values)
    except TypeError as error:
        fields = ", ".join(field.name for field in dataclasses.fields(BY_KIND[kind]))
        raise ValueError(f"a fault of kind {kind!r} has the fields {fields}: {error}") from None

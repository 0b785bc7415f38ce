"""One record of one call, whatever number of lines it was on, and whoever wrote what of it. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from voiceloop.store.record import CallRecord

__all__ = ["joined", "to_be_kept"]


def joined(before: CallRecord, after: CallRecord) -> CallRecord:
    """One record of two lines of a call, of which the second knew nothing of the first."""
    shift = before.duration
    cost = None
    if before.cost is not None and after.cost is not None:
        cost = dict(_added(before.cost, after.cost))
    return replace(
        after,
        started=before.started,
        duration=before.duration + after.duration,
        conversation=[*before.conversation, *after.conversation],
        turns=[
            *before.turns,
            *({**turn, "number": place} for place, turn in enumerate(after.turns, len(before.turns) + 1)),
        ],
        usage=_added(before.usage, after.usage),
        faults=[*before.faults, *({**fault, "at": fault["at"] + shift} for fault in after.faults)],
        watchdogs={name: int(count) for name, count in _added(before.watchdogs, after.watchdogs).items()},
        served={
            kind: dict(Counter(before.served.get(kind, {})) + Counter(after.served.get(kind, {})))
            for kind in {**before.served, **after.served}
        },
        cost=cost or after.cost or before.cost,
        params={**before.params, **after.params},
        recordings=list(dict.fromkeys([*before.recordings, *after.recordings])),
        answered_by=after.answered_by or before.answered_by,
        streams=before.streams + after.streams,
    )


def to_be_kept(known: CallRecord | None, new: CallRecord) -> CallRecord | None:
    """What is to be written when a record of the same call may be there already; None when nothing is.

    A line that began when the other record was closed is a further one of the call: both are one record. Else the one
    that knows of more lines counts, and of two alike the later.
    """
    if known is None:
        return new
    if known.ended <= new.started:
        return joined(known, new)
    if known.streams > new.streams or (known.streams == new.streams and known.ended >= new.ended):
        return None
    return replace(new, ended=max(new.ended, math.nextafter(known.ended, math.inf)))


def _added(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}

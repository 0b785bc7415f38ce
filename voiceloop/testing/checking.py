"""The joint between `dial` and the invariants: gathers what a call left and has it looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from voiceloop.testing.bounds import Bounds
from voiceloop.testing.dialled import Dialled
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.invariants import require_invariants
from voiceloop.testing.scripted import Failing

__all__ = ["injected", "noted", "require", "swallowing"]

WALL_CLOCK = 0.5
"""Seconds by which every limit is loosened in real time: other programs run, too."""


@dataclass(frozen=True, slots=True)
class Swallowing:
    """A scripted provider that swallows cancellation."""

    kind: str
    """Its name in the table of excuses."""


def noted(sources: Iterable[object], dialled: Dialled) -> list[tuple[float, object]]:
    """What providers and other parts say they did wrong on purpose (``injected``) since the call began."""
    began = dialled.carrier.truth.started
    return [note for source in sources for note in getattr(source, "injected", ()) if note[0] >= began]


def swallowing(providers: Mapping[type, object], dialled: Dialled) -> list[tuple[float, object]]:
    """Scripted providers that swallow cancellation: what is left of them is no fault of the call."""
    return [
        (dialled.carrier.truth.started, Swallowing(f"{base.__name__.lower()} deaf"))
        for base, provider in providers.items()
        if isinstance(failing := getattr(provider, "failing", None), Failing) and failing.how == "deaf"
    ]


def injected(dialled: Dialled) -> list[tuple[float, object]]:
    """All that was made to go wrong in a call: by the line, by providers, by the test itself."""
    return sorted([*noted([dialled.carrier], dialled), *dialled.injected], key=lambda note: note[0])


def require(dialled: Dialled, bounds: Bounds) -> None:
    """Look at a call that is over.

    Raises:
        BrokenInvariants: something that must hold of every call did not.
    """
    if not getattr(asyncio.get_running_loop(), "virtual_time", False):
        bounds = replace(bounds, slack=max(bounds.slack, WALL_CLOCK))
    evidence = Evidence.of(
        dialled.witness,
        carrier=dialled.carrier,
        caller=dialled.caller,
        report=dialled.ended,
        lexicon=dialled.lexicon,
        faults=dialled.injected,  # those of the line are the carrier's
        log=dialled.call.log,
    )
    require_invariants(evidence, bounds)

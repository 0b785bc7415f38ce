"""What the parts of `turns.py` have in common: floors, and a command line for each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

__all__ = ["Floor", "main", "missed", "percentile"]


@dataclass(frozen=True, slots=True)
class Floor:
    """What a figure must reach."""

    at: str
    """Where it stands in a result: keys with dots between."""
    most: float | None = None
    least: float | None = None


def missed(result: Mapping[str, Any], floors: Sequence[Floor]) -> list[str]:
    """Figures that miss their floor, in words; those that were not measured are left out."""
    found = []
    for floor in floors:
        value: Any = result
        for key in floor.at.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            continue
        if floor.most is not None and value > floor.most:
            found.append(f"{floor.at}: expected at most {floor.most:g}, measured {value:g}")
        if floor.least is not None and value < floor.least:
            found.append(f"{floor.at}: expected at least {floor.least:g}, measured {value:g}")
    return found


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Of so many values, between the two that are nearest; None of none."""
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def main(
    about: str | None,
    measure: Callable[[int, int], dict[str, Any]],
    lines: Callable[[dict[str, Any]], list[str]],
    floors: Sequence[Floor],
    *,
    full: int,
    smoke: int,
) -> None:
    """Run one part by itself and print. Status 1 when a figure misses its floor; never with ``--smoke``."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few calls, whose figures mean little")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    result = measure(smoke if options.smoke else full, options.seed)
    print(json.dumps(result, indent=2) if options.json else "\n".join(lines(result)))
    failed = [] if options.smoke else missed(result, floors)
    if failed:
        sys.exit("\n".join(failed))

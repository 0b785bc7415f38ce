"""Turn-taking on recorded speech: how soon the caller is answered, how often cut off, how an interruption goes.

    python benchmarks/turns.py [--only endpointing,ledger] [--smoke] [--json]

Parts, each a script of its own too:

- ``endpointing``: false cut-offs against the wait, beside fixed silences (`turns_endpointing.py`); also drawn as a
  picture, docs/assets/turns.svg;
- ``speculation``: end of speech to first sound, and what is prepared in vain (`turns_speculation.py`);
- ``barge_in``: what interrupts and what does not, and how soon the agent is silent (`turns_barge_in.py`);
- ``echo``: the same with the agent's own voice coming back (`turns_echo.py`);
- ``ledger``: what is remembered after an interruption against what was heard (`turns_ledger.py`).

Status 1 when a figure misses its floor, never with ``--smoke``. What is not there (recordings, models) is left out and
said.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from turns_floors import missed
from turns_picture import picture

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "assets" / "turns.svg"


@dataclass(frozen=True, slots=True)
class Part:
    """A script of this folder: ``measure(n, seed)`` gives a result, ``lines(result)`` prints it, ``FLOORS`` (or
    ``below(result)``) judges it."""

    module: str
    full: int
    """What its `measure` is given."""
    smoke: int

    def run(self, *, smoke: bool, seed: int) -> tuple[dict[str, Any], Callable[[dict[str, Any]], list[str]], list[str]]:
        """Its result, what prints it, and which floors it missed."""
        module = import_module(self.module)
        below: Callable[[dict[str, Any]], list[str]] = getattr(
            module, "below", lambda found: missed(found, module.FLOORS)
        )
        result = module.measure(self.smoke if smoke else self.full, seed)
        return result, module.lines, below(result)


PARTS = {
    "endpointing": Part("turns_endpointing", 5, 0),
    "speculation": Part("turns_speculation", 200, 2),
    "barge_in": Part("turns_barge_in", 40, 2),
    "echo": Part("turns_echo", 40, 2),
    "ledger": Part("turns_ledger", 5000, 60),
}


def main() -> None:
    """Run the parts, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, with commas between: {', '.join(PARTS)}")
    parser.add_argument("--smoke", action="store_true", help="a few calls, whose figures mean little")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = [name.strip() for name in options.only.split(",") if name.strip()]
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"expected parts of {', '.join(PARTS)}; got {', '.join(unknown)}")
    results: dict[str, Any] = {}
    failed: list[str] = []
    for name in names:
        result, lines, missing = PARTS[name].run(smoke=options.smoke, seed=options.seed)
        results[name] = result
        failed += [f"{name}: {each}" for each in missing]
        if not options.json:
            print("\n".join(lines(result)), end="\n\n", flush=True)
    if results.get("endpointing") and not options.smoke:
        PICTURE.write_text(picture(results["endpointing"]))
    if options.json:
        print(json.dumps(results, indent=2))
    if failed and not options.smoke:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()

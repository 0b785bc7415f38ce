"""Whole calls drawn from seeds: whatever caller, model, line, providers, tools and handlers do, what must hold of
every call does.

A seed that fails here is made short by ``voiceloop fuzz BOT --seed SEED --calls 1``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grids import always
from voiceloop.cli.fuzz_summary import command
from voiceloop.cli.load import load_bot
from voiceloop.testing.chaos import Plan
from voiceloop.testing.chaos.finding import Bench

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BOTS = {
    "coffee": EXAMPLES / "coffee_bot.py",
    "twilio": EXAMPLES / "twilio_bot.py",
    "wild": Path(__file__).with_name("wild_bot.py"),
}
TOGETHER = 10
"""Calls in one test: what the calls of a process share is made once."""
CHUNKS = [
    *(("coffee", first) for first in range(1000, 1080, TOGETHER)),
    *(("twilio", first) for first in range(2000, 2050, TOGETHER)),
    *(("wild", first) for first in range(3000, 3070, TOGETHER)),
]
"""200 calls."""
OFTEN = [(name, first) for name, first in CHUNKS if first % 1000 < 2 * TOGETHER]
"""60 calls, also without ``--long``."""


@pytest.mark.parametrize(("name", "first"), always(OFTEN, CHUNKS))
def test_what_must_hold_of_every_call_does(name: str, first: int) -> None:
    if name != "coffee":
        pytest.importorskip("pydantic", reason="tools need pydantic")
    where = Bench(load_bot(BOTS[name]).bot)
    failures = []
    for seed in range(first, first + TOGETHER):
        outcome = where.run(Plan.drawn(seed), twice=seed == first)
        shown = command(str(BOTS[name]), seed)
        failures += [f"{failure}\n  {shown}" for failure in outcome.failures]
    assert not failures, "\n" + "\n".join(failures)


def test_there_are_two_hundred() -> None:
    assert len(CHUNKS) * TOGETHER == 200

"""The turns of a call as a table: how long the caller waited, and for what."""

from __future__ import annotations

from collections.abc import Sequence

from voiceloop.report import Turn

__all__ = ["turn_table"]

PARTS = ("total", "endpoint", "stt", "llm", "tts", "output", "carrier")
WIDTH = 9


def turn_table(turns: Sequence[Turn]) -> str:
    """One row a turn: milliseconds from the end of speech to the first sound, and its parts."""
    rows = ["End of speech to first sound, in milliseconds, and its parts:", ""]
    rows.append("  turn" + "".join(name.rjust(WIDTH) for name in PARTS) + "  caller said")
    for turn in turns:
        times = turn.latency.as_ms() if turn.latency is not None else {}
        cells = "".join((f"{times[name]:.0f}" if name in times else "-").rjust(WIDTH) for name in PARTS)
        rows.append(f"  {turn.number:>4}{cells}  {_short(turn.caller)}")
    return "\n".join(rows)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"

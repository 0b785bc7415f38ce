"""What ``calls.py`` found, as a table for people and as a chart: one SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

__all__ = ["picture", "table"]

WIDTH, HEIGHT = 960, 360
TOP, BOTTOM, LEFT, RIGHT, BETWEEN = 96, 48, 70, 24, 90
STYLE: Final = """
  .page { fill: #ffffff } text { font: 13px system-ui, sans-serif; fill: #33383f }
  .title { font-size: 16px; font-weight: 600 } .soft { fill: #5f6670; font-size: 12px }
  .grid { stroke: #d9dce1; stroke-width: 1 } .line { fill: none; stroke-width: 2.2; stroke-linejoin: round }
  .c0 { stroke: #1f6feb } .c1 { stroke: #8a6d1f } .c2 { stroke: #a2366b } .c3 { stroke: #1a7f5a }
  .c4 { stroke: #6b3fa0 }
  .d0 { fill: #1f6feb } .d1 { fill: #8a6d1f } .d2 { fill: #a2366b } .d3 { fill: #1a7f5a }
  .d4 { fill: #6b3fa0 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #16191d } text { fill: #dfe3e8 } .soft { fill: #a4abb5 } .grid { stroke: #333941 }
    .c0 { stroke: #6cb0ff } .c1 { stroke: #e0b84c } .c2 { stroke: #f28ac0 } .c3 { stroke: #58d0a0 }
    .c4 { stroke: #b99cf0 }
    .d0 { fill: #6cb0ff } .d1 { fill: #e0b84c } .d2 { fill: #f28ac0 } .d3 { fill: #58d0a0 }
    .d4 { fill: #b99cf0 }
  }
"""
COLUMNS: Final = (
    ("calls", "calls", 5),
    ("cpu_percent", "CPU %", 6),
    ("cpu_percent_per_call", "per call", 8),
    ("wait_p50", "wait p50", 8),
    ("wait_p95", "p95", 5),
    ("wait_p99", "p99 ms", 6),
    ("torn_percent", "torn %", 6),
    ("longest_hole_ms", "hole ms", 7),
    ("missed_turns", "missed", 6),
    ("least_ahead_ms", "ahead ms", 8),
    ("memory_per_call_mb", "MB/call", 7),
    ("tasks_per_call", "tasks", 5),
    ("threads", "threads", 7),
)


def table(result: dict[str, Any]) -> str:
    """All runs."""
    lines = [", ".join(str(value) for value in result["machine"].values())]
    mocks = result["mocks"]
    lines.append(f'the agent: "{mocks["greeting"]}" … "{mocks["answer"]}"')
    heading = "  ".join(title.rjust(width) for _, title, width in COLUMNS)
    for who, runs in result["runs"].items():
        about = ", ".join(f"{name} {value}" for name, value in result["about"][who].items())
        lines += ["", f"{who} ({about})", heading]
        lines += [_row(run) for run in runs]
        lines.append(f"clean: {result['clean_calls'][who]} calls")
    for who, times in result.get("times_the_peer", {}).items():
        lines.append(f"{times} times as many as {who}")
    for name, run in result["scenarios"].items():
        lines += ["", f"{name}, {run['calls']} calls", heading, _row(run), _also(run)]
    return "\n".join(lines)


def _row(run: dict[str, Any]) -> str:
    flat = {**run, **{f"wait_{name}": value for name, value in run["wait_ms"].items()}}
    return "  ".join(_shown(flat.get(key, "-"), width) for key, _, width in COLUMNS)


def _shown(value: Any, width: int) -> str:
    if isinstance(value, float):
        value = f"{value:.3f}" if value < 1 else f"{value:.1f}"
    return str(value).rjust(width)


def _also(run: dict[str, Any]) -> str:
    said = []
    if run["clear_ms"]:
        said.append(f"clear {run['clear_ms']['p50']} ms p50, {run['clear_ms']['p95']} ms p95 after the caller spoke")
    if run["greeting_ms"]:
        said.append(f"greeting {run['greeting_ms']['p95']} ms p95")
    if burst := run.get("burst"):
        said.append(f"{burst['calls']} new calls in a second: greeting {burst['greeting_ms'].get('p95')} ms p95")
    if "memory_growth_percent" in run:
        said.append(f"{run['calls_begun']} calls, memory {run['memory_mb']} MB: {run['memory_growth_percent']} % more")
    return "; ".join(said)


# --- the chart --------------------------------------------------------------------------------------------------


class _Panel:
    """One figure over the number of calls, which grows by powers."""

    def __init__(self, index: int, most: float, unit: str, calls: int) -> None:
        self.width = (WIDTH - LEFT - RIGHT - BETWEEN) / 2
        self.left = LEFT + index * (self.width + BETWEEN)
        self.most, self.unit, self.calls = most, unit, calls

    def x(self, calls: float) -> float:
        from math import log2

        return self.left + log2(max(1.0, calls)) / log2(max(2, self.calls)) * self.width

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - min(value, self.most) / self.most * (HEIGHT - TOP - BOTTOM)

    def frame(self, title: str) -> list[str]:
        parts = [f'<text x="{self.left:g}" y="{TOP - 14}">{title}</text>']
        for step in range(5):
            value = self.most * step / 4
            y = self.y(value)
            parts.append(f'<path class="grid" d="M{self.left:g} {y:g}h{self.width:g}"/>')
            parts.append(
                f'<text class="soft" text-anchor="end" x="{self.left - 8:g}" y="{y + 4:g}">{value:g} {self.unit}</text>'
            )
        calls = 1
        while calls <= self.calls:
            place = f'x="{self.x(calls):g}" y="{HEIGHT - BOTTOM + 18}"'
            parts.append(f'<text class="soft" text-anchor="middle" {place}>{calls}</text>')
            calls *= 2 if self.calls < 100 else 4
        return parts

    def curve(self, index: int, points: Sequence[tuple[float, float]]) -> list[str]:
        path = "L".join(f"{self.x(calls):.1f} {self.y(value):.1f}" for calls, value in points)
        dots = [
            f'<circle class="d{index}" cx="{self.x(calls):.1f}" cy="{self.y(value):.1f}" r="3.5"/>'
            for calls, value in points
        ]
        return [f'<path class="line c{index}" d="M{path}"/>', *dots]


def picture(result: dict[str, Any]) -> str:
    """Waits and torn answers over the number of calls, for each side."""
    runs: dict[str, list[dict[str, Any]]] = result["runs"]
    calls = max(run["calls"] for each in runs.values() for run in each)
    waits, torn = _Panel(0, 4000, "ms", calls), _Panel(1, 100, "%", calls)
    label = "Waits and torn answers over the number of calls on one core"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{label}">',
        f'<style>{STYLE}</style><rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="28">Calls on one core, and how many of them with clean audio</text>',
    ]
    x: float = LEFT
    for index, who in enumerate(runs):
        said = f"{who}: {result['clean_calls'][who]}"
        parts.append(f'<path class="line c{index}" d="M{x:g} 50h24"/><text x="{x + 32:g}" y="54">{said}</text>')
        x += 48 + 6.7 * len(said)
    parts += waits.frame("Wait for an answer, 99th percentile")
    parts += torn.frame("Answers with a hole of 10 ms or more")
    for index, each in enumerate(runs.values()):
        parts += waits.curve(index, [(run["calls"], run["wait_ms"].get("p99", waits.most)) for run in each])
        parts += torn.curve(index, [(run["calls"], run["torn_percent"]) for run in each])
    parts.append("</svg>")
    return "\n".join(parts) + "\n"

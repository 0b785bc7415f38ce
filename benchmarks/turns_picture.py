"""The curve of `turns.py` as a picture: one SVG that needs nothing else, for light and dark pages."""

from __future__ import annotations

from typing import Any

__all__ = ["picture"]

WIDTH, HEIGHT = 960, 400
TOP, BOTTOM, LEFT, RIGHT, BETWEEN = 92, 52, 54, 24, 48
WAITS, MOST = (0.3, 1.5), 0.5
"""Seconds across; share of turns upwards."""
STYLE = """
  .page { fill: #ffffff } text { font: 13px system-ui, sans-serif; fill: #33383f }
  .title { font-size: 16px; font-weight: 600 } .soft { fill: #5f6670; font-size: 12px }
  .grid { stroke: #d9dce1; stroke-width: 1 } .line { fill: none; stroke-width: 2.2; stroke-linejoin: round }
  .fixed { stroke: #8a6d1f } .adaptive { stroke: #1f6feb } .told { stroke: #1a7f5a }
  .dot-fixed { fill: #8a6d1f } .dot-adaptive { fill: #1f6feb } .dot-told { fill: #1a7f5a }
  .value { stroke: #ffffff; stroke-width: 4; paint-order: stroke; font-weight: 600 }
  .drop { stroke: #5f6670; stroke-width: 1.2; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #16191d } text { fill: #dfe3e8 } .soft { fill: #a4abb5 }
    .value { stroke: #16191d } .grid { stroke: #333941 }
    .fixed { stroke: #e0b84c } .adaptive { stroke: #6cb0ff } .told { stroke: #58d0a0 }
    .dot-fixed { fill: #e0b84c } .dot-adaptive { fill: #6cb0ff } .dot-told { fill: #58d0a0 } .drop { stroke: #a4abb5 }
  }
"""


class _Panel:
    """One condition: where its values lie."""

    def __init__(self, index: int, count: int) -> None:
        self.width = (WIDTH - LEFT - RIGHT - BETWEEN * (count - 1)) / count
        self.left = LEFT + index * (self.width + BETWEEN)
        self.first = index == 0

    def x(self, wait: float) -> float:
        low, high = WAITS
        return self.left + (min(max(wait, low), high) - low) / (high - low) * self.width

    def y(self, share: float) -> float:
        return HEIGHT - BOTTOM - min(share, MOST) / MOST * (HEIGHT - TOP - BOTTOM)


def picture(result: dict[str, Any]) -> str:
    """The curves of every condition of `turns_endpointing.measure`, side by side."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-label="False cut-offs against median wait: a fixed silence and the adaptive one">',
        f'<style>{STYLE}</style><rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="28">Turns cut off, by how long after its last word a turn is over</text>',
        *_key(LEFT, 52),
    ]
    for index, (name, found) in enumerate(result.items()):
        parts += _panel(_Panel(index, len(result)), name, found)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _key(x: float, y: float) -> list[str]:
    parts = []
    for kind, text, width in (
        ("fixed", "a fixed silence", 150),
        ("adaptive", "adaptive, no question", 205),
        ("told", "adaptive (large dot: default options)", 290),
    ):
        mark = f'<circle class="dot-{kind}" cx="{x + 12:g}" cy="{y - 4:g}" r="4.5"/>'
        mark = f'<path class="line {kind}" d="M{x:g} {y - 4:g}h24"/>' + mark
        parts.append(f'{mark}<text x="{x + 32:g}" y="{y:g}">{text}</text>')
        x += width
    return parts


def _panel(panel: _Panel, name: str, found: dict[str, Any]) -> list[str]:
    low, high = WAITS
    bottom = panel.y(0)
    parts = [f'<text x="{panel.left:g}" y="{TOP - 12}">{_title(name)}</text>']
    for step in range(6):
        share = step / 10
        parts.append(f'<path class="grid" d="M{panel.left:g} {panel.y(share):g}h{panel.width:g}"/>')
        if panel.first:
            x, y = panel.left - 8, panel.y(share) + 4
            parts.append(f'<text class="soft" text-anchor="end" x="{x:g}" y="{y:g}">{share:.0%}</text>')
    for wait in (0.3, 0.6, 0.9, 1.2, 1.5):
        x = panel.x(wait)
        parts.append(f'<text class="soft" text-anchor="middle" x="{x:.1f}" y="{bottom + 18:g}">{wait:g} s</text>')
    middle = panel.left + panel.width / 2
    parts.append(f'<text class="soft" text-anchor="middle" x="{middle:.1f}" y="{bottom + 38:g}">median wait</text>')
    for kind in ("fixed", "adaptive", "told"):
        shown = sorted((p["median"], p["cut_offs"]) for p in found[kind] if low <= p["median"] <= high)
        path = " ".join(f"{panel.x(wait):.1f},{panel.y(share):.1f}" for wait, share in shown)
        parts.append(f'<polyline class="line {kind}" points="{path}"/>')
        parts += [_dot(panel, kind, wait, share, 2.6) for wait, share in shown]
    own = found["with_question"]
    x = panel.x(own["median"])
    parts.append(
        f'<path class="drop" d="M{x:.1f} {panel.y(own["fixed_cut_offs"]):.1f}V{panel.y(own["cut_offs"]):.1f}"/>'
    )
    parts.append(_dot(panel, "told", own["median"], own["cut_offs"], 5))
    if own["ratio"] is not None:
        x, y = panel.left + panel.width, panel.y(0.455)
        parts.append(f'<text class="value" text-anchor="end" x="{x:.1f}" y="{y:.1f}">× {own["ratio"]:.2f}</text>')
        parts.append(f'<text class="soft" text-anchor="end" x="{x:.1f}" y="{y + 17:.1f}">at equal median</text>')
    return parts


def _dot(panel: _Panel, kind: str, wait: float, share: float, radius: float) -> str:
    return f'<circle class="dot-{kind}" cx="{panel.x(wait):.1f}" cy="{panel.y(share):.1f}" r="{radius}"/>'


def _title(name: str) -> str:
    return "no noise" if name == "clean" else f"noise, {name} below the speech"

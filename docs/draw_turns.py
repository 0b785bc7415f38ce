"""Draws the states of turn-taking from the table in the code: python docs/draw_turns.py

Writes docs/assets/turn-states.svg. A test says when the picture is not that of the table any more.
"""

from __future__ import annotations

from html import escape
from math import hypot
from pathlib import Path
from textwrap import wrap

from voiceloop.turns.diagram import AGENT, CALLER, Transition
from voiceloop.turns.machine import Agent, Caller

PICTURE = Path(__file__).parent / "assets" / "turn-states.svg"
WIDTH, HEIGHT = 1180, 520
BOX = (112, 44)
PLACES: dict[Caller | Agent, tuple[float, float]] = {
    Caller.SILENT: (150, 100),
    Caller.SPEAKING: (330, 270),
    Caller.PAUSED: (150, 440),
    Agent.IDLE: (530, 270),
    Agent.THINKING: (800, 100),
    Agent.SPEAKING: (1070, 270),
    Agent.HELD: (800, 440),
}
"""Centres of the states."""
BOWED = 40
"""How far an arrow bows to its left, so that two that run opposite ways lie beside each other."""
LETTERS = 18
"""Of a line of a label."""
ALONG = {(Agent.SPEAKING, Agent.IDLE): 0.74}
"""Where on its arrow a label stands, if not in the middle: 0 at its start, 1 at its end."""
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #222; text-anchor: middle;
    paint-order: stroke; stroke: #fff; stroke-width: 4px; }
  .state text { font-weight: 600; font-size: 15px; stroke: none; }
  .region { font-size: 16px; font-weight: 600; }
  rect { fill: #eef4fb; stroke: #3a6ea5; stroke-width: 1.5; }
  path { fill: none; stroke: #666; stroke-width: 1.4; }
  .head { fill: #666; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd; stroke: #16191d; }
    rect { fill: #1f2a36; stroke: #7fb2e5; }
    path { stroke: #999; }
    .head { fill: #999; }
  }
"""


def picture() -> str:
    """The whole of it, as SVG."""
    arrows = [_arrow(each) for table in (CALLER, AGENT) for each in table]
    states = [_state(state, at) for state, at in PLACES.items()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="States of turn-taking and what leads from one to the next">',
            f"<style>{STYLE}</style>",
            _heading("The caller", 215),
            _heading("The agent", 800),
            *arrows,
            *states,
            "</svg>",
            "",
        ]
    )


def _heading(text: str, x: float) -> str:
    return f'<text class="region" x="{x}" y="40">{text}</text>'


def _state(state: Caller | Agent, at: tuple[float, float]) -> str:
    (x, y), (width, height) = at, BOX
    box = f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" height="{height}" rx="9"/>'
    return f'<g class="state">{box}<text x="{x}" y="{y + 5}">{state.value}</text></g>'


def _arrow(transition: Transition[Caller] | Transition[Agent]) -> str:
    (x1, y1), (x2, y2) = PLACES[transition.before], PLACES[transition.after]
    length = hypot(x2 - x1, y2 - y1)
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    left = (dy * BOWED, -dx * BOWED)
    middle = ((x1 + x2) / 2 + 1.6 * left[0], (y1 + y2) / 2 + 1.6 * left[1])
    start, end = _edge((x1, y1), middle, left), _edge((x2, y2), middle, left)
    hx, hy = end[0] - middle[0], end[1] - middle[1]
    size = hypot(hx, hy)
    hx, hy = hx / size, hy / size
    head = (
        f"{end[0]:.0f},{end[1]:.0f} {end[0] - 10 * hx + 5 * hy:.0f},{end[1] - 10 * hy - 5 * hx:.0f} "
        f"{end[0] - 10 * hx - 5 * hy:.0f},{end[1] - 10 * hy + 5 * hx:.0f}"
    )
    line = f"M{start[0]:.0f},{start[1]:.0f} Q{middle[0]:.0f},{middle[1]:.0f} {end[0]:.0f},{end[1]:.0f}"
    return f'<path d="{line}"/><polygon class="head" points="{head}"/>{_label(transition, start, middle, end)}'


def _edge(centre: tuple[float, float], toward: tuple[float, float], left: tuple[float, float]) -> tuple[float, float]:
    """Where a line from the middle of a box leaves it."""
    x, y = centre[0] + 0.4 * left[0], centre[1] + 0.4 * left[1]
    dx, dy = toward[0] - x, toward[1] - y
    across = BOX[0] / 2 / abs(dx) if dx else float("inf")
    along = BOX[1] / 2 / abs(dy) if dy else float("inf")
    step = min(across, along)
    return x + dx * step, y + dy * step


def _label(
    transition: Transition[Caller] | Transition[Agent],
    start: tuple[float, float],
    middle: tuple[float, float],
    end: tuple[float, float],
) -> str:
    """On its arrow: it parts the line, so that nobody asks whose it is."""
    lines = [line for part in transition.when.split("; ") for line in wrap(part, LETTERS)]
    t = ALONG.get((transition.before, transition.after), 0.5)  # type: ignore[call-overload]
    x, y = ((1 - t) ** 2 * start[axis] + 2 * t * (1 - t) * middle[axis] + t**2 * end[axis] for axis in (0, 1))
    top = y - 7.5 * len(lines) + 12
    spans = "".join(
        f'<tspan x="{x:.0f}" y="{top + 15 * row:.0f}">{escape(line)}</tspan>' for row, line in enumerate(lines)
    )
    return f"<text>{spans}</text>"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")

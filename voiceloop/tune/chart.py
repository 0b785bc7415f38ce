"""False cut-offs against waiting time, as a picture: fixed silences, the adaptive settings, today's and better ones."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from voiceloop.tune.paper import Paper, PngPaper, Point, SvgPaper
from voiceloop.tune.sweeping import Outcome, Recommended, Sweep, front

__all__ = ["draw", "save_chart"]

WIDTH: Final = 900.0
HEIGHT: Final = 560.0
LEFT, RIGHT, TOP, BOTTOM = 76.0, 28.0, 96.0, 64.0
LABELLED: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)
"""Fixed silences whose points are labelled, seconds."""
_STEPS: Final = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)

_Box = tuple[float, float, float, float]


def save_chart(swept: Sweep, better: Recommended, path: str | os.PathLike[str], heading: str, note: str) -> None:
    """Draw a sweep into a file: SVG or PNG, by its name.

    Args:
        heading: what it is of.
        note: one more line, smaller.

    Raises:
        MissingExtra: a PNG is wanted, and Pillow is not installed: ``pip install 'voiceloop[picture]'``.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".png":
        png = PngPaper(WIDTH, HEIGHT)
        draw(png, swept, better, heading, note)
        png.sheet.image.save(path, format="PNG", optimize=True)
        return
    svg = SvgPaper(WIDTH, HEIGHT, f"{heading}: false cut-offs against waiting time")
    draw(svg, swept, better, heading, note)
    path.write_text(svg.svg(), "utf-8")


def draw(paper: Paper, swept: Sweep, better: Recommended, heading: str, note: str) -> None:
    """Draw it on a paper of `WIDTH` by `HEIGHT`."""
    _Chart(paper, swept, better).draw(heading, note)


@dataclass(slots=True)
class _Label:
    at: Point
    text: str
    colour: str
    bold: bool = False


class _Chart:
    def __init__(self, paper: Paper, swept: Sweep, better: Recommended) -> None:
        self._paper, self._swept = paper, swept
        self._fixed = [each for each in swept.fixed if each.score.waits]
        self._front = front(swept.adaptive, swept.today)
        self._marked = [("today", swept.today, "today")] if swept.today.score.waits else []
        self._marked += [
            ("better", outcome, name)
            for outcome, name in ((better.safer, "safer"), (better.quicker, "quicker"))
            if outcome is not None
        ]
        shown = [*self._fixed, *self._front, *(each for _, each, _ in self._marked)]
        self._most_x = _round_up(max((each.score.median * 1000 for each in shown), default=1000.0) * 1.03)
        self._most_y = min(100.0, _round_up(max([4.0, *(each.score.rate * 108 for each in shown)])))
        steps = [self._at(each) for each in self._front]  # between two settings there is none that does better
        down = [step for before, after in pairwise(steps) for step in (before, (after[0], before[1]))] + steps[-1:]
        self._lines = [self._at(each) for each in self._fixed], down
        self._taken: list[_Box] = []

    def draw(self, heading: str, note: str) -> None:
        self._heading(heading, note)
        self._axes()
        for each in self._swept.adaptive:
            if each.score.waits and each.score.median * 1000 <= self._most_x and each.score.rate * 100 <= self._most_y:
                self._dot(self._at(each), 2.0, "faint")
        for line, colour in zip(self._lines, ("fixed", "adaptive"), strict=True):
            self._paper.line(line, colour, 1.8)
        for outcomes, colour in ((self._fixed, "fixed"), (self._front, "adaptive")):
            for each in outcomes:
                self._dot(self._at(each), 3.6, colour)
        for kind, each, _ in self._marked:
            self._mark(self._at(each), kind)
        for label in self._labels():
            self._label(label)

    # --- places ---

    def _at(self, each: Outcome) -> Point:
        return self._x(each.score.median * 1000), self._y(each.score.rate * 100)

    def _x(self, ms: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ms / self._most_x

    def _y(self, percent: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * percent / self._most_y

    # --- parts ---

    def _heading(self, heading: str, note: str) -> None:
        paper = self._paper
        paper.text(24, 16, _fitted(paper, heading, 18), "ink", 18, bold=True)
        paper.text(24, 42, _fitted(paper, note, 12), "soft", 12)
        left = 24.0
        for colour, text in self._legend():
            if colour in ("fixed", "adaptive"):
                paper.line([(left, 76), (left + 20, 76)], colour, 1.8)
            if colour in ("today", "better"):
                self._mark((left + 10, 76), colour)
            else:
                self._dot((left + 10, 76), 3.0 if colour == "faint" else 3.6, colour)
            paper.text(left + 26, 69, text, "ink", 12)
            left += 26 + paper.width(text, 12) + 22

    def _legend(self) -> Iterator[tuple[str, str]]:
        yield "fixed", "fixed silence"
        if self._front:
            yield "adaptive", "adaptive: finished / unsure / unfinished, s"
            yield "faint", "other settings"
        yield from {kind: "set today" if kind == "today" else "recommended" for kind, _, _ in self._marked}.items()

    def _axes(self) -> None:
        paper, bottom, right = self._paper, HEIGHT - BOTTOM, WIDTH - RIGHT
        for percent in _ticks(self._most_y):
            y = self._y(percent)
            paper.box(LEFT, y, right - LEFT, 1, "grid")
            text = f"{percent:g} %"
            paper.text(LEFT - 8 - paper.width(text, 12), y - 9, text, "soft", 12)
        for ms in _ticks(self._most_x):
            x = self._x(ms)
            paper.box(x, TOP, 1, bottom - TOP, "grid")
            paper.text(x - paper.width(f"{ms:g}", 12) / 2, bottom + 6, f"{ms:g}", "soft", 12)
        paper.box(LEFT, bottom, right - LEFT, 1, "edge")
        paper.box(LEFT, TOP, 1, bottom - TOP, "edge")
        told = "median wait from the end of speech to the end of the turn, ms"
        paper.text((LEFT + right - paper.width(told, 13)) / 2, bottom + 28, told, "ink", 13)
        self._boxed(LEFT + 6, TOP - 2, "turns cut off", "ink", 13)

    def _dot(self, at: Point, radius: float, colour: str) -> None:
        turns = [2 * math.pi * step / 16 for step in range(16)]
        self._paper.shape([(at[0] + radius * math.cos(a), at[1] + radius * math.sin(a)) for a in turns], colour)

    def _mark(self, at: Point, kind: str) -> None:
        """A diamond with the page's colour around it."""
        for size, colour in ((8.5, "page"), (6.5, kind)):
            x, y = at
            self._paper.shape([(x, y - size), (x + size, y), (x, y + size), (x - size, y)], colour)

    # --- labels ---

    def _labels(self) -> Iterator[_Label]:
        """The most important ones first: those that come later make room."""
        places: dict[Point, list[str]] = {}
        kinds: dict[Point, str] = {}
        for kind, each, name in self._marked:
            at = self._at(each)
            places.setdefault(at, []).append(name)
            kinds[at] = kind
        for at, names in places.items():
            yield _Label(at, " and ".join(names), kinds[at], True)
        for each in self._fixed:
            if each.options.silence in LABELLED:
                yield _Label(self._at(each), f"{each.options.silence * 1000:g} ms", "fixed")
        for each in self._front:
            o = each.options
            yield _Label(self._at(each), f"{o.finished:g} / {o.unsure:g} / {o.unfinished:g}", "adaptive")

    def _label(self, label: _Label) -> None:
        """Beside its point, where nothing is; nowhere when there is no such place. An important one then covers
        what is there."""
        (x, y), size = label.at, 13.0 if label.bold else 11.0
        wide = self._paper.width(label.text, size) * (1.1 if label.bold else 1.0)
        away = 9.0
        beside = [
            (x + away, y - size - 3),
            (x - wide - away, y + 3),
            (x + away, y + 2),
            (x - wide - away, y - size - 3),
        ]
        beside += [(x + away + 4, y - size / 2 - 1), (x - wide / 2, y - size - 10), (x - wide / 2, y + 9)]
        dots, lines = list(self._dots(label.at)), list(self._on_lines(label.at))
        places: list[tuple[int, float, float]] = []
        for left, top in beside:
            box = (left - 2, top, left + wide + 2, top + size + 3)
            inside = box[0] > LEFT + 2 and box[2] < WIDTH - 4 and box[1] > TOP and box[3] < HEIGHT - BOTTOM - 1
            if inside and not any(_meet(box, other) for other in self._taken):
                covered = 4 * sum(_meet(box, other) for other in dots) + sum(_meet(box, other) for other in lines)
                places.append((covered, left, top))
        covered, left, top = min(places, key=lambda place: place[0], default=(1, 0.0, 0.0))
        if covered and not (label.bold and places):
            return
        if covered:
            self._paper.box(left - 2, top + 1, wide + 4, size + 3, "page")
        self._boxed(left, top, label.text, label.colour, size, label.bold)

    def _dots(self, own: Point) -> Iterator[_Box]:
        """Other points than a label's own."""
        dots = [(self._at(each), 4.0) for each in (*self._fixed, *self._front)]
        for (x, y), away in (*dots, *((self._at(each), 8.0) for _, each, _ in self._marked)):
            if (x, y) != own:
                yield x - away, y - away, x + away, y + away

    def _on_lines(self, own: Point) -> Iterator[_Box]:
        """The lines, but where they leave a label's own point."""
        for line in self._lines:
            for (x, y), (to_x, to_y) in pairwise(line):
                count = max(1, round(math.hypot(to_x - x, to_y - y) / 5))
                for step in range(count + 1):
                    at = x + (to_x - x) * step / count, y + (to_y - y) * step / count
                    if math.hypot(at[0] - own[0], at[1] - own[1]) > 6:
                        yield at[0] - 1, at[1] - 1, at[0] + 1, at[1] + 1

    def _boxed(self, left: float, top: float, text: str, colour: str, size: float, bold: bool = False) -> None:
        self._paper.text(left, top, text, colour, size, bold=bold)
        self._taken.append((left - 2, top, left + self._paper.width(text, size) + 2, top + size + 3))


def _meet(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _round_up(value: float) -> float:
    """The next multiple of a tick."""
    step = _step(value)
    return math.ceil(value / step - 1e-9) * step


def _step(most: float) -> float:
    return next((float(step) for step in _STEPS if most / step <= 10), most / 10)


def _ticks(most: float) -> Iterator[float]:
    step = _step(most)
    for count in range(int(most / step + 1e-9) + 1):
        yield count * step


def _fitted(paper: Paper, text: str, size: float) -> str:
    if paper.width(text, size) <= WIDTH - 48:
        return text
    while text and paper.width(text + "…", size) > WIDTH - 48:
        text = text[:-1]
    return text.rstrip() + "…"

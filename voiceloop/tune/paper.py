"""What a chart is drawn on: a page of SVG, or a sheet of pixels. Colours go by name."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape
from typing import Final, Protocol

from voiceloop.record.sheet import Sheet

__all__ = ["Paper", "PngPaper", "SvgPaper"]

LIGHT: Final = {
    "page": "#ffffff", "ink": "#1b1d1f", "soft": "#5a6067", "edge": "#b9b6ad", "grid": "#efede7",
    "fixed": "#b34d14", "adaptive": "#3352b0", "faint": "#c9d3ee", "today": "#1b1d1f", "better": "#0f6b5c",
}  # fmt: skip
DARK: Final = {
    "page": "#15181a", "ink": "#eceae4", "soft": "#a8afb5", "edge": "#565d62", "grid": "#262b2f",
    "fixed": "#f29a5f", "adaptive": "#92b0ff", "faint": "#33415f", "today": "#eceae4", "better": "#4fc3ab",
}  # fmt: skip
_NARROW: Final = "fijlrtI.,:;|'() "
_WIDE: Final = "mwMW%@"

Point = tuple[float, float]


class Paper(Protocol):
    """Layout pixels from the upper left; every colour is a name in `LIGHT`."""

    def box(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """Straight lines from point to point."""

    def shape(self, points: Sequence[Point], colour: str) -> None:
        """A filled polygon."""

    def text(self, left: float, top: float, text: str, colour: str, size: float, *, bold: bool = False) -> None:
        """One line whose letters begin below `top`."""

    def width(self, text: str, size: float) -> float:
        """How wide a text is."""
        ...


class SvgPaper:
    """A drawing that needs nothing else, and is dark where the reader's screen is.

    Args:
        width, height: layout pixels.
        title: for readers that see no picture.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self._size, self._title = (width, height), title
        self._parts: list[str] = []

    def box(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """See `Paper`."""
        place = f'x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(height)}"'
        self._parts.append(f'<rect class="f-{colour}" {place}/>')

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """See `Paper`."""
        self._parts.append(f'<polyline class="s-{colour}" stroke-width="{_n(width)}" points="{_points(points)}"/>')

    def shape(self, points: Sequence[Point], colour: str) -> None:
        """See `Paper`."""
        self._parts.append(f'<polygon class="f-{colour}" points="{_points(points)}"/>')

    def text(self, left: float, top: float, text: str, colour: str, size: float, *, bold: bool = False) -> None:
        """See `Paper`."""
        weight = ' font-weight="600"' if bold else ""
        at = f'x="{_n(left)}" y="{_n(top + size)}" font-size="{_n(size)}"{weight}'
        self._parts.append(f'<text class="f-{colour}" {at}>{escape(text)}</text>')

    def width(self, text: str, size: float) -> float:
        """See `Paper`; a guess, for the reader's fonts are not known."""
        units = sum(0.32 if each in _NARROW else 0.9 if each in _WIDE else 0.58 for each in text)
        return units * size

    def svg(self) -> str:
        """The drawing."""
        width, height = self._size
        dark = _style(DARK).replace("\n", "\n  ")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
            f'height="{_n(height)}" role="img" font-family="system-ui, sans-serif">\n'
            f"<title>{escape(self._title)}</title>\n"
            f"<style>\npolyline {{ fill: none; stroke-linejoin: round }}\n{_style(LIGHT)}\n"
            f"@media (prefers-color-scheme: dark) {{\n  {dark}\n}}\n</style>\n"
            f'<rect class="f-page" width="100%" height="100%"/>\n' + "\n".join(self._parts) + "\n</svg>\n"
        )


class PngPaper:
    """Pixels. Needs ``voiceloop[picture]``.

    Raises:
        MissingExtra: Pillow is not installed.
    """

    def __init__(self, width: float, height: float, *, scale: float = 2.0, dark: bool = False) -> None:
        self._colours = DARK if dark else LIGHT
        self.sheet = Sheet(width, height, scale, self._colours["page"])

    def box(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """See `Paper`."""
        self.sheet.box(left, top, width, height, self._colours[colour])

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """See `Paper`."""
        for start, end in itertools.pairwise(points):
            self.sheet.line(start, end, self._colours[colour], width)

    def shape(self, points: Sequence[Point], colour: str) -> None:
        """See `Paper`."""
        self.sheet.shape(list(points), self._colours[colour])

    def text(self, left: float, top: float, text: str, colour: str, size: float, *, bold: bool = False) -> None:
        """See `Paper`."""
        self.sheet.text(left, top, text, self._colours[colour], size, bold=bold)

    def width(self, text: str, size: float) -> float:
        """See `Paper`."""
        return self.sheet.width(text, size)


def _style(colours: dict[str, str]) -> str:
    return "\n".join(
        f".f-{name} {{ fill: {value} }} .s-{name} {{ stroke: {value} }}" for name, value in colours.items()
    )


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

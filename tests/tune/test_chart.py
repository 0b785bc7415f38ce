"""The picture: nothing overlaps, and it is of what was found."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from voiceloop.tune.chart import HEIGHT, WIDTH, draw, save_chart
from voiceloop.tune.paper import Point
from voiceloop.tune.scoring import Score
from voiceloop.tune.sweeping import FIXED, Outcome, Recommended, Sweep
from voiceloop.turns.events import TurnOptions

SVG = "{http://www.w3.org/2000/svg}"


class Noted:
    """A paper that notes what is drawn."""

    def __init__(self) -> None:
        self.texts: list[tuple[float, float, float, float, str]] = []
        self.dots: list[tuple[Point, str]] = []

    def box(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        assert 0 <= left <= left + width <= WIDTH
        assert 0 <= top <= top + height <= HEIGHT

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)

    def shape(self, points: Sequence[Point], colour: str) -> None:
        x, y = (sum(each[axis] for each in points) / len(points) for axis in (0, 1))
        self.dots.append(((round(x, 1), round(y, 1)), colour))

    def text(self, left: float, top: float, text: str, colour: str, size: float, *, bold: bool = False) -> None:
        self.texts.append((left, top, left + self.width(text, size), top + size, text))

    def width(self, text: str, size: float) -> float:
        return 0.55 * size * len(text)


def swept(most: float = 0.5, slowest: float = 2.0) -> Sweep:
    fixed = [
        Outcome(
            TurnOptions(silence=each), Score(round(1000 * most * (2.0 - each) / 1.8), 1000, (each * slowest / 2,)), True
        )
        for each in FIXED
    ]
    adaptive = [
        Outcome(
            TurnOptions(unsure=each, finished=each / 2),
            Score(round(400 * most * (2.0 - each) / 1.8), 1000, (each * slowest / 3,)),
        )
        for each in FIXED[:12]
    ]
    return Sweep(adaptive[3], tuple(fixed), tuple(adaptive), (0.5,) * 50)


@pytest.mark.parametrize(("most", "slowest"), [(0.9, 2.0), (0.02, 2.4), (0.0, 1.0), (1.0, 0.2)])
def test_no_label_covers_another_and_none_leaves_the_page(most: float, slowest: float) -> None:
    paper, sweep = Noted(), swept(most, slowest)
    draw(paper, sweep, Recommended(sweep.adaptive[5], sweep.adaptive[1]), "Calls of a bar", "12 recordings")
    assert len(paper.texts) > 20
    for index, (left, top, right, bottom, text) in enumerate(paper.texts):
        assert left >= 0, text
        assert right <= WIDTH, text
        assert 0 <= top < bottom <= HEIGHT, text
        for other in paper.texts[index + 1 :]:
            apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            assert apart, (text, other[4])


def test_points_stand_where_their_numbers_are() -> None:
    paper, sweep = Noted(), swept()
    draw(paper, sweep, Recommended(None, None), "Calls", "")
    at = {colour: [place for place, its in paper.dots if its == colour] for colour in ("fixed", "adaptive", "today")}
    places = at["fixed"][1:]  # the first is the legend's
    assert places == sorted(places)
    assert [y for _, y in places] == sorted(y for _, y in places)
    steps = {round(b[0] - a[0], 0) for a, b in itertools.pairwise(places)}
    assert len(steps) == 1  # equal steps of the silence are equal steps along the axis
    assert at["today"][1] in at["adaptive"]


def test_today_and_a_recommendation_at_the_same_place_share_a_label() -> None:
    paper, sweep = Noted(), swept()
    best = sweep.adaptive[2]
    draw(paper, sweep, Recommended(best, replace(best)), "Calls", "")
    assert "safer and quicker" in [text for *_, text in paper.texts]


def test_a_sweep_of_nothing_is_drawn_too() -> None:
    paper = Noted()
    nothing = Outcome(TurnOptions(), Score(0, 0, ()))
    draw(paper, Sweep(nothing, (nothing,), (nothing,), ()), Recommended(None, None), "Calls", "")
    assert "turns cut off" in [text for *_, text in paper.texts]


def test_the_svg_is_whole_needs_nothing_else_and_is_dark_where_the_screen_is(tmp_path: Path) -> None:
    sweep = swept()
    save_chart(sweep, Recommended(sweep.adaptive[5], None), tmp_path / "tune.svg", "Calls <of> a & b", "note")
    text = (tmp_path / "tune.svg").read_text()
    root = ElementTree.fromstring(text)
    assert root.attrib["viewBox"] == "0 0 900 560"
    assert "Calls <of> a & b" in [each.text for each in root.iter(f"{SVG}text")]
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(href|src|url\()", text)
    used = set(re.findall(r'class="([\w-]+)"', text))
    assert used <= set(re.findall(r"\.([fs]-\w+) \{", text))


def test_the_png_is_as_large_as_it_says(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="the extra picture is not installed")
    sweep = swept()
    save_chart(sweep, Recommended(None, None), tmp_path / "tune.png", "Calls", "note")
    with image.open(tmp_path / "tune.png") as opened:
        assert opened.size == (1800, 1120)
        assert len(opened.getcolors(1 << 24)) > 50

"""Parameters of tests of which some run always and the others with ``--long``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import pytest


def crossed(*columns: Iterable[Any]) -> list[Any]:
    """All combinations. Those of the diagonal, in which every value occurs, run always; the others with ``--long``."""
    values = [list(column) for column in columns]
    places = range(max(map(len, values)))
    diagonal = {tuple(column[place % len(column)] for column in values) for place in places}
    return [each if each in diagonal else _seldom(each) for each in product(*values)]


def _seldom(value: Any) -> Any:
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.long)


def first(count: int, values: Sequence[Any]) -> list[Any]:
    """The first ones run always, the others with ``--long``."""
    return [*values[:count], *map(_seldom, values[count:])]


def always(few: Iterable[Any], values: Iterable[Any]) -> list[Any]:
    """Those of `few` run always, the others of `values` with ``--long``."""
    chosen = list(few)
    return [each if each in chosen else _seldom(each) for each in values]

"""Arguments made from a tool's schema are what the tool takes, and wrong ones are not."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from voiceloop.testing.chaos.arguments import arguments
from voiceloop.testing.chaos.model_items import Asks
from voiceloop.tools import tool
from voiceloop.tools.errors import BadArguments

pydantic = pytest.importorskip("pydantic")


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Guest:
    name: str
    age: int


@tool
def book(
    guests: list[Guest],
    day: date,
    drink: Literal["tea", "coffee"],
    size: Size,
    people: Annotated[int, pydantic.Field(ge=1, le=12)],
    price: float,
    window: bool = False,
    note: str | None = None,
    tags: tuple[str, ...] = (),
) -> str:
    """Book a table."""
    return f"{guests} {day} {drink} {size} {people} {price} {window} {note} {tags}"


@tool
def now() -> str:
    """Tell the time."""
    return "noon"


def hang_up() -> None:
    """Hang up."""


def made(which: Any, wrong: str, seed: int) -> str:
    return arguments(which.spec.parameters, random.Random(seed), "tbadibaba", wrong)


@pytest.mark.parametrize("which", [book, now])
def test_right_ones_are_taken(which: Any) -> None:
    for seed in range(60):
        which.arguments.read(made(which, "", seed))


@pytest.mark.parametrize("wrong", ["missing", "extra"])
def test_wrong_ones_are_not(wrong: str) -> None:
    for seed in range(30):
        with pytest.raises(BadArguments):
            book.arguments.read(made(book, wrong, seed))


def test_broken_json_is_no_json() -> None:
    texts = [made(book, "json", seed) for seed in range(30)]
    for text in texts:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


def test_another_type_is_refused_as_a_rule() -> None:
    refused = 0
    for seed in range(60):
        try:
            book.arguments.read(made(book, "type", seed))
        except BadArguments:
            refused += 1
    assert refused > 30


def test_every_choice_is_made_some_time() -> None:
    given = [json.loads(made(book, "", seed)) for seed in range(60)]
    assert {each["drink"] for each in given} == {"tea", "coffee"}
    assert {each["size"] for each in given} == {"small", "large"}
    assert {len(each) for each in given} > {6}
    assert all(1 <= each["people"] <= 12 for each in given)


def test_tools_that_end_a_call_are_asked_for_when_they_are_meant() -> None:
    specs = [book.spec, tool(hang_up).spec, now.spec]
    asked = [Asks(4, 0, 1, leaving, "").of(specs) for leaving in (False, True)]
    assert [each and each.name for each in asked] == ["now", "hang_up"]
    assert Asks(4, 0, 0, True, "").of([book.spec]) is None
    assert (unknown := Asks(4, 0, 0, False, "name").of(specs)) is not None
    assert unknown.name == "no_book"

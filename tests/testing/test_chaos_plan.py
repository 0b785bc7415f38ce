"""A plan is drawn from its seed alone, its items do not know each other, and it can be kept in a file."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.sim.artificial import Lexicon
from voiceloop.testing.chaos import GROUPS, BadPlan, Plan
from voiceloop.testing.chaos.items import KINDS, simpler_numbers
from voiceloop.testing.chaos.words import head_of, text_of

SEEDS = st.integers(0, 10_000)
SAYS = {"number": 0, "kind": "says", "wait": 0.5, "words": 3}


def plan_with(*items: dict[str, object]) -> Plan:
    return Plan.from_dict({"seed": 1, "items": list(items)})


@given(SEEDS)
def test_the_same_seed_gives_the_same_plan(seed: int) -> None:
    assert Plan.drawn(seed) == Plan.drawn(seed)


def test_neither_other_processes_nor_other_hash_seeds_change_it() -> None:
    code = "from voiceloop.testing.chaos import Plan; print(Plan.drawn(17))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.rstrip()
        for hash_seed in ("1", "2")
    }
    assert told == {str(Plan.drawn(17))}


def test_every_kind_of_item_and_every_group_is_drawn() -> None:
    items = [item for seed in range(400) for item in Plan.drawn(seed).items]
    assert {item.kind for item in items} == set(KINDS)
    assert {item.group for item in items} == set(GROUPS)


@given(SEEDS)
def test_items_are_numbered_in_order_and_told_in_a_line_each(seed: int) -> None:
    plan = Plan.drawn(seed)
    assert plan.numbers == tuple(range(plan.drawn_items))
    assert len(str(plan).splitlines()) == plan.drawn_items


@given(SEEDS, st.data())
def test_dropping_items_changes_no_other(seed: int, data: st.DataObject) -> None:
    plan = Plan.drawn(seed)
    numbers = data.draw(st.sets(st.sampled_from(plan.numbers)))
    kept = plan.keep(numbers)
    assert kept.items == tuple(item for item in plan.items if item.number in numbers)
    assert kept.drawn_items == plan.drawn_items


@given(SEEDS)
def test_only_some_kinds_leave_the_caller_and_the_numbers(seed: int) -> None:
    plan = Plan.drawn(seed, only=("line",))
    assert {item.group for item in plan.items} <= {"caller", "line"}
    assert plan == Plan.drawn(seed).keep(plan.numbers)


@given(SEEDS)
def test_a_plan_survives_its_file(seed: int) -> None:
    plan = Plan.drawn(seed)
    assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


@given(SEEDS)
def test_what_is_simpler_is_another_item_with_the_same_number(seed: int) -> None:
    for item in Plan.drawn(seed).items:
        for simpler in item.simpler():
            assert simpler != item
            assert (simpler.number, type(simpler)) == (item.number, type(item))
            assert Plan.from_dict({"seed": 0, "items": [simpler.as_dict()]}).items == (simpler,)


@given(st.integers(-50, 50) | st.floats(-50, 50).map(lambda value: round(value, 3)), st.sampled_from([0, 1, 2]))
def test_simpler_numbers_come_nearer_every_time(value: float, simplest: int) -> None:
    steps = 0
    while near := next(iter(simpler_numbers(value, simplest)), None):
        assert abs(near - simplest) < abs(value - simplest)
        value, steps = near, steps + 1
        assert steps < 10


def test_no_word_belongs_to_two() -> None:
    texts = [text_of(head, owner, 40) for head in "kmut" for owner in range(60)]
    words = [word.strip(".") for text in texts for word in text.split()]
    assert len(set(words)) == len(words)
    assert all(head_of(word) == word[0] for word in words)
    assert head_of("goodbye") is None


def test_a_text_has_the_sentences_it_is_told_to() -> None:
    assert [word.endswith(".") for word in text_of("m", 3, 5, 2).split()] == [False, True, False, True, True]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda: Plan.drawn(1).keep([99]), "none with the number 99"),
        (lambda: Plan.drawn(1, only=["lines"]), "expected some of caller"),
        (lambda: Plan.from_dict({"seed": 1}), "an object with a seed and items"),
        (lambda: Plan.from_dict({"seed": 1, "items": [{"number": 0, "kind": "says", "wings": 2}]}), r"item 0 \(says\)"),
        (
            lambda: Plan.from_dict(
                {"seed": 1, "items": [{"number": 0, "kind": "line breaks", "fault": {"kind": "x"}}]}
            ),
            "expected a fault of kind",
        ),
    ],
)
def test_what_is_no_plan_is_refused_and_why_is_said(broken: object, says: str) -> None:
    assert callable(broken)
    with pytest.raises(BadPlan, match=says):
        broken()


def test_model_and_tools_of_a_request_do_not_depend_on_other_requests() -> None:
    plan = next(
        plan
        for plan in map(Plan.drawn, range(100))
        if {1, 2} <= {item.request for item in plan.items if item.kind == "answers"}  # type: ignore[attr-defined]
    )
    whole = plan.scene(Lexicon())
    second = [item.number for item in plan.items if item.kind == "answers" and item.request == 2]  # type: ignore[attr-defined]
    assert plan.keep(second).scene(Lexicon()).answers[2] == whole.answers[2]

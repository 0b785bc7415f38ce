"""The bugs that are planted to test the tests still have their place in the code (``run.py`` plants and hunts them)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def neighbour(name: str) -> ModuleType:
    """A module that lies beside this one, in a folder that is no package."""
    spec = importlib.util.spec_from_file_location(f"mutants_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    return module


planted = neighbour("planted")
BUGS = list(planted.bugs())


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_can_be_planted(bug: planted.Bug) -> None:
    text = bug.changed((planted.ROOT / bug.file).read_text(encoding="utf-8"))
    compile(text, bug.file, "exec")
    assert bug.after == "" or bug.after in text
    assert 1 <= bug.lines <= planted.MOST_LINES


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_is_of_the_library_and_its_tests_are_there(bug: planted.Bug) -> None:
    assert bug.file.startswith("voiceloop/")
    assert not bug.file.startswith(("voiceloop/sim/", "voiceloop/testing/"))  # they judge, so they are not judged
    assert bug.tests
    assert [test for test in bug.tests if not (planted.ROOT / test).exists()] == []


def test_there_are_twelve_with_names_of_their_own_all_over_the_library() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 12
    assert len({bug.file for bug in BUGS}) >= 10


def test_one_whose_place_is_gone_is_told() -> None:
    with pytest.raises(planted.BugGone, match=r"'no clear': expected once in .*playout\.py, found 0 times"):
        BUGS[0].changed("")
    with pytest.raises(planted.BugGone, match="found 2 times"):
        BUGS[0].changed(2 * BUGS[0].before)

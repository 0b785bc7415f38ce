"""What the tests of the conformance suites share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

OPTIONAL = ("test_an_error_comes_out_of_the_request", "test_a_stalled_request_ends_when_it_is_cancelled")


def judge(suite: type[Any], make: Any, name: str, **attributes: Any) -> str | None:
    case = type("Case", (suite,), {"provider": lambda self: make(), **attributes})()
    test = getattr(case, name)
    try:
        if inspect.iscoroutinefunction(test):
            case.run_check(test())
        else:
            test()
    except AssertionError as error:
        return str(error)
    except pytest.skip.Exception:
        if "tool" not in name:
            raise  # the others are skipped for want of a hook only, which is a test's subject
    return None


@pytest.fixture
def verdict() -> Callable[..., str | None]:
    """`verdict(suite, make, name)`: what a test of a suite says about a provider; None when it passes."""
    return judge


@pytest.fixture
def findings() -> Callable[..., None]:
    """`findings(suite, make, found_by, says)`: exactly these tests of a suite fail, and the first says this."""

    def compare(suite: type[Any], make: Any, found_by: str, says: str) -> None:
        names = [name for name in dir(suite) if name.startswith("test_") and name not in OPTIONAL]
        verdicts = {name: judge(suite, make, name) for name in names}
        found = [name for name, said in verdicts.items() if said]
        beginnings = tuple(f"test_{beginning}" for beginning in found_by.split())
        assert found == [name for name in names if beginnings and name.startswith(beginnings)]
        if found:
            message = verdicts[found[0]] or ""
            assert re.search(says, message, re.DOTALL)
            assert "\n  what came: " in message
            assert "\n  how to mend it: " in message

    return compare

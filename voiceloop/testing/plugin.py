"""The pytest plugin: the fixture ``dial``, and coroutine tests that use it, or are of a conformance suite, are run.

Installing voiceloop loads it. It needs no configuration and touches no other test.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

__all__ = ["dial", "pytest_pyfunc_call"]


@pytest.fixture
def dial() -> Callable[..., Any]:
    """`voiceloop.testing.dial`: call a bot inside the test."""
    from voiceloop.testing.dial import dial

    return dial


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run coroutine tests on a loop of their own: those that use ``dial`` in virtual time, those of a conformance
    suite as its class says."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return
    run_test: Callable[[Coroutine[Any, Any, object]], object] | None = getattr(pyfuncitem.cls, "run_check", None)
    if run_test is None:
        if "dial" not in pyfuncitem.fixturenames:
            return
        from voiceloop.sim.loop import run_virtual

        run_test = functools.partial(run_virtual, strict=True)
    runner = run_test

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        runner(test(*args, **kwargs))

    pyfuncitem.obj = run

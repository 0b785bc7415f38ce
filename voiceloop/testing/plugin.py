"""The pytest plugin: the fixture ``dial``, and coroutine tests that use it run in virtual time.

Installing voiceloop loads it. It needs no configuration and touches no other test.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
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
    """Run coroutine tests that use ``dial`` on a loop of their own, in virtual time."""
    if "dial" not in pyfuncitem.fixturenames or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return
    from voiceloop.sim.loop import run_virtual

    test = pyfuncitem.obj

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs), strict=True)

    pyfuncitem.obj = run

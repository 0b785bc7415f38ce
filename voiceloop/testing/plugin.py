"""The pytest plugin: the fixture ``dial``; coroutine tests that use it, or are of a conformance suite, are run; a test
that fails shows its calls.

Installing voiceloop loads it. It needs no configuration and touches no other test.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voiceloop.testing.book import Book
    from voiceloop.testing.dial import Dial

__all__ = ["dial", "in_real_time"]

pytest_plugins = (
    "voiceloop.testing.scenario_collect",  # scenario files and the judge
    "voiceloop.testing.chaos.fixture",  # faults by seed
)

REALTIME = "voiceloop_realtime"
CALLS: pytest.StashKey[Book] = pytest.StashKey()
FIXTURES = {"chaos", "dial", "judge"}
"""Fixtures by which a coroutine test is known to be one of ours."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("voiceloop", "calls with a phone agent (voiceloop)")
    group.addoption(
        "--voiceloop-realtime",
        action="store_true",
        help="run the tests that dial a bot on the wall clock, over sockets on loopback, not in virtual time",
    )
    group.addoption(
        "--voiceloop-artifacts",
        metavar="DIR",
        help="where failing tests leave pictures and logs of their calls (default: .voiceloop in the root directory)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker of the plugin."""
    config.addinivalue_line(
        "markers", f"{REALTIME}: the test's calls run on the wall clock, over sockets on loopback (see dial)"
    )


@pytest.fixture
def dial() -> Dial:
    """`voiceloop.testing.dial`: call a bot inside the test."""
    from voiceloop.testing.dial import dial

    return dial


# --- running ------------------------------------------------------------------------------------------------


def in_real_time(item: pytest.Item) -> bool:
    """Whether a test is to run on the wall clock: by its marker, or by the option for all that dial."""
    if item.get_closest_marker(REALTIME) is not None:
        return True
    return bool(item.config.getoption("voiceloop_realtime", default=False)) and _dials(item)


def _dials(item: pytest.Item) -> bool:
    return not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Plugins that run every coroutine on a loop of theirs (pytest-asyncio in its mode ``auto``) leave us ours."""
    for item in items:
        if not isinstance(item, pytest.Function) or type(item).runtest is pytest.Function.runtest:
            continue
        if _dials(item) and inspect.iscoroutinefunction(item.obj):
            item.runtest = MethodType(pytest.Function.runtest, item)  # type: ignore[method-assign]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run coroutine tests on a loop of their own: those that dial in virtual time or on the wall clock, those of a
    conformance suite as its class says."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return
    run_test: Callable[[Coroutine[Any, Any, object]], object] | None = getattr(pyfuncitem.cls, "run_check", None)
    if run_test is None:
        if not _dials(pyfuncitem):
            return
        from voiceloop.testing.running import run_test as run_dialling

        run_test = functools.partial(run_dialling, realtime=in_real_time(pyfuncitem))
    runner = run_test

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        runner(test(*args, **kwargs))

    pyfuncitem.obj = run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Say what is wrong with a test that meant to dial: it is a coroutine that nobody runs, or its call never began."""
    unrun = False
    result: object = None
    try:
        result = yield
    except (pytest.fail.Exception, pytest.skip.Exception) as error:
        if "async def function" not in str(error) or not _knows_us(item):
            raise
        unrun = True  # it was pytest's own advice: no plugin has run the test
    if unrun:
        pytest.fail("voiceloop: take the fixture: async def test_x(dial): …, and do not import dial", pytrace=False)
    book = item.stash.get(CALLS, None)
    if book is not None and book.waiting:
        pytest.fail(
            "voiceloop: a call was made and never began: async def test_x(dial): async with dial(bot) as caller:",
            pytrace=False,
        )
    return result


def _knows_us(item: pytest.Item) -> bool:
    """Whether a test stands in a module that imports something of voiceloop.testing."""
    if "voiceloop.testing" not in sys.modules or not isinstance(item, pytest.Function):
        return False
    homes = (getattr(each, "__module__", None) or getattr(each, "__name__", "") for each in vars(item.module).values())
    return any(isinstance(home, str) and f"{home}.".startswith("voiceloop.testing.") for home in homes)


# --- what a failing test shows ------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep the calls of the test until its report is made."""
    from voiceloop.testing.book import opened

    with opened(item.path.parent) as book:
        item.stash[CALLS] = book
        try:
            return (yield)
        finally:
            del item.stash[CALLS]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the calls of a test that failed to its report, and leave their files; take those away of one that passes."""
    report = yield
    book = item.stash.get(CALLS, None)
    if report.when != "call" or book is None or not book.made:
        return report
    if report.failed:
        from voiceloop.testing.failure import sections, without_our_log

        report.sections = without_our_log(report.sections)
        report.sections += sections(book, _artifacts(item), item.nodeid, Path.cwd())
    elif report.passed:
        from voiceloop.testing.failure_files import forget

        forget(_artifacts(item), item.nodeid)
    return report


def _artifacts(item: pytest.Item) -> Path:
    chosen = item.config.getoption("voiceloop_artifacts")
    return item.config.invocation_params.dir / chosen if chosen else item.config.rootpath / ".voiceloop"

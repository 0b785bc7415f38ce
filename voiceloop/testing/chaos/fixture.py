"""Pytest: the fixture and the marker ``chaos``. A test that uses them runs once for each of some seeds; one that fails
is run again with less and less going wrong, and the shortest call is shown.

Part of voiceloop's pytest plugin.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voiceloop.testing.chaos.plan import Plan
    from voiceloop.testing.chaos.user import Chaos

__all__ = ["chaos"]

CALLS = 10
"""Seeds, where the marker does not say."""
ONLY = ("latency", "line", "stall", "provider", "code")
"""What is drawn, where the marker does not say, beside what `Chaos.talks` has the caller do and the model say."""
TRIES = 80
"""Runs of a failing test to find the shortest call."""
_REPORT: pytest.StashKey[str] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the fixture."""
    group = parser.getgroup("voiceloop", "calls with a phone agent (voiceloop)")
    group.addoption("--voiceloop-calls", metavar="N", type=int, help="seeds for each test that uses the fixture chaos")
    group.addoption(
        "--voiceloop-keep", metavar="0,3,7", help="of what the fixture chaos draws from a seed, these items alone"
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line(
        "markers",
        "chaos(calls=10, seed=0, only=('latency', 'line', 'stall', 'provider', 'code')): how many seeds a test with "
        "the fixture chaos runs for, the first one, and what is drawn from them",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each seed."""
    if "chaos" not in metafunc.fixturenames:
        return
    calls, seed, _ = _settings(metafunc.definition)
    seeds = range(seed, seed + calls)
    metafunc.parametrize("chaos", seeds, indirect=True, ids=[f"seed{each}" for each in seeds])


def _settings(item: Any) -> tuple[int, int, tuple[str, ...] | None]:
    """How many seeds, the first one, and what is drawn."""
    marker = item.get_closest_marker("chaos")
    given = dict(marker.kwargs) if marker is not None else {}
    calls, seed = given.pop("calls", CALLS), given.pop("seed", 0)
    only = given.pop("only", ONLY)
    if given or (marker is not None and marker.args):
        raise pytest.UsageError("@pytest.mark.chaos takes calls=, seed= and only=, each by its name")
    return item.config.getoption("--voiceloop-calls") or calls, seed, None if only is None else tuple(only)


@pytest.fixture
def chaos(request: pytest.FixtureRequest) -> Chaos:
    """What one seed makes go wrong: `Chaos.dial` calls a bot so, `Chaos.talks` has the caller do what was drawn."""
    from voiceloop.testing.chaos.plan import Plan
    from voiceloop.testing.chaos.user import Chaos

    plan = Plan.drawn(request.param, only=_drawn(request.node))
    keep = request.config.getoption("--voiceloop-keep")
    if keep is not None:
        numbers = [int(each) for each in keep.split(",") if each.strip().isdigit()]
        plan = plan.keep(set(numbers) & set(plan.numbers))
    return Chaos(plan)


def _drawn(item: Any) -> tuple[str, ...] | None:
    """The groups that are drawn. What the model says is used by `Chaos.talks`, and by a call without a model of its
    own; it goes wrong in no way."""
    only = _settings(item)[2]
    return None if only is None else (*only, "model")


# --- a test that fails --------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run a test that fails again, for the shortest call that it fails with."""
    try:
        return (yield)
    except Exception as error:
        found = pyfuncitem.funcargs.get("chaos")
        if not hasattr(found, "plan") or pyfuncitem.config.getoption("--voiceloop-realtime", False):
            raise
        raise _shortest(pyfuncitem, found, error) from None


def _shortest(item: pytest.Function, chaos: Any, error: Exception) -> Exception:
    """The error of the shortest call; the calls of the test are then those of that."""
    from voiceloop.testing.chaos.shrink import Budget, shrink
    from voiceloop.testing.plugin import CALLS

    drawn: Plan = chaos.plan
    cause, errors = _cause(error, item), {drawn: error}

    def fails(plan: Plan) -> bool:
        chaos.plan = plan
        failed = _again(item)
        if failed is None or _cause(failed, item) != cause:
            return False
        errors[plan] = failed
        return True

    try:
        kept = shrink(drawn, fails, Budget(tries=TRIES), numbers=False).kept
        book = item.stash.get(CALLS, None)
        if book is not None:
            book.calls.clear()
            book.made = 0
        chaos.plan = kept
        again = _again(item) or errors[kept]
    finally:
        chaos.plan = drawn
    item.stash[_REPORT] = _told(item, kept, drawn)
    return again


def _again(item: pytest.Function) -> Exception | None:
    arguments = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    try:
        result = item.obj(**arguments)
        if inspect.isawaitable(result):
            raise TypeError("a coroutine test that nobody runs")
    except Exception as error:
        return error
    return None


def _cause(error: Exception, item: pytest.Function) -> object:
    """The same for errors that look alike: of which kind, and where in the test."""
    violations = getattr(error, "violations", None)
    if violations:
        return violations[0].invariant
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(item.path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return type(error), line


def _told(item: pytest.Function, kept: Plan, drawn: Plan) -> str:
    numbers = ",".join(map(str, kept.numbers)) or "none"
    lines: Sequence[str] = kept.lines() or ["nothing of it is needed"]
    calls = item.config.getoption("--voiceloop-calls")
    more = f" --voiceloop-calls {calls}" if calls else ""
    return "\n".join(
        [
            f"seed {drawn.seed}: it fails with {len(kept.items)} of the {len(drawn.items)} items that were drawn:",
            *lines,
            f"run it again: pytest {shlex.quote(item.nodeid)}{more} --voiceloop-keep {numbers}",
        ]
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report what the seed was, and how to run it again."""
    report = yield
    if report.failed and report.when == "call" and (text := item.stash.get(_REPORT, "")):
        report.sections.append(("voiceloop: chaos", text))
    return report

"""How the tests run: coroutine tests in virtual time, nothing left behind, and what is long only when asked for."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import hypothesis
import pytest

from tests.security.planted import MARK, found
from voiceloop.sim.loop import LeftBehind, describe_task, run_virtual, settle
from voiceloop.testing.plugin import in_real_time

HANG_LIMIT = 60.0  # seconds of real time that one coroutine test may take

MARKERS = (
    "realtime: the coroutine test runs on an ordinary event loop, in real time",
    "models: needs model files",
    "speech: needs recordings of real speech",
    f"{MARK}: shows one of the planted secrets on purpose",
    "long: takes seconds, and most of what it shows is shown by others: runs with --long, or when it is named",
)
FIRST = (
    "tests/docs/test_snippets.py",
    "tests/browser/test_talk.py",
    "tests/cli/test_sim.py",
    "tests/tune/test_command.py",
    "tests/e2e/test_failing_services.py",
    "tests/sim/test_wild_calls.py",
    "tests/browser/test_talk_conversation.py",
    "tests/testing/test_conformance.py",
    "tests/e2e/test_fallback.py",
    "tests/testing/test_faulty_calls.py",
    "tests/providers/test_google_streams.py",
    "tests/cli/test_fuzz.py",
    "tests/cli/test_simulate.py",
    "tests/e2e/test_truths.py",
    "tests/testing/test_plugin.py",
)
"""Files that take longest for one process: where several share the work, none of these is left for the end."""
_left_out = pytest.StashKey[int]()

# The same examples on every run: the test command says of a checkout whether it is sound. With --long, new ones, and
# more of them. A test that needs another number takes a multiple of `settings.default.max_examples`.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.register_profile("searching", deadline=None, max_examples=100)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long tests too, and let hypothesis search afresh")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[_left_out] = 0
    hypothesis.settings.load_profile("searching" if config.getoption("--long") else "steady")
    if config.option.log_level is None:
        config.option.log_level = "DEBUG"  # so that the search for secrets sees all that could be logged
        # One tells of each loop; the other, which only tests use, shows at this level all headers that it sends.
        for name in ("asyncio", "websockets"):
            logging.getLogger(name).setLevel(logging.INFO)
    config.option.loadscopereorder = False  # of pytest-xdist, which would begin with the files of most tests
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background job; what tests start inherits it
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector the hundreds of modules: a third of the time to import them, more of some tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long tests, but for those that were named one by one; the files that take longest come first."""
    named = tuple(argument for argument in config.args if "::" in argument)
    if not config.getoption("--long"):
        left_out = {item for item in items if item.get_closest_marker("long") and not item.nodeid.startswith(named)}
        config.stash[_left_out] = len(left_out)
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    order = {file: place for place, file in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that has shown a secret: in its log, on standard output or on standard error."""
    report = yield
    # Half a character cannot be sent from one process of pytest-xdist to another.
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    if report.when == "teardown" and item.get_closest_marker(MARK) is None and (hits := found(report.sections)):
        lines = [f"{item.nodeid} has shown what nobody may see:", *(f"  {hit}" for hit in hits)]
        report.longrepr = "\n".join([*lines, *([report.longreprtext] if report.failed else [])])
        report.outcome = "failed"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[_left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of pytest-xdist is done. Each of them collects all tests."""
    node.config.stash[_left_out] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if left_out := config.stash[_left_out]:
        terminalreporter.write_line(f"{left_out} long tests were left out: --long runs them")


class HungTest(KeyboardInterrupt):
    """Raised into a test that exceeds the limit. An event loop lets nothing but an interrupt through."""


@contextmanager
def hang_guard(limit: float) -> Iterator[None]:
    """Fail the test when the block takes longer than `limit` seconds; without signals there is no guard."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(*_: object) -> None:
        raise HungTest(f"still running after {limit:g} s of real time")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    except HungTest as hung:
        # The traceback stays: it shows where the test was spinning or blocked.
        raise AssertionError(str(hung)) from hung.with_traceback(_with_lines(hung.__traceback__))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _with_lines(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without entries that have no line: an alarm may hit such an instruction, and reports trip over it."""
    if trace is None:
        return None
    after = _with_lines(trace.tb_next)
    if trace.tb_lineno is None:
        return after
    return TracebackType(after, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


def run_async_test(coro: Coroutine[Any, Any, object], *, realtime: bool, limit: float = HANG_LIMIT) -> None:
    """Run a coroutine test to its end; fail it when it leaves a task, connection or server behind."""
    with hang_guard(limit):
        if realtime:
            asyncio.run(_nothing_left(coro))
        else:
            run_virtual(coro, strict=True)


async def _nothing_left(coro: Coroutine[Any, Any, object]) -> None:
    await coro
    await settle()
    for _ in range(20):  # what ends by itself within a second is not left: threads of others may take their time
        if len(asyncio.all_tasks()) == 1:
            return
        await asyncio.sleep(0.05)
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        raise LeftBehind(sorted(f"task {describe_task(task)}" for task in left if task is not None))


def synchronous(test: Callable[..., Any], *, realtime: bool) -> Callable[..., None]:
    """The coroutine function `test` as a plain function that runs it on a loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_async_test(test(*args, **kwargs), realtime=realtime)

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run coroutine tests; those of hypothesis once per example, each on a fresh loop."""
    if hasattr(pyfuncitem.cls, "run_check"):
        return  # of a conformance suite: it says itself how, and voiceloop's pytest plugin runs it
    realtime = pyfuncitem.get_closest_marker("realtime") is not None or in_real_time(pyfuncitem)
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = synchronous(pyfuncitem.obj, realtime=realtime)
        return
    examples = getattr(pyfuncitem.obj, "hypothesis", None)
    if examples is not None and inspect.iscoroutinefunction(examples.inner_test):
        examples.inner_test = synchronous(examples.inner_test, realtime=realtime)


@pytest.fixture(scope="session")
def speech_dir() -> Path:
    """The folder of recordings of real speech: `VOICELOOP_SPEECH`, or `../shared/speech` beside the checkout."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "speech"
    folder = Path(os.environ.get("VOICELOOP_SPEECH", beside))
    if not folder.is_dir():
        pytest.skip(f"no recordings of speech at {folder}: set VOICELOOP_SPEECH to the folder that holds them")
    return folder

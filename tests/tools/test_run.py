"""Whatever a tool does, the model gets a result, and people get to know what went wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import decimal
import enum
import gc
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from voiceloop.conversation import ToolCall, ToolResult
from voiceloop.sim.loop import run_virtual
from voiceloop.tools import Outcome, Toolbox, ToolError, as_tool, run, tool
from voiceloop.tools import threads as threads_module


async def use(function: Callable[..., Any], arguments: str = "", **options: Any) -> Outcome:
    options.setdefault("description", "A tool.")
    options.setdefault("name", "it")
    return await run(tool(function, **options), arguments, id="call_7")


# --- results ----------------------------------------------------------------------------------------------------


class Size(enum.Enum):
    SMALL = "small"


@dataclasses.dataclass
class Order:
    drink: str
    price: decimal.Decimal
    day: datetime.date = datetime.date(2025, 5, 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Four dollars.", "Four dollars."),
        ("", ""),
        (None, "done"),
        (4.5, "4.5"),
        (True, "true"),
        (Size.SMALL, "small"),
        (datetime.date(2025, 5, 1), "2025-05-01"),
        (decimal.Decimal("4.50"), "4.50"),
        (["latte", "Tee mit Süßstoff"], '["latte", "Tee mit Süßstoff"]'),
        ({"day": datetime.date(2025, 5, 1), "sizes": {Size.SMALL}}, '{"day": "2025-05-01", "sizes": ["small"]}'),
        (Order("latte", decimal.Decimal("4.50")), '{"drink": "latte", "price": "4.50", "day": "2025-05-01"}'),
        ("half \ud83d", "half ?"),
        (float("nan"), "NaN"),
    ],
)
async def test_a_result_becomes_text(value: Any, text: str) -> None:
    outcome = await use(lambda: value)
    assert outcome == Outcome(ToolResult("call_7", text), None, 0.0)


async def test_a_result_that_is_long_is_cut_and_says_so() -> None:
    outcome = await use(lambda: ["x" * 50] * 10, limit=100)
    whole = len(str(["x" * 50] * 10))
    assert outcome.result.text == f'["{"x" * 50}", "{"x" * 44}… (cut: 100 of {whole} characters)'
    assert not outcome.result.error


@pytest.mark.parametrize("value", [object(), {"a": object()}, iter([1])])
async def test_a_result_that_cannot_be_told_is_a_fault_and_the_model_learns_that_it_ran(value: Any) -> None:
    outcome = await use(lambda: value)
    assert outcome.result == ToolResult("call_7", "it ran, but what it gave back cannot be told.", True)
    assert outcome.fault is not None
    assert outcome.fault[0] == "tool.it"
    assert outcome.fault[1].startswith(f"it gave back a {type(value).__name__}")


async def test_a_result_that_holds_itself_is_a_fault() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert (await use(lambda: ring)).result.error


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_exception_is_told_in_a_line_and_kept_whole_for_people(asynchronous: bool) -> None:
    def fails() -> None:
        raise LookupError("no drink of that name\nsecret second line")

    async def fails_too() -> None:
        fails()

    outcome = await use(fails_too if asynchronous else fails)
    assert outcome.result == ToolResult("call_7", "it failed: LookupError: no drink of that name", True)
    assert outcome.fault is not None
    kind, line, detail = outcome.fault
    assert (kind, line) == ("tool.it", "LookupError: no drink of that name")
    assert "in fails\n" in detail
    assert "secret second line" in detail


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(4), asyncio.CancelledError(), TimeoutError()])
async def test_no_exception_gets_past_a_tool(error: BaseException) -> None:
    def fails() -> None:
        raise error

    assert (await use(fails)).result.text.startswith(f"it failed: {type(error).__name__}")


async def test_an_async_tool_that_ends_by_cancelling_itself_has_failed() -> None:
    async def fails() -> None:
        raise asyncio.CancelledError

    outcome = await use(fails)
    assert outcome.result == ToolResult("call_7", "it was cancelled.", True)
    assert outcome.fault == ("tool.it.cancelled", "it was cancelled from within", "")


async def test_an_error_for_the_model_goes_to_it_as_it_is_and_is_no_fault() -> None:
    def fails() -> None:
        raise ToolError("The latte is sold out.\nOffer a mocha.")

    assert await use(fails) == Outcome(ToolResult("call_7", "The latte is sold out.\nOffer a mocha.", True))


async def test_a_long_message_is_cut() -> None:
    def fails() -> None:
        raise ValueError("x" * 10_000)

    assert len((await use(fails)).result.text) < 400


async def test_nothing_of_a_failed_tool_is_kept() -> None:
    class Big:
        pass

    refs = []

    async def fails() -> None:
        big = Big()
        refs.append(weakref.ref(big))
        raise ValueError(big)

    gc.disable()
    try:
        outcome = await use(fails)
        await asyncio.sleep(0)
        assert outcome.result.error
        assert refs[0]() is None
    finally:
        gc.enable()


# --- what the model asked ----------------------------------------------------------------------------------------


async def test_a_tool_that_there_is_not_is_answered_with_those_there_are() -> None:
    box = Toolbox([tool(lambda: 1, name="one", description="One."), tool(lambda: 2, name="two", description="Two.")])
    outcome = await box.run(ToolCall("call_9", "three"))
    assert outcome.result == ToolResult(
        "call_9", "Nothing was run: there is no tool 'three'; there are: one, two.", True
    )
    assert outcome.fault == ("tool.unknown", "there is no tool 'three'; there are: one, two", "")
    assert "there are: none" in (await Toolbox().run(ToolCall("call_9", "x" * 500))).result.text
    assert len(box) == 2
    assert box.get("one") is next(iter(box))


def cost(drink: str, size: int = 1) -> str:
    """What it costs."""
    return f"{size} x {drink}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            '{"drink": "latte"',
            'they are not JSON (Expecting \',\' delimiter: line 1 column 18 (char 17)): {"drink": "latte"',
        ),
        ('["latte"]', 'expected an object, got ["latte"]'),
        ("[" * 90_000, "they are not JSON (nested too deeply)"),
        ('{"drink": "' + "x" * 100_000 + '"}', "they are longer than 100000 characters"),
        ('{"drink": NaN}', "NaN is no number of JSON"),
        ("{}", "drink: missing"),
        ('{"drink": 3}', "drink: expected a valid string, got 3"),
        (
            '{"drink": "tea", "size": "big"}',
            'size: expected a valid integer, unable to parse string as an integer, got "big"',
        ),
        ('{"drink": "tea", "sugar": 1}', "sugar: there is no such argument"),
        (
            '{"drink": null, "size": []}',
            "drink: expected a valid string, got null; size: expected a valid integer, got []",
        ),
    ],
)
async def test_arguments_that_do_not_fit_are_told_so_that_the_model_can_mend_them(arguments: str, said: str) -> None:
    outcome = await run(as_tool(cost), arguments, id="call_7")
    takes = 'It takes a JSON object {"drink": string, "size": integer (may be left out)}.'
    assert outcome.result.error
    assert outcome.result.text.startswith("cost was not run, its arguments do not fit: ")
    assert said in outcome.result.text
    assert outcome.result.text.endswith(takes)
    assert len(outcome.result.text) < 600
    assert outcome.fault is not None
    assert outcome.fault[0] == "tool.cost.arguments"
    assert said in outcome.fault[1]


@pytest.mark.parametrize("arguments", ['{"drink": "tea", "size": "2"}', '"{\\"drink\\": \\"tea\\", \\"size\\": 2.0}"'])
async def test_slips_that_leave_no_doubt_are_passed_over(arguments: str) -> None:
    assert (await run(as_tool(cost), arguments)).result.text == "2 x tea"


@pytest.mark.parametrize("arguments", ["", " ", "null", "{}", '""'])
async def test_no_arguments_are_none(arguments: str) -> None:
    assert (await use(lambda: "fine", arguments)).result.text == "fine"


async def test_mistakes_without_number_are_told_in_part() -> None:
    outcome = await run(as_tool(cost), str({f"x{n}": n for n in range(40)}).replace("'", '"'))
    assert "; and 36 more. It takes" in outcome.result.text


# --- time --------------------------------------------------------------------------------------------------------


async def test_a_tool_that_takes_too_long_is_given_up_and_the_model_told() -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(asyncio.get_running_loop().time())

    start = asyncio.get_running_loop().time()
    outcome = await use(slow, timeout=3)
    text = "it gave nothing within 3 s and was given up. Whether it had an effect is not known."
    assert outcome.result == ToolResult("call_7", text, True)
    assert outcome.fault == ("tool.it.timeout", "nothing came within 3 s", "")
    assert outcome.seconds == pytest.approx(3.0)
    assert ended == [pytest.approx(start + 3)]


async def test_twenty_seconds_are_the_rule_and_the_time_taken_is_told() -> None:
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "late"

    quick, late = [await use(slow, f'{{"seconds": {seconds}}}') for seconds in (19, 21)]
    assert (quick.result.text, quick.seconds) == ("late", pytest.approx(19.0))
    assert (late.result.error, late.seconds) == (True, pytest.approx(20.0))


async def test_a_tool_that_swallows_its_cancellation_holds_nobody_up() -> None:
    let_go = asyncio.Event()

    async def deaf() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    outcome = await use(deaf, timeout=3)
    assert outcome.seconds == pytest.approx(4.0)
    assert outcome.fault is not None
    assert "it goes on, for it swallows cancellation" in outcome.fault[1]
    let_go.set()
    await asyncio.sleep(0)


async def test_cancelling_the_run_cancels_the_tool_and_waits_for_its_end() -> None:
    steps = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)
            steps.append("tidied up")
            raise

    task = asyncio.create_task(use(slow))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["tidied up"]


async def test_tools_run_side_by_side() -> None:
    async def slow() -> str:
        await asyncio.sleep(2)
        return "done it"

    box = Toolbox([tool(slow, description="Slow.")])
    start = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(*(box.run(ToolCall(str(n), "slow")) for n in range(20)))
    assert [outcome.result.id for outcome in outcomes] == [str(n) for n in range(20)]
    assert asyncio.get_running_loop().time() - start == pytest.approx(2.0)


# --- threads -------------------------------------------------------------------------------------------------------


def test_in_virtual_time_a_plain_function_runs_on_the_loop() -> None:
    async def main() -> str:
        return (await use(lambda: threading.current_thread().name)).result.text

    assert run_virtual(main()) == threading.current_thread().name


@pytest.mark.realtime
async def test_a_plain_function_blocks_nobody_and_knows_its_context() -> None:
    release, begun, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()
    where: list[str] = []

    def blocks() -> str:
        where.append(threading.current_thread().name)
        loop.call_soon_threadsafe(begun.set)
        return "released" if release.wait(5) else "late"

    task = asyncio.create_task(use(blocks))
    await begun.wait()
    release.set()  # the loop is free to do so
    assert (await task).result.text == "released"
    assert where == ["voiceloop tool"]
    assert (await use(lambda: threading.current_thread().name, thread=False)).result.text == "MainThread"


@pytest.mark.realtime
async def test_a_thread_that_hangs_is_left_to_itself() -> None:
    release = threading.Event()
    outcome = await use(lambda: release.wait(30), timeout=0.05)
    release.set()
    assert outcome.result.error
    assert outcome.fault is not None
    assert "its thread goes on, for it cannot be stopped" in outcome.fault[1]


@pytest.mark.realtime
async def test_what_a_thread_raises_is_told() -> None:
    def fails() -> None:
        raise StopIteration("nothing left")

    def exits() -> None:
        raise SystemExit(1)

    assert (await use(fails)).result.text == "it failed: StopIteration: nothing left"
    assert (await use(exits)).result.text == "it failed: SystemExit: 1"


@pytest.mark.realtime
async def test_a_plain_function_that_calls_an_async_one_is_awaited() -> None:
    async def real() -> str:
        return "from within"

    def looks_plain() -> Awaitable[str]:
        return real()

    assert (await use(looks_plain)).result.text == "from within"


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "MAX_THREADS", 2)


@pytest.mark.realtime
@pytest.mark.usefixtures("two_threads")
async def test_no_more_threads_run_than_are_allowed_and_the_others_wait() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def count() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    outcomes = await asyncio.gather(*(use(count) for _ in range(6)))
    assert [outcome.result.text for outcome in outcomes] == ["done"] * 6
    assert most == 2


@pytest.mark.realtime
@pytest.mark.usefixtures("two_threads")
async def test_a_place_is_free_again_only_when_its_thread_has_ended() -> None:
    release = threading.Event()
    for _ in range(2):
        await use(lambda: release.wait(30), timeout=0.02)
    assert (await use(lambda: "in time", timeout=0.02)).result.error
    release.set()
    assert (await use(lambda: "in time", timeout=5)).result.text == "in time"

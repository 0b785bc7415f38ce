"""The virtual loop: time that jumps, orders that hold, waits that end, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.warm import python
from voiceloop.sim.loop import Deadlock, LeftBehind, VirtualLoop, VirtualTimeExceeded, run_virtual

ROOT = Path(__file__).resolve().parent.parent.parent


def now() -> float:
    return asyncio.get_running_loop().time()


# -- the clock ---------------------------------------------------------------------------------------------------


def test_clock_jumps_exactly_to_the_next_timer() -> None:
    async def main() -> list[float]:
        seen = [now()]
        for delay in (0.1, 3000.0, 0.0, 1e-12):
            await asyncio.sleep(delay)
            seen.append(now())
        return seen

    began = time.perf_counter()
    assert run_virtual(main()) == [0.0, 0.1, 3000.1, 3000.1, 3000.1 + 1e-12]
    assert time.perf_counter() - began < 5.0


def test_clock_starts_where_told_and_works_far_from_zero() -> None:
    async def main() -> tuple[float, float]:
        before = now()
        await asyncio.sleep(0.02)
        return before, now()

    assert run_virtual(main(), start=1000.0) == (1000.0, 1000.02)
    # At this distance one step of a float is longer than the resolution of a real clock.
    assert run_virtual(main(), start=1.75e9) == (1.75e9, 1.75e9 + 0.02)


def test_loop_says_that_its_time_is_virtual() -> None:
    assert VirtualLoop.virtual_time is True


def test_timers_never_fire_early_and_equal_ones_in_the_order_they_were_scheduled() -> None:
    async def main() -> list[tuple[float, int]]:
        loop = asyncio.get_running_loop()
        fired: list[tuple[float, int]] = []

        def fire(index: int) -> None:
            fired.append((loop.time(), index))

        for index, when in enumerate([2.0, 1.0, 2.0, 1.0 + 1e-12, 1.0, 2.0, 1.0]):
            loop.call_at(when, fire, index)
        await asyncio.sleep(3)
        return fired

    assert run_virtual(main()) == [(1.0, 1), (1.0, 4), (1.0, 6), (1.0 + 1e-12, 3), (2.0, 0), (2.0, 2), (2.0, 5)]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=300))
def test_timers_fire_by_time_then_sequence_whatever_is_cancelled(timers: list[tuple[int, bool]]) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        fired: list[int] = []
        handles = [loop.call_later(when, fired.append, index) for index, (when, _) in enumerate(timers)]
        for handle, (_, cancelled) in zip(handles, timers, strict=True):
            if cancelled:
                handle.cancel()
        await asyncio.sleep(10)
        return fired

    kept = [(when, index) for index, (when, cancelled) in enumerate(timers) if not cancelled]
    assert run_virtual(main()) == [index for _, index in sorted(kept)]


def test_order_holds_when_most_of_many_timers_are_cancelled() -> None:
    delays = [index * 7919 % 1000 for index in range(1000)]

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        fired: list[int] = []
        handles = [loop.call_later(delay, fired.append, delay) for delay in delays]
        for handle, delay in zip(handles, delays, strict=True):
            if delay % 3:
                handle.cancel()
        await asyncio.sleep(1000)
        return fired

    assert run_virtual(main()) == list(range(0, 1000, 3))


def test_cancelled_timers_do_not_pile_up() -> None:
    async def main(loop: VirtualLoop) -> None:
        for _ in range(10_000):
            loop.call_later(100, print).cancel()
            await asyncio.sleep(0)
        assert len(loop._scheduled) < 250
        for _ in range(10):
            loop.call_later(1, print).cancel()
            await asyncio.sleep(2)
        assert loop._timer_cancelled_count == sum(timer.cancelled() for timer in loop._scheduled)

    loop = VirtualLoop()
    loop.run_until_complete(main(loop))
    loop.shut_down()


def test_cancelled_timer_does_not_move_the_clock() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_later(5, print).cancel()
        await asyncio.sleep(1)
        return now()

    assert run_virtual(main()) == 1.0


async def test_ready_descriptors_are_served_in_the_order_they_were_registered() -> None:
    loop = asyncio.get_running_loop()
    pairs = [socket.socketpair() for _ in range(8)]
    served: list[int] = []
    for index in (3, 0, 6, 1, 7, 5, 2, 4):
        loop.add_reader(pairs[index][0], served.append, index)
    for _, far in reversed(pairs):
        far.send(b"x")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert served[:8] == [3, 0, 6, 1, 7, 5, 2, 4]
    for near, far in pairs:
        loop.remove_reader(near)
        near.close()
        far.close()


async def test_timeouts_of_asyncio_hold_to_virtual_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await asyncio.sleep(60)
    assert now() == 30.0
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 10)
    assert now() == 40.0


# -- waits without an end ----------------------------------------------------------------------------------------


def test_deadlock_names_each_waiting_task_and_where_it_waits() -> None:
    async def waits_for_ever(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> None:
        await asyncio.sleep(2.5)
        stuck = asyncio.create_task(waits_for_ever(asyncio.Event()), name="the caller")
        await stuck

    with pytest.raises(Deadlock) as caught:
        run_virtual(main())
    first, *tasks = str(caught.value).splitlines()
    assert first == "nothing can wake this loop at 2.500 s of virtual time; waiting:"
    line = waits_for_ever.__code__.co_firstlineno + 1
    assert len(tasks) == 2
    assert "main) at " in tasks[0]
    assert tasks[1].startswith("  'the caller' (test_deadlock_names_each_waiting_task")
    assert f"{__file__}:{line} in waits_for_ever, inside it " in tasks[1]
    assert "locks.py" in tasks[1]


def test_timer_at_infinity_is_no_way_out_of_a_deadlock() -> None:
    with pytest.raises(Deadlock, match=r"nothing can wake this loop at 0.000 s"):
        run_virtual(asyncio.sleep(float("inf")), max_time=None)


def test_deadlock_lets_the_waiting_clean_up() -> None:
    cleaned: list[float] = []

    async def main() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(1)
            cleaned.append(now())

    with pytest.raises(Deadlock):
        run_virtual(main())
    assert cleaned == [1.0]


def test_time_beyond_the_limit_is_refused_and_names_who_waits() -> None:
    async def main() -> None:
        for _ in range(100):
            await asyncio.sleep(7)

    with pytest.raises(VirtualTimeExceeded) as caught:
        run_virtual(main(), start=100, max_time=60)
    assert "the next timer is at 163.000 s of virtual time, beyond the limit of 160.000 s" in str(caught.value)
    assert f"{__file__}:{main.__code__.co_firstlineno + 2} in main" in str(caught.value)


def test_limit_itself_is_within_the_limit() -> None:
    assert run_virtual(asyncio.sleep(60, "done"), max_time=60) == "done"


# -- off-loop work -----------------------------------------------------------------------------------------------


async def test_clock_stands_still_while_a_thread_works() -> None:
    ticks: list[float] = []

    async def ticking() -> None:
        while True:
            await asyncio.sleep(0.02)
            ticks.append(now())

    def work() -> str:
        time.sleep(0.1)
        return "result"

    ticker = asyncio.create_task(ticking())
    await asyncio.sleep(0.03)
    assert await asyncio.to_thread(work) == "result"
    assert now() == 0.03
    assert ticks == [0.02]
    await asyncio.sleep(0.02)
    assert ticks == [0.02, 0.04]
    ticker.cancel()


async def test_timeout_does_not_strike_while_a_thread_works() -> None:
    async with asyncio.timeout(0.01):
        await asyncio.to_thread(time.sleep, 0.05)


async def test_failing_thread_releases_the_clock() -> None:
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 / 0)
    await asyncio.sleep(5)
    assert now() == 5.0


async def test_clock_can_be_held_for_a_thread_of_ones_own() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    future = loop.create_future()

    def work() -> None:
        time.sleep(0.05)
        loop.call_soon_threadsafe(future.set_result, "result")

    thread = threading.Thread(target=work)
    with loop.clock_held():
        thread.start()
        async with asyncio.timeout(0.01):
            assert await future == "result"
    thread.join()
    assert now() == 0.0


def test_runs_in_any_thread_and_under_asyncio_runner() -> None:
    async def main() -> float:
        await asyncio.to_thread(time.sleep, 0.01)
        await asyncio.sleep(100)
        return now()

    results: list[float] = []
    thread = threading.Thread(target=lambda: results.append(run_virtual(main())))
    thread.start()
    thread.join()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        results.append(runner.run(main()))
    assert results == [100.0, 100.0]


async def test_refuses_to_run_inside_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="cannot be called from within another"):
        run_virtual(asyncio.sleep(1))


# -- what is left behind -----------------------------------------------------------------------------------------


def test_leftover_tasks_are_cancelled_in_the_order_of_their_creation() -> None:
    cancelled: list[int] = []

    async def stay(index: int) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            cancelled.append(index)

    async def main() -> str:
        for index in range(50):
            asyncio.create_task(stay(index))  # noqa: RUF006
        await asyncio.sleep(1)
        return "result"

    assert run_virtual(main()) == "result"
    assert cancelled == list(range(50))


def test_strict_run_names_what_is_left_behind() -> None:
    async def stay() -> None:
        await asyncio.sleep(1000)

    async def main() -> None:
        await asyncio.get_running_loop().create_unix_server(asyncio.Protocol, "bot")
        await asyncio.get_running_loop().create_unix_connection(asyncio.Protocol, "bot")
        asyncio.create_task(stay(), name="forgotten")  # noqa: RUF006

    with pytest.raises(LeftBehind) as caught:
        run_virtual(main(), strict=True)
    task, *rest = caught.value.names
    assert task.startswith("task 'forgotten' (")
    assert f"{__file__}:{stay.__code__.co_firstlineno + 1} in stay" in task
    assert sorted(rest) == [
        "connection, client end of 'bot'",
        "connection, server end of 'bot'",
        "server listening on 'bot'",
    ]


def test_strict_run_accepts_a_task_cancelled_at_the_end() -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.sleep(0)
        task.cancel()

    run_virtual(main(), strict=True)


def test_failure_is_raised_with_a_note_of_what_is_left_behind() -> None:
    async def main() -> None:
        asyncio.create_task(asyncio.sleep(1000), name="forgotten")  # noqa: RUF006
        raise ValueError("the cause")

    with pytest.raises(ValueError, match="the cause") as caught:
        run_virtual(main(), strict=True)
    assert [note for note in caught.value.__notes__ if "forgotten" in note] == caught.value.__notes__


def test_task_that_swallows_its_cancellation_is_named_and_does_not_hang() -> None:
    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)

    async def main() -> None:
        asyncio.create_task(stubborn(), name="stubborn")  # noqa: RUF006
        await asyncio.sleep(1)

    with pytest.raises(LeftBehind, match="cancelled, but still running: 'stubborn'"):
        run_virtual(main())


# -- in-memory sockets -------------------------------------------------------------------------------------------


async def echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(f"{message.data} at {now():.2f}")
    return ws


async def websocket_echo() -> list[str]:
    """Three messages, 20 ms apart, through aiohttp on both ends."""
    app = web.Application()
    app.router.add_get("/media", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, "bot").start()
    answers = []
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path="bot")) as session,
        session.ws_connect("http://bot/media", heartbeat=30) as ws,
    ):
        for index in range(3):
            await asyncio.sleep(0.02)
            await ws.send_str(f"message {index}")
            answers.append(await ws.receive_str())
        await asyncio.sleep(200)  # pings and pongs go by virtual time, too
    await runner.cleanup()
    return answers


async def test_websocket_through_aiohttp_on_both_ends() -> None:
    assert await websocket_echo() == ["message 0 at 0.02", "message 1 at 0.04", "message 2 at 0.06"]
    assert now() == 200.06
    assert not os.path.exists("bot")  # noqa: ASYNC240


async def test_plain_requests_and_runner_addresses_through_aiohttp(tmp_path: Path) -> None:
    async def hello(request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response(text="x" * 1_000_000)

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    path = tmp_path / "socket"
    await web.UnixSite(runner, path).start()
    assert runner.addresses == [str(path)]
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(path))) as session:
        bodies = await asyncio.gather(*(session.get("http://bot/") for _ in range(5)))
        assert {len(await body.read()) for body in bodies} == {1_000_000}
    assert now() == 1.0
    await runner.cleanup()
    assert not path.exists()


async def test_streams_of_asyncio_work_and_carry_more_than_a_socket_buffers() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(data[::-1])
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    payload = bytes(range(256)) * 8192
    async with await asyncio.start_unix_server(serve, "name") as server:
        assert server.is_serving()
        reader, writer = await asyncio.open_unix_connection("name")
        writer.write(payload)
        writer.write_eof()
        assert await reader.read() == payload[::-1]
        writer.close()
        await writer.wait_closed()
    assert not server.is_serving()
    assert server.sockets == ()


async def test_connecting_to_a_name_nobody_listens_on_is_refused_by_name() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(asyncio.Protocol, "carrier")
    with pytest.raises(ConnectionRefusedError, match=r"in-memory name 'bot' \(names listened on: 'carrier'\)"):
        await loop.create_unix_connection(asyncio.Protocol, "bot")
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError, match=r"in-memory name 'carrier' \(names listened on: none\)"):
        await loop.create_unix_connection(asyncio.Protocol, "carrier")


async def test_name_in_use_is_refused_until_its_server_closes() -> None:
    loop = asyncio.get_running_loop()
    first = await loop.create_unix_server(asyncio.Protocol, "bot")
    with pytest.raises(OSError, match="already listens on the in-memory name 'bot'"):
        await loop.create_unix_server(asyncio.Protocol, "bot")
    first.close()
    (await loop.create_unix_server(asyncio.Protocol, "bot")).close()


async def test_server_refuses_until_it_starts_serving_and_closes_when_cancelled() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(asyncio.Protocol, "bot", start_serving=False)
    assert not server.is_serving()
    with pytest.raises(ConnectionRefusedError):
        await loop.create_unix_connection(asyncio.Protocol, "bot")
    serving = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0)
    assert server.is_serving()
    serving.cancel()
    await asyncio.wait([serving])
    assert not server.is_serving()


async def test_failing_factory_is_reported_and_the_client_sees_the_connection_end() -> None:
    reports: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context["message"]))

    def factory() -> asyncio.Protocol:
        raise ValueError("no more calls")

    async with await loop.create_unix_server(factory, "bot"):
        reader, writer = await asyncio.open_unix_connection("bot")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert reports == ["error while accepting a connection on 'bot'"]


async def test_real_network_is_refused() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(socket.gaierror, match=r"no network in virtual time: looking up 'example.com', port 443"):
        await loop.getaddrinfo("example.com", 443)
    with pytest.raises(OSError, match=r"no network in virtual time: connecting to \('example.com', 443\)"):
        await loop.create_connection(asyncio.Protocol, "example.com", 443)
    with pytest.raises(ConnectionRefusedError, match=r"nobody listens on the in-memory name '127.0.0.1:9'"):
        await loop.create_connection(asyncio.Protocol, "127.0.0.1", 9)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_port_of_this_machine_is_reached_in_memory(host: str) -> None:
    app = web.Application()

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(3.0)
        return web.Response(text="here")

    app.router.add_get("/", slow)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (address,) = runner.addresses
    began = asyncio.get_running_loop().time()
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{address[1]}/") as response:
        assert await response.text() == "here"
    assert asyncio.get_running_loop().time() - began == 3.0
    await runner.cleanup()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError, match="nobody listens on 127"):
            await session.get(f"http://{host}:{address[1]}/")


# -- determinism and tidiness ------------------------------------------------------------------------------------

SCENARIO = """
import asyncio, sys
from test_loop import websocket_echo
from voiceloop.sim.loop import run_virtual

async def worker(index, log):
    try:
        for step in range(20):
            await asyncio.sleep(0.02 * (1 + (index * 7 + step) % 3))
            log.append((index, step, asyncio.get_running_loop().time()))
        await asyncio.to_thread(sum, range(100_000))
        await asyncio.sleep(1000)
    finally:
        log.append(("end", index))

async def main(log):
    loop = asyncio.get_running_loop()
    async def serve(reader, writer):
        while line := await reader.readline():
            log.append((line, loop.time()))
        writer.close()
    async with await asyncio.start_unix_server(serve, "log"):
        writers = [(await asyncio.open_unix_connection("log"))[1] for _ in range(10)]
        for index in range(20):
            asyncio.Task(worker(index, log), loop=loop) if index % 2 else asyncio.create_task(worker(index, log))
        for step in range(10):
            await asyncio.sleep(0.02)
            for index, writer in reversed(list(enumerate(writers))):
                writer.write(b"%d %d\\n" % (index, step))
        log.append(await websocket_echo())
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.001)  # for `serve` to see the end

log = []
run_virtual(main(log))
sys.stdout.write("\\n".join(map(repr, log)))
"""


def test_every_run_is_the_same_whatever_the_hash_seed() -> None:
    outputs = []
    for seed in ("0", "1", "random"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests/sim")]),
        }
        run = subprocess.run(
            [sys.executable, "-c", SCENARIO], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 0, run.stderr
        assert run.stderr == ""
        outputs.append(run.stdout)
    assert len(outputs[0].splitlines()) == 20 * 20 + 20 + 10 * 10 + 1
    assert outputs == [outputs[0]] * 3


def test_nothing_warns_when_a_run_leaves_everything_open() -> None:
    async def main() -> None:
        async def items() -> AsyncIterator[int]:
            for index in range(10):
                yield index

        loop = asyncio.get_running_loop()
        await loop.create_unix_server(asyncio.Protocol, "bot")
        transport, _ = await loop.create_unix_connection(asyncio.Protocol, "bot")
        transport.write(b"unread")
        async for _ in items():
            break
        await asyncio.to_thread(int)
        asyncio.create_task(loop.create_unix_connection(asyncio.Protocol, "bot"))  # noqa: RUF006
        # Returns now, so that one is caught half-way: connected, and accepting has not begun.

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_virtual(main())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


# -- how the tests run (tests/conftest.py) -----------------------------------------------------------------------

PLANTED = """
import asyncio, pytest, time, conftest
from hypothesis import given, strategies as st

async def forget():
    task = asyncio.create_task(asyncio.sleep(30), name="forgotten")
    await asyncio.sleep(0)

async def test_virtual(): await asyncio.sleep(3000)
async def test_leaves_a_task(): await forget()
@pytest.mark.realtime
async def test_realtime():
    began = time.monotonic(); await asyncio.sleep(0.05); assert time.monotonic() - began >= 0.045
@pytest.mark.realtime
async def test_realtime_leaves_a_task(): await forget()
async def test_fails(): assert 1 == 2
@given(st.integers())
async def test_examples(number): await asyncio.sleep(1); assert number < 3
async def test_skips(): pytest.skip("as told")
def test_hang():
    async def spin():
        while True: await asyncio.sleep(0)
    conftest.run_async_test(spin(), realtime=False, limit=0.2)
def test_hang_in_thread_wait():
    async def wait(): await asyncio.to_thread(time.sleep, 0.6)
    conftest.run_async_test(wait(), realtime=False, limit=0.2)
def test_speech(speech_dir): pass
"""


def test_async_tests_run_in_virtual_time_and_fail_on_what_they_leave_behind(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_planted.py").write_text(PLANTED)
    environment = os.environ | {"VOICELOOP_SPEECH": str(tmp_path / "absent")}
    options = ["-rA", "--strict-markers", "-p", "no:cacheprovider", "-W", "error", "."]
    run = python("pytest", *options, cwd=tmp_path, env=environment, timeout=60)
    outcomes = {
        words[1].rpartition("::")[2]: words[0]
        for words in map(str.split, run.stdout.splitlines())
        if len(words) > 1 and words[0] in {"PASSED", "FAILED", "ERROR"}
    }
    assert outcomes == {
        "test_virtual": "PASSED",
        "test_leaves_a_task": "FAILED",
        "test_realtime": "PASSED",
        "test_realtime_leaves_a_task": "FAILED",
        "test_fails": "FAILED",
        "test_examples": "FAILED",
        "test_hang": "FAILED",
        "test_hang_in_thread_wait": "FAILED",
    }, run.stdout
    assert "2 skipped" in run.stdout
    assert "set VOICELOOP_SPEECH" in run.stdout
    assert run.stdout.count("task 'forgotten' (sleep) at ") >= 2
    assert "number=3" in run.stdout
    assert "still running after 0.2 s of real time" in run.stdout

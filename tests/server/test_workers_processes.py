"""Several processes behind one port, with real calls of a simulated carrier."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.server.serving import PUBLIC, REAL, Served, exchange, served, started, tea, until
from voiceloop.sim.twilio import SimCall, TwilioSim

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the processes of a process are read from /proc"),
]
TWO = ("--workers", "2", "--port", "0", "--store", "none")


async def calls(sim: TwilioSim, count: int) -> list[SimCall]:
    lines = await asyncio.gather(*(sim.call(f"{PUBLIC}/voice") for _ in range(count)))
    await asyncio.gather(*(line.caller.hears(silence=0.2) for line in lines))
    return lines


async def hang_up(lines: list[SimCall]) -> None:
    await asyncio.gather(*(line.hangs_up() for line in lines))


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def ready(process: Served) -> None:
    await process.prints("^2 workers are ready")


@pytest.mark.long
async def test_workers_share_the_calls_and_drain(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path), *TWO) as process:
        await ready(process)
        async with exchange(process) as sim:
            lines = await calls(sim, 8)
            began = await process.prints(r"^\[\d\] call CA\w+: inbound", times=8)
            assert {line[:3] for line in began} == {"[1]", "[2]"}
            process.process.send_signal(signal.SIGTERM)
            await process.prints("^Stopping: no new calls are taken")
            late = await sim.call(f"{PUBLIC}/voice")
            assert late.status == "busy"
            assert [line.status for line in lines] == ["in-progress"] * 8
            await hang_up(lines[:7])
            assert process.process.returncode is None
            await hang_up(lines[7:])
            assert await process.ended() == 0
            assert sim.debugger == []
    assert len([line for line in process.lines if "caller hung up" in line]) == 8
    assert "Traceback" not in process.output
    assert REAL["TWILIO_AUTH_TOKEN"] not in process.output


@pytest.mark.long
async def test_a_worker_that_is_killed_is_replaced_and_its_calls_go_on_elsewhere(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path), *TWO) as process:
        await ready(process)
        async with exchange(process) as sim:
            lines = await calls(sim, 6)
            before = process.workers()
            os.kill(before[0], signal.SIGKILL)
            await process.prints(r"^worker 1: it ended by SIGKILL: another one takes its place$")
            lost = [line for line in lines if f"[1] call {line.sid}: inbound" in process.output]
            async with asyncio.timeout(10):
                await asyncio.gather(*(line.connected(streams=2) for line in lost))
            assert lost
            assert [line.status for line in lines] == ["in-progress"] * 6
            assert sum(len(line.streams) for line in lines) == 6 + len(lost)
            await until(lambda: len(process.workers()) == 2)
            assert before[0] not in process.workers()
            await hang_up(lines)
            process.process.send_signal(signal.SIGTERM)
            assert await process.ended() == 0


@pytest.mark.long
async def test_all_workers_are_replaced_without_losing_a_call(tmp_path: Path) -> None:
    file = tea(tmp_path)
    async with served(tmp_path, file, *TWO) as process:
        await ready(process)
        async with exchange(process) as sim:
            lines = await calls(sim, 4)
            old = process.workers()
            tea(tmp_path, (tmp_path / file).read_text().replace('"Hello."', '"Good day."'))
            process.process.send_signal(signal.SIGHUP)
            await process.prints("^All workers are replaced; an old one ends with its last call")
            await asyncio.sleep(1.0)  # until the last one has heard that it is to leave
            assert len(process.workers()) == 4  # the old ones have calls, and stay as long
            new = await calls(sim, 2)
            assert [line.status for line in lines] == ["in-progress"] * 4
            assert [len(line.streams) for line in lines] == [1] * 4
            await hang_up(lines)
            await until(lambda: not set(old) & set(process.workers()))
            assert [line.status for line in new] == ["in-progress"] * 2
            await hang_up(new)
            process.process.send_signal(signal.SIGTERM)
            assert await process.ended() == 0
            assert sim.debugger == []


@pytest.mark.long
async def test_a_worker_that_is_told_alone_to_end_is_replaced_first(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path), *TWO) as process:
        await ready(process)
        async with exchange(process) as sim:
            lines = await calls(sim, 4)
            old = process.workers()[0]
            os.kill(old, signal.SIGTERM)
            await until(lambda: len(process.workers()) == 3)
            assert [line.status for line in lines] == ["in-progress"] * 4
            await hang_up(lines)
            await until(lambda: old not in process.workers())
            process.process.send_signal(signal.SIGTERM)
            assert await process.ended() == 0


@pytest.mark.long
async def test_workers_whose_supervisor_is_killed_finish_their_calls_and_end(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path), *TWO) as process:
        await ready(process)
        async with exchange(process) as sim:
            lines = await calls(sim, 4)
            workers = process.workers()
            process.process.kill()
            await asyncio.sleep(0.5)
            assert [line.status for line in lines] == ["in-progress"] * 4
            with pytest.raises(ConnectionRefusedError):  # the port is free for another server
                await asyncio.open_connection("127.0.0.1", int(process.url.rpartition(":")[2]))
            await hang_up(lines)
            await until(lambda: not any(map(lives, workers)))


@pytest.mark.long
async def test_a_sentence_is_finished_when_ctrl_c_is_pressed(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path), *TWO) as process:
        await ready(process)
        async with exchange(process) as sim:
            lines = await calls(sim, 2)
            process.process.send_signal(signal.SIGINT)
            assert await process.ended() == 0
            assert [line.streams[0].end for line in lines] == ["closed by the server (1000)"] * 2


async def test_a_port_that_is_taken_is_told_once(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        async with served(tmp_path, tea(tmp_path), "--workers", "2", "--port", str(port)) as process:
            assert await process.ended() == 1
    assert process.lines == [
        f"voiceloop: port {port} is in use: end what uses it, or choose another (port 0 takes a free one)"
    ]


@pytest.mark.long
async def test_what_keeps_the_bot_from_starting_is_told_once(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path, "import nothing_of_this_name\n"), *TWO) as process:
        assert await process.ended() == 1
    assert [line for line in process.lines if "nothing_of_this_name" in line] == [
        f"[1] voiceloop: {tmp_path / 'tea.py'}:1: ModuleNotFoundError: No module named 'nothing_of_this_name'"
    ]
    assert process.lines[-1] == ("worker 1: it cannot start: mend what it has told above")


@pytest.mark.long
async def test_a_worker_that_crashes_at_once_is_tried_three_times(tmp_path: Path) -> None:
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    async with served(tmp_path, tea(tmp_path, text), *TWO) as process:
        assert await process.ended() == 1
    assert process.lines[-3:] == [
        "worker 1: it ended by SIGKILL: another one is started in 0.5 s",
        "worker 1: it ended by SIGKILL: another one is started in 1 s",
        "worker 1: it ended by SIGKILL before it was ready, the third time in a row: it is given up",
    ]


SCRIPT = """
from tea import bot
from voiceloop.server.serve import serve
{guard}serve(bot, host="127.0.0.1", port=0, workers=2)
"""


@pytest.mark.long
async def test_a_script_serves_with_workers(tmp_path: Path) -> None:
    tea(tmp_path)
    (tmp_path / "main.py").write_text(SCRIPT.format(guard='if __name__ == "__main__": '))
    async with started(tmp_path, "main.py") as process:
        await ready(process)
        async with exchange(process) as sim:
            await hang_up(await calls(sim, 2))
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0


@pytest.mark.long
async def test_a_script_that_serves_when_it_is_imported_is_told_what_to_do(tmp_path: Path) -> None:
    bot = tea(tmp_path) and (tmp_path / "tea.py").read_text()
    (tmp_path / "main.py").write_text(bot + SCRIPT.format(guard="").replace("from tea import bot\n", ""))
    async with started(tmp_path, "main.py") as process:
        assert await process.ended() == 1
    assert 'put it behind if __name__ == "__main__":' in process.output

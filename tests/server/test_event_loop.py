"""A server runs on uvloop where that is installed, and no timer there comes before its time."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.serving import BOT, PUBLIC, REAL, exchange, served, tea
from voiceloop.errors import VoiceloopError
from voiceloop.server.event_loop import LOOP_VARIABLE, chosen_loop, new_loop, run

uvloop = pytest.importorskip("uvloop")


async def kind() -> str:
    return type(asyncio.get_running_loop()).__mro__[1].__module__.partition(".")[0]


@pytest.mark.parametrize(("asked", "loop"), [("", "uvloop"), ("uvloop", "uvloop"), ("asyncio", "asyncio")])
def test_the_environment_says_which(monkeypatch: pytest.MonkeyPatch, asked: str, loop: str) -> None:
    monkeypatch.setenv(LOOP_VARIABLE, asked)
    assert chosen_loop() == loop
    assert run(kind()) == loop
    made = new_loop()
    made.close()
    assert type(made).__mro__[1].__module__.startswith(loop)


def test_what_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VoiceloopError, match="expected VOICELOOP_LOOP to be asyncio or uvloop, got 'trio'"):
        chosen_loop({LOOP_VARIABLE: "trio"})
    find = importlib.util.find_spec
    monkeypatch.setattr("voiceloop.server.event_loop.find_spec", lambda name: None if name == "uvloop" else find(name))
    assert chosen_loop({}) == "asyncio"
    monkeypatch.setenv(LOOP_VARIABLE, "uvloop")
    with pytest.raises(VoiceloopError, match=r"uvloop, which is not installed: pip install 'voiceloop\[serve\]'"):
        run(kind())


CLOSED = """
import asyncio, os
os.close(0), os.close(1), os.close(2)
from voiceloop.server.event_loop import run
async def main():
    child = await asyncio.create_subprocess_exec("sh", "-c", "echo said >&2 && echo said && cat")
    assert await child.wait() == 0  # it has all three
    return [os.path.realpath(f"/proc/self/fd/{number}") for number in range(3)]
found = run(main())
os.write(int(os.environ["TOLD"]), " ".join(found).encode())
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not tell what is open")
def test_closed_standard_files_are_nobody_elses() -> None:
    reader, writer = os.pipe()
    try:
        environment = {**os.environ, "TOLD": str(writer), LOOP_VARIABLE: "uvloop"}
        done = subprocess.run([sys.executable, "-c", CLOSED], env=environment, pass_fds=[writer], timeout=60)
        os.set_blocking(reader, False)
        assert done.returncode == 0
        assert os.read(reader, 1000) == b"/dev/null /dev/null /dev/null"
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, new_loop])
def test_who_sets_a_timer_again_when_it_was_early_is_not_kept_busy(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    draw = random.Random(1)

    async def wake_ups() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        woken, on_time = 0, 0

        def wake(due: float) -> None:
            nonlocal woken, on_time
            woken += 1
            if loop.time() < due:
                loop.call_at(due, wake, due)
                return
            on_time += 1
            if on_time == 100:
                done.set()

        for _ in range(100):
            due = loop.time() + 0.02 + draw.random() * 0.02
            loop.call_at(due, wake, due)
        await done.wait()
        return woken, on_time

    with asyncio.Runner(loop_factory=factory) as runner:
        woken, on_time = runner.run(wake_ups())
    assert on_time == 100
    assert woken <= 2 * on_time  # uvloop as it is: tens of times


def test_times_that_are_none_are_taken_as_ever() -> None:
    async def waits() -> list[str]:
        loop = asyncio.get_running_loop()
        ran: list[str] = []
        for name, delay in (("zero", 0.0), ("past", -1.0), ("never", math.inf), ("late", 0.002)):
            loop.call_later(delay, ran.append, name)
        await asyncio.sleep(0.01)
        return ran

    assert run(waits()) == ["zero", "past", "late"]


@pytest.mark.realtime
@pytest.mark.long
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_a_whole_call(tmp_path: Path, loop: str) -> None:
    told = "def bot(call):\n    print('on', type(asyncio.get_running_loop()).__mro__[1])"
    file = tea(tmp_path, "import asyncio\n" + BOT.replace("def bot(call):", told))
    environment = REAL | {LOOP_VARIABLE: loop}
    async with served(tmp_path, file, "--port", "0", "--store", "none", environment=environment) as process:
        await process.prints("Call status changes:")
        async with exchange(process) as sim:
            line = await sim.call(f"{PUBLIC}/voice")
            greeting = await line.caller.hears(silence=0.2)
            assert greeting.audio
            await line.hangs_up()
            await process.prints("caller hung up")
    running = [line for line in process.lines if line.startswith("on ")]
    assert [line.startswith(f"on <class '{loop}") for line in running] == [True, True]  # the rehearsal, and the call

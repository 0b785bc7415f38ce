"""A process that is killed for good: what its calls had heard is what another process takes up."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from pathlib import Path

import pytest

from voiceloop.store.keeper import CallKeeper, KeeperOptions

PROCESS = """
import asyncio, json, os, sys
from voiceloop import Call
from voiceloop.answer import Answer
from voiceloop.processor import Processor
from voiceloop.store.keeper import CallKeeper

async def main():
    async with CallKeeper(f"sqlite:///{sys.argv[1]}/calls.db") as keeper:
        calls = [Call(Processor(), id=f"CA{number}", caller="+15550002222") for number in range(5)]
        for call in calls:
            keeper.began(call)
        text = "We have green tea, black tea and mint tea. A cup is four dollars."
        words = text.split()
        for turn in range(1, 10_000):
            for call in calls:
                call.conversation.add("user", f"question {turn}")
            answers = [Answer(turn) for _ in calls]
            for heard in range(1, len(words) + 1):
                for call, answer in zip(calls, answers):
                    answer.text = text
                    call.remember(answer, " ".join(words[:heard]), " ".join(words[heard:]))
                ledger = {call.id: [[m.role, m.text, m.unheard] for m in call.conversation] for call in calls}
                os.write(1, (json.dumps(ledger) + "\\n").encode())
                await asyncio.sleep(0.002)

asyncio.run(main())
"""


@pytest.mark.long
@pytest.mark.realtime
@pytest.mark.parametrize("seed", range(3))
async def test_memory_after_kill_9_is_what_was_heard_or_the_word_that_was_just_coming(
    tmp_path: Path, seed: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, str(tmp_path), stdout=asyncio.subprocess.PIPE, limit=1 << 24
    )
    assert process.stdout is not None
    await process.stdout.readline()
    await asyncio.sleep(random.Random(seed).uniform(0.2, 1.5))
    process.send_signal(signal.SIGKILL)
    told = (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    ledger = json.loads([line for line in told if line.endswith(b"\n")][-1])
    options = KeeperOptions(grace=1.0, look=0.1, adopt=0.1)
    async with CallKeeper(f"sqlite:///{tmp_path}/calls.db", options=options) as keeper:
        for sid, heard in ledger.items():
            carried = await keeper.take_up(sid)
            assert carried is not None
            memory = [[message.role, message.text, message.unheard] for message in carried.messages]
            assert memory[: len(heard) - 1] == heard[:-1]
            assert memory[len(heard) - 1][1].startswith(heard[-1][1])  # it may have been killed with one word more
            assert len(memory) <= len(heard) + 1
        await asyncio.sleep(2.0)
        assert keeper.counts["written"] == len(ledger)
    assert list(tmp_path.rglob("*.jsonl")) == []  # noqa: ASYNC240

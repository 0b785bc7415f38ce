"""The time of a call: one for all that happens in a wake-up, and the loop's own in a task."""

from __future__ import annotations

import asyncio

from voiceloop.call import Call
from voiceloop.frames import Digit
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor


class Sleeper(Processor):
    def __init__(self) -> None:
        self.seen: list[float] = []

    async def on_digit(self, digit: Digit) -> None:
        self.seen.append(self.call.now)
        await asyncio.sleep(2.0)
        self.seen.append(self.call.now)
        self.call.end()


async def test_a_task_that_slept_reads_the_time_of_its_own_wake_up() -> None:
    sleeper = Sleeper()
    call = Call(sleeper)
    asyncio.get_running_loop().call_later(1.0, lambda: call.broadcast(Digit("1", 0.0)))
    await Pipeline([sleeper]).run(call)
    assert sleeper.seen == [1.0, 3.0]


async def test_the_time_stands_still_while_frames_are_delivered() -> None:
    seen: list[tuple[float, bool]] = []

    class Ear(Processor):
        def on_digit(self, digit: Digit) -> None:
            first = self.call.now
            seen.append((first, self.call.now is self.call._now))
            self.call.end()

    call = Call(Ear())
    asyncio.get_running_loop().call_later(1.0, lambda: call.broadcast(Digit("1", 0.0)))
    await Pipeline([call.transport]).run(call)
    assert seen == [(1.0, True)]

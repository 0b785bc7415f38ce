"""How much of an answer waits to be played is known also when nothing more is sent and no mark stands at its end."""

from __future__ import annotations

import asyncio

import pytest

from voiceloop import AudioStreamer, Call, Pipeline
from voiceloop.frames import Audio
from voiceloop.output.playout import Playout
from voiceloop.processor import Processor


class Line(Processor):
    """A carrier that echoes nothing."""

    def send_media(self, payload: bytes) -> None:
        """Play it."""

    def send_mark(self, name: str) -> None:
        """Forget it."""

    def send_clear(self) -> None:
        """Nobody interrupts."""


class Agent(Processor):
    """Speaks when the test says so."""


@pytest.mark.parametrize("seconds", [0.05, 0.11, 0.35, 0.9])
async def test_an_answer_that_pauses_has_nothing_left_to_be_played_once_its_sound_is_over(seconds: float) -> None:
    line, agent = Line(), Agent()
    call = Call(line)
    running = asyncio.create_task(Pipeline([line, agent, AudioStreamer()]).run(call))
    await asyncio.sleep(0.1)
    answer = agent.begin_answer()
    agent.push(Audio(answer, bytes(round(seconds * 8000)), silent=True))
    assert answer.buffered == pytest.approx(seconds)
    await asyncio.sleep(seconds + 0.07)  # and half of the way there and back
    assert answer.buffered == 0.0
    agent.finish_answer(answer)
    call.end()
    await running


def test_a_voice_that_has_more_to_send_or_has_ended_does_not_run_out() -> None:
    playout = Playout()
    assert playout.runs_out(0.0) is None
    playout.queue(1, bytes(4000))
    playout.pump(0.0)
    assert playout.runs_out(0.1) == pytest.approx(0.5 + 0.06)
    assert playout.runs_out(0.6) is None
    playout.queue(1, bytes(8000))
    playout.pump(0.1)
    assert playout.runs_out(0.1) is None
    playout.finish(1)
    playout.pump(1.0)
    assert playout.runs_out(1.0) is None

"""Waiting until it is certain that an answer may be heard."""

from __future__ import annotations

import asyncio

import pytest

from voiceloop.frames import AnswerEnded, Fault, Text
from voiceloop.processor import Processor


class Head(Processor):
    pass


async def test_who_waits_for_certainty_goes_on_when_the_answer_is_committed(session, settle):
    head = Head()
    async with session(head) as running:
        answer = head.begin_answer(speculative=True)
        waiting = [running.call.work(answer.committed()) for _ in range(2)]
        await settle()
        assert [each.done() for each in waiting] == [False, False]
        running.call.commit(answer)
        assert [await each for each in waiting] == [True, True]
        assert await answer.committed()
        running.call.interrupt(answer)
        assert await answer.committed()  # it was certain, and cut off later


@pytest.mark.parametrize("how", ["discard", "interrupt"])
async def test_who_waits_for_certainty_is_told_when_there_will_be_none(session, settle, how):
    head = Head()
    async with session(head) as running:
        answer = head.begin_answer(speculative=True)
        waiting = running.call.work(answer.committed())
        await settle()
        getattr(running.call, how)(answer)
        assert await waiting is False
        assert await answer.committed() is False


async def test_the_wait_ends_with_the_call(session, settle):
    head = Head()
    async with session(head) as running:
        answer = head.begin_answer(speculative=True)
        waiting = asyncio.ensure_future(answer.committed())
        await settle()
        await running.end()
        assert await waiting is False


async def test_an_answer_that_never_was_in_doubt_is_not_waited_for(session):
    head = Head()
    async with session(head) as running:
        answer = running.call.open_answer()
        assert await answer.committed()
        assert not answer.speculative


async def test_one_of_several_who_wait_can_be_cancelled(session, settle):
    head = Head()
    async with session(head) as running:
        answer = head.begin_answer(speculative=True)
        other = running.call.work(answer.committed())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await answer.committed()
        running.call.commit(answer)
        assert await other


async def test_an_answer_that_fails_before_it_is_certain_is_discarded_and_nobody_apologises(session, tape, settle):
    class Breaks(Processor):
        async def on_text(self, text: Text) -> None:
            raise ValueError("no")

    head = Head()
    async with session(head, Breaks(), tape) as running:
        answer = head.begin_answer(speculative=True)
        head.write(answer, "hello")
        await settle()
        assert (answer.outcome, answer.provisional) == ("discarded", True)
        assert tape.of(AnswerEnded, Fault) == ["Fault:Breaks.on_text", "AnswerEnded:1"]
        assert running.call.live_answers() == []
        report = await running.end()
    assert report.speculation.discarded == 1
    assert report.turns == []

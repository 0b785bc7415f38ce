"""A speculative answer counts for nothing until it is committed; a provider waits for room in an answer."""

from __future__ import annotations

import asyncio

import pytest

from voiceloop.answer import Answer, AnswerState
from voiceloop.frames import AnswerEnded, Commit, Interruption, Text
from voiceloop.processor import Processor


class Head(Processor):
    pass


async def test_speculative_answer_is_committed_once_and_then_heard(session, tape):
    head = Head()
    async with session(head, tape) as running:
        answer = head.begin_answer(speculative=True)
        assert answer.state is AnswerState.SPECULATIVE
        running.call.commit(answer)
        running.call.commit(answer)
        assert answer.state is AnswerState.COMMITTED
        assert tape.of(Commit) == ["Commit:1"]


async def test_speculative_answer_is_not_complete_before_it_is_committed(session, tape):
    head = Head()
    async with session(head, tape) as running:
        guess, good = head.begin_answer(speculative=True), head.begin_answer(speculative=True)
        for answer in (guess, good):
            head.write(answer, f"answer {answer.id}")
            head.finish_answer(answer)
            assert (answer.delivered, answer.outcome) == (True, None)
        running.call.discard(guess)
        running.call.commit(good)
        assert (guess.outcome, good.outcome) == ("discarded", "complete")
        assert tape.of(Commit, AnswerEnded) == ["AnswerEnded:1", "Commit:2", "AnswerEnded:2"]
        report = await running.end()
    assert [str(message) for message in report.conversation] == ["assistant: answer 2"]


async def test_discarded_answer_is_dropped_without_an_interruption(session, tape):
    head = Head()
    async with session(head, tape) as running:
        answer = head.begin_answer(speculative=True)
        head.push(Text(answer, "a"))
        running.call.discard(answer)
        running.call.commit(answer)
        head.push(Text(answer, "b"))
        assert (answer.outcome, answer.state) == ("discarded", AnswerState.DEAD)
        assert tape.of(Text, Interruption, AnswerEnded, Commit) == ["Text:a", "AnswerEnded:1"]


async def test_room_waits_while_too_much_is_unplayed_and_not_beyond_the_end(session, settle):
    passed: list[str] = []

    async def producer(answer: Answer, name: str) -> None:
        await answer.room()
        passed.append(name)

    head = Head()
    async with session(head) as running:
        answer = running.call.open_answer()
        await answer.room()
        answer.buffered = 10.5
        running.call.work(producer(answer, "a"))
        running.call.work(producer(answer, "b"))
        await settle()
        answer.buffered = 10.1
        await settle()
        assert passed == []
        answer.buffered = 10.0
        await settle()
        assert passed == ["a", "b"]
        answer.buffered = 60.0
        running.call.work(producer(answer, "c"))
        await settle()
        assert passed == ["a", "b"]
        running.call.interrupt(answer)
        await settle()
        assert passed == ["a", "b", "c"]


async def test_waiting_for_room_can_be_cancelled_alone(session, settle):
    head = Head()
    async with session(head) as running:
        answer = running.call.open_answer()
        answer.buffered = 60.0
        first, second = running.call.work(answer.room()), running.call.work(answer.room())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await answer.room()
        answer.buffered = 0.0
        await settle()
        assert (first.result(), second.result()) == (None, None)

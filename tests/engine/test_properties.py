"""Whatever a call goes through: content keeps its order, and every answer ends exactly once."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.answer import Answer
from voiceloop.call import Call
from voiceloop.faults import FaultPolicy
from voiceloop.frames import AnswerBegan, AnswerEnd, AnswerEnded, Audio, Content, Digit, Interruption, Text
from voiceloop.handlers import watch
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.runtime import Limits, Runtime
from voiceloop.stream import Stream


class Head(Processor):
    pass


class Plain(Processor):
    """Replaces each piece by two."""

    def on_text(self, text: Text) -> None:
        self.push(Text(text.answer, text.text + "0"))
        self.push(Text(text.answer, text.text + "1"))


class Slow(Processor):
    async def on_text(self, text: Text) -> None:
        await asyncio.sleep(0.3)
        self.push(text)


class Reader(Processor):
    async def on_text(self, text: Stream[Text]) -> None:
        async for piece in text:
            await asyncio.sleep(0.1)
            self.push(piece)


class Flaky(Processor):
    """Raises at every seventh piece of text."""

    def __init__(self) -> None:
        self.count = itertools.count(1)

    async def on_text(self, text: Text) -> None:
        if next(self.count) % 7 == 0:
            raise ValueError("no")
        self.push(text)


class Stubborn(Processor):
    """Swallows cancellation and pushes stale text after it."""

    async def on_text(self, text: Text) -> None:
        try:
            await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)
            self.push(Text(text.answer, "stale"))
        self.push(text)


class Model(Processor):
    """Writes for half a second at a digit, unless it is told to fail."""

    async def on_digit(self, digit: Digit) -> None:
        answer = self.begin_answer(speculative=digit.digit == "*")
        for number in range(5):
            self.write(answer, f"{answer.id}.{number}/")
            await asyncio.sleep(0.1)
            if digit.digit == "#" and number == 3:
                raise ValueError("no more")


class Judge(Processor):
    """Watches the end of the pipeline for everything that must not happen."""

    def __init__(self) -> None:
        self.pieces: dict[int, list[str]] = {}
        self.began: list[int] = []
        self.ended: list[int] = []
        self.wrong: list[str] = []

    @watch
    def on_content(self, content: Content) -> None:
        answer = content.answer
        if answer.dead or answer.id in self.ended:
            self.wrong.append(f"content of {answer} after its end")
        if isinstance(content, Text | Audio):
            self.pieces.setdefault(answer.id, []).append(getattr(content, "text", ""))

    def on_began(self, began: AnswerBegan) -> None:
        self.began.append(began.answer.id)

    def on_interruption(self, interruption: Interruption) -> None:
        if not interruption.answer.dead:
            self.wrong.append(f"{interruption.answer} was not dead when it was told of")

    def on_ended(self, ended: AnswerEnded) -> None:
        self.ended.append(ended.answer.id)

    def on_end(self, end: AnswerEnd) -> None:
        if end.answer.outcome is not None:
            self.wrong.append(f"the last of {end.answer} came after it was over")


STAGES = {stage.__name__: stage for stage in (Plain, Slow, Reader, Flaky, Stubborn)}

steps = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 3)),
    st.tuples(st.just("digit"), st.sampled_from("1*#")),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.05, 0.1, 0.35, 1.0])),
    st.tuples(st.sampled_from(["interrupt", "discard", "commit", "finish"]), st.integers(0, 5)),
    st.tuples(st.just("interrupt all"), st.none()),
    st.tuples(st.just("open"), st.none()),
    st.tuples(st.just("push"), st.tuples(st.integers(0, 5), st.integers(1, 4))),
)


class Script:
    """Carries out the steps of one example."""

    def __init__(self, call: Call, head: Processor) -> None:
        self.call = call
        self.head = head
        self.opened: list[Answer] = []
        self.number = itertools.count()

    def answer(self, index: int) -> Answer | None:
        answers = list(self.call._engine.answers)
        return answers[index % len(answers)] if answers else None

    async def step(self, what: str, value: Any) -> None:
        call = self.call
        if call._engine is None:  # given up: the apology for a failure has failed as well
            return
        if what == "say":
            for _ in range(value):
                call.say(f"{next(self.number):04}/")
        elif what == "digit":
            call.broadcast(Digit(value, 0.0))
        elif what == "wait":
            await asyncio.sleep(value)
        elif what == "interrupt all":
            call.interrupt()
        elif what == "open":
            self.opened.append(call.open_answer())
        elif what == "push" and self.opened:
            answer = self.opened[value[0] % len(self.opened)]
            for _ in range(value[1]):
                self.head.push(Text(answer, f"{next(self.number):04}/"))
        elif what == "finish" and self.opened:
            self.head.finish_answer(self.opened[value % len(self.opened)])
        elif what in ("interrupt", "discard", "commit") and (answer := self.answer(value)) is not None:
            getattr(call, what)(answer)


@settings(max_examples=5 * settings.default.max_examples, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(STAGES)), max_size=4),
    st.lists(steps, min_size=1, max_size=25),
    st.booleans(),
)
async def test_content_keeps_its_order_and_answers_end_once(stages, script, hang_up):
    head, judge = Head(), Judge()
    runtime = Runtime(faults=FaultPolicy(per_kind=10_000, in_all=10_000), limits=Limits(hang_up=30.0))
    call = Call(head, runtime=runtime)
    pipeline = Pipeline([head, Model(), *(STAGES[name]() for name in stages), judge])
    task = asyncio.create_task(pipeline.run(call))
    await asyncio.sleep(0)
    play = Script(call, head)
    engine = call._engine
    for what, value in script:
        await play.step(what, value)
    if hang_up and call._engine is not None:
        for answer in play.opened:
            head.finish_answer(answer)
        call.hang_up("hung up")
    else:
        call.end("caller hung up")
    report = await task
    assert judge.wrong == []
    assert judge.ended == list(dict.fromkeys(judge.ended)), "an answer ended twice"
    assert sorted(judge.ended) == judge.began == list(range(1, len(judge.began) + 1))
    assert all(answer.outcome is not None for answer in play.opened)
    assert (engine.answers, engine.unheard, report.abandoned) == ({}, {}, [])
    for pieces in judge.pieces.values():
        assert "stale" not in pieces
        assert pieces == sorted(pieces)
    if hang_up:
        assert report.duration < 30.0 + 25 * 1.0, "something waited for the limit of the hang-up"
    assert {t for t in asyncio.all_tasks() if t is not asyncio.current_task()} == set()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.lists(st.sampled_from(sorted(STAGES)), max_size=3))
async def test_what_is_said_undisturbed_arrives_whole_and_in_order(lengths, stages):
    stages = [name for name in stages if name != "Flaky"]
    head, judge = Head(), Judge()
    call = Call(head)
    task = asyncio.create_task(Pipeline([head, *(STAGES[name]() for name in stages), judge]).run(call))
    await asyncio.sleep(0)
    expected: dict[int, list[str]] = {}
    for length in lengths:
        answer = call.open_answer()
        for number in range(length):
            head.push(Text(answer, f"{number:04}/"))
        head.finish_answer(answer)
        suffixes = ["".join(bits) for bits in itertools.product("01", repeat=stages.count("Plain"))]
        expected[answer.id] = [f"{number:04}/{suffix}" for number in range(length) for suffix in suffixes]
    call.hang_up("hung up")
    report = await task
    assert judge.pieces == expected
    assert judge.ended == list(expected)
    assert report.duration < 60.0

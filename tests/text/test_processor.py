"""`SpokenText` in an engine: what it pushes, when, and what it keeps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import AnswerEnd, Text
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.loop import run_virtual
from voiceloop.text import SpokenText, reading_for

pytest.importorskip("unicode_rbnf", reason="the extra 'text' is not installed")


class Shout(Processor):
    """Changes the words in front of the voice."""

    def on_text(self, text: Text) -> None:
        self.push(Text(text.answer, text.text.replace("&", "and")))


class Sink(Processor):
    """Keeps what arrives, in order."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def on_text(self, text: Text) -> None:
        self.got.append(text.text)

    def on_answer_end(self, end: AnswerEnd) -> None:
        self.got.append(end)


class Head(Processor):
    pass


async def through(stages, parts, *, language="en", cut=False):
    """Write an answer through some stages: what arrived, its answer, and the stages."""
    head, sink = Head(), Sink()
    call = Call(head)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(Pipeline([head, *stages, sink], language=language).run(call))
        await asyncio.sleep(1)
        answer = head.begin_answer()
        for part in parts:
            head.write(answer, part)
        if cut:
            call.interrupt(answer)
        head.finish_answer(answer)
        await asyncio.sleep(1)
        if not cut:
            held = [len(stage._answers) for stage in stages if isinstance(stage, SpokenText)]
            assert held == [0] * len(held)
        call.end()
        report = await run
    assert report.faults == []
    return sink.got, answer, stages


def test_what_was_held_back_comes_before_the_end_of_the_answer():
    got, answer, _ = run_virtual(through([SpokenText()], ["It is ", "$4", ".50"]))
    assert got[:-1] == ["It is ", "four dollars and fifty cents"]
    assert isinstance(got[-1], AnswerEnd)
    assert answer.text == "It is $4.50"
    assert answer.script == [("It ", 2), ("is ", 5), ("four dollars and fifty cents", 11)]


def test_ordinary_words_leave_at_once():
    got, _, _ = run_virtual(through([SpokenText()], ["Good ", "mor", "ning ", "Anna."]))
    assert got[:-1] == ["Good ", "morning ", "Anna."]


def test_a_dead_answer_is_forgotten():
    got, answer, stages = run_virtual(through([SpokenText()], ["It is 5"], cut=True))
    assert got == ["It is "]
    assert stages[0]._answers == {}
    assert answer.dead


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-US", "November twelfth"),
        ("en-GB", "the eleventh of December"),
        ("de-DE", "elfter Dezember"),
        ("it-IT", "11/12"),
    ],
)
def test_the_language_is_the_calls(language, said):
    got, _, _ = run_virtual(through([SpokenText()], ["11/12"], language=language))
    assert "".join(got[:-1]) == said


def test_a_language_of_its_own_goes_before_the_calls():
    got, _, _ = run_virtual(through([SpokenText(language="en-GB")], ["11/12"], language="en-US"))
    assert got[0] == "the eleventh of December"
    got, _, _ = run_virtual(through([SpokenText(language=reading_for("de"))], ["5 kg"], language="en-US"))
    assert got[0] == "fünf Kilogramm"


def test_two_in_a_row_do_no_harm():
    got, answer, _ = run_virtual(through([SpokenText({"SQL": "sequel"}), SpokenText()], ["$5 SQL, ", "**5** kg"]))
    assert "".join(got[:-1]) == "five dollars sequel, five kilograms"
    assert answer.script == [("five dollars ", 2), ("sequel, ", 7), ("five kilograms", 16)]


def test_behind_somebody_who_changes_the_words_no_places_are_kept():
    got, answer, _ = run_virtual(through([Shout(), SpokenText()], ["Tea ", "& cake ", "$5"]))
    assert "".join(got[:-1]) == "Tea and cake five dollars"
    assert answer.script == []


def test_a_wrong_table_is_an_error_where_it_is_written():
    with pytest.raises(ValueError, match="1 to 8 words, not 0"):
        SpokenText({"": "nothing"})


class Ahead(Processor):
    """Asks for a reading while everybody still starts, as a voice does that renders a greeting."""

    def __init__(self, stage: SpokenText) -> None:
        self.stage = stage
        self.script: list[tuple[str, int]] = []

    async def start(self) -> None:
        self.script = await self.stage.script_of("SQL: $5.")


def test_a_whole_text_can_be_read_while_the_call_begins():
    stage = SpokenText({"SQL": "sequel"})
    ahead = Ahead(stage)
    run_virtual(through([stage, ahead], ["x"]))
    assert ahead.script == [("sequel: ", 4), ("five dollars.", 8)]

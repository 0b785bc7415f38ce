"""A planned call: it is what was planned, it is checked, and whatever a bot does to its process is found."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Processor, TurnTaking
from voiceloop.frames import UserTurn
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.line_faults import HalfOpen, Stall
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.testing.chaos import Plan, run_plan
from voiceloop.testing.chaos.bot_items import BotDoes, BotSpeaks
from voiceloop.testing.chaos.caller_items import HangsUp, Hears, Hums, Interrupts, Presses, Says, StaysSilent
from voiceloop.testing.chaos.fault_items import CodeBreaks, LineBreaks, ProcessStalls, ProviderBreaks
from voiceloop.testing.chaos.finding import Bench, find
from voiceloop.testing.chaos.items import Item
from voiceloop.testing.chaos.line_items import Line
from voiceloop.testing.chaos.model_items import Answers, Asks
from voiceloop.testing.chaos.run import HANGS, SAME_TWICE, run_twice
from voiceloop.testing.chaos.words import text_of
from voiceloop.testing.faulty import HandlerFault, LLMFault, ToolFault

LEXICON = Lexicon()


def bot_with(*stages: Callable[[], Processor], tools: list[Any] | None = None) -> Callable[[Call], Pipeline]:
    def bot(call: Call) -> Pipeline:
        model = LLMAggregator(ScriptedLLM(["Nobody asks me."]), tools=[*(tools or []), call.hang_up])
        return Pipeline(
            [
                call.transport,
                EnergyVAD(),
                ScriptedSTT(LEXICON),
                TurnTaking("Hi there!"),
                model,
                *(stage() for stage in stages),
                ScriptedTTS(LEXICON),
                AudioStreamer(),
            ]
        )

    return bot


def plan_of(*items: Item) -> Plan:
    return Plan(1, items, len(items))


def price(drink: str) -> str:
    """Look up what a drink costs."""
    return f"{drink} is free"


async def wait(drink: str) -> str:
    """Wait for a drink."""
    await asyncio.sleep(0.1)
    return f"{drink} is there"


def test_a_call_goes_as_planned() -> None:
    outcome = run_plan(
        bot_with(tools=[price]),
        plan_of(
            Line(0, to_server=0.05, from_server=0.05),
            Hears(1, 5.0),
            Says(2, 0.3, 2),
            Hears(3, 5.0),
            Presses(4, 0.0, "12"),
            Hums(5, 0.0, 0.2, True),
            StaysSilent(6, 1.0),
            Answers(7, 0, 3, 0, 0.2, 0.0),
            Asks(8, 0, 0, False, ""),
            Answers(9, 1, 2, 0, 0.0, 10.0),
            BotSpeaks(10, at=0.5, how="play", words=2),
        ),
    )
    assert outcome.failures == []
    report = outcome.report
    assert report is not None
    assert report.turns[0].caller == text_of("k", 2, 2)
    assert report.turns[0].heard == f"{text_of('m', 0, 3)} {text_of('m', 1, 2)}"
    assert outcome.dialled is not None
    assert [use.name for use in outcome.dialled.tools] == ["price"]
    assert text_of("u", 10, 2) in " ".join(message.text for message in report.conversation)
    assert [entry.detail for entry in outcome.dialled.carrier.truth.log if entry.kind == "dtmf"] == ["1", "2"]


def test_the_caller_hangs_up_in_the_middle_of_a_word() -> None:
    outcome = run_plan(bot_with(), plan_of(Hears(0, 5.0), HangsUp(1, 0.2, 3, 0.4)))
    assert outcome.failures == []
    assert outcome.dialled is not None
    (said,) = outcome.dialled.utterances
    assert said.cut
    assert said.ended - said.started == pytest.approx(0.4, abs=0.05)


def test_what_nobody_planned_is_harmless() -> None:
    outcome = run_plan(bot_with(), plan_of(Interrupts(0, 3.0, 2, 4.0)))
    assert outcome.failures == []
    assert outcome.dialled is not None
    assert outcome.dialled.utterances == []


@pytest.mark.parametrize("what", ["interrupt", "digits", "hang up", "end"])
def test_the_bots_own_code_acts(what: str) -> None:
    outcome = run_plan(bot_with(), plan_of(BotDoes(0, at=0.2, what=what), Hears(1, 4.0)))
    assert outcome.failures == []


def test_what_goes_wrong_is_counted() -> None:
    outcome = run_plan(
        bot_with(tools=[price]),
        plan_of(
            Says(0, 1.0, 1),
            Hears(1, 8.0),
            Asks(2, 0, 0, False, ""),
            ProcessStalls(3, Stall(0.5, 0.2)),
            ProviderBreaks(4, LLMFault("cut", request=1)),
            CodeBreaks(5, ToolFault("raise", number=0)),
            CodeBreaks(6, HandlerFault("raise", number=0, processor="Bystander", handler="on_user_turn")),
        ),
    )
    assert outcome.injected == {"line: stall": 1, "llm: cut": 1, "tool: raise": 1, "handler: raise": 1}
    report = outcome.report
    assert report is not None
    assert [fault.kind for fault in report.faults] == ["Bystander.on_user_turn", "tool.price", "FaultyLLM.failed"]


def test_the_same_plan_is_the_same_call() -> None:
    first, second = (run_twice(bot_with(tools=[price]), Plan.drawn(seed)) for seed in (3, 3))
    assert first.digest == second.digest
    assert SAME_TWICE not in {failure.invariant for failure in first.failures}


# --- bots that break ----------------------------------------------------------------------------------------


class Draws(Processor):
    """Draws without a seed: here, what is another number in each call."""

    drawn = 0

    async def on_user_turn(self, turn: UserTurn) -> None:
        Draws.drawn += 1
        self.call.say(text_of("u", Draws.drawn, 1))


class Leaks(Processor):
    """Leaves a task."""

    def on_user_turn(self, turn: UserTurn) -> None:
        self.task = asyncio.get_running_loop().create_task(asyncio.sleep(500), name="forgotten")


class Loses(Processor):
    """Has a task whose error nobody fetches, and a coroutine that nobody awaits."""

    def on_user_turn(self, turn: UserTurn) -> None:
        asyncio.get_running_loop().create_task(self._fail())
        self._fail()  # type: ignore[unused-coroutine]

    async def _fail(self) -> None:
        raise KeyError("lost")


class Spins(Processor):
    """Never comes back."""

    def on_user_turn(self, turn: UserTurn) -> None:
        while True:
            pass


ONE_TURN = plan_of(Hears(0, 3.0), Says(1, 0.0, 1), Hears(2, 5.0))


def test_chance_without_a_seed_is_found() -> None:
    failures = run_twice(bot_with(Draws), ONE_TURN).failures
    assert [failure.invariant for failure in failures] == [SAME_TWICE]


def test_a_line_that_breaks_before_the_bot_has_taken_the_call_is_no_failure() -> None:
    broken = plan_of(Line(0, 0.06, 0.0, 0.0, 0, 0), LineBreaks(1, HalfOpen(at=0.036)))
    outcome = run_plan(bot_with(), broken)
    assert outcome.report is None
    assert outcome.failures == []


def test_a_forgotten_task_is_found() -> None:
    failures = run_plan(bot_with(Leaks), ONE_TURN).failures
    assert len(failures) == 1
    assert "forgotten" in failures[0].message


def test_what_was_made_to_swallow_cancellation_is_left_and_excused() -> None:
    deaf = CodeBreaks(2, ToolFault("deaf", seconds=9.0, number=0))
    outcome = run_plan(bot_with(tools=[wait]), plan_of(Says(0, 1.0, 1), Asks(1, 0, 0, False, ""), deaf))
    assert outcome.evidence is not None
    assert any("tool wait" in left for left in outcome.evidence.left_behind)
    assert outcome.failures == []


def test_errors_and_coroutines_that_nobody_asks_for_are_found() -> None:
    causes = {failure.cause for failure in run_plan(bot_with(Loses), ONE_TURN).failures}
    assert any(cause.startswith("lost exception: Task exception was never retrieved: KeyError") for cause in causes)
    assert any(cause.startswith("warning RuntimeWarning: coroutine … was never awaited") for cause in causes)


def test_a_loop_that_never_ends_is_given_up_and_where_it_was_is_said() -> None:
    failures = run_plan(bot_with(Spins), ONE_TURN, wall=1.0).failures
    assert failures[0].invariant == HANGS
    assert "on_user_turn (test_chaos_run.py:" in failures[0].message


def test_warnings_of_others_are_as_they_were() -> None:
    run_plan(bot_with(), plan_of())
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", UserWarning, stacklevel=1)


def test_the_shortest_call_is_found() -> None:
    plan = next(plan for plan in map(Plan.drawn, range(50)) if sum(item.kind == "says" for item in plan.items) > 2)
    where = Bench(bot_with(Leaks))
    cause = where.run(plan).failures[0].cause
    found = find(where, plan, cause)
    assert found is not None
    assert [item.kind for item in found.kept.items] == ["says"]
    assert found.failure.cause == cause
    assert where.run(found.kept).failures[0].cause == cause
    assert find(Bench(bot_with()), plan, cause) is None

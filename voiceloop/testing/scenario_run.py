"""Runs the scenarios of files: calls the bot, then has judged what is left to judge."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.dial import dial
from voiceloop.testing.judge import Judge, Record, Verdict
from voiceloop.testing.running import run_test
from voiceloop.testing.scenario_file import Scenario
from voiceloop.testing.scenario_play import Play, Question, StepFailed
from voiceloop.testing.scenario_source import Problem, ScenarioError
from voiceloop.testing.scenario_talk import Line, talk

__all__ = ["Bots", "Outcome", "play", "run_scenario"]


@dataclass(slots=True)
class Outcome:
    """How a scenario went."""

    scenario: Scenario
    failure: StepFailed | None = None
    """What was not as it should be."""
    talk: list[Line] = field(default_factory=list)
    """What was said on the line."""
    report: CallReport | None = None
    questions: list[Question] = field(default_factory=list)
    """For the judge."""
    verdicts: list[Verdict] = field(default_factory=list)
    """Of the questions, in order; fewer when there is no judge, or one of them decided it."""

    @property
    def unjudged(self) -> list[Question]:
        """Questions that nobody has answered."""
        return self.questions[len(self.verdicts) :]

    def story(self) -> str:
        """The failure, and the conversation up to it; empty when there is none."""
        if self.failure is None:
            return ""
        lines = "\n".join(f"  {line}" for line in self.talk) or "  (nothing was said)"
        return f"{self.failure}\nthe conversation so far:\n{lines}"


class Bots:
    """Loads bots, each file once."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[Path, str], tuple[Callable[..., Any], ModuleType]] = {}

    def get(self, scenario: Scenario) -> tuple[Callable[..., Any], ModuleType]:
        """The function ``bot(call)`` of a scenario, and the module that holds it.

        Raises:
            ScenarioError: it cannot be loaded; the place is where the scenario names it.
        """
        key = (scenario.folder, scenario.bot)
        if key not in self._loaded:
            try:
                self._loaded[key] = _load(scenario)
            except (VoiceloopError, ImportError) as error:
                message = f"the bot cannot be loaded: {describe(error)[0].partition(': ')[2] or error}"
                raise ScenarioError([Problem(scenario.bot_place, message)]) from error
        return self._loaded[key]


def _load(scenario: Scenario) -> tuple[Callable[..., Any], ModuleType]:
    name, colon, attribute = scenario.bot.rpartition(":")
    if not colon:
        name, attribute = scenario.bot, "bot"
    if name.endswith(".py"):
        path = scenario.folder / name
        module = load_bot(path) if attribute == "bot" else _load_file(path)
    else:
        if str(scenario.folder) not in sys.path:
            sys.path.insert(0, str(scenario.folder))
        module = importlib.import_module(name)
    bot = getattr(module, attribute, None)
    if not callable(bot):
        raise VoiceloopError(f"{name} has no function {attribute}(call)")
    return bot, module


def _load_file(path: Path) -> ModuleType:
    """A Python file whose bot has another name."""
    if not path.is_file():
        raise VoiceloopError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"voiceloop_bot_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise VoiceloopError(f"{path.name}: {describe(error)[0]}") from error
    return module


async def play(scenario: Scenario, bots: Bots, outcome: Outcome) -> None:
    """Make the call, on the loop that runs. What came of it is put into the outcome.

    Raises:
        StepFailed: something is not as it should be; it is in the outcome, too.
        ScenarioError: the bot cannot be loaded, or has no provider of its own that is to be used.
    """
    bot, module = bots.get(scenario)
    borrowed = scenario.providers.borrowed(module)
    async with AsyncExitStack() as stack:
        for provider in borrowed.values():
            stack.push_async_callback(provider.aclose)
            await provider.warm()  # else the call would begin before a model is loaded
        await _call(scenario, bot, borrowed, outcome)


async def _call(scenario: Scenario, bot: Callable[..., Any], borrowed: dict[type, Any], outcome: Outcome) -> None:
    lexicon, caller = Lexicon(), scenario.caller
    async with dial(
        bot,
        lexicon=lexicon,
        carrier=scenario.line,
        parameters=caller.all_parameters(),
        silence=caller.silence,
        invariants=Bounds() if scenario.invariants else None,
        **scenario.providers.make(lexicon, borrowed),
    ) as dialled:
        run = Play(dialled, caller.patience)
        try:
            await _follow(scenario, run)
        except StepFailed as failure:
            outcome.failure = failure
            raise
        finally:
            outcome.talk = talk(dialled.carrier, lexicon, run.others)
            outcome.questions, outcome.report = run.questions, run.report


async def _follow(scenario: Scenario, run: Play) -> None:
    """Take every step, end the call, look at what is left."""
    for step in scenario.steps:
        try:
            await step.take(run)
        except StepFailed:
            raise
        except (VoiceloopError, TimeoutError, OSError) as error:
            raise StepFailed(step.place, step.step, "the step to be possible", str(error)) from error
    if run.report is None:
        ended = run.dialled.carrier.ended
        run.report = await (run.dialled.report() if ended else run.dialled.hangs_up())
    for check in scenario.checks:
        check.check(run)


def run_scenario(
    scenario: Scenario, *, bots: Bots | None = None, judge: Judge | None = None, realtime: bool = False
) -> Outcome:
    """Run one scenario to its end, on a loop of its own: in virtual time, unless it or the caller wants the wall clock.

    Questions are judged when the call is over; without a judge they are left in `Outcome.unjudged`.

    Raises:
        ScenarioError: the bot cannot be loaded.
        JudgeError: the judge gave no verdict.
    """
    outcome = Outcome(scenario)
    try:
        run_test(play(scenario, bots or Bots(), outcome), realtime=realtime or scenario.real_time)
    except StepFailed as failure:
        outcome.failure = failure
    except AssertionError as error:  # a broken invariant, or something that was left behind
        expected = "what holds of every call, and nothing left behind"
        outcome.failure = StepFailed(scenario.place, "the call as a whole", expected, str(error))
    if outcome.failure is None and judge is not None:
        settle(outcome, judge)
    return outcome


def settle(outcome: Outcome, judge: Judge) -> None:
    """Have the questions judged, on an ordinary loop. The first wrong answer becomes the failure of the outcome."""
    for question in outcome.questions:
        verdict = asyncio.run(judge.asks(question.text, Record(question.conversation)))
        outcome.verdicts.append(verdict)
        if verdict.passed is not question.yes:
            expected = f"{'yes' if question.yes else 'no'} to {question.text!r}"
            outcome.failure = StepFailed(question.place, f"judge: {question.text}", expected, repr(verdict))
            return

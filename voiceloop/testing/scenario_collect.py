"""Pytest and scenarios: every call of a ``*.call.yaml`` is a test; ``--voiceloop-judge`` and the fixture ``judge``.

Part of voiceloop's pytest plugin. What a failing scenario leaves beside its report is what every failing test of
voiceloop leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from voiceloop.errors import MissingExtra, VoiceloopError

if TYPE_CHECKING:
    from voiceloop.testing.judge import Judge
    from voiceloop.testing.scenario_file import Scenario
    from voiceloop.testing.scenario_run import Bots

__all__ = ["judge"]

_ENDINGS = (".call.yaml", ".call.yml")
_NO_JUDGE = "no judge is configured: pytest --voiceloop-judge anthropic:MODEL (or openai:URL#MODEL, FILE.py:NAME)"
_JUDGE: pytest.StashKey[Judge | None] = pytest.StashKey()
_BOTS: pytest.StashKey[Bots] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the judge."""
    group = parser.getgroup("voiceloop", "calls with a phone agent (voiceloop)")
    group.addoption(
        "--voiceloop-judge",
        metavar="MODEL",
        help="the language model that answers questions of tests about calls: anthropic:MODEL, openai:URL#MODEL, "
        "openai:#MODEL, gguf:PATH or FILE.py:NAME (default: the environment variable VOICELOOP_JUDGE, else none)",
    )
    group.addoption(
        "--voiceloop-judge-votes",
        metavar="N",
        type=int,
        default=1,
        help="how often the judge is asked each question; the majority decides (an odd number; default: 1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Look at the judge's name before any test runs."""
    config.stash[_JUDGE] = None
    if name := config.getoption("--voiceloop-judge") or os.environ.get("VOICELOOP_JUDGE", ""):
        from voiceloop.testing.judge import Judge, JudgeOptions
        from voiceloop.testing.judge_name import parse_judge

        try:
            options = JudgeOptions(votes=config.getoption("--voiceloop-judge-votes"))
            config.stash[_JUDGE] = Judge(parse_judge(name), options)
        except (VoiceloopError, ValueError) as error:
            raise pytest.UsageError(f"--voiceloop-judge: {error}") from error


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the judge's model."""
    if (chosen := config.stash.get(_JUDGE, None)) is not None:
        chosen.close()


@pytest.fixture(scope="session")
def judge(pytestconfig: pytest.Config) -> Judge:
    """`voiceloop.testing.judge.Judge` of ``--voiceloop-judge``; a test that wants it is skipped when there is none."""
    chosen = pytestconfig.stash[_JUDGE]
    if chosen is None:
        pytest.skip(_NO_JUDGE)
    return chosen


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take scenario files."""
    if not file_path.name.endswith(_ENDINGS):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """A file of calls."""

    def collect(self) -> Iterable[pytest.Item]:
        """A test for each of its scenarios."""
        from voiceloop.testing.scenario_file import load_scenarios
        from voiceloop.testing.scenario_source import ScenarioError

        try:
            scenarios = load_scenarios(self.path)
        except ScenarioError as error:
            raise self.CollectError(str(error)) from error
        except MissingExtra as error:
            yield Unread.from_parent(self, name="scenarios", why=str(error))
            return
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.name, scenario=scenario)


class Unread(pytest.Item):
    """Stands for the scenarios of a file that cannot be read without PyYAML."""

    def __init__(self, *, why: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._why = why

    def runtest(self) -> None:
        """Say so."""
        pytest.skip(self._why)


class ScenarioItem(pytest.Item):
    """One call."""

    def __init__(self, *, scenario: Scenario, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self._story = ""
        if scenario.real_time:
            self.add_marker("voiceloop_realtime")

    def runtest(self) -> None:
        """Make the call; have judged what is left. Skipped, once all else has passed, where there is no judge."""
        from voiceloop.testing.plugin import in_real_time
        from voiceloop.testing.scenario_run import Bots, run_scenario, settle

        if self.scenario.skip:
            raise pytest.skip.Exception(self.scenario.skip, _use_item_location=True)
        bots = self.config.stash.setdefault(_BOTS, Bots())
        outcome = run_scenario(self.scenario, bots=bots, realtime=in_real_time(self))
        chosen = self.config.stash[_JUDGE]
        if outcome.failure is None and chosen is not None:
            settle(outcome, chosen)
        self._story = outcome.story()
        if outcome.failure is not None:
            raise outcome.failure
        if outcome.unjudged:
            asked = "; ".join(f"{question.place}: {question.text}" for question in outcome.unjudged)
            reason = f"all else has passed; not judged, {_NO_JUDGE}: {asked}"
            raise pytest.skip.Exception(reason, _use_item_location=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The step, what was expected and heard, and the conversation; an error of the file or the judge as it is."""
        if self._story:
            return self._story
        if isinstance(excinfo.value, VoiceloopError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the call is written."""
        return self.path, self.scenario.place.line - 1, self.name

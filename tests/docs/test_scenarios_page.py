"""Every scenario on the page about scenarios runs, and the page names all that can be written.

A block without ``bot`` is of the coffee bar's; one without ``call`` gets one that hears the greeting; a list is a call.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from voiceloop.testing import script
from voiceloop.testing.judge import judge
from voiceloop.testing.scenario_expect import EXPECT
from voiceloop.testing.scenario_faults import PLAIN
from voiceloop.testing.scenario_file import SHARED, load_scenarios
from voiceloop.testing.scenario_run import Bots, run_scenario
from voiceloop.testing.scenario_steps import STEPS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(yaml|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(PAGE.count("\n", 0, found.start()) + 1, found[1], found[2]) for found in BLOCK.finditer(PAGE)]
YAML = [(line, text) for line, language, text in BLOCKS if language == "yaml"]
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."
REPLIES = f"replies:\n  - {MENU}\n  - Sure, a mocha.\n"
OWN_WORDS = re.compile(r"`([a-z][a-z ]*)(?::[^`]*)?`")


def whole(text: str) -> str:
    """A block as a file."""
    if text.startswith("- "):
        text = "call:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    if "bot:" not in text:
        text += "bot: coffee_bot.py\n"
    if "replies:" not in text:
        text += REPLIES
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's: with the bots that the page speaks of."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(ROOT / "examples" / "coffee_bot.py", folder)
    for _, language, text in BLOCKS:
        if language == "python" and (name := re.match(r"# (\w+\.py)\n", text)):
            (folder / name[1]).write_text(text)
    return folder


@pytest.mark.parametrize(("line", "text"), YAML, ids=[f"line {line}" for line, _ in YAML])
def test_a_scenario_of_the_page_goes_as_written(line: int, text: str, folder: Path) -> None:
    bots, yes, no = Bots(), '{"verdict": "yes"}', '{"verdict": "no"}'
    scenarios = load_scenarios(folder / f"line_{line}.call.yaml", whole(text))
    for scenario in [each for each in scenarios if not each.skip]:
        with judge(script(yes, yes, no)) as referee:
            outcome = run_scenario(scenario, bots=bots, judge=referee)
        assert outcome.story() == ""
        assert outcome.unjudged == []


def test_the_page_has_scenarios_and_names_all_that_can_be_written() -> None:
    assert len(YAML) >= 12
    named = {" ".join(word.split()) for word in OWN_WORDS.findall(PAGE)}
    named |= {
        word.strip("- ") for word in re.findall(r"^[ -]*([a-z][a-z ]*):", "".join(t for _, t in YAML), re.MULTILINE)
    }
    assert {*STEPS, *EXPECT, *SHARED, *PLAIN} - named == set()

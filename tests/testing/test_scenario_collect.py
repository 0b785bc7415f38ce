"""Pytest takes scenario files: what passes, fails, is skipped and is left beside a failure; and who judges."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.warm import python

BOT = Path(__file__).parent / "scenario_shop.py"
FILES = {
    "order.call.yaml": """\
bot: shop.py
replies: ["A latte, with pleasure."]
scenarios:
  - name: it is as written
    call:
      - hears: Corner Coffee
  - name: it is not as written
    call:
      - hears: Corner Coffee
      - says: A latte.
      - hears: mocha
  - name: it is judged
    call:
      - hears: Corner Coffee
      - says: A latte.
      - hears: latte
      - judge: Was the caller treated politely?
    expect:
      judge:
        asks: Was the caller insulted?
        expects: no
  - name: it is left out
    skip: not yet
    call: [hears]
  - name: it has no bot
    bot: none.py
    call: [hears]
""",
    "broken.call.yml": "bot: shop.py\ncall:\n  - sais: Hello\n",
    "judges.py": """\
from voiceloop.testing import script

kind = script('{"reason": "So kind.", "verdict": "yes"}', '{"reason": "Not at all.", "verdict": "no"}')
harsh = script('{"reason": "It was curt.", "verdict": "no"}')
mute = script('Hm.')
""",
    "test_judged.py": """\
async def test_with_the_fixture(dial, judge):
    import shop

    async with dial(shop) as caller:
        await caller.hears()
        verdict = await judge.asks("Was the caller greeted?", caller)
    assert verdict
""",
}


def run(folder: Path, *arguments: str, **environment: str) -> str:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "shop.py").write_text(BOT.read_text())
    plugin = ["-p", "voiceloop.testing.plugin", "-p", "no:cacheprovider"]
    variables = {name: value for name, value in os.environ.items() if name != "VOICELOOP_JUDGE"}
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-rA", "-W", "error", *plugin, "--rootdir", str(folder), "--continue-on-collection-errors"]
    done = python("pytest", *options, *arguments, cwd=folder, env=variables | environment, timeout=60)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def unjudged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run without a judge: its folder, and what pytest said."""
    folder = tmp_path_factory.mktemp("unjudged")
    return folder, run(folder)


def outcomes(said: str) -> set[tuple[str, str]]:
    return set(re.findall(r"^(PASSED|FAILED|ERROR) (\S+?(?:::[\w ]+)?)(?= - |$)", said, re.MULTILINE))


def test_every_scenario_is_a_test(unjudged: tuple[Path, str]) -> None:
    assert outcomes(unjudged[1]) == {
        ("PASSED", "order.call.yaml::it is as written"),
        ("FAILED", "order.call.yaml::it is not as written"),
        ("FAILED", "order.call.yaml::it has no bot"),
        ("ERROR", "broken.call.yml"),
    }
    assert "2 failed, 1 passed, 3 skipped, 1 error" in unjudged[1]


def test_a_failure_shows_the_step_and_the_conversation_and_leaves_what_every_failing_call_leaves(
    unjudged: tuple[Path, str],
) -> None:
    folder, said = unjudged
    assert (
        'order.call.yaml:11:9: hears: mocha\n  expected: to hear "mocha"\n'
        '  came:     heard "A latte, with pleasure."\nthe conversation so far:\n'
    ) in said
    assert re.search(r"^ +1\.\d s  caller  A latte\.\n +2\.\d s  agent   A latte, with pleasure\.$", said, re.MULTILINE)
    (picture,) = (folder / ".voiceloop").rglob("*.html")
    assert f"picture: {picture.relative_to(folder)}" in said
    assert "A latte, with pleasure." in picture.read_text()
    assert list((folder / ".voiceloop").rglob("*.jsonl"))


def test_a_file_and_a_bot_that_cannot_be_read_are_told_without_a_traceback(unjudged: tuple[Path, str]) -> None:
    said = unjudged[1]
    assert 'broken.call.yml:3:5: "sais" is no step' in said
    assert "order.call.yaml:26:10: the bot cannot be loaded: expected a bot file" in said
    assert "Traceback" not in said


def test_without_a_judge_what_needs_one_is_skipped_with_the_reason_and_its_place(unjudged: tuple[Path, str]) -> None:
    said = unjudged[1]
    assert "SKIPPED [1] order.call.yaml:12: all else has passed; not judged, no judge is configured: " in said
    asked = "order.call.yaml:17:16: Was the caller treated politely?; order.call.yaml:20:9: Was the caller insulted?"
    assert asked in said
    assert "SKIPPED [1] order.call.yaml:22: not yet" in said
    assert re.search(r"SKIPPED \[1\] test_judged\.py:\d+: no judge is configured: pytest --voiceloop-judge", said)


def test_a_judge_decides_what_is_asked(tmp_path: Path) -> None:
    said = run(tmp_path, "--voiceloop-judge", "judges.py:kind", "order.call.yaml")
    assert ("PASSED", "order.call.yaml::it is judged") in outcomes(said)
    said = run(tmp_path, "order.call.yaml", "test_judged.py", VOICELOOP_JUDGE="judges.py:harsh")
    assert ("FAILED", "order.call.yaml::it is judged") in outcomes(said)
    assert (
        "order.call.yaml:17:16: judge: Was the caller treated politely?\n"
        "  expected: yes to 'Was the caller treated politely?'\n"
        "  came:     <Verdict: no to 'Was the caller treated politely?': It was curt.>\n"
    ) in said
    assert ("FAILED", "test_judged.py::test_with_the_fixture") in outcomes(said)


def test_a_judge_that_cannot_be_is_told(tmp_path: Path) -> None:
    assert "ERROR: --voiceloop-judge: expected a judge as anthropic:MODEL" in run(
        tmp_path, "--voiceloop-judge", "claude"
    )
    even = run(tmp_path, "--voiceloop-judge", "judges.py:kind", "--voiceloop-judge-votes", "2")
    assert "ERROR: --voiceloop-judge: expected an odd number of votes from 1 to 99, got 2" in even
    said = run(tmp_path, "--voiceloop-judge", "judges.py:mute", "order.call.yaml")
    assert "the judge gave no verdict on 'Was the caller treated politely?'" in said
    assert "Traceback" not in said


def test_without_pyyaml_scenarios_are_skipped_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from voiceloop import errors\nreal = errors.find_spec\n"
        "errors.find_spec = lambda name: None if name == 'yaml' else real(name)\n"
    )
    said = run(tmp_path, "order.call.yaml")
    assert "A scenario file needs the package yaml: pip install 'voiceloop[scenarios]'" in said
    assert "1 skipped" in said

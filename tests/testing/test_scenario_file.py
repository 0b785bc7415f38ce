"""What a scenario file may say, and what is said of a file that says something else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voiceloop.sim.line_faults import LineEcho, Lost, Stall
from voiceloop.testing import calls
from voiceloop.testing.faulty import LLMFault, TTSFault
from voiceloop.testing.scenario_file import Scenario, load_scenarios
from voiceloop.testing.scenario_source import MAX_BYTES, MAX_DEPTH, MAX_NODES, ScenarioError

CALL = "bot: shop.py\ncall:\n  - hears: coffee\n"


def read(text: str) -> list[Scenario]:
    return load_scenarios(Path("order.call.yaml"), text)


def problems(text: str) -> list[str]:
    """Line, column and message of each problem."""
    with pytest.raises(ScenarioError) as raised:
        read(text)
    return [str(problem).splitlines()[0].removeprefix("order.call.yaml:") for problem in raised.value.problems]


def problem(text: str) -> str:
    (only,) = problems(text)
    return only


# --- what is read -------------------------------------------------------------------------------------------


def test_the_smallest_file_is_a_bot_and_a_call() -> None:
    (scenario,) = read(CALL)
    assert (scenario.name, scenario.bot, len(scenario.steps)) == ("order", "shop.py", 1)
    assert str(scenario.steps[0].place) == "order.call.yaml:3:5"


def test_text_that_yaml_takes_for_something_else_is_read_as_it_is_written() -> None:
    (scenario,) = read(
        "bot: shop.py\ncall:\n  - says: yes\n  - says: 007\n  - says: 12:30\n  - says: 1.50\n  - says: null and void\n"
        "  - presses: 0123\n  - says: '~'\n"
    )
    said = [getattr(step, "text", getattr(step, "keys", "")) for step in scenario.steps]
    assert said == ["yes", "007", "12:30", "1.50", "null and void", "0123", "~"]


@pytest.mark.parametrize("written", ["hangs up", "Hangs_Up", "hangs-up:", "caller hangs up", "the caller hangs up"])
def test_a_step_may_be_written_in_several_ways(written: str) -> None:
    (scenario,) = read(f"bot: shop.py\ncall:\n  - {written}\n")
    assert type(scenario.steps[0]).__name__ == "HangsUp"


def test_agent_says_is_hears() -> None:
    (scenario,) = read("bot: shop.py\ncall:\n  - agent says: coffee\n  - the agent says: coffee\n  - hears: coffee\n")
    assert {step.wanted for step in scenario.steps} == {("coffee",)}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("300 ms", 0.3), ("1.5s", 1.5), ("2 minutes", 120), ("1 second", 1)],
)
def test_a_time_may_have_a_unit(written: str, seconds: float) -> None:
    (scenario,) = read(f"bot: shop.py\ncall:\n  - waits: {written}\n")
    assert scenario.steps[0].seconds == pytest.approx(seconds)  # type: ignore[attr-defined]


def test_replies_are_texts_and_tools() -> None:
    (scenario,) = read(
        f"{CALL}replies:\n"
        "  - Sure.\n"
        "  - says: Let me look.\n"
        "    calls:\n"
        "      price: {drink: latte, size: 2, hot: true, table: 007, note: null}\n"
        "  - calls: [hang_up, price: {drink: '12'}]\n"
    )
    price = calls("price", drink="latte", size=2, hot=True, table="007", note=None)
    assert scenario.providers.replies == (
        "Sure.",
        ("Let me look.", price),
        (calls("hang_up"), calls("price", drink="12")),
    )


def test_what_goes_wrong_is_read() -> None:
    (scenario,) = read(
        f"{CALL}model:\n  fails: {{how: slow, seconds: 300 ms, after: 2, requests: [1, 3]}}\nvoice: {{fails: breaks}}\n"
        "line:\n  faults:\n    - line echo\n    - lost: {at: 2 s, count: 10}\n    - stall: {at: 3, seconds: 0.2}\n"
        "    - line echo: {level: -30}\n"
    )
    assert scenario.providers.faults == (
        LLMFault("slow", 0.3, 0, 2),
        LLMFault("slow", 0.3, 2, 2),
        TTSFault("cut", request=None),
    )
    assert scenario.line.faults == (LineEcho(), Lost(at=2.0, count=10), Stall(at=3.0, seconds=0.2), LineEcho(level=-30))


def test_scenarios_share_what_stands_above_them_and_may_say_otherwise() -> None:
    first, second = read(
        "bot: shop.py\nline: {seed: 3}\nreplies: [Yes.]\nexpect: {turns: 1, faults: none}\nscenarios:\n"
        "  - name: one\n    call: [hears]\n"
        "  - name: two\n    bot: other.py\n    line: {jitter: 20 ms}\n    call: [hears]\n    expect: {turns: 2}\n"
    )
    assert (first.bot, first.line.seed, first.line.jitter) == ("shop.py", 3, 0.0)
    assert (second.bot, second.line.seed, second.line.jitter) == ("other.py", 0, 0.02)
    assert first.providers == second.providers
    assert [type(check).__name__ for check in first.checks] == ["Turns", "NoFaults"]
    assert [check.number for check in (first.checks[0], second.checks[0])] == [1, 2]  # type: ignore[attr-defined]
    assert [type(check).__name__ for check in second.checks] == ["Turns", "NoFaults"]


def test_nothing_may_go_wrong_unless_it_is_made_to_or_spoken_of() -> None:
    names = [
        [type(check).__name__ for check in read(CALL + more)[0].checks]
        for more in ("", "expect: {faults: any}", "model: {fails: breaks}", "line: {faults: [no stop]}")
    ]
    assert names == [["NoFaults"], ["AnyFaults"], [], []]


# --- what is wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "bot: shop.py\ncall:\n  - sais: A latte\n",
            '3:5: "sais" is no step: expected hears, says, .*; did you mean "says"?',
        ),
        ("bot: shop.py\ncall:\n  - hang up\n", '3:5: "hang up" is no step: expected .*did you mean "hangs up"?'),
        ("bot: shop.py\ncall:\n  - [a]\n", "3:5: expected a step (hears, .*), got a list of 1"),
        ("bot: shop.py\ncall:\n  -\n", "3:4: expected a step (hears, .*), got nothing"),
        (
            "bot: shop.py\ncall: hears\n",
            "2:7: expected a list of steps, each on a line that begins with '- '; got \"hears\"",
        ),
        ("bot: shop.py\ncall: []\n", "2:7: expected a list of steps, .* got a list of 0"),
        ("bot: shop.py\ncall:\n  - says: Hi\n    hears: Hi\n", '4:5: two steps in one, "says" and "hears": every step'),
        (
            "bot: shop.py\ncall:\n  - hears: Hi\n    withn: 1\n",
            '4:5: "withn" is no setting of the step "hears": expected .*; did you mean "within"?',
        ),
        (
            "bot: shop.py\ncall:\n  - hears: Hi\n    within: 1,5\n",
            '4:13: expected a time in seconds, .* got "1,5": write a point, not a comma',
        ),
        (
            "bot: shop.py\ncall:\n  - waits: 2 hours\n",
            '3:12: expected a time in seconds, such as 1.5 or 300 ms, got "2 hours"',
        ),
        ("bot: shop.py\ncall:\n  - waits: 90 minutes\n", '3:12: expected at most 3600 seconds, got "90 minutes"'),
        ("bot: shop.py\ncall:\n  - says:\n", "3:10: expected a text, got nothing"),
        ("bot: shop.py\ncall:\n  - says\n", '3:5: expected "says: …", got the word alone'),
        ("bot: shop.py\ncall:\n  - says: {a: b}\n", "3:11: expected a text, got settings (a)"),
        ("bot: shop.py\ncall:\n  - hangs up: now\n", '3:15: expected nothing behind this step, got "now"'),
        ("bot: shop.py\ncall:\n  - presses: star\n", '3:14: expected keys of a telephone, 0-9 * #, .*; got "star"'),
        ("bot: shop.py\ncall:\n  - plays: none.wav\n", "3:12: expected a recording .*; there is no none.wav there"),
        ("call: [hears]\n", "1:1: expected 'bot: …', the file of the bot, such as coffee_bot.py"),
        ("bot: shop.py\n", "1:1: expected 'call:' with its steps, or 'scenarios:' with several calls"),
        (
            "bot: shop.py\nboot: shop.py\ncall: [hears]\n",
            '2:1: "boot" is no setting of a scenario: expected .*; did you mean "bot"?',
        ),
        ("bot: shop.py\nbot: shop.py\ncall: [hears]\n", '2:1: "bot" is here twice: it stands in line 1, too'),
        (
            "bot: shop.py\ncall: [hears]\nscenarios: []\n",
            "2:1: a file has either 'call:' or 'scenarios:' with a call in each",
        ),
        ("bot: shop.py\nscenarios: [{call: [hears]}]\n", "2:13: expected 'name: …', what this call is about"),
        (
            "bot: shop.py\nscenarios: [{name: a, call: [hears]}, {name: a, call: [hears]}]\n",
            '2:40: the name "a" is taken: the scenario in line 2 has it',
        ),
        (CALL + "replies: Sure.\n", '4:10: expected a list of replies, .* got "Sure."'),
        (CALL + "replies: [{}]\n", "4:11: expected a text, or 'says: …', 'calls: …' or both"),
        (
            CALL + "replies: [{calls: {price: latte}}]\n",
            '4:27: expected what price is given, such as price: {drink: latte}; got "latte"',
        ),
        (
            CALL + "replies: [{calls: {price: {hot: yes}}}]\n",
            '4:33: yes could be a text or a truth: write "yes" in quotes, or true',
        ),
        (CALL + "replies: [{calls: {price: {a: 1, a: 2}}}]\n", '4:34: "a" is here twice'),
        (
            CALL + "model: {fails: braeks}\n",
            '4:16: expected how it fails: breaks, .*; got "braeks"; did you mean "breaks"?',
        ),
        (CALL + "model: {fails: {how: breaks, requests: 0}}\n", "4:40: requests are counted from 1, got 0"),
        (
            CALL + "model: own\nreplies: [a]\n",
            "5:10: the bot's own model gives its own replies: leave out either this or",
        ),
        (
            CALL + "recogniser: {own: yes, delay: 1}\n",
            '4:24: the bot\'s own is as quick as it is: leave out "delay", or "own"',
        ),
        (CALL + "voice: own\n", "4:8: the voice of a scenario is always an artificial one"),
        (CALL + "line: {jiter: 1}\n", '4:8: "jiter" is no setting of the line: expected .*; did you mean "jitter"?'),
        (CALL + "line: {faults: [ecko]}\n", '4:17: expected a fault of the line: late, .*; got "ecko"'),
        (CALL + "line: {faults: [lost: {at: 2}]}\n", "4:17: lost needs at, count"),
        (CALL + "line: {faults: [noise: {at: -2}]}\n", "4:17: Noise: expected at of 0 or more, got -2.0"),
        (CALL + "expect: {turns: two}\n", '4:17: expected a whole number, such as 2, got "two"'),
        (
            CALL + "expect: {ended: by the calller}\n",
            '4:17: expected by the caller or by the agent, .*; did you mean "by the caller"?',
        ),
        (CALL + "expect: {memory: {hard: a}}\n", '4:19: "hard" is no setting of the memory: .*; did you mean "heard"?'),
        (CALL + "expect: {judge: {expects: no}}\n", "4:17: expected 'asks: …', the question"),
        (
            CALL + "  - expect: {ended: by the agent}\n",
            '4:14: "ended" is known when the call is over: put it under "expect:"',
        ),
        (CALL + "real time: maybe\n", '4:12: expected yes or no, got "maybe"'),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    pattern = ".*".join(re.escape(part) for part in said.split(".*"))
    assert re.match(pattern, problem(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CALL + "  - hears: Total: 4\n", '4:17: not YAML: a text that holds ": " must be quoted'),
        (CALL + "\t- says: a\n", "4:1: not YAML: a tab stands here: indent with spaces"),
        (CALL + "  - says: @home\n", "4:11: not YAML: a text cannot begin with this character: put the whole"),
        (CALL + '  - says: "Hello\n', "4:11: not YAML: a quote is opened here and never closed"),
        (CALL + "  - says: 'It's me'\n", "4:15: not YAML: "),
        (CALL + "   - says: a\n", "4:4: not YAML: this line is indented differently from those it belongs to"),
        (CALL + "line: [a\n", "5:1: not YAML: "),
        (CALL + "  - says: !important\n", "4:11: a text cannot begin with !"),
        (CALL + "  - says: !!python/object/apply:os.system ['true']\n", "4:11: a text cannot begin with !"),
        (CALL + "  - says: *star\n", "4:11: a text cannot begin with *"),
        (CALL + "  - says: &a b\n", "4:11: a text cannot begin with &"),
        ("? [a]\n: b\n", "1:3: expected the name of a setting, got a list of 1"),
        (CALL + "---\n" + CALL, "4:1: one file holds one document: several go under 'scenarios:'"),
        ("", "1:1: expected a scenario, but the file is empty"),
        ("# nothing\n", "1:1: expected a scenario, but the file is empty"),
        ("just text\n", '1:1: expected settings of a scenario (name, .*), got "just text"'),
        (CALL + "about: \x07\n", "4:8: a character stands here that no text may hold"),
    ],
)
def test_what_is_no_yaml_is_told_with_the_likely_reason(text: str, said: str) -> None:
    told = problem(text)
    assert all(part in told for part in said.split(".*"))
    assert told.startswith(said.split(".*")[0])


def test_all_problems_are_told_at_once_in_order_and_with_their_lines() -> None:
    with pytest.raises(ScenarioError) as raised:
        read("bot: shop.py\ncall:\n  - sais: A\n  - says: Hi\n  - waits: soon\nexpect: {turns: x}\n")
    assert [problem.place.line for problem in raised.value.problems] == [3, 5, 6]
    assert "  - waits: soon\n               ^" in str(raised.value)


def test_a_problem_of_what_scenarios_share_is_told_once() -> None:
    assert (
        len(problems("bot: a.py\nline: {x: 1}\nscenarios: [{name: a, call: [hears]}, {name: b, call: [hears]}]\n")) == 1
    )


# --- limits -------------------------------------------------------------------------------------------------


def test_a_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "big.call.yaml"
    path.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(ScenarioError, match="expected a file of at most 256 KiB"):
        load_scenarios(path)


def test_entries_and_their_depth_are_bounded() -> None:
    assert "at most 12 levels" in problem("a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert "at most 12 levels" in problem("a: " + "[" * 100_000)
    assert f"at most {MAX_NODES} entries" in problem("a: [" + "1," * MAX_NODES + "]")


def test_steps_and_texts_are_bounded() -> None:
    assert "expected at most 200 entries in a list, got 201" in problem("bot: a.py\ncall:\n" + "  - hears\n" * 201)
    assert "expected a text of at most 2000 characters, got 2001" in problem(f"bot: a.py\ncall: [says: {'a' * 2001}]\n")


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        load_scenarios(tmp_path / "none.call.yaml")
    latin = tmp_path / "latin.call.yaml"
    latin.write_bytes("bot: a.py\nabout: café\n".encode("latin-1"))
    with pytest.raises(ScenarioError, match=r"latin\.call\.yaml:2:11: expected UTF-8 text"):
        load_scenarios(latin)

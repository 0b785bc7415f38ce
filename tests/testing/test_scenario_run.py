"""What the steps and expectations of a scenario do: each holds where it should, and fails where it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceloop.testing.scenario_file import load_scenarios
from voiceloop.testing.scenario_run import Bots, Outcome, run_scenario
from voiceloop.testing.scenario_source import ScenarioError

HERE = Path(__file__).parent
BOT = HERE / "scenario_shop.py"
BOTS = Bots()
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."
SHOP = f"bot: scenario_shop.py\nreplies:\n  - {MENU}\n  - Sure, a mocha.\n"
ORDER = "call:\n  - hears: Corner Coffee\n  - says: What do you have?\n  - hears: coffee\n"


def run(text: str) -> Outcome:
    (scenario,) = load_scenarios(HERE / "shop.call.yaml", text)
    return run_scenario(scenario, bots=BOTS)


def story(text: str) -> str:
    return run(text).story()


# --- the call -----------------------------------------------------------------------------------------------


def test_a_call_is_made_as_written_and_its_conversation_is_kept() -> None:
    outcome = run(SHOP + ORDER + "  - says: A mocha, please.\n  - hears: Sure\n  - hangs up\n")
    assert outcome.story() == ""
    assert [(line.who, line.text) for line in outcome.talk] == [
        ("agent", "Corner Coffee, hi!"),
        ("caller", "What do you have?"),
        ("agent", MENU),
        ("caller", "A mocha, please."),
        ("agent", "Sure, a mocha."),
    ]
    assert outcome.report is not None
    assert outcome.report.reason == "caller hung up"


def test_two_runs_of_a_scenario_are_one() -> None:
    text = SHOP + "line: {jitter: 20 ms, seed: 3}\n" + ORDER
    assert [str(line) for line in run(text).talk] == [str(line) for line in run(text).talk]


def test_a_failure_names_step_place_what_was_expected_what_was_heard_and_the_conversation() -> None:
    told = story(SHOP + ORDER + "  - says: A mocha, please.\n  - hears: cappuccino\n  - hangs up\n")
    lines = told.splitlines()
    assert lines[0].endswith("shop.call.yaml:10:5: hears: cappuccino")
    assert lines[1:4] == [
        '  expected: to hear "cappuccino"',
        '  came:     heard "Sure, a mocha."',
        "the conversation so far:",
    ]
    assert [line.split(maxsplit=3)[2:] for line in lines[4:]] == [
        ["agent", "Corner Coffee, hi!"],
        ["caller", "What do you have?"],
        ["agent", MENU],
        ["caller", "A mocha, please."],
        ["agent", "Sure, a mocha."],
    ]


def test_every_setting_of_the_providers_and_the_line_has_its_effect() -> None:
    quick = run(SHOP + ORDER)
    slow = run(
        SHOP + "recogniser: {delay: 600 ms}\nmodel: {first word after: 0.3}\nvoice: {first sound after: 0.2}\n"
        "line: {delay to agent: 50 ms, delay to caller: 50 ms}\n" + ORDER
    )
    waits = [outcome.report.turns[0].latency for outcome in (quick, slow) if outcome.report is not None]
    assert waits[0] is not None
    assert waits[1] is not None
    assert 0.1 < waits[1].stt - waits[0].stt < 0.6  # a part of it passes while the turn is not over
    assert waits[1].llm == pytest.approx(0.3, abs=0.02)
    assert waits[1].tts == pytest.approx(0.2, abs=0.02)
    assert waits[1].carrier - waits[0].carrier == pytest.approx(0.1, abs=0.03)


def test_the_caller_has_a_number_keys_and_parameters() -> None:
    assert not story(
        'bot: scenario_shop.py\ncaller: {number: "+15550001", called: "+15550002", parameters: {table: 7}}\n'
        "call:\n  - hears: Corner Coffee\n  - presses: 1\n  - hears: You pressed 1 and called +15550002.\n"
    )


def test_a_recording_is_played(tmp_path: Path) -> None:
    import numpy as np

    from voiceloop.audio.wav import write_wav

    write_wav(tmp_path / "hum.wav", np.zeros(4000, dtype=np.int16), 8000)
    (scenario,) = load_scenarios(
        tmp_path / "a.call.yaml", f"bot: {HERE / 'scenario_shop.py'}\ncall: [hears, plays: hum.wav]\n"
    )
    outcome = run_scenario(scenario, bots=BOTS)
    assert outcome.story() == ""
    assert outcome.talk[-1].text == "(plays hum.wav)"


def test_bots_are_found_by_file_by_function_and_by_module() -> None:
    silent = "call: [says: Hello, hears: coffee]\n"
    replies = "replies: [We have coffee.]\n"
    for name in ("scenario_shop.py:silent", "scenario_shop:silent"):
        outcome = run(f"bot: {name}\n{replies}{silent}")
        assert (outcome.story(), len(outcome.talk)) == ("", 2)


@pytest.mark.parametrize(
    ("bot", "said"),
    [
        ("none.py", "the bot cannot be loaded: expected a bot file, a Python module"),
        ("none.py:bot2", "the bot cannot be loaded: there is no file"),
        ("no_such_module:bot", "the bot cannot be loaded: No module named 'no_such_module'"),
        ("scenario_shop.py:nothing", "the bot cannot be loaded: scenario_shop.py has no function nothing(call)"),
    ],
)
def test_a_bot_that_cannot_be_loaded_is_told_where_it_is_named(bot: str, said: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        run(f"name: a\nbot: {bot}\ncall: [hears]\n")
    assert str(raised.value.problems[0].place).endswith("shop.call.yaml:2:6")
    assert raised.value.problems[0].message.startswith(said)


# --- steps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "expected", "came"),
    [
        ("hears: [latte, green tea]", 'to hear "green tea"', f'heard "{MENU}"'),
        ("hears: tea and", 'to hear "tea and"', f'heard "{MENU}"'),  # words one behind the other
        ("hears: offee", 'to hear "offee", and whole words are compared', f'heard "{MENU}"'),  # whole words
        ("{hears: coffee, not: tea}", 'not to hear "tea"', f'heard "{MENU}"'),
        ("{hears: , in order: [mocha, latte]}", 'to hear "latte" in this order: mocha, latte', f'heard "{MENU}"'),
        ("{hears: , exactly: We have coffee}", 'to hear exactly "We have coffee"', f'heard "{MENU}"'),
        ("{hears: coffee, within: 0.2}", "the first sound within 200 ms", f'after 500 ms; heard "{MENU}"'),
        ("{interrupts: Stop, stops within: 1 ms}", "the agent to stop within 1 ms", "it stopped after "),
        ("{interrupts: Stop, after: 9}", "the step to be possible", "expected the agent to speak for 9.00 s, but"),
        ("{agent hangs up: , patience: 3}", "the agent to hang up", "not after 3 s"),
        ("{hears: coffee, patience: 0.1}", "the step to be possible", "the caller waited from "),
    ],
)
def test_a_step_fails_with_what_came(step: str, expected: str, came: str) -> None:
    failure = run(SHOP + f"call:\n  - hears: Corner Coffee\n  - says: What do you have?\n  - {step}\n").failure
    assert failure is not None
    assert failure.place.line == 8
    assert failure.expected == expected
    assert failure.came.startswith(came)


@pytest.mark.parametrize(
    "step",
    [
        "hears: COFFEE latte",
        "hears: [four dollars, we have]",
        "{hears: , not: decaf, in order: [coffee, latte, tea], within: 600 ms}",
        "{hears: , exactly: we have coffee latte cappuccino mocha and tea every drink is four dollars}",
        "hears",
        "{interrupts: Stop, after: 1.0, stops within: 300 ms}",
    ],
)
def test_a_step_that_holds(step: str) -> None:
    assert not story(SHOP + f"call:\n  - hears: Corner Coffee\n  - says: What do you have?\n  - {step}\n")


@pytest.mark.parametrize("step", ["hears: coffee", "says: Hello", "hangs up", "presses: 1"])
def test_a_step_in_a_call_that_is_over_fails(step: str) -> None:
    failure = run(SHOP + f"call:\n  - hears: Corner Coffee\n  - hangs up\n  - {step}\n").failure
    assert failure is not None
    assert failure.place.line == 8
    assert "hung up" in failure.came


def test_waiting_takes_its_time() -> None:
    outcome = run(SHOP + "call:\n  - hears: Corner Coffee\n  - waits: 2.5\n  - says: Hello\n  - hears: coffee\n")
    assert outcome.talk[1].at == pytest.approx(0.05 + 1.05 + 0.8 + 2.5, abs=0.2)


# --- expectations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "expected", "came"),
    [
        ("heard: soup", 'to hear "soup"', f'so far, heard "Corner Coffee, hi! {MENU}"'),
        ("not heard: [soup, latte]", 'not to hear "latte"', "so far, heard "),
        ("heard in order: [latte, hi]", 'to hear "hi" in this order: latte, hi', "so far, heard "),
        ("turns: 2", "2", '1: 1. "What do you have?"'),
        ("replies within: 0.1", "at most 100 ms", 'turn 1, "What do you have?": 5'),
        ("ended: by the agent", "by the agent", "by the caller; the bot's reason: caller hung up"),
        ("ended: completed", "completed", "by the caller; the bot's reason: caller hung up"),
        ("lasts under: 2", "2 s", "8.1 s"),
        ("tools: price", "price", "nothing"),
        ("faults: no.such", "no.such", "nothing"),
        ("memory: {heard: soup}", '"soup"', MENU),
        ("memory: {unheard: tea}", '"tea"', "nothing"),
        ("memory: {heard: nothing}", "nothing", MENU),
        ("memory: {interrupted: yes}", "yes", "no"),
        ("memory: {turn: 2, heard: soup}", "a turn 2 that is over", "1 turns"),
    ],
)
def test_an_expectation_fails_with_what_came(expect: str, expected: str, came: str) -> None:
    failure = run(SHOP + ORDER + f"expect:\n  {expect}\n").failure
    assert failure is not None
    assert failure.place.line == 10
    assert failure.expected == expected
    assert failure.came.startswith(came)


def test_expectations_that_hold() -> None:
    assert not story(
        SHOP + ORDER + "expect:\n  heard: [Corner Coffee, tea]\n  not heard: soup\n  heard in order: [hi, latte, tea]\n"
        "  turns: 1\n  replies within: 600 ms\n  ended: by the caller\n  lasts under: 1 minute\n  tools: none\n"
        "  faults: none\n  memory: {turn: 1, heard: tea, unheard: nothing, interrupted: no}\n"
    )


def test_the_memory_is_what_was_heard_also_in_the_middle_of_a_call() -> None:
    interrupted = (
        SHOP
        + "call:\n  - hears: Corner Coffee\n  - says: What do you have?\n  - interrupts: A mocha.\n    after: 2.0\n"
        "  - expect:\n      memory: {heard: cappuccino, unheard: [and tea, four dollars], interrupted: yes}\n"
        "      %s\n  - hears: Sure\n"
    )
    assert not story(interrupted % "not heard: tea")
    failure = run(interrupted % "heard: tea").failure
    assert failure is not None
    assert failure.place.line == 12


TOOLS = (
    "bot: scenario_shop.py\nreplies:\n  - {says: Let me look., calls: {price: {drink: latte, size: large}}}\n"
    "  - It is four dollars.\n  - {says: Bye., calls: hang_up}\n"
    "call:\n  - hears: Corner Coffee\n  - says: What is a latte?\n  - hears: four dollars\n  - says: Thank you.\n"
    "  - hears: Bye\n  - agent hangs up\nexpect:\n"
)


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        ("tools: [price: {drink: latte}, hang_up]", None),
        ("tools: [price, hang_up]", None),
        ("ended: by the agent", None),
        ("ended: completed", None),
        ("tools: [price: {drink: mocha}, hang_up]", 'price(drink="mocha")'),
        ("tools: [price: {milk: oat}, hang_up]", 'price(milk="oat")'),
        ("tools: [hang_up, price]", "hang_up, price"),
        ("tools: price", "price"),
        ("tools: none", "none"),
        ("ended: by the caller", "by the caller"),
    ],
)
def test_tools_and_the_end(expect: str, expected: str | None) -> None:
    failure = run(f"{TOOLS}  {expect}\n").failure
    assert (failure and failure.expected) == expected


def test_a_fault_fails_the_scenario_that_does_not_speak_of_it() -> None:
    broken = "bot: scenario_shop.py\ncall:\n  - hears: Corner Coffee\n  - presses: '*'\n  - waits: 1\n"
    failure = run(broken).failure
    assert failure is not None
    assert (failure.place.line, failure.expected) == (1, "none")
    assert failure.came.startswith("Keys.on_digit at ")
    assert "LookupError: no such key" in failure.came
    assert not story(broken + "expect: {faults: any}\n")
    assert not story(broken + "expect: {faults: Keys.on_digit}\n")
    assert story(broken + "expect: {faults: Keys.on_start}\n")


# --- what goes wrong on purpose ------------------------------------------------------------------------------


def test_providers_fail_as_told() -> None:
    outcome = run(SHOP + "model: {fails: {how: breaks, requests: 1}}\n" + ORDER.replace("coffee\n", "mocha\n"))
    assert outcome.story() == ""
    assert outcome.report is not None
    assert [fault.kind for fault in outcome.report.faults] == ["FaultyLLM.failed"]
    silent = SHOP + "model: {fails: goes silent}\n" + ORDER.replace("hears: coffee", "hears: Sorry")
    assert not story(silent)


def test_the_line_fails_as_told() -> None:
    lost = run(SHOP + "line: {faults: [closed: {at: 2}]}\ncall: [hears, waits: 3]\nexpect: {ended: disconnected}\n")
    assert lost.story() == ""
    assert lost.report is not None
    assert lost.report.duration == pytest.approx(2.0, abs=0.1)


def test_the_bots_own_provider_is_one_of_its_module() -> None:
    with pytest.raises(ScenarioError, match="expected one LLM in the bot's module"):
        run("bot: voiceloop.testing.dial:dial\nmodel: own\ncall: [hears]\n")


def test_the_bots_own_provider_is_warm_when_the_call_begins_and_closed_behind_it(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        BOT.read_text()
        + """
from voiceloop.testing import ScriptedLLM

class Slow(ScriptedLLM):
    steps = []

    async def warm(self):
        import asyncio
        self.steps.append("warm")
        if len(self.steps) == 1:
            await asyncio.sleep(100)

    async def aclose(self):
        self.steps.append("closed")

llm = Slow(["Mine."])
"""
    )
    (scenario,) = load_scenarios(
        tmp_path / "a.call.yaml",
        "bot: own.py\nmodel: {own: yes, fails: {how: late, seconds: 0.2}}\n"
        "call:\n  - hears: Corner\n    within: 1\n  - says: Hello\n  - hears: Mine\n",
    )
    bots = Bots()
    outcome = run_scenario(scenario, bots=bots)
    assert outcome.story() == ""
    assert outcome.report is not None
    assert outcome.report.turns[0].latency is not None
    assert outcome.report.turns[0].latency.llm == pytest.approx(0.2)
    steps = bots.get(scenario)[1].Slow.steps
    assert (steps[0], steps[-1]) == ("warm", "closed")


def test_in_real_time_a_call_takes_its_time() -> None:
    from voiceloop.wallclock import perf_counter

    began = perf_counter()
    outcome = run("bot: scenario_shop.py\nreal time: yes\ncall:\n  - hears: Corner Coffee\n")
    assert outcome.story() == ""
    assert perf_counter() - began > 1.5

"""The fixture ``chaos``: a user's own test, under faults drawn from seeds."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)

BOT = """
import pytest
from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import CarrierOptions, Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, script

LEXICON = Lexicon()

def bot(call: Call) -> Pipeline:
    ears = [call.transport, EnergyVAD(), ScriptedSTT(LEXICON), TurnTaking("Hi there!")]
    return Pipeline([*ears, LLMAggregator(ScriptedLLM(["Well."])), ScriptedTTS(LEXICON), AudioStreamer()])
"""


def run(pytester: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=BOT + test)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def test_a_test_runs_once_for_each_seed(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.chaos(calls=4, seed=20, only=("latency",))
async def test_talk(chaos):
    print("seed is", chaos.seed)
    async with chaos.dial(bot) as caller:
        await chaos.talks(caller)
    assert caller.ended is not None
""",
        "-s",
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([f"*seed is {seed}*" for seed in range(20, 24)])


def test_a_body_of_ones_own_with_a_model_of_ones_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.chaos(calls=6, only=("stall",))
async def test_order(chaos):
    line = CarrierOptions(delay_to_server=0.03)
    async with chaos.dial(bot, llm=script("One tea.", "Bye."), carrier=line) as caller:
        await caller.hears("Hi there")
        await caller.says("A tea please")
        await caller.hears("One tea")
    assert caller.carrier.options.delay_to_server == 0.03
    assert {item.group for item in chaos.plan.items} <= {"caller", "model", "stall"}
""",
    )
    result.assert_outcomes(passed=6)


def test_a_line_that_a_fault_has_ended_is_no_failure_of_the_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
from voiceloop.sim.line_faults import Closed
from voiceloop.testing.chaos import Plan
from voiceloop.testing.chaos.fault_items import LineBreaks
from voiceloop.testing.chaos.user import Chaos

@pytest.mark.parametrize("broken", [True, False])
async def test_gone(dial, broken):
    items = (LineBreaks(0, Closed(0.5)),) if broken else ()
    chaos = Chaos(Plan(1, items))
    async with chaos.dial(bot) as caller:
        if not broken:
            await caller.hangs_up()
        await caller.waits(1.0)
        await caller.says("Is anybody there?")
        raise AssertionError("not reached")
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*FAILED*test_gone?False?*CallEnded*"])


FAILS = """
@pytest.mark.chaos(calls=1, seed=SEED, only=("line", "latency"))
async def test_marks(chaos):
    async with chaos.dial(bot) as caller:
        await caller.hears()
    assert caller.carrier.options.delay_to_server == 0, "the line is slow"
"""


def test_one_that_fails_shows_the_shortest_call_and_the_command(pytester: pytest.Pytester) -> None:
    from voiceloop.testing.chaos import Plan

    def slow(seed: int) -> bool:
        return any(getattr(item, "to_server", 0) for item in Plan.drawn(seed).items)

    seed = next(seed for seed in range(50) if slow(seed))
    result = run(pytester, FAILS.replace("SEED", str(seed)))
    result.assert_outcomes(failed=1)
    shown = result.stdout.str()
    assert f"seed {seed}: it fails with 1 of the" in shown
    assert "voiceloop: call -" in shown  # one call, the shortest
    line = next(line for line in shown.splitlines() if line.startswith("run it again: pytest "))
    words = line.removeprefix("run it again: pytest ").split()
    again = pytester.runpytest_inprocess("-p", "no:cacheprovider", *(word.strip("'") for word in words))
    again.assert_outcomes(failed=1)
    none = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--voiceloop-keep", "none")
    none.assert_outcomes(passed=1)


def test_the_number_of_seeds_can_be_given_on_the_command_line(pytester: pytest.Pytester) -> None:
    result = run(pytester, "\nasync def test_it(chaos):\n    pass\n", "--voiceloop-calls", "3")
    result.assert_outcomes(passed=3)


def test_a_marker_that_is_misspelt_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, "\n@pytest.mark.chaos(call=3)\nasync def test_it(chaos):\n    pass\n")
    result.stdout.fnmatch_lines(["*takes calls=, seed= and only=*"])

"""A recorded call with an option set otherwise: what would have changed, and how far the recording tells."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flight.conftest import GREETING, LEXICON, shop
from tests.flight.test_replay import CASES, asks
from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Processor, TurnTaking
from voiceloop.cli.main import main
from voiceloop.flight import BadFlight, FlightOptions, read_flight
from voiceloop.frames import Digit
from voiceloop.replay.what_if import BadSetting, WhatIf, what_if
from voiceloop.replay.what_if.ground import Standing
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import Bunched, HalfOpen, Late, LineFault, Lost, Rubbish, Stall
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.rules import Rule, Situation

Record = Callable[..., Path]
BLOCK = 20.0
"""Milliseconds: how long the carrier's blocks are, and how exact a wait is."""
LONG = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars and comes hot or cold."


def _copied(case: Any) -> Any:
    """Scripted providers count their requests: each test has its own."""
    return copy.deepcopy(case, {id(LEXICON): LEXICON})


UNUSED = _copied(CASES)  # as they are before any test has run
STEADY = shop(endpointing=FixedSilence)
"""Its turns end with the same silence whatever was said."""
BRISK = shop(rules={Situation.SPEAKING: Rule("speech")})
"""Any speech interrupts it, at once and for good."""
PARTS = ("endpoint", "stt", "llm", "tts", "output", "carrier")


def order() -> ScriptedLLM:
    """Answers two turns."""
    return script("Sure, one large latte.", "You are welcome.", first=0.4, rate=30)


def pausing(pause: float) -> Callable[[Any], Any]:
    """A caller who pauses in the middle of a sentence, for so long on the line."""
    audio = LEXICON.speak("a large")[0] + b"\xff" * round(pause * 8000) + LEXICON.speak("latte please")[0]

    async def talk(caller: Any) -> None:
        await caller.hears("Corner Coffee")
        await caller.says(audio)
        await caller.hears()
        await caller.says("thank you")
        await caller.hears()
        await caller.hangs_up()

    return talk


async def talks_over(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.interrupts("a mocha please", after=1.3)
    await caller.hears()
    await caller.hangs_up()


async def hums(caller: Any) -> None:
    """Says a short word while the agent speaks."""
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.waits(2.0)
    await caller.says("ok")
    await caller.waits(5.0)
    await caller.hangs_up()


def waits(outcome: WhatIf) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Of every turn that is one on both sides: as it was, and as it would be."""
    pairs = [
        (row.recorded[0].wait, row.today[0].wait) for row in outcome.rows if len(row.recorded) == len(row.today) == 1
    ]
    return [(one, other) for one, other in pairs if one is not None and other is not None]


# --- nothing set otherwise: the recorded call comes out -------------------------------------------------------


def same(outcome: WhatIf) -> None:
    assert [row.what for row in outcome.rows] == ["same"] * len(outcome.rows), str(outcome)
    assert outcome.departures == [], str(outcome)
    assert outcome.faults == []
    assert outcome.whole
    for then, now in waits(outcome):
        assert all(abs(then[part] - now[part]) <= BLOCK for part in PARTS)


@pytest.mark.parametrize("case", [each for each in CASES if not each.startswith("fallback")])
def test_with_the_same_settings_the_recorded_call_comes_out(record: Record, case: str) -> None:
    talk, options = _copied(UNUSED[case])
    path = record(talk, **options)
    outcome = what_if(path, shop())
    report = read_flight(path).report
    same(outcome)
    assert report is not None
    assert outcome.reason == report["reason"]
    assert sum(len(row.recorded) for row in outcome.rows) == outcome.recorded.turns


LINES: dict[str, tuple[LineFault, ...]] = {
    "jitter": (),
    "a slow spell": (Late(at=3.0, length=1.0, by=0.2),),
    "a bunch": (Bunched(at=3.0, length=0.5),),
    "a stall of the process": (Stall(at=3.2, seconds=0.4),),
    "lost audio": (Lost(at=3.0, count=12),),
    "rubbish": (Rubbish(at=2.0, what="nested deeply"), Rubbish(at=2.1, what="not json")),
}


@pytest.mark.parametrize("fault", LINES)
def test_what_went_wrong_on_the_line_goes_wrong_again(record: Record, fault: str) -> None:
    line = CarrierOptions(seed=5, delay_to_server=0.05, delay_from_server=0.06, jitter=0.01, faults=LINES[fault])
    bot = shop(endpointing=FixedSilence)
    path = record(talks_over, bot=bot, llm=script(LONG, "Sure.", first=0.3, rate=40), carrier=line)
    outcome = what_if(path, bot)
    same(outcome)
    assert outcome.recorded.interruptions == outcome.today.interruptions == 1
    assert 0.11 <= outcome.round_trip <= 0.13
    assert outcome.measured


def test_a_line_that_went_dead_goes_dead_again(record: Record) -> None:
    async def talk(caller: Any) -> None:
        await caller.report()

    path = record(talk, carrier=CarrierOptions(faults=(HalfOpen(at=2.5),)))
    outcome = what_if(path, shop())
    report = read_flight(path).report
    assert report is not None
    assert outcome.reason == report["reason"] == "disconnected"
    assert outcome.departures == []


def test_two_what_ifs_of_one_recording_are_the_same(record: Record) -> None:
    path = record(pausing(0.25), llm=order())
    first, second = (what_if(path, shop(), {"turns.silence": 0.2}) for _ in range(2))
    assert first.as_dict() == second.as_dict()
    assert str(first) == str(second)


# --- turns ----------------------------------------------------------------------------------------------------


def test_more_silence_makes_every_endpoint_later_by_as_much_and_nothing_else(record: Record) -> None:
    outcome = what_if(
        record(asks, bot=STEADY, llm=script(LONG, "You are welcome.", first=0.3, rate=40)),
        STEADY,
        {"turns.silence": 0.8},
    )
    pairs = waits(outcome)
    assert len(pairs) == 2
    for then, now in pairs:
        assert now["endpoint"] - then["endpoint"] == pytest.approx(300.0, abs=0.2)
        assert now["total"] - then["total"] == pytest.approx(300.0, abs=BLOCK)
    assert [str(each) for each in outcome.settings] == ["turns.silence 0.5 → 0.8"]
    assert outcome.departures == []
    assert outcome.today.wait == pytest.approx((outcome.recorded.wait or 0) + 300, abs=BLOCK)


def test_less_silence_splits_a_sentence_with_a_pause_and_the_ground_is_left_there(record: Record) -> None:
    outcome = what_if(record(pausing(0.25), bot=STEADY, llm=order()), STEADY, {"turns.silence": 0.2})
    assert outcome.split == 1
    assert (outcome.recorded.cut_in, outcome.today.cut_in) == (0, 1)
    first = outcome.rows[0]
    assert (first.recorded[0].text, first.today[0].text) == ("a large latte please", "a large latte please")
    (left,) = outcome.departures
    assert left.standing is Standing.UNKNOWN
    assert left.withdrawn  # the caller went on before the model could be heard: the next request is the recorded one
    assert "> user: a large latte please" in left.recorded
    assert "> user: a large" in left.today.splitlines()
    assert outcome.whole
    assert [row.today[0].heard for row in outcome.rows] == ["Sure, one large latte.", "You are welcome."]
    assert "The caller went on before anything could be heard" in str(outcome)


def test_where_the_agent_would_have_spoken_into_the_pause_the_what_if_ends(record: Record) -> None:
    quick = {"llm": script("Sure.", "Bye.", first=0.0), "tts": ScriptedTTS(LEXICON, first=0.02)}
    outcome = what_if(record(pausing(0.3), bot=STEADY, **quick), STEADY, {"turns.silence": 0.2})
    (left,) = outcome.departures
    assert left.standing is Standing.UNKNOWN
    assert not left.withdrawn
    assert not outcome.whole
    assert outcome.known == pytest.approx(left.at + 0.02, abs=0.05)
    assert [row.what for row in outcome.rows] == ["changed", "not known"]
    assert outcome.rows[0].standing is Standing.UNKNOWN
    assert f"known up to {outcome.known:.1f} s of" in str(outcome)


def test_more_silence_makes_one_turn_of_two_and_the_recorded_answer_stands_in(record: Record) -> None:
    path = record(pausing(1.0), bot=STEADY, llm=script("What?", "Sure.", "You are welcome.", first=0.2, rate=30))
    outcome = what_if(path, STEADY, {"turns.silence": 1.2})
    assert outcome.rows[0].what == "merged"
    assert outcome.merged == 1
    assert outcome.rows[0].standing is Standing.STAND_IN
    assert outcome.rows[0].recorded[0].text == "a large"
    assert outcome.rows[0].today[0].text.startswith("a large latte please")
    assert outcome.departures[0].what.startswith("the model is asked something else at the end of the same words")
    assert "one turn where there were 2" in str(outcome)


@pytest.mark.parametrize("options", [{"interims": 0.2, "lag": 0.1}, {"final": 0.0}, {"interims": 0.2, "final": 0.3}])
def test_words_are_divided_and_put_together_as_utterances_are(record: Record, options: dict[str, Any]) -> None:
    recogniser = ScriptedSTT(LEXICON, delay=0.1, **options)
    short = what_if(record(pausing(0.25), bot=STEADY, llm=order(), stt=recogniser), STEADY, {"turns.silence": 0.2})
    assert (short.recorded.cut_in, short.today.cut_in) == (0, 1)
    long = what_if(record(pausing(0.6), bot=STEADY, llm=order(), stt=recogniser), STEADY, {"turns.silence": 1.0})
    assert (long.recorded.cut_in, long.today.cut_in) == (1, 0)
    for outcome in (short, long):
        assert [[each.text for each in row.today] for row in outcome.rows] == [["a large latte please"], ["thank you"]]


def test_a_comma_more_or_less_is_the_same_request(record: Record) -> None:
    class Commas(ScriptedSTT):
        """Writes a comma only where it has heard what follows."""

        def understood(self, audio: bytes, utterance: int) -> str:
            return super().understood(audio, utterance).replace("large latte", "large, latte")

    path = record(pausing(0.25), bot=STEADY, llm=order(), stt=Commas(LEXICON, delay=0.1))
    outcome = what_if(path, STEADY, {"turns.silence": 0.2})
    assert outcome.rows[0].recorded[0].text == "a large, latte please"
    assert outcome.rows[0].today[0].text == "a large latte please"
    left = outcome.departures[-1]
    assert left.what == "the request differs only in how the caller's words are written: the recorded answer is taken"
    assert [row.standing for row in outcome.rows] == [Standing.NEAR, Standing.NEAR]


# --- interruptions --------------------------------------------------------------------------------------------


def test_a_longer_barge_in_cuts_the_answer_later(record: Record) -> None:
    path = record(talks_over, llm=script(LONG, "Sure.", first=0.3, rate=40))
    then, now = (what_if(path, shop(), {"turns.barge_in": value}) for value in (0.12, 0.5))
    assert then.recorded.interruptions == then.today.interruptions == now.today.interruptions == 1
    heard = [each.rows[0].today[0].heard for each in (then, now)]
    assert heard[0] == then.rows[0].recorded[0].heard
    assert heard[1].startswith(heard[0])
    assert len(heard[1].split()) in (len(heard[0].split()) + 1, len(heard[0].split()) + 2)
    near = [each for each in now.departures if each.standing is Standing.NEAR]
    assert [each.what for each in near] == [
        "the request differs only in how much of what the agent said had been heard: the recorded answer is taken"
    ]
    assert now.rows[1].today[0].heard == "Sure."


def test_a_short_word_does_not_interrupt_with_a_longer_barge_in(record: Record) -> None:
    path = record(hums, bot=BRISK, llm=script(LONG, "Sure.", "Bye.", first=0.3, rate=40))
    outcome = what_if(path, BRISK, {"turns.barge_in": 0.5})
    assert (outcome.recorded.interruptions, outcome.today.interruptions) == (1, 0)
    assert outcome.rows[0].recorded[0].interrupted
    assert outcome.rows[0].today[0].heard.startswith(outcome.rows[0].recorded[0].heard)
    assert len(outcome.rows[0].today[0].heard) > len(outcome.rows[0].recorded[0].heard)


def test_rules_and_endpointing_of_the_bot_stay_when_an_option_is_set(record: Record) -> None:
    path = record(hums, bot=BRISK, llm=script(LONG, "Sure.", "Bye.", first=0.3, rate=40))
    assert what_if(path, BRISK, {"turns.reprompts": 3}).today.interruptions == 1
    path = record(asks, llm=script(LONG, "Bye.", first=0.3, rate=40))
    same(what_if(path, shop(), {"turns.reprompts": 3}))
    (_, (then, now)) = waits(what_if(path, shop(), {"turns.finished": 0.3}))  # of "thank you"
    assert (then["endpoint"], now["endpoint"]) == (350.0, 300.0)


def test_a_word_that_takes_no_turn_takes_none_again(record: Record) -> None:
    path = record(hums, llm=script(LONG, "Sure.", "Bye.", first=0.3, rate=40))
    outcome = what_if(path, shop(), {"turns.barge_in": 0.15})
    assert [row.what for row in outcome.rows] == ["same"]
    assert (outcome.recorded.interruptions, outcome.today.interruptions) == (0, 0)
    assert outcome.rows[0].today[0].heard == LONG


def test_an_interruption_that_only_the_clock_makes_is_told_apart(record: Record) -> None:
    async def hurries(caller: Any) -> None:
        await caller.hears("Corner Coffee")
        await caller.says("what do you have")
        await caller.hears()
        await caller.says("a mocha please")
        await caller.hears()
        await caller.hangs_up()

    path = record(hurries, bot=STEADY, llm=script(LONG, "Bye.", first=0.3, rate=40))
    outcome = what_if(path, STEADY, {"turns.silence": 2.2})
    assert (outcome.recorded.interruptions, outcome.today.interruptions) == (0, 1)
    assert outcome.by_clock == 1
    assert "only because the recorded caller speaks when they did: 1" in str(outcome)


def test_keys_are_pressed_when_they_were(record: Record) -> None:
    pressed: list[tuple[str, float]] = []

    class Keys(Processor):
        def on_digit(self, digit: Digit) -> None:
            pressed.append((digit.digit, digit.at))

    def bot(call: Call) -> Pipeline:
        return Pipeline([*shop()(call), Keys()])

    async def presses(caller: Any) -> None:
        await caller.hears("Corner Coffee")
        await caller.presses("4#")
        await caller.waits(0.5)
        await caller.hangs_up()

    path = record(presses, bot=bot, carrier=CarrierOptions(delay_to_server=0.05, delay_from_server=0.05))
    then, pressed[:] = list(pressed), []
    what_if(path, bot, {"turns.silence": 0.8})
    assert [digit for digit, _ in pressed] == ["4", "#"]
    assert [at for _, at in pressed] == pytest.approx([at for _, at in then], abs=0.001)


# --- other stages ---------------------------------------------------------------------------------------------


def test_a_pause_that_is_noticed_later_is_answered_as_much_later(record: Record) -> None:
    path = record(asks, bot=STEADY, llm=script(LONG, "Bye.", first=0.3))
    outcome = what_if(path, STEADY, {"vad.min_silence": 0.5})
    for then, now in waits(outcome):
        assert then["stt"] == 0.0
        assert then["endpoint"] == pytest.approx(500, abs=1)
        assert now["stt"] == pytest.approx(100, abs=BLOCK)
        assert now["total"] - then["total"] == pytest.approx(100, abs=BLOCK)


def test_the_lead_changes_nothing_that_is_heard(record: Record) -> None:
    path = record(talks_over, llm=script(LONG, "Sure.", first=0.3, rate=40))
    outcome = what_if(path, shop(), {"output.lead": 2.0, "output.chunk": 0.2})
    assert [row.what for row in outcome.rows] == ["same", "same"]
    assert [str(each) for each in outcome.settings] == ["output.lead 1 → 2", "output.chunk 0.1 → 0.2"]


def test_a_model_that_is_waited_for_less_long_is_given_up(record: Record) -> None:
    outcome = what_if(record(asks, llm=script(LONG, "Bye.", first=2.0)), shop(), {"llm.first_text": 1.0})
    assert "ScriptedLLM.failed" in outcome.faults
    assert outcome.rows[0].today[0].heard == ""
    assert outcome.departures[0].what.startswith("the model is asked the same again, and was not then")


def test_no_tool_is_run_and_its_result_comes_after_as_long(record: Record) -> None:
    done: list[str] = []

    def bot(call: Call) -> Pipeline:
        async def book(drink: str) -> str:
            """Book."""
            import asyncio

            await asyncio.sleep(0.7)
            done.append(drink)
            return "booked"

        model = LLMAggregator(ScriptedLLM(["x"]), tools=[book, call.hang_up])
        turns = TurnTaking(GREETING, endpointing=FixedSilence())
        hearing = [call.transport, EnergyVAD(), ScriptedSTT(LEXICON), turns]
        return Pipeline([*hearing, model, ScriptedTTS(LEXICON), AudioStreamer()])

    async def orders(caller: Any) -> None:
        await caller.hears("Corner Coffee")
        await caller.says("a latte please")
        await caller.report()

    said = script(calls("book", drink="latte"), ("It is booked.", calls("hang_up")), rate=30)
    path = record(orders, bot=bot, llm=said)
    assert done == ["latte"]
    outcome = what_if(path, bot, {"turns.silence": 0.8})
    assert done == ["latte"]
    ((then, now),) = waits(outcome)
    assert now["total"] - then["total"] == pytest.approx(300, abs=BLOCK)
    assert outcome.reason == "completed"
    assert outcome.departures == []


# --- other bots, and recordings that cannot be used -----------------------------------------------------------


def test_other_instructions_leave_the_ground_at_the_first_request(record: Record) -> None:
    outcome = what_if(
        record(asks, llm=script(LONG, "Bye.")), shop(instructions="You sell tea."), {"turns.silence": 0.6}
    )
    assert [row.standing for row in outcome.rows] == [Standing.STAND_IN, Standing.STAND_IN]
    assert "> system: You sell coffee." in outcome.departures[0].recorded
    assert "> system: You sell tea." in outcome.departures[0].today
    assert outcome.rows[0].today[0].heard == LONG


def test_words_that_were_never_spoken_are_stood_in_for(record: Record) -> None:
    outcome = what_if(record(asks, llm=script(LONG, "Bye.")), shop("Hello, what would you like to drink today?"))
    assert outcome.departures[0].what == (
        "'Hello, what would you like to drink today?' was never said: silence of about its length stands in"
    )


def test_an_unknown_option_names_the_nearest_and_lists_all(record: Record) -> None:
    path = record(asks)
    with pytest.raises(
        BadSetting, match=r"no option 'turns.silense' in this pipeline. Did you mean turns.silence\?"
    ) as no:
        what_if(path, shop(silence=0.7), {"turns.silense": 0.4})
    assert "\n  turns.silence = 0.7\n" in str(no.value)
    assert "\n  output.lead = 1\n" in str(no.value)
    assert "\n  limits.hang_up = 60\n" in str(no.value)
    with pytest.raises(BadSetting, match=r"Did you mean turns.barge_in\?"):
        what_if(path, shop(), {"barge_in": 0.4})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("turns.silence", "soon", "turns.silence takes a number, as 0.5 is; got 'soon'"),
        ("turns.silence", "inf", "turns.silence takes a number"),
        ("turns.reprompts", "1.5", "turns.reprompts takes a whole number, as 2 is; got '1.5'"),
        ("turns.silence", "-1", "turns cannot be set so: all waits must be positive"),
        ("vad.release", "0.9", "vad cannot be set so: expected 0 <= release <= threshold <= 1, got 0.9 and 0.5"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_refused(record: Record, name: str, value: str, said: str) -> None:
    with pytest.raises(BadSetting) as no:
        what_if(record(asks), shop(), {name: value})
    assert str(no.value).startswith(said)


def test_a_recording_with_something_left_out_is_refused(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "call.vlog"
    record(asks, record=FlightOptions(path, redact=["text"]))
    with pytest.raises(BadFlight, match="was recorded without text"):
        what_if(path, shop(), {"turns.silence": 0.4})


def test_a_bot_that_cannot_be_made_says_why(record: Record) -> None:
    def broken(call: Call) -> Pipeline:
        raise KeyError("SHOP")

    with pytest.raises(Exception, match="the bot could not be made: KeyError: 'SHOP'"):
        what_if(record(asks), broken)


def test_a_recording_that_breaks_off_is_asked_up_to_there(record: Record, tmp_path: Path) -> None:
    data = record(asks, llm=script(LONG, "Bye.", first=0.3, rate=40)).read_bytes()
    path = tmp_path / "torn.vlog"
    path.write_bytes(data[: len(data) * 2 // 3])
    outcome = what_if(path, shop(), {"turns.silence": 0.6})
    assert outcome.rows[0].what == "changed"
    assert outcome.length == pytest.approx(read_flight(path).entries[-1].at, abs=0.01)


# --- the command ----------------------------------------------------------------------------------------------


def test_the_command_shows_both_sides(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    path = record(asks, bot="examples/coffee_bot.py", llm=script(LONG, "Bye.", first=0.3))
    assert main(["replay", str(path), "--set", "turns.finished=0.3"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("what if: turns.finished 0.35 → 0.3\n")
    assert "(endpoint 350 → 300)" in shown
    assert "all of it is on recorded ground" in shown
    assert main(["replay", str(path), "--set", "turns.finished=0.3", "--set", "turns.barge_in=0.2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"]["turns.barge_in"] == {"recorded": 0.12, "today": 0.2}
    assert told["totals"]["today"]["median_wait_ms"] == pytest.approx(
        told["totals"]["recorded"]["median_wait_ms"] - 50, abs=BLOCK
    )


def test_the_command_says_what_is_wrong_with_a_setting(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    path = record(asks, bot="examples/coffee_bot.py")
    assert main(["replay", str(path), "--set", "silence"]) == 1
    assert "--set takes NAME=VALUE such as turns.silence=0.4, got 'silence'" in capsys.readouterr().err
    assert main(["replay", str(path), "--set", "silence=0.4"]) == 1
    assert "Did you mean turns.silence?" in capsys.readouterr().err

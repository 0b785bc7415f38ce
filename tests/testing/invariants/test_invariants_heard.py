"""The invariants of what is heard: memory, the agent's voice on the line. Each finds what is against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, TurnTaking
from voiceloop.output.events import PlayoutOptions
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import MarksNever, Stall
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.invariants import check
from voiceloop.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.text import SpokenText
from voiceloop.turns.events import Hold, Interrupt, Release

GREETING = "Corner Coffee, hi!"
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars, and tea is two."
Held = Callable[..., Evidence]
Doctored = Callable[..., Evidence]


def names(evidence: Evidence, bounds: Bounds | None = None) -> list[str]:
    return [violation.invariant for violation in check(evidence, bounds)]


def remember(evidence: Evidence, heard: str) -> None:
    """Have the second answer remembered otherwise, in all records alike."""
    assert evidence.report is not None
    answer = evidence.witness.answers[2]
    (message,) = [each for each in evidence.report.conversation if each.text == answer.heard]
    turn = evidence.report.turns[0]
    answer.heard = message.text = turn.heard = heard
    turn.unheard = message.unheard = answer.text[len(heard) :].strip()


# --- memory ---------------------------------------------------------------------------------------------------


def test_what_was_heard_is_read_from_the_line_by_answer_and_place(held: Held) -> None:
    evidence = held()
    assert [word.text for word in evidence.voices[2].words if word.heard_at] == ["We", "have", "coffee,", "latte,"]
    sent = [word.text for word in evidence.voices[2].words if not word.heard_at]
    assert sent == ["cappuccino,", "mocha,", "and", "tea."]
    assert evidence.witness.answers[2].heard == "We have coffee, latte,"


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ("We have coffee, latte, cappuccino,", "1 more than was heard, at most 0"),
        (MENU, "13 more than was heard, at most 0"),
        ("We have coffee,", None),  # a word may end while the clear is on its way
        ("We have", "2 more than is remembered, at most 1"),
        ("have coffee, latte,", "which is not how"),
    ],
)
def test_memory_that_is_ahead_or_behind_is_found(held: Held, doctored: Doctored, heard: str, found: str | None) -> None:
    evidence = held()
    remember(evidence, heard)
    violations = [each for each in check(doctored(evidence)) if each.invariant == "memory is what was heard"]
    assert [found in each.message for each in violations if found] == ([True] if found else [])
    assert bool(violations) is bool(found)


def test_the_bounds_of_memory_can_be_set(held: Held, doctored: Doctored) -> None:
    evidence = held()
    remember(evidence, "We have coffee, latte, cappuccino,")
    assert names(doctored(evidence), Bounds(ahead=1)) == []
    remember(evidence, "We have coffee,")
    assert names(doctored(evidence), Bounds(behind=0)) == ["memory is what was heard"]


def test_of_an_answer_that_was_played_to_its_end_not_a_word_may_be_missing(held: Held, doctored: Doctored) -> None:
    evidence = held(replies=[MENU, "Sure, a mocha."])
    assert evidence.report is not None
    evidence.report.turns[1].heard = evidence.report.conversation[-1].text = "Sure, a"
    evidence.report.turns[1].unheard = "mocha."
    evidence.witness.answers[3].heard = "Sure, a"
    assert names(doctored(evidence)) == ["memory is what was heard"]


def test_words_that_are_said_again_and_again_are_told_apart_by_their_place(held: Held, doctored: Doctored) -> None:
    evidence = held(replies=["tea tea tea tea tea tea tea tea tea tea tea tea", "Sure."])
    assert check(evidence) == []
    heard = evidence.witness.answers[2].heard.split()
    assert 3 < len(heard) < 12
    remember(evidence, " ".join(heard[:-2]))
    assert names(doctored(evidence)) == ["memory is what was heard"]
    remember(evidence, " ".join([*heard, "tea"]))
    assert names(doctored(evidence)) == ["memory is what was heard"]


def test_a_word_that_was_lost_on_its_way_to_the_voice_is_not_heard(held: Held) -> None:
    class Swallowing(ScriptedTTS):
        """Loses the third piece of voice, and its words are all there."""

        async def generate(self, text: Any) -> Any:
            count = 0
            async for speech in super().generate(text):
                count += 1
                if count != 3:
                    yield speech

    lexicon = Lexicon()
    assert "memory is what was heard" in names(held(lexicon=lexicon, tts=Swallowing(lexicon)))


def test_numbers_that_are_read_out_are_remembered_as_they_are_written(held: Held) -> None:
    lexicon = Lexicon()

    def stages(call: Call) -> Sequence[Any]:
        model = LLMAggregator(ScriptedLLM(["That is $4.50 & 2 teas at 5 pm, all in all 27 things."]))
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(GREETING)),
            *(model, SpokenText(), ScriptedTTS(lexicon), AudioStreamer()),
        ]

    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        for after in (0.4, 1.1, 1.8, 2.5):
            await caller.says("what do you have")
            await caller.interrupts("wait please", after=after)
        await caller.hears()

    evidence = held(talk, stages=stages, lexicon=lexicon)
    assert check(evidence) == []
    assert evidence.skipped == []
    cut = [answer for answer in evidence.witness.answers.values() if answer.outcome == "interrupted" and answer.heard]
    assert any("$4.50" in answer.heard for answer in cut)
    assert all(answer.script for answer in cut)


def test_memory_by_the_clock_is_excused_when_no_mark_comes_back(held: Held, doctored: Doctored) -> None:
    evidence = held(line=CarrierOptions(faults=(MarksNever(),)))
    remember(evidence, MENU)
    assert [fault.fault for fault in evidence.faults][:1] == [MarksNever()]
    assert names(doctored(evidence)) == []
    assert "memory is what was heard" in names(doctored(evidence, faults=()))


def test_a_conversation_that_says_otherwise_than_the_streamer_is_found(held: Held, doctored: Doctored) -> None:
    evidence = held()
    assert evidence.report is not None
    conversation, turn = evidence.report.conversation, evidence.report.turns[0]
    text = conversation[2].text
    for changed, message in (
        ("We have coffee,", "heard, and not in the conversation: latte"),
        (f"{text} mocha", "in the conversation of the agent, and not heard: mocha"),
        (
            "have We coffee, latte,",
            "expected 'we have coffee latte' in this order, the conversation has them in another",
        ),
    ):
        conversation[2].text = changed
        assert [each.message for each in check(doctored(evidence))] == [message]
    conversation[2].text = text
    turn.heard = "We have"
    assert [each.message for each in check(doctored(evidence))] == [
        "turn 1 says 'We have' was heard, the streamer said 'We have coffee, latte,'",
        "turn 1 has 'we have cappuccino mocha and tea every drink is four dollars and tea is two', written was "
        "'we have coffee latte cappuccino mocha and tea every drink is four dollars and tea is two'",
    ]


def test_turns_are_numbered_and_have_an_answer_each(held: Held, doctored: Doctored) -> None:
    evidence = held()
    assert evidence.report is not None
    evidence.report.turns[1].answer = 2
    assert "answer 2 stands in more than one turn" in [each.message for each in check(doctored(evidence))]
    evidence.report.turns[1].answer = 3
    evidence.report.turns[1].number = 3
    assert [each.message for each in check(doctored(evidence))] == ["expected turn 2, its number is 3"]


def test_what_is_heard_while_the_process_stands_still_at_the_end_cannot_be_known(
    held: Held, doctored: Doctored
) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.waits(3.6)
        call.say(MENU)
        asyncio.get_running_loop().call_at(4.1, call.end)
        await caller.waits(2.0)

    evidence = held(talk, line=CarrierOptions(faults=(Stall(3.65, 0.6),)))
    assert [word.text for word in evidence.voices[2].words if word.heard_at] == ["We", "have"]
    assert evidence.witness.answers[2].heard == ""
    assert check(evidence) == []
    assert names(doctored(evidence, faults=())) == ["memory is what was heard"]


def test_a_voice_that_never_says_when_a_word_is_spoken_is_left_alone_when_it_is_cut(
    held: Held, doctored: Doctored
) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.says("two coffees")  # over the greeting
        await caller.interrupts("two coffees please", after=0.6)

    lexicon = Lexicon(letter=0.03)  # faster than the estimate
    voice = ScriptedTTS(lexicon, words=False, speed=1.5)
    evidence = held(talk, lexicon=lexicon, tts=voice, replies=["Wonderful mornings everybody, what may it be?"])
    assert [word.text for word in evidence.voices[2].words if word.heard_at] == ["Wonderful", "mornings"]
    assert [answer.heard for answer in evidence.witness.answers.values()][:2] == ["", "Wonderful mornings"]
    assert check(evidence) == []
    remember(evidence, "")
    evidence = doctored(evidence)
    assert check(evidence) == []
    assert any("does not say when a word is spoken" in skipped for skipped in evidence.skipped)


# --- barge-in -------------------------------------------------------------------------------------------------


class Unmoved(TurnTaking):
    """Pauses and interrupts so late."""

    late = 0.25

    def _hold(self, action: Hold | Release) -> None:
        self.call.timer(self.call.now + self.late, lambda: super(Unmoved, self)._hold(action))

    def _interrupt(self, action: Interrupt) -> None:
        self.call.timer(self.call.now + self.late, lambda: super(Unmoved, self)._interrupt(action))


@pytest.mark.parametrize("round_trip", [0.0, 0.24])
def test_an_agent_that_goes_on_over_the_caller_is_found(held: Held, round_trip: float) -> None:
    lexicon = Lexicon()

    def stages(call: Call) -> Sequence[Any]:
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon), Unmoved(GREETING)),
            *(LLMAggregator(ScriptedLLM([MENU])), ScriptedTTS(lexicon), AudioStreamer()),
        ]

    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("what do you have")
        await caller.interrupts("one mocha and one tea please", after=1.0)

    line = CarrierOptions(delay_to_server=round_trip / 2, delay_from_server=round_trip / 2)
    found = check(held(talk, stages=stages, lexicon=lexicon, line=line))
    assert [each.invariant for each in found] == ["the agent stops for the caller"]
    assert f"expected silence from {0.3 + round_trip:.3f} s on" in found[0].message


def test_an_answer_that_may_not_be_interrupted_goes_on(held: Held, doctored: Doctored) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        call.say(MENU, interruptible=False)
        await caller.waits(1.0)
        await caller.says("one mocha and one tea please")
        await caller.waits(8.0)

    evidence = held(talk)
    assert check(evidence) == []
    evidence.witness.answers[2].interruptible = True
    assert names(doctored(evidence)) == ["the agent stops for the caller"]


def test_an_answer_that_begins_behind_one_that_goes_on_has_its_own_time_to_stop(held: Held) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        call.say("This call is recorded.", interruptible=False)
        call.say(MENU)
        await caller.waits(1.0)
        await caller.says("one mocha and one tea please and a cake")
        await caller.waits(8.0)

    evidence = held(talk)
    assert evidence.voices[3].pieces != []  # its first sound, while the caller speaks
    assert check(evidence) == []


def test_a_word_too_short_to_interrupt_breaks_nothing(held: Held) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("what do you have")
        await caller.waits(1.5)
        await caller.says("a")
        await caller.waits(8.0)

    assert check(held(talk)) == []


# --- holes and lead -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.5, 1.0])
def test_a_hole_in_an_answer_that_was_all_written_is_found(held: Held, doctored: Doctored, seconds: float) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("what do you have")
        await caller.hears()

    evidence = held(talk, line=CarrierOptions(faults=(Stall(5.0, seconds),)))
    assert names(evidence) == []
    beyond = seconds > 0.6
    assert evidence.report is not None
    evidence.report.faults.clear()  # the call knows of it
    assert names(doctored(evidence, faults=())) == (["no hole in an answer"] if beyond else [])


def test_a_model_slower_than_speech_makes_holes_of_its_own(held: Held) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("what do you have")
        await caller.hears(silence=3.0)

    evidence = held(talk, llm=ScriptedLLM([MENU], rate=1.5))
    assert evidence.carrier is not None
    assert evidence.carrier.truth.holes() != []
    assert check(evidence) == []


def test_a_hole_that_the_call_knew_a_failure_for_is_explained(held: Held, doctored: Doctored) -> None:
    evidence = held()
    assert evidence.carrier is not None
    before, piece = evidence.voices[3].pieces[:2]
    evidence.witness.sent[before.sent] = evidence.witness.sent[before.sent]._replace(all_made=True)
    evidence.carrier.playback.underruns.append((round((piece.at - evidence.carrier.truth.started) * 8000), 800))
    (found,) = check(doctored(evidence))
    assert found.message.startswith("answer 3 fell silent for 0.100 s; expected at most 0.020 s")
    evidence.witness.faults.append((piece.at + 0.5, "voice.failed"))
    assert check(doctored(evidence)) == []


def test_more_voice_at_the_carrier_than_the_lead_is_found(held: Held) -> None:
    lexicon = Lexicon()

    def stages(call: Call) -> Sequence[Any]:
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(GREETING)),
            *(LLMAggregator(ScriptedLLM([MENU])), ScriptedTTS(lexicon), AudioStreamer(PlayoutOptions(lead=1.5))),
        ]

    evidence = held(stages=stages, lexicon=lexicon)
    assert names(evidence) == ["no more is sent ahead than stated"]
    assert names(evidence, Bounds(lead=1.5)) == []


async def test_the_words_of_a_voice_that_takes_anothers_place_are_found() -> None:
    """A cut word runs into the whole one behind it: that one was spoken."""
    from voiceloop.testing.evidence import _words_in

    lexicon = Lexicon()
    audio = lexicon.speak("we have")[0] + lexicon.sound("coffee")[:900] + lexicon.speak("coffee and")[0]
    await asyncio.sleep(0)
    assert [(word.text, word.start) for word in _words_in(lexicon, audio)][2:] == [
        ("coffee", len(lexicon.speak("we have")[0]) + 900),
        ("and", len(lexicon.speak("we have coffee")[0]) + 900),
    ]

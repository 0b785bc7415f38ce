"""The invariants of who has the floor hold of good calls, and find each library that was broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, TurnTaking
from voiceloop.output.voice import Voice
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.invariants import check
from voiceloop.testing.invariants_floor import vain_pauses
from voiceloop.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.testing.witness import RecognisedSegment
from voiceloop.turns.events import Discard, Hold, Release, Speculate

GREETING = "Corner Coffee, hi!"
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars, and tea is two."
Held = Callable[..., Evidence]
Doctored = Callable[..., Evidence]
COUGH = bytes([0x05, 0x92, 0x85, 0x12, 0xFF]) * 480  # 0.3 s that is no word


def names(evidence: Evidence, bounds: Bounds | None = None) -> list[str]:
    return [violation.invariant for violation in check(evidence, bounds)]


async def listens(caller: Caller, call: Call) -> None:
    """Asks, and says "mhm" and coughs while the answer comes."""
    await caller.hears()
    await caller.says("what do you have")
    await caller.interrupts("mhm", after=1.15)
    await caller.hears()
    await caller.waits(0.2)
    await caller.hears()


async def coughs(caller: Caller, call: Call) -> None:
    """Asks, and coughs again and again while the answer comes."""
    await caller.hears()
    await caller.says("what do you have")
    await caller.waits(2.0)
    for _ in range(4):
        await caller.says(COUGH)
        await caller.waits(1.4)
    await caller.waits(6.0)


def staged(
    lexicon: Lexicon, turns: Callable[[], TurnTaking], model: ScriptedLLM | None = None, **hearing: Any
) -> Callable[[Call], Sequence[Any]]:
    """A bot with turn-taking of another kind."""

    def stages(call: Call) -> Sequence[Any]:
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon, **hearing), turns()),
            *(LLMAggregator(model or ScriptedLLM([MENU])), ScriptedTTS(lexicon), AudioStreamer()),
        ]

    return stages


# --- who is held ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("talk", [listens, coughs])
@pytest.mark.parametrize("line", [CarrierOptions(), CarrierOptions(delay_to_server=0.1, delay_from_server=0.08)])
def test_an_agent_that_holds_its_breath_and_goes_on_breaks_nothing(held: Held, talk: Any, line: CarrierOptions) -> None:
    evidence = held(talk, line=line)
    assert check(evidence) == []
    witness = evidence.witness
    assert [pausing.paused for pausing in witness.pauses][:2] == [True, False]
    assert all(pausing.turns for pausing in witness.pauses)
    assert witness.answers[2].outcome == "complete"


def test_an_agent_that_holds_its_breath_for_ever_is_found(held: Held) -> None:
    class Mute(TurnTaking):
        """Never lets an answer go on."""

        def _hold(self, action: Hold | Release) -> None:
            if isinstance(action, Hold):
                super()._hold(action)

    lexicon = Lexicon()
    found = check(held(coughs, stages=staged(lexicon, lambda: Mute(GREETING)), lexicon=lexicon))
    broken = [each for each in found if each.invariant == "who is held is let go"]
    assert "answer 2 was paused at " in broken[0].message
    assert broken[0].message.endswith("at most 1.800 s")


def test_a_pause_that_the_bot_itself_makes_may_last(held: Held) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        answer = call.say(MENU)
        await caller.waits(1.0)
        call.pause(answer)
        await caller.waits(4.0)
        call.resume(answer)
        await caller.waits(8.0)

    evidence = held(talk)
    assert [(pausing.paused, pausing.turns) for pausing in evidence.witness.pauses] == [(True, False), (False, False)]
    assert check(evidence) == []


def test_noises_that_were_made_in_vain_stretch_the_time_to_stop(held: Held, doctored: Doctored) -> None:
    evidence = held(coughs)
    witness = evidence.witness
    assert vain_pauses(witness, 100.0) == 2  # those behind them were too short to pause it again
    assert vain_pauses(witness, witness.pauses[0].at) == 0
    assert check(evidence, Bounds(barge_in=0.13)) == []
    witness.pauses.clear()
    assert set(names(doctored(evidence), Bounds(barge_in=0.13))) == {"the agent stops for the caller"}


# --- going on ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_unheard", "found"),
    [
        (lambda voice: voice.played + 1200, "went on within the word"),
        (lambda voice: voice._base, "again; at most 1 of what was heard to its end"),
        (lambda voice: min(voice.total, voice.played + 8000), "is complete, and not heard of it was: cappuccino"),
    ],
)
def test_an_answer_that_does_not_go_on_with_the_word_that_was_cut_is_found(
    held: Held, monkeypatch: pytest.MonkeyPatch, first_unheard: Callable[[Voice], int], found: str
) -> None:
    rewind = Voice.rewind

    def wrong(voice: Voice) -> None:
        rewind(voice)
        voice.sent = voice.marked = first_unheard(voice)

    monkeypatch.setattr(Voice, "rewind", wrong)
    monkeypatch.setattr(Voice, "reach", _keeping_all)
    violations = [each for each in check(held(listens)) if each.invariant == "who was held goes on"]
    assert any(found in violation.message for violation in violations)


def _keeping_all(voice: Voice, position: int, *, sure: bool = True) -> None:
    """As `Voice.reach`, and lets go of nothing."""
    voice.sure = max(voice.sure, position) if sure else voice.sure
    voice.played = max(voice.played, position)


def test_an_answer_that_was_paused_and_lost_its_end_is_found(held: Held, doctored: Doctored) -> None:
    evidence = held(listens)
    voice = evidence.voices[2]
    voice.words[-1] = voice.words[-1]._replace(heard_at=None)
    (found,) = [each for each in check(evidence) if each.invariant == "who was held goes on"]
    assert found.message == "answer 2, which was paused, is complete, and not heard of it was: two"


def test_of_a_voice_without_times_it_is_said_that_how_it_goes_on_is_not_known(held: Held) -> None:
    lexicon = Lexicon()
    evidence = held(listens, lexicon=lexicon, tts=ScriptedTTS(lexicon, words=False))
    assert check(evidence) == []
    assert any("how answer 2 went on" in each for each in evidence.skipped)


# --- guesses ----------------------------------------------------------------------------------------------------


async def goes_on(caller: Caller, call: Call) -> None:
    """Seems to be done, and is not."""
    await caller.hears()
    await caller.says("I would like a latte please.")
    await caller.says("and a tea please.")
    await caller.waits(4.0)


def guessing(lexicon: Lexicon, turns: Callable[[], TurnTaking]) -> Callable[[Call], Sequence[Any]]:
    model = ScriptedLLM(["Fine.", "Two drinks."], speculative=True)
    return staged(lexicon, turns, model, interims=0.1)


def test_guesses_that_come_true_and_that_do_not_break_nothing(held: Held) -> None:
    lexicon = Lexicon()
    evidence = held(goes_on, stages=guessing(lexicon, lambda: TurnTaking(GREETING)), lexicon=lexicon)
    witness = evidence.witness
    wrong = [answer.id for answer in witness.answers.values() if answer.guess is not None and answer.turn is None]
    right = [answer.id for answer in witness.answers.values() if answer.guess is not None and answer.turn is not None]
    assert (len(wrong), len(right)) == (1, 1)
    assert witness.guesses[-1].turn is witness.turns[-1]
    assert check(evidence) == []


def test_an_answer_to_a_wrong_guess_that_is_given_is_found(held: Held) -> None:
    class Hasty(TurnTaking):
        """Gives answers before it is certain that they are wanted."""

        def _speculate(self, action: Speculate | Discard) -> None:
            if isinstance(action, Discard):
                for answer in self.call.live_answers():
                    self.call.commit(answer)
                self._guess = None
            else:
                super()._speculate(action)

    lexicon = Lexicon()
    evidence = held(goes_on, stages=guessing(lexicon, lambda: Hasty(GREETING)), lexicon=lexicon)
    assert "a guess is kept or thrown away" in names(evidence)


def test_an_answer_to_a_wrong_guess_that_lives_on_or_is_remembered_is_found(held: Held, doctored: Doctored) -> None:
    lexicon = Lexicon()
    evidence = held(goes_on, stages=guessing(lexicon, lambda: TurnTaking(GREETING)), lexicon=lexicon)
    answer, (turn,) = evidence.witness.answers[2], evidence.witness.turns
    which = "answer 2, to the guess 'I would like a latte please.' that did not come true, "
    ended, answer.ended = answer.ended, [(turn.decided + 0.1, "discarded")]
    assert [each.message for each in check(doctored(evidence))] == [f"{which}was still alive when the turn was over"]
    answer.ended, answer.heard = ended, "Fine."
    assert f"{which}is remembered: 'Fine.'" in [each.message for each in check(doctored(evidence))]


# --- the agent's own words --------------------------------------------------------------------------------------


def test_the_agents_own_words_that_come_back_are_nobodys(held: Held, doctored: Doctored) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.waits(6.0)

    evidence = held(talk)
    answer, last = evidence.witness.answers[1], evidence.voices[1].pieces[-1]
    for later, found in ((0.5, []), (5.0, ["every word recognised is recorded"])):
        at = last.at + later
        evidence.witness.transcripts[9, 0] = RecognisedSegment(answer.text, at, True, [(at, answer.text)])
        assert names(doctored(evidence)) == found


def test_words_of_the_callers_that_the_agent_said_before_must_be_kept(held: Held, doctored: Doctored) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("coffee corner")
        await caller.hears()

    evidence = held(talk)
    assert names(evidence) == []
    assert evidence.report is not None
    evidence.report.conversation[1].text = evidence.report.turns[0].caller = "corner"
    assert names(doctored(evidence)) == ["every word recognised is recorded"]

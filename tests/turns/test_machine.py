"""Turn-taking: when a turn is over, when an answer is cut, what becomes of silence."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.turns.run import Run
from voiceloop.turns.endpointing import Endpointing, Wait
from voiceloop.turns.events import (
    Correct,
    EndTurn,
    HangUp,
    Hold,
    Interrupt,
    ModelSilent,
    NoTranscript,
    Nudge,
    Release,
    Reprompt,
    TurnOptions,
)
from voiceloop.turns.machine import Agent, Caller
from voiceloop.turns.rules import RULES, Rule, Situation


class LastWord(Endpointing):
    """Waits long after "and"."""

    def wait(self, turn, options):
        more = turn.text.rstrip(".,").lower().endswith(" and")
        return Wait(max(options.silence, options.unfinished) if more else options.silence)


def test_a_turn_ends_half_a_second_after_its_last_sample_not_after_the_news_of_it():
    run = Run().turn("hello", 1.0, 2.0).to(5.0)
    assert run.log == [(2.5, EndTurn("hello", 1.0, 2.0))]
    assert run.machine.agent is Agent.THINKING
    assert run.machine.caller is Caller.SILENT


def test_a_turn_waits_for_the_recogniser_to_settle():
    run = Run().turn("hello", 1.0, 2.0, settled=2.9).to(5.0)
    assert run.log == [(2.9, EndTurn("hello", 1.0, 2.0))]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("a tea", 2.5),
        ("a tea and", 3.2),
        ("a tea, And...", 3.2),
        ("a tea and?", 2.5),
        ("a band", 2.5),
        ("and a tea", 2.5),
    ],
)
def test_a_turn_that_stops_after_a_word_like_and_is_given_more_time(text, ends):
    run = Run(unfinished=1.2, endpointing=LastWord())
    run.turn(text, 1.0, 2.0).to(5.0)
    assert run.log == [(ends, EndTurn(text, 1.0, 2.0))]
    assert run.log[0][1].silence == pytest.approx(ends - 2.0)


def test_the_wait_after_such_a_word_is_never_shorter_than_any_other():
    run = Run(silence=2.0, unfinished=1.2, endpointing=LastWord())
    run.turn("a tea and", 1.0, 2.0).to(5.0)
    assert run.log == [(4.0, EndTurn("a tea and", 1.0, 2.0))]


def test_after_the_limit_a_turn_ends_with_the_text_there_is():
    run = Run().at(1.1, "speech_started", 1.0).at(1.5, "transcript", "hel").at(2.2, "speech_paused", 2.0).to(5.0)
    assert run.log == [(4.0, EndTurn("hel", 1.0, 2.0))]


def test_speech_without_any_transcript_is_told_after_the_limit():
    run = Run().at(1.1, "speech_started", 1.0).at(2.2, "speech_paused", 2.0).to(5.0)
    assert run.log == [(4.0, NoTranscript())]
    assert run.machine.agent is Agent.IDLE


def test_speech_before_the_end_of_the_silence_joins_the_turn():
    run = Run().turn("I would like", 1.0, 2.0).at(2.45, "speech_started", 2.35).at(3.2, "speech_paused", 3.0)
    run.at(3.3, "transcript", "a coffee", final=True, segment=1, settled=True).to(6.0)
    assert run.log == [(3.5, EndTurn("I would like a coffee", 1.0, 3.0))]


@pytest.mark.parametrize(
    ("transcripts", "text"),
    [
        ([("hel", False, 0, False), ("hello", True, 0, True)], "hello"),
        ([("hello", False, 0, False), ("hello", True, 0, True)], "hello"),
        ([("hello", True, 0, False), ("", True, 0, True)], "hello"),  # settled without words takes none away
        ([("hello", True, 0, False), ("hello", True, 0, True)], "hello"),
        ([("hello", True, 0, False), ("you", True, 0, True)], "hello you"),  # final is not revised: a new utterance
        ([("b", True, 1, False), ("a", True, 0, True)], "a b"),
        ([(" uh ", False, 0, False), ("", True, 0, False), ("so", True, 1, True)], "so"),
    ],
)
def test_segments_become_one_text(transcripts, text):
    run = Run().at(1.1, "speech_started", 1.0).at(2.2, "speech_paused", 2.0)
    for words, final, segment, settled in transcripts:
        run.at(2.3, "transcript", words, final=final, segment=segment, settled=settled)
    assert run.to(5.0).actions == [EndTurn(text, 1.0, 2.0)]


def test_words_that_settled_at_a_pause_may_still_be_revised_when_the_caller_goes_on():
    run = Run().at(1.1, "speech_started", 1.0).at(2.2, "speech_paused", 2.0).at(2.3, "transcript", "I scream")
    run.at(2.3, "transcript", "I scream", final=True, settled=True).at(2.45, "speech_started", 2.4)
    run.at(3.2, "speech_paused", 3.0).at(3.3, "transcript", "ice cream please")
    run.at(3.3, "transcript", "ice cream please", final=True, settled=True).to(6.0)
    assert run.actions == [EndTurn("ice cream please", 1.0, 3.0)]


def test_speech_over_the_agent_interrupts_after_so_much_of_it():
    run = Run(barge_in=0.3).answer(1, 0.0, 0.2).at(1.1, "speech_started", 1.0).to(1.25)
    assert (run.actions, run.held) == ([], [])
    assert run.to(1.4).held == [(1.3, Hold((1,)))]
    assert run.to(2.1).log == [(2.0, Interrupt((1,)))]


def test_a_click_over_the_agent_does_not_interrupt():
    run = Run().answer(1, 0.0, 0.2).at(1.1, "speech_started", 1.0).at(1.11, "speech_paused", 1.05)
    run.at(1.3, "transcript", "", final=True, settled=True).at(3.0, "agent_finished", 1, 3.0).to(9.9)
    assert run.actions == []
    assert run.to(10.1).log == [(10.0, Reprompt(1))]


def test_an_interruption_is_followed_by_the_turn_that_made_it():
    run = Run().answer(1, 0.0, 0.2).turn("wait", 1.0, 1.5).to(3.0)
    assert run.held == [(1.12, Hold((1,)))]
    assert run.log == [(1.8, Interrupt((1,))), (2.0, EndTurn("wait", 1.0, 1.5))]


def test_a_caller_who_goes_on_while_the_agent_thinks_gets_one_turn_of_both():
    run = Run().turn("I would like", 1.0, 2.0).answer(1, 2.6).turn("a coffee", 3.0, 3.5).to(5.0)
    assert run.log == [
        (2.5, EndTurn("I would like", 1.0, 2.0)),
        (3.8, Interrupt((1,), withdrawn=True)),
        (4.0, EndTurn("I would like a coffee", 1.0, 3.5, continued=True)),
    ]


def test_a_turn_whose_answer_was_heard_is_not_asked_again():
    run = Run().turn("a tea", 1.0, 2.0).answer(1, 2.6, 3.0).turn("no, coffee", 4.0, 5.0).to(6.0)
    assert run.actions[1:] == [Interrupt((1,)), EndTurn("no, coffee", 4.0, 5.0)]


def test_a_noise_while_the_agent_thinks_only_holds_its_answer_back():
    run = Run().turn("a tea", 1.0, 2.0).answer(1, 2.6).turn("", 3.0, 3.5).to(5.0)
    assert run.actions == [EndTurn("a tea", 1.0, 2.0)]
    assert run.held == [(3.12, Hold((1,))), (3.8, Release((1,)))]


def test_a_long_noise_while_the_agent_thinks_asks_the_turn_again():
    run = Run().turn("a tea", 1.0, 2.0).answer(1, 2.6).turn("", 3.0, 4.5).to(6.0)
    assert run.actions[1:] == [Interrupt((1,), withdrawn=True), EndTurn("a tea", 1.0, 4.5, continued=True)]


def test_a_protected_answer_is_not_interrupted_and_what_was_said_over_it_is_kept():
    run = Run().answer(1, 0.0, 0.2, protected=True).turn("skip it", 1.0, 1.5).at(4.0, "agent_finished", 1, 3.95)
    assert run.to(6.0).log == [(4.0, EndTurn("skip it", 1.0, 1.5))]


def test_a_noise_that_cut_the_agent_short_is_followed_by_a_nudge():
    run = Run().answer(1, 0.0, 0.2).turn("", 1.0, 2.5).to(5.0)
    assert run.log == [(2.0, Interrupt((1,))), (4.0, Nudge())]


def test_noises_that_cut_the_agent_short_again_and_again_end_the_call():
    run = Run()
    for number in range(1, 9):
        start = run.now + 1
        run.answer(number, start, start + 0.1).turn("", start + 1, start + 2.5).to(start + 4.9)
    assert [action for action in run.actions if not isinstance(action, Interrupt)] == [
        Nudge(),
        Nudge(),
        HangUp("not understood"),
    ]


def test_a_noise_in_silence_does_nothing_and_does_not_put_off_the_reprompt():
    run = Run().turn("", 1.0, 1.5).to(7.5)
    assert run.log == [(7.0, Reprompt(1))]


def test_a_silent_caller_is_asked_twice_and_then_the_call_ends():
    run = Run().answer(1, 0.0, 0.5, 2.0).to(9.0).answer(2, 9.1, 9.5, 10.0).to(17.0).answer(3, 17.1, 17.5, 18.0)
    assert run.to(60.0).log == [(9.0, Reprompt(1)), (17.0, Reprompt(2)), (25.0, HangUp("caller silent"))]
    assert run.machine.deadline() is None
    assert run.turn("hello?", 61.0, 62.0).to(90.0).log[3:] == []


@pytest.mark.parametrize("sign", ["turn", "digit"])
def test_a_sign_of_life_starts_the_count_of_reprompts_anew(sign):
    run = Run().to(7.5)
    if sign == "turn":
        run.turn("yes", 8.0, 8.5).answer(1, 9.1, 9.5, 10.0)
    else:
        run.at(10.0, "digit")
    assert run.to(17.5).log[-1] == (17.0, Reprompt(1))


def test_a_call_has_a_longest_length_whatever_goes_on():
    run = Run(max_length=5.0).answer(1, 0.0, 0.2).at(4.0, "answer_ended", 99).to(6.0)
    assert run.log == [(5.0, HangUp("max length"))]
    assert run.turn("one more thing", 6.0, 8.0).to(99.0).log[1:] == [(7.0, Interrupt((1,)))]
    assert run.machine.pending == "one more thing"


def test_a_goodbye_waits_for_an_answer_that_is_being_prepared_when_the_call_gets_too_long():
    run = Run(max_length=5.0).turn("hello", 1.0, 2.0).at(2.6, "answer_began", 1).to(6.9)
    assert run.actions == [EndTurn("hello", 1.0, 2.0)]
    assert run.at(7.0, "agent_started", 1, 7.0).log[1:] == [(7.0, HangUp("max length"))]


@pytest.mark.parametrize("told", [True, False])
def test_an_answer_that_never_comes_puts_off_the_greatest_length_by_its_own_limit_at_most(told):
    run = Run(max_length=5.0, model_limit=3.0, reprompt_after=99.0).turn("hello", 1.0, 2.0)
    if told:  # the model is silent, and then the length of the call is over
        assert run.to(90.0).log[1:] == [(5.5, ModelSilent()), (5.5, HangUp("max length"))]
    else:  # one answer after the other begins and ends without a sound
        for number in range(20):
            run.at(2.6 + number, "answer_began", number + 1).at(2.6 + number, "answer_ended", number)
        assert run.log[1:] == [(8.0, HangUp("max length"))]


def test_a_goodbye_that_the_agent_says_by_itself_is_not_cut_and_what_is_said_over_it_is_kept():
    run = Run().turn("bye then", 1.0, 2.0).answer(1, 2.6, 2.7)
    run.machine.ending = True
    run.turn("what about tomorrow", 3.0, 3.5).to(6.0)
    assert run.actions == [EndTurn("bye then", 1.0, 2.0)]
    assert run.machine.pending == "what about tomorrow"


def test_a_noise_without_end_is_told_twice_and_then_the_call_ends():
    run = Run(speech_limit=20.0).at(1.1, "speech_started", 1.0).to(40.0)
    assert run.log == [(21.0, NoTranscript(speaking=True))]
    assert run.actions[0].waited == pytest.approx(20.0)
    run.answer(1, 40.5, 40.6, 42.0, protected=True).to(200.0)
    assert run.log[1:] == [(62.0, NoTranscript(speaking=True)), (82.0, HangUp("not understood"))]


def test_who_speaks_without_a_pause_and_is_understood_is_let_speak():
    run = Run(speech_limit=20.0).at(1.1, "speech_started", 1.0).at(15.0, "transcript", "well").to(100.0)
    assert run.actions == []


def test_watchdogs_say_how_long_they_waited():
    run = Run().at(1.1, "speech_started", 1.0).at(2.2, "speech_paused", 2.0).to(5.0)
    assert (run.actions[0].waited, run.actions[0].limit) == (2.0, 2.0)
    run = Run().turn("hello", 1.0, 2.0).to(15.0)
    assert (run.actions[1].waited, run.actions[1].limit) == (10.0, 10.0)


def test_a_model_that_gives_no_sound_is_told_once():
    run = Run(reprompt_after=100.0).turn("hello", 1.0, 2.0).answer(1, 2.6).to(40.0)
    assert run.log[1:] == [(12.5, ModelSilent())]
    run.answer(2, 41.0).at(41.0, "answer_ended", 1).to(60.0)
    assert run.log[2:] == [(51.0, ModelSilent())]


def test_an_answer_that_ends_without_sound_gives_the_floor_back():
    run = Run().turn("hello", 1.0, 2.0).answer(1, 2.6).at(3.0, "answer_ended", 1)
    assert run.machine.agent is Agent.IDLE
    assert run.to(10.5).log[-1] == (10.0, Reprompt(1))


def test_news_of_an_interrupted_answer_is_ignored():
    run = Run().answer(1, 0.0, 0.2).turn("wait", 1.0, 1.5).answer(2, 2.1, 2.5)
    run.at(2.6, "agent_finished", 1, 2.6).at(2.6, "agent_started", 1, 2.6)
    assert run.machine.agent is Agent.SPEAKING
    run.at(4.0, "agent_finished", 2, 4.0)
    assert run.machine.agent is Agent.IDLE


def test_an_interruption_takes_the_answers_queued_behind_with_it():
    run = Run().answer(1, 0.0, 0.2).answer(2, 0.3).at(1.1, "speech_started", 1.0).to(2.0)
    assert run.actions == [Interrupt((1, 2))]


def test_a_late_transcript_makes_the_turn_over_while_nothing_of_the_answer_was_heard():
    run = Run().at(1.1, "speech_started", 1.0).at(1.5, "transcript", "hel").at(2.2, "speech_paused", 2.0)
    run.answer(1, 4.1).at(4.2, "transcript", "hello", final=True).at(4.3, "transcript", "hello", settled=True).to(5.0)
    assert run.actions == [
        EndTurn("hel", 1.0, 2.0),
        Interrupt((1,), withdrawn=True),
        EndTurn("hello", 1.0, 2.0, continued=True),
    ]


def test_late_words_that_are_only_settled_make_the_turn_over_as_well():
    run = Run().at(1.1, "speech_started", 1.0).at(1.5, "transcript", "hel").at(2.2, "speech_paused", 2.0)
    run.answer(1, 4.1).at(4.2, "transcript", "hello").at(4.2, "transcript", "hello", settled=True).to(5.0)
    assert run.actions[1:] == [Interrupt((1,), withdrawn=True), EndTurn("hello", 1.0, 2.0, continued=True)]


def test_news_that_an_answer_was_heard_before_it_was_cut_makes_what_was_said_since_a_turn_of_its_own():
    run = Run(rules={**RULES, Situation.THINKING: Rule("speech")})
    run.turn("a tea", 1.0, 2.0).answer(1, 2.6).at(3.0, "speech_started", 2.9)
    run.at(3.1, "agent_started", 1, 2.8).at(3.7, "speech_paused", 3.5)
    run.at(3.8, "transcript", "with milk", final=True, settled=True).to(6.0)
    assert run.actions[1:] == [Interrupt((1,), withdrawn=True), EndTurn("with milk", 2.9, 3.5)]


def test_such_news_after_the_turn_was_asked_again_changes_nothing():
    run = Run().turn("a tea", 1.0, 2.0).answer(1, 2.6).turn("with milk", 2.9, 3.5).to(4.1)
    run.at(4.1, "agent_started", 1, 2.8).turn("please", 4.3, 5.0).to(6.0)
    texts = [action.text for action in run.actions if isinstance(action, EndTurn)]
    assert texts == ["a tea", "a tea with milk", "a tea with milk please"]


def test_a_late_settling_that_says_nothing_new_changes_nothing():
    run = Run().at(1.1, "speech_started", 1.0).at(1.5, "transcript", "hello", final=True)
    run.at(2.2, "speech_paused", 2.0).answer(1, 4.1).at(4.2, "transcript", "hello", final=True, settled=True).to(5.0)
    assert run.actions == [EndTurn("hello", 1.0, 2.0)]


@pytest.mark.parametrize("final", [False, True])
def test_a_late_settling_without_words_takes_none_from_the_turn(final):
    run = Run().at(1.1, "speech_started", 1.0).at(1.5, "transcript", "hello").at(2.2, "speech_paused", 2.0)
    run.answer(1, 4.1).at(4.2, "transcript", "", final=final, settled=True).at(4.5, "agent_started", 1, 4.5).to(6.0)
    assert run.actions == [EndTurn("hello", 1.0, 2.0)]


@pytest.mark.parametrize("speaks", [False, True])
def test_a_call_that_gets_too_long_over_the_first_word_of_an_answer_is_done_when_that_was_heard(speaks):
    run = Run(max_length=5.0).turn("hello", 1.0, 2.0).at(2.6, "answer_began", 1).at(5.2, "agent_started", 1, 5.1)
    assert run.log[1:] == [(5.2, HangUp("max length"))]
    assert run.machine.deadline() == pytest.approx(5.4)  # WORD after its first sample: the turn is answered then
    if speaks:
        run.at(6.0, "speech_started", 5.9).at(6.3, "speech_paused", 6.2)
    assert run.to(30.0).log[2:] == []
    assert run.machine.deadline() is None


def test_words_that_come_after_no_transcript_was_told_still_make_a_turn():
    run = Run().at(1.1, "speech_started", 1.0).at(2.2, "speech_paused", 2.0).to(4.5)
    run.answer(1, 4.5, 4.7, 6.0, protected=True).at(6.1, "transcript", "hello", final=True, settled=True).to(7.0)
    assert run.actions == [NoTranscript(), EndTurn("hello", 6.1, 2.0)]


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="positive"):
        TurnOptions(silence=0.0)


EVENTS = [
    "speech_started", "speech_paused", "transcript", "final", "settled", "empty",
    "answer_began", "agent_started", "agent_finished", "answer_ended", "digit", "tick",
]  # fmt: skip


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0.0, 3.0)), max_size=60),
    st.integers(0, 10**6),
    st.floats(5.0, 200.0),
)
@example([("transcript", 0.0), ("answer_began", 2.0), ("agent_started", 3.0)], 0, 5.0)
@example([("transcript", 2.0), ("speech_started", 3.0), ("speech_started", 0.0), ("speech_paused", 0.0)], 0, 5.0)
@example([("transcript", 0.0), ("empty", 2.0), ("answer_began", 0.0), ("agent_started", 1.0)], 3, 99.0)
def test_nothing_said_is_lost_or_answered_twice_whatever_comes(events, seed, max_length):
    chance = random.Random(seed)
    run = Run(max_length=max_length)
    machine, said, number = run.machine, [], 0
    turns: list[str] = []
    handled = 0

    def follow():
        """Every action must fit the state it was decided in."""
        nonlocal handled
        for _, action in run.log[handled:]:
            if any(isinstance(earlier, HangUp) for _, earlier in run.log[:handled]):
                assert isinstance(action, Interrupt | Correct)
            if isinstance(action, Correct):
                assert action.text
            if isinstance(action, EndTurn):
                assert action.text
                assert action.started <= run.now
                if action.continued:
                    turns.pop()
                turns.append(action.text)
            handled += 1

    original = machine._interrupt

    def interrupt(now):
        assert machine.agent is not Agent.IDLE
        return original(now)

    machine._interrupt = interrupt
    for name, wait in events:
        when = run.now + wait
        lag = chance.uniform(0, 0.3)
        if name in ("speech_started", "speech_paused"):
            run.at(when, name, when - lag)
        elif name in ("transcript", "final", "settled", "empty"):
            text = "" if name == "empty" else f"x{len(said)}y"
            final = name in ("final", "settled")
            if name == "transcript":
                text = "interim"
            settled, segment = name in ("settled", "empty"), chance.randint(0, 2)
            over = run.to(when).machine.over
            if over:
                text = ""
            run.at(when, "transcript", text, final=final, segment=segment, settled=settled)
            if final and not over:
                said.append(text)
        elif name == "answer_began":
            number += 1
            run.at(when, name, number, protected=chance.random() < 0.3)
        elif name in ("agent_started", "agent_finished"):
            run.at(when, name, chance.randint(1, max(1, number)), when - lag)
        elif name == "answer_ended":
            run.at(when, name, chance.randint(1, max(1, number)))
        else:
            run.at(when, name)
        follow()
        assert machine.deadline() is None or machine.deadline() > run.now
        if machine.over:  # what is still decided then is about an answer that has the floor
            assert machine.deadline() is None or machine.agent is not Agent.IDLE
    run.to(run.now + 1000.0)
    follow()
    assert machine.deadline() is None or not machine.over
    if machine.heard.said.continued:  # the last turn was taken back and is pending again
        turns.pop()
    whole = " ".join([*turns, machine.pending]).split()
    assert sorted(word for word in whole if word != "interim") == sorted(said)

"""The machine on random events: only the transitions of the table happen, and its invariants hold throughout."""

from __future__ import annotations

import itertools
import random
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.turns.run import Run
from voiceloop.turns.diagram import AGENT, CALLER
from voiceloop.turns.events import Discard, EndTurn, HangUp, Hold, Interrupt, ModelSilent, Release, SetAside, Speculate
from voiceloop.turns.machine import Agent, Caller, TurnMachine

ROOT = Path(__file__).parents[2]
EVENTS = [
    "speech_started", "speech_paused", "words", "yeah", "stop", "settled", "nothing", "tool",
    "answer_began", "agent_started", "agent_finished", "answer_ended", "digit", "judged",
]  # fmt: skip

LIKELY = (
    EVENTS + 4 * ["answer_began", "agent_started", "agent_started"] + 3 * ["speech_started", "speech_paused", "nothing"]
)
"""Events as often as they let an answer be heard."""


class Watched:
    """A random course of events; notes each state that the machine was in, also between two decisions of one event."""

    def __init__(self, seed, *, max_length=60.0):
        self.chance = random.Random(f"turns {seed}")
        self.run = Run(speculations=2, max_length=max_length)
        self.machine = machine = self.run.machine
        self.seen_caller, self.seen_agent = [machine.caller], [machine.agent]
        self.number, self.segment, self.everything = 0, 0, []
        self.at_once = []  # the actions that follow from one event
        deadlines, note = machine._deadlines, self.run.note

        def watched():
            for seen, state in ((self.seen_caller, machine.caller), (self.seen_agent, machine.agent)):
                if seen[-1] is not state:
                    seen.append(state)
            return deadlines()

        def noted(actions):
            self.everything += [(self.run.now, action) for action in actions]
            self.at_once.append(actions)
            note(actions)

        machine._deadlines, self.run.note = watched, noted

    def step(self, name, wait):
        run, chance = self.run, self.chance
        when, lag = run.now + wait, chance.uniform(0, 0.3)
        if name in ("speech_started", "speech_paused"):
            run.at(when, name, max(0.0, when - lag))
        elif name in ("words", "yeah", "stop", "settled", "nothing"):
            self.segment += chance.random() < 0.4
            text = {"words": f"w{chance.randint(0, 9)} please", "settled": "tea please", "nothing": ""}.get(name, name)
            sure = name in ("settled", "nothing") or chance.random() < 0.5
            run.at(when, "transcript", text, final=sure, settled=sure, segment=self.segment)
        elif name == "answer_began":
            self.number += 1
            kinds = {"protected": chance.random() < 0.3, "greeting": chance.random() < 0.2}
            run.at(when, name, self.number, **kinds)
        elif name in ("agent_started", "agent_finished"):
            run.at(when, name, max(1, self.number - (chance.random() < 0.2)), when - lag)
        elif name == "answer_ended":
            run.at(when, name, max(1, self.number - chance.randint(0, 1)))
        elif name == "judged":
            run.at(when, name, chance.random())
        elif name == "tool":
            self.machine.floor.tool_runs = chance.random() < 0.5
        else:
            run.at(when, name)


def pairs(seen):
    return set(itertools.pairwise(seen))


def allowed(table):
    return {(each.before, each.after) for each in table}


course = st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0.0, 1.5)), max_size=80)


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(course, st.integers(0, 10**6))
def test_only_transitions_of_the_table_happen(events, seed):
    watched = Watched(seed)
    for name, wait in events:
        watched.step(name, wait)
    assert pairs(watched.seen_caller) <= allowed(CALLER)
    assert pairs(watched.seen_agent) <= allowed(AGENT)


def test_every_transition_of_the_table_happens():
    callers, agents = set(), set()
    for seed in range(200):
        watched = Watched(seed)
        for _ in range(60):
            watched.step(watched.chance.choice(LIKELY), watched.chance.uniform(0, 0.8))
        callers |= pairs(watched.seen_caller)
        agents |= pairs(watched.seen_agent)
    assert callers == allowed(CALLER)
    assert agents == allowed(AGENT)


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(course, st.integers(0, 10**6))
def test_a_guess_is_taken_back_or_comes_true_and_there_is_one_at_a_time(events, seed):
    watched = Watched(seed)
    for name, wait in events:
        watched.step(name, wait)
    stands = None
    for when, action in watched.everything:
        if isinstance(action, Speculate):
            assert stands is None
            stands = when
        elif isinstance(action, Discard):
            assert stands is not None
            stands = None
        elif isinstance(action, EndTurn):
            assert action.guessed == stands
            stands = None


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(course, st.integers(0, 10**6))
def test_an_agent_that_is_held_is_let_go_or_interrupted_in_bounded_time(events, seed):
    watched = Watched(seed)
    limit = watched.machine.options.certain + watched.machine.options.confirm
    for name, wait in events:
        watched.step(name, wait)
        floor = watched.machine.floor
        assert floor.held is None or floor.waits or watched.run.now - floor.held <= limit + 1e-6
    for actions in watched.at_once:  # let go is not paused again at the same moment
        kinds = [type(action) for action in actions if isinstance(action, Hold | Release)]
        assert (Release, Hold) not in itertools.pairwise(kinds)


def test_speech_that_began_while_the_agent_was_held_does_not_hold_it_again_at_once():
    run = Run()
    run.answer(1, 0.0, 0.1)
    run.at(2.0, "speech_started", 2.0).at(2.6, "speech_paused", 2.6)
    run.at(3.3, "speech_started", 3.3).at(4.2, "speech_paused", 4.2).to(6.0)
    options = run.machine.options
    held = 2.0 + options.barge_in
    assert run.held == [(held, Hold((1,))), (held + options.certain + options.confirm, Release((1,)))]
    assert run.machine.agent is Agent.SPEAKING


def test_an_agent_that_was_held_before_it_began_what_is_protected_is_held_no_more():
    run = Run().turn("a tea please", 0.0, 1.0).to(1.5)
    run.at(1.6, "speech_started", 1.4).at(1.7, "answer_began", 1, protected=True)
    assert run.held == [(1.6, Hold(())), (1.7, Release(()))]
    run.to(1.7 + run.machine.options.model_limit)
    assert any(isinstance(action, ModelSilent) for action in run.actions)


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(course, st.integers(0, 10**6))
def test_what_is_protected_is_neither_held_nor_cut_and_after_a_hang_up_nothing_new_is_decided(events, seed):
    watched = Watched(seed, max_length=20.0)
    protected, over = set(), False
    for name, wait in events:
        before = len(watched.everything)
        watched.step(name, wait)
        protected |= {answer for answer, kept in watched.machine.floor.answers.items() if kept}
        for _, action in watched.everything[before:]:
            if over:
                assert isinstance(action, Hold | Release | Interrupt | SetAside | Discard)
            over = over or isinstance(action, HangUp)
            if isinstance(action, Hold):
                assert not protected & set(action.answers)
        assert watched.machine.deadline() is None or watched.machine.deadline() > watched.run.now
        if watched.machine.agent is Agent.HELD:
            assert watched.machine.floor.doing is not Agent.IDLE


def test_the_states_have_the_names_that_the_table_uses():
    assert {state for each in CALLER for state in (each.before, each.after)} == set(Caller)
    assert {state for each in AGENT for state in (each.before, each.after)} == set(Agent)
    assert TurnMachine().agent is Agent.IDLE


def test_the_picture_in_the_docs_is_drawn_from_the_table():
    spec = spec_from_file_location("draw_turns", ROOT / "docs" / "draw_turns.py")
    drawing = module_from_spec(spec)
    spec.loader.exec_module(drawing)
    assert drawing.PICTURE.read_text(encoding="utf-8") == drawing.picture(), "run: python docs/draw_turns.py"

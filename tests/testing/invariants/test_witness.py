"""The witness keeps facts, and nothing of the call; evidence follows the voice down the wire."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from voiceloop import Call
from voiceloop.answer import Answer
from voiceloop.processor import Processor
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.witness import Witness
from voiceloop.turns.events import TurnOptions

Held = Callable[..., Evidence]
Doctored = Callable[..., Evidence]


def test_it_keeps_what_happened_to_each_answer(held: Held) -> None:
    witness = held().witness
    greeting, menu, last = witness.answers.values()
    assert (greeting.turn, menu.turn, last.turn) == (None, 0, 1)
    assert [outcome for answer in (greeting, menu, last) for _, outcome in answer.ended] == [
        *("complete", "interrupted", "complete"),
    ]
    assert menu.heard == "We have coffee, latte,"
    assert menu.text.startswith("We have coffee, latte, cappuccino, mocha, and tea.")
    assert menu.timed == 4
    assert menu.milestones["played"] == menu.started[0]


def test_it_keeps_what_was_recognised_and_when_the_caller_spoke(held: Held) -> None:
    evidence = held()
    witness = evidence.witness
    assert [segment.text for segment in witness.transcripts.values()] == ["what do you have", "a mocha please"]
    assert [turn.text for turn in witness.turns] == ["what do you have", "a mocha please"]
    assert [began for _, began in witness.speech] == [True, False, True, False]
    spoke = [utterance.speech_started for utterance in evidence.utterances]
    assert [at for at, began in witness.speech if began] == pytest.approx(spoke)
    assert witness.options == TurnOptions()
    assert witness.reported == [witness.ended]
    assert witness.ending is None


def test_it_knows_when_the_call_ends_by_itself(held: Held) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        call.say("Goodbye then.")
        call.hang_up()
        await caller.waits(3.0)

    witness = held(talk).witness
    assert witness.ending == witness.answers[2].began[0]
    assert witness.ended is not None
    assert witness.ended > witness.ending


def test_it_holds_nothing_of_the_call(held: Held) -> None:
    found: list[weakref.ref[Call]] = []

    async def talk(caller: Caller, call: Call) -> None:
        found.append(weakref.ref(call))
        await caller.hears()

    witness = held(talk).witness
    gc.collect()
    assert found[0]() is None
    assert witness._answers == {}
    assert not [each for each in gc.get_referents(witness.answers) if isinstance(each, Answer)]


def test_every_piece_of_voice_is_found_on_the_line(held: Held) -> None:
    evidence = held(line=CarrierOptions(delay_to_server=0.06, delay_from_server=0.06, jitter=0.03, seed=3))
    carrier = evidence.carrier
    assert carrier is not None
    for voice in evidence.voices.values():
        for piece in voice.pieces:
            start = carrier.truth.sample_at(piece.at)
            heard = carrier.heard[start : start + piece.size]
            assert heard == voice.audio[piece.position : piece.position + piece.size]
    played = sum(piece.size for voice in evidence.voices.values() for piece in voice.pieces)
    assert played == sum(length for _, length, _ in carrier.playback.runs)
    assert evidence.skipped == []


def test_what_was_taken_back_on_its_way_does_not_shift_the_rest(held: Held, doctored: Doctored) -> None:
    evidence = held()
    before = {number: voice.pieces for number, voice in evidence.voices.items()}
    witness = evidence.witness
    place = next(index for index, sent in enumerate(witness.sent) if sent.answer == 3)
    for _ in range(3):  # never reached the carrier
        witness.sent.insert(place, witness.sent[place - 1]._replace(audio=b"\x31" * 800))
    after = {number: voice.pieces for number, voice in doctored(evidence).voices.items()}
    assert {number: [piece[:3] for piece in pieces] for number, pieces in after.items()} == {
        number: [piece[:3] for piece in pieces] for number, pieces in before.items()
    }


def test_sound_that_was_never_sent_is_said_to_be_unknown(held: Held, doctored: Doctored) -> None:
    evidence = held()
    evidence.witness.sent = [sent for sent in evidence.witness.sent if sent.answer != 1]
    again = doctored(evidence)
    assert 1 not in again.voices
    assert again.skipped[0] == "media message 0 is no piece of voice that was seen on its way"


def test_without_a_line_there_are_voices_and_nobody_heard_them(held: Held) -> None:
    evidence = held()
    alone = Evidence.of(evidence.witness, lexicon=evidence.lexicon)
    assert list(alone.voices) == [1, 2, 3]
    assert all(not voice.pieces for voice in alone.voices.values())
    assert alone.line_ended is None
    assert alone.round_trip == 0.0


def test_a_witness_that_was_never_put_on_a_call_is_empty() -> None:
    witness = Witness()
    assert isinstance(witness, Processor)
    assert witness.answers == {}
    assert Evidence.of(witness).voices == {}

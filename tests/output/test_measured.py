"""Where words are in a voice that does not say: pauses of its audio matched to the text."""

from __future__ import annotations

import bisect
import random

import pytest

from voiceloop.output.align import token_ends
from voiceloop.output.events import Position
from voiceloop.output.heard import HeardLedger
from voiceloop.output.measured import Measured
from voiceloop.output.pauses import Pauses
from voiceloop.output.weights import weigh
from voiceloop.sim.artificial import Lexicon

WORDS = ("coffee", "latte", "mocha", "tea", "cake", "bread", "soup", "small", "large", "warm", "Saturdays", "and")
SILENCE = b"\xff"
SOUND = b"\x08\x88"


def spoken(seed: int, **voice: float) -> tuple[str, bytes, list[int]]:
    """A text, its audio, and where its words end in bytes."""
    choose = random.Random(f"measured {seed}")
    words = [choose.choice(WORDS) for _ in range(choose.randint(8, 40))]
    text = " ".join(f"{word}." if choose.random() < 0.15 else word for word in words) + "."
    audio, times = Lexicon(**voice).speak(text)
    return text, audio, [round(word.end * 8000) for word in times]


def in_pieces(audio: bytes, size: int = 800) -> list[bytes]:
    return [audio[start : start + size] for start in range(0, len(audio), size)]


def test_a_pause_is_found_where_sound_ends_and_begins() -> None:
    pauses = Pauses()
    for piece in in_pieces(
        SILENCE * 800 + SOUND * 1600 + SILENCE * 1200 + SOUND * 800 + SILENCE * 160 + SOUND * 80, 333
    ):
        pauses.add(piece)
    assert pauses.begun == 800
    assert [(pause.start, pause.stop, pause.size) for pause in pauses.found] == [(4000, 5200, 1200)]


@pytest.mark.parametrize("finished", [True, False])
def test_words_are_found_by_the_pauses_between_them_and_the_bound_holds(finished: bool) -> None:
    exact = cases = 0
    for seed in range(40):
        text, audio, ends = spoken(seed)
        choose = random.Random(seed)
        for _ in range(5):
            at = choose.randrange(len(audio))
            known = len(audio) if finished else min(len(audio), at + choose.randrange(2400, 8000))
            measured = Measured()
            for piece in in_pieces(audio[:known]):
                measured.add(piece)
            reach = measured.reach(text, at, at, total=known, finished=known == len(audio))
            truth = bisect.bisect_right(ends, at)
            assert reach.least <= truth <= reach.most
            exact += reach.count == truth
            cases += 1
    assert exact / cases >= 0.97


def test_a_voice_without_pauses_is_shared_out_by_letters_with_an_honest_bound() -> None:
    text, audio, ends = spoken(3, gap=0.0)
    measured = Measured()
    measured.add(audio)
    for at in range(0, len(audio), 1000):
        reach = measured.reach(text, at, at, total=len(audio), finished=True)
        truth = bisect.bisect_right(ends, at)
        assert abs(reach.count - truth) <= 1
        assert reach.least <= truth <= reach.most


def test_what_is_said_in_pieces_is_the_same_as_at_once() -> None:
    text, audio, _ = spoken(5)
    whole, parts = Measured(), Measured()
    whole.add(audio)
    for piece in in_pieces(audio, 777):
        parts.add(piece)
    for at in range(0, len(audio), 3000):
        known = [each.reach(text, at, at, total=len(audio), finished=True) for each in (whole, parts)]
        assert known[0] == known[1]


def test_the_words_weighed_are_those_that_are_aligned_also_when_the_text_grows() -> None:
    text = "Well, it is $42.50 (at 9:30), I think. 你好。 Is it?"
    grown = None
    for end in range(len(text) + 1):
        grown = weigh(text[:end], grown)
    assert grown == weigh(text)
    assert grown is not None
    assert len(grown.weights) == len(token_ends(text))
    assert [grown.closers[0], grown.closers[-1]] == [1, 2]


def test_an_answer_teaches_the_pace_of_the_voice_to_the_next() -> None:
    ledger = HeardLedger()
    text, audio, ends = spoken(7, letter=0.09, gap=0.0)
    for key in (1, 2):
        ledger.add_text(key, text)
        ledger.add_audio(key, audio if key == 1 else audio[: len(audio) // 2])
        at = len(audio) // 3
        position = Position(at, at, len(audio) if key == 1 else len(audio) // 2, finished=key == 1)
        heard = ledger.heard(key, position)
        assert abs(heard.words_heard - bisect.bisect_right(ends, at)) <= 1 + key
        ledger.forget(key)


def test_nothing_is_measured_of_a_voice_that_says_when_its_words_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: Pauses, audio: bytes) -> None:
        raise AssertionError("looked at the audio of a voice with word times")

    monkeypatch.setattr(Pauses, "add", never)
    text, audio, _ = spoken(1)
    ledger = HeardLedger()
    ledger.add_text(1, text)
    ledger.add_audio(1, audio[:800])
    ledger.add_words(1, Lexicon().speak(text)[1])
    ledger.add_audio(1, audio[800:])
    assert ledger.heard(1, Position(8000, 8000, len(audio))).words_heard > 0

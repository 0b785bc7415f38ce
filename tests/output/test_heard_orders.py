"""What was heard is right in whatever order answers are paused, resumed and dropped, and whatever marks do."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.frames import Word
from voiceloop.output.heard import Heard, HeardLedger

Line = Callable[..., Any]
WORD, GAP = 2400, 480  # bytes
ORDERS = ("drop", "pause drop", "pause resume drop", "pause resume pause drop", "pause pause resume resume drop")


def cut(line: Line, seed: int, order: str, **network: Any) -> tuple[Heard, int]:
    """An answer that is paused and resumed in this order, at random times: what the ledger says, and the truth."""
    choose = random.Random(f"orders {seed}")
    call = line(up=0.06, down=0.06, tick=choose.uniform(0, 0.02), **network)
    call.key_of = lambda piece: 1
    audio, sounds, words = b"", [], []
    for number in range(12):
        sounds.append(choose.randbytes(WORD))
        words.append(Word(f"word{number}", len(audio) / 8000, (len(audio) + WORD) / 8000))
        audio += sounds[-1] + b"\xff" * GAP
    made, playout = HeardLedger(), call.playout
    made.add_text(1, " ".join(word.text for word in words))
    made.add_words(1, words)

    def begin() -> None:
        playout.queue(1, audio, words)
        playout.finish(1)

    call.at(0.0, begin)
    when = choose.uniform(0.1, 1.5)
    for step in order.split():
        at = when
        if step == "resume":
            call.at(at, lambda at=at: playout.resume(at))
        else:
            call.at(at, lambda at=at, keep=step == "pause": playout.clear(at, keep=keep))
        when += choose.uniform(0.01, 0.9)
    call.run(when + 4.0)
    position = playout.position(1, call.now)
    assert position.settled
    ear = b"".join(call.pieces)
    return made.heard(1, position), sum(sound in ear for sound in sounds)


@pytest.mark.parametrize("order", ORDERS)
def test_pausing_and_resuming_does_not_blur_what_was_heard(line: Line, order: str) -> None:
    exact = 0
    for seed in range(40):
        heard, truth = cut(line, seed, order)
        assert truth - 1 <= heard.words_heard <= truth, seed
        assert truth <= heard.words_heard + heard.off, seed
        exact += heard.words_heard == truth
    assert exact >= 35


@pytest.mark.parametrize("order", ORDERS)
def test_where_no_mark_is_echoed_the_clock_is_right_within_a_word_and_the_doubt_is_told(line: Line, order: str) -> None:
    for seed in range(25):
        heard, truth = cut(line, seed, order, lose=lambda name: True)
        assert abs(heard.words_heard - truth) <= 1, seed
        assert abs(heard.words_heard - truth) <= heard.off, seed
        assert not heard.exact

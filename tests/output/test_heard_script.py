"""The heard ledger where something else is spoken than was written: heard is what was written, word by word."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.frames import Word
from voiceloop.output.events import Position
from voiceloop.output.heard import HeardLedger

SECOND = 8000
TEXT = "It costs $4.50 😀 today, **really**. Call 911!"
SCRIPT = [
    ("It ", 2),
    ("costs ", 8),
    ("four dollars and fifty cents ", 14),
    ("", 16),
    ("today, ", 23),
    ("really. ", 35),
    ("Call ", 40),
    ("nine one one!", 45),
]


def ledger(text, script, *, words=True):
    made = HeardLedger()
    made.add_text(1, text)
    made.follow(1, script)
    spoken = "".join(said for said, _ in script).split()
    if words:
        made.add_words(1, [Word(word, n * 0.5, n * 0.5 + 0.5) for n, word in enumerate(spoken)])
    return made


def after(seconds, total=100.0, **more):
    return Position(round(seconds * SECOND), round(seconds * SECOND), round(total * SECOND), **more)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, ""),
        (2, "It costs"),
        (3, "It costs"),
        (6, "It costs"),
        (7, "It costs $4.50 😀"),
        (8, "It costs $4.50 😀 today,"),
        (9, "It costs $4.50 😀 today, **really**."),
        (12, "It costs $4.50 😀 today, **really**. Call"),
        (13, TEXT),
    ],
)
def test_a_written_word_is_heard_when_all_that_is_said_for_it_was(count, text):
    heard = ledger(TEXT, SCRIPT).heard(1, after(0.5 * count, finished=True, settled=True))
    assert (heard.text, heard.words_heard, heard.exact) == (text, count, True)
    assert f"{heard.text} {heard.unheard}".strip() == TEXT


def test_a_script_may_grow_after_it_was_given():
    script = SCRIPT[:2]
    made = ledger(TEXT, SCRIPT)
    made.follow(1, script)
    assert made.heard(1, after(5.0)).text == "It costs"
    script += SCRIPT[2:]
    assert made.heard(1, after(3.5)).text == "It costs $4.50 😀"


def test_a_script_that_is_given_up_leaves_the_text():
    script = [("Well ", 4), ("nonsense ", 9)]
    made = HeardLedger()
    made.add_text(1, "Well then, fine.")
    made.follow(1, script)
    made.add_words(1, [Word("Well", 0.0, 0.5), Word("then", 0.5, 1.0), Word("fine", 1.0, 1.5)])
    assert made.heard(1, after(1.0)).text == "Well"
    script.clear()
    assert made.heard(1, after(1.0)).text == "Well then,"


def test_without_word_times_the_script_is_shared_out_by_time():
    made = ledger(TEXT, SCRIPT, words=False)
    assert made.heard(1, after(0.0, 10.0, finished=True)).text == ""
    assert made.heard(1, after(5.0, 10.0, finished=True)).text == "It costs"
    assert made.heard(1, after(7.0, 10.0, finished=True)).text == "It costs $4.50 😀 today,"
    assert made.heard(1, after(10.0, 10.0, complete=True)).text == TEXT


def test_what_the_script_does_not_reach_is_not_heard():
    made = ledger(TEXT, SCRIPT[:3])
    assert made.heard(1, after(50.0, finished=True)).text == "It costs $4.50"


WRITTEN = st.sampled_from(["$4.50", "the", "a", "😀", "911", "—", "Ok!", "**so**", "3:30pm", "cat", "(2)"])
SAID = {
    "$4.50": "four dollars and fifty cents",
    "😀": "",
    "911": "nine one one",
    "**so**": "so",
    "3:30pm": "three thirty p m",
    "(2)": "(two)",
}


@settings(max_examples=3 * settings.default.max_examples, deadline=None)
@given(st.lists(WRITTEN, min_size=1, max_size=14), st.data())
def test_heard_ends_at_a_written_word_and_never_ahead_of_what_was_spoken(parts, data):
    text = " ".join(parts)
    script, end = [], 0
    for part in parts:
        end += len(part)
        said = SAID.get(part, part)
        script.append((f"{said} " if said else "", end))
        end += 1
    spoken = [word for said, _ in script for word in said.split()]
    count = data.draw(st.integers(0, len(spoken)))
    finished = data.draw(st.booleans())
    heard = ledger(text, script).heard(1, after(0.5 * count, 0.5 * len(spoken) + 1, finished=finished))
    assert f"{heard.text} {heard.unheard}".split() == parts
    said = [word for part in heard.text.split() for word in SAID.get(part, part).split()]
    assert len([word for word in said if word != "—"]) <= len([word for word in spoken[:count] if word != "—"])

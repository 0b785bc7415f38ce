"""What a caller enters on the keys, and where it stands among words: tables and properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.turns.keys import Keyed, KeyOptions, Keys, Mixed

Pressed = tuple[float, str]


def entered(pressed: list[Pressed], until: float = 60.0, first: float | None = None, **options: Any) -> list[Keyed]:
    """All entries that keys come to, with a timer that is always on time."""
    keys = Keys(KeyOptions(**options))
    found: list[Keyed] = []
    if first is not None:
        keys.await_first(0.0, first)
    for at, key in [*pressed, (until, "")]:
        while (due := keys.deadline()) is not None and due <= at:
            entry = keys.tick(due)
            assert entry is not None
            found.append(entry)
        if key:
            found += keys.press(at, key)
    return found


def brief(entries: list[Keyed]) -> list[tuple[str, str]]:
    return [(entry.digits, entry.ended_by) for entry in entries]


@pytest.mark.parametrize(
    ("pressed", "options", "entries"),
    [
        ("12#", {}, [("12", "terminator")]),
        ("#", {}, [("", "terminator")]),
        ("12", {}, [("12", "timeout")]),
        ("1*2#", {}, [("1*2", "terminator")]),
        ("1234", {"count": 4}, [("1234", "count")]),
        ("12345", {"count": 4}, [("1234", "count"), ("5", "timeout")]),
        ("12#34#", {"count": 4}, [("12", "terminator"), ("34", "terminator")]),
        ("12#", {"terminator": ""}, [("12#", "timeout")]),
        ("12*34#", {"clear": "*"}, [("34", "terminator")]),
        ("12*", {"clear": "*"}, [("", "timeout")]),
        ("AD0", {"count": 3}, [("AD0", "count")]),
        ("1" * 64, {}, [("1" * 64, "count")]),
    ],
)
def test_an_entry_ends_with_its_terminator_its_count_or_a_pause(
    pressed: str, options: dict[str, Any], entries: list[tuple[str, str]]
) -> None:
    assert brief(entered([(0.25 * place, key) for place, key in enumerate(pressed)], **options)) == entries


def test_the_pause_counts_from_the_last_key() -> None:
    keys = Keys(KeyOptions(timeout=2.0))
    assert keys.deadline() is None
    keys.press(10.0, "1")
    keys.press(11.9, "2")
    assert keys.deadline() == 13.9
    assert keys.tick(13.8) is None
    entry = keys.tick(13.9)
    assert entry == Keyed("12", "timeout", started=10.0, ended=11.9)
    assert keys.deadline() is None
    assert not keys.going_on


def test_who_presses_nothing_is_waited_for_until_the_first_limit() -> None:
    assert brief(entered([], first=5.0)) == [("", "timeout")]
    assert brief(entered([(4.9, "1"), (5.4, "#")], first=5.0)) == [("1", "terminator")]


def test_a_key_that_comes_before_a_late_timer_begins_the_next_entry() -> None:
    keys = Keys(KeyOptions(timeout=2.0))
    keys.press(0.0, "1")
    assert brief(keys.press(2.5, "2")) == [("1", "timeout")]
    assert brief(keys.press(2.6, "#")) == [("2", "terminator")]
    keys.press(10.0, "3")
    assert brief(keys.press(12.5, "#")) == [("3", "timeout"), ("", "terminator")]


def test_one_secret_key_makes_its_entry_secret_and_not_the_next() -> None:
    keys = Keys()
    keys.press(0.0, "7")
    keys.press(0.2, "9", secret=True)
    (entry,) = keys.press(0.4, "#")
    assert (entry.digits, entry.secret, entry.text) == ("79", True, "[2 keys]")
    assert repr(entry) == "Keyed(<2 secret>, 'terminator')"
    (entry,) = keys.press(1.0, "#")
    assert (entry.secret, entry.text) == (False, "[keys: #]")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (Keyed("12", "timeout"), "[keys: 12]"),
        (Keyed("12", "terminator", terminator="#"), "[keys: 12]"),
        (Keyed("", "timeout"), ""),
        (Keyed("1", "count", secret=True), "[1 key]"),
        (Keyed("", "terminator", terminator="#", secret=True), "[1 key]"),
    ],
)
def test_how_an_entry_reads(entry: Keyed, text: str) -> None:
    assert entry.text == text


@pytest.mark.parametrize(
    "wrong",
    [
        {"terminator": "##"},
        {"terminator": "x"},
        {"clear": "12"},
        {"clear": "#"},
        {"count": 0},
        {"count": 65},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"timeout": 601.0},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        KeyOptions(**wrong)


KEYS = st.lists(st.tuples(st.floats(0.0, 3.0), st.sampled_from("0123456789*#ABCD")), max_size=40)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "terminator": st.sampled_from(["#", "", "*"]),
        "count": st.integers(1, 8),
        "timeout": st.floats(0.5, 4.0),
        "clear": st.sampled_from(["", "A"]),
    },
)


@given(KEYS, OPTIONS)
def test_no_key_is_lost_or_made_up_and_entries_follow_each_other(gaps: list[Pressed], options: dict[str, Any]) -> None:
    at, pressed = 0.0, list[Pressed]()
    for gap, key in gaps:
        at += gap
        pressed.append((at, key))
    entries = entered(pressed, until=at + 10.0, **options)
    made = KeyOptions(**options)
    told = "".join(entry.digits + entry.terminator for entry in entries)
    if not made.clear:
        assert told == "".join(key for _, key in pressed)
    assert all(len(entry.digits) <= (made.count or 64) for entry in entries)
    assert all(made.terminator not in entry.digits for entry in entries if made.terminator)
    times = [time for entry in entries for time in (entry.started, entry.ended)]
    assert times == sorted(times)
    for entry in entries:
        ends = {"count": len(entry.digits) == made.count, "terminator": entry.terminator == made.terminator != ""}
        assert ends.get(entry.ended_by, entry.ended_by == "timeout")


@given(KEYS, OPTIONS, st.floats(0.0, 3.0))
def test_a_late_timer_changes_nothing_but_when_an_entry_is_known(
    gaps: list[Pressed], options: dict[str, Any], late: float
) -> None:
    at, pressed = 0.0, list[Pressed]()
    for gap, key in gaps:
        at += gap
        pressed.append((at, key))
    keys, found = Keys(KeyOptions(**options)), list[Keyed]()
    for when, key in pressed:
        if (due := keys.deadline()) is not None and due + late < when and (entry := keys.tick(due + late)):
            found.append(entry)
        found += keys.press(when, key)
    found += [entry for entry in [keys.tick(at + 100.0)] if entry is not None]
    assert found == entered(pressed, until=at + 100.0, **options)


# --- among words ------------------------------------------------------------------------------------------------


def mixed(*happened: str) -> str:
    """Words and entries in turn; ``|`` is where the caller begins to speak."""
    keys, said = Mixed(), ""
    for each in happened:
        if each == "[":
            keys.begin()
        elif each == "]":
            keys.add("[keys: 9]")
        elif each.startswith("["):
            keys.begin()
            keys.add(each)
        elif each == "|":
            keys.spoke(said)
        else:
            said = f"{said} {each}".strip()
    return keys.join(said)


@pytest.mark.parametrize(
    ("happened", "text"),
    [
        (("|", "my number is", "[keys: 12]"), "my number is [keys: 12]"),
        (("[keys: 12]", "|", "is my number"), "[keys: 12] is my number"),
        (("|", "my number is", "[keys: 12]", "|", "and that is all"), "my number is [keys: 12] and that is all"),
        (("|", "my number", "[keys: 12]", "is"), "my number is [keys: 12]"),
        (("[keys: 1]", "[keys: 2]"), "[keys: 1] [keys: 2]"),
        (("|", "one", "[keys: 1]", "|", "two", "[keys: 2]"), "one [keys: 1] two [keys: 2]"),
        (("|", "no keys"), "no keys"),
        (("|", "one", "[", "|", "two", "]"), "one [keys: 9] two"),
        (("[", "|", "two", "["), "two"),
    ],
)
def test_entries_stand_where_they_were_pressed(happened: tuple[str, ...], text: str) -> None:
    assert mixed(*happened) == text


def test_a_turn_that_is_taken_back_keeps_its_keys_in_front_of_what_follows() -> None:
    turn, later = Mixed(), Mixed()
    turn.begin()
    turn.add("[keys: 1]")
    later.begin()
    later.add("[keys: 2]")
    joined = turn.followed_by(later, "take one")
    assert joined.join("take one please") == "take one [keys: 1] please [keys: 2]"
    assert joined.rest().join("please") == "please [keys: 2]"
    joined.spoke("take one please")
    assert joined.rest().join("please now") == "please [keys: 2] now"


def test_a_turn_holds_so_many_entries_and_no_more() -> None:
    keys = Mixed()
    for number in range(1000):
        keys.begin()
        keys.add(f"[{number}]")
    assert keys.join("").split() == [*(f"[{number}]" for number in range(63)), "[999]"]


@given(st.lists(st.sampled_from(["|", "[k]", "word", "more words"]), max_size=12), st.text("ab ", max_size=12))
def test_every_word_and_entry_stays_and_keeps_its_order(happened: list[str], said: str) -> None:
    keys, count = Mixed(), 0
    for each in happened:
        if each == "[k]":
            count += 1
            keys.begin()
            keys.add(f"[{count}]")
        elif each == "|":
            keys.spoke(said)
    parts = keys.join(said).split()
    assert [part for part in parts if not part.startswith("[")] == said.split()
    assert [part for part in parts if part.startswith("[")] == [f"[{number}]" for number in range(1, count + 1)]

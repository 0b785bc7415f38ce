"""What a bot may expect of a caller, and what it is told when that cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voiceloop.turns.expect import Expect, ExpectError


def test_a_count_of_digits_is_one_number_or_the_fewest_and_the_most() -> None:
    assert Expect.digits(4) == Expect.digits((4, 4))
    assert Expect.digits((6, 8)).figures == (6, 8)


def test_phone_numbers_differ_by_country() -> None:
    assert Expect.phone_number().figures == (10, 11)
    assert Expect.phone_number("fr").figures == (9, 10)
    assert Expect.phone_number(None).figures == (7, 15)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("phone number", Expect.phone_number(None)),
        (" Phone-Number ", Expect.phone_number(None)),
        ("yes_or_no", Expect.yes_or_no()),
        ("4 digits", Expect.digits(4)),
        ("1 digit", Expect.digits(1)),
        ("long story", Expect.long_story()),
        ("email address", Expect.spelled()),
        ("short answer", Expect.short_answer()),
        ("date", Expect.date()),
        ("anything", Expect()),
    ],
)
def test_plain_words_name_what_is_expected(name: str, expected: Expect) -> None:
    assert Expect.named(name) == expected


def test_a_name_that_is_none_is_answered_with_those_there_are() -> None:
    with pytest.raises(ExpectError, match=r"phone number, card number.*got 'a poem'"):
        Expect.named("a poem")


def test_a_long_name_from_a_model_is_cut_in_the_message() -> None:
    with pytest.raises(ExpectError) as raised:
        Expect.named("x" * 10_000)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Expect.digits(0), "from 1 to 64; got \\(0, 0\\)"),
        (lambda: Expect.digits((5, 3)), "got \\(5, 3\\)"),
        (lambda: Expect.digits(65), "got \\(65, 65\\)"),
        (lambda: Expect.digits("four"), "got 'four'"),  # type: ignore[arg-type]
        (lambda: Expect.phone_number("XX"), "expected a country of AT, .*got 'XX'"),
        (lambda: Expect.pause(0), "expected a pause above 0"),
        (lambda: Expect.pause(31), "up to 30 seconds, got 31"),
        (lambda: Expect.pause(float("nan")), "got nan"),
        (lambda: Expect("poem"), "expected a kind of anything"),  # type: ignore[arg-type]
        (lambda: Expect("short", (1, 2)), "to no other"),
        (lambda: Expect("digits"), "to no other"),
        (lambda: Expect.named("0 digits"), "got \\(0, 0\\)"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], Expect], message: str) -> None:
    with pytest.raises(ExpectError, match=message):
        make()

"""The single-use, short-lived token of a stream."""

from __future__ import annotations

import pytest

from voiceloop.twilio.token import StreamTokens, TokenOptions
from voiceloop.twilio.twiml import MAX_PARAMETER

SECRET = "0123456789abcdef0123456789abcdef"
CALL = "CA" + "1" * 32


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_is_good_once_and_for_its_call() -> None:
    tokens = StreamTokens(SECRET, Clock())
    token = tokens.make(CALL)
    assert tokens.refusal(token, "CA" + "2" * 32) == "its token is forged, or of another call"
    assert tokens.refusal(token, CALL) == ""
    assert tokens.refusal(token, CALL) == "its token was used before"


def test_each_token_of_a_call_is_another_one() -> None:
    tokens = StreamTokens(SECRET, Clock())
    made = [tokens.make(CALL) for _ in range(3)]
    assert len(set(made)) == 3
    assert [tokens.refusal(token, CALL) for token in reversed(made)] == ["", "", ""]


@pytest.mark.parametrize(
    ("later", "good"), [(0.0, True), (59.9, True), (60.1, False), (1e6, False), (-4.9, True), (-6.0, False)]
)
def test_a_token_is_good_for_a_minute(later: float, good: bool) -> None:
    clock = Clock()
    tokens = StreamTokens(SECRET, clock)
    token = tokens.make(CALL)
    clock.now += later
    assert (tokens.refusal(token, CALL) == "") is good


def test_a_used_token_is_remembered_for_as_long_as_it_would_be_good_and_no_longer() -> None:
    clock = Clock()
    tokens = StreamTokens(SECRET, clock)
    token = tokens.make(CALL)
    assert tokens.refusal(token, CALL) == ""
    clock.now += 59.99
    assert tokens.refusal(token, CALL) == "its token was used before"
    clock.now += 13
    assert tokens.refusal(tokens.make(CALL), CALL) == ""
    assert tokens.remembered == 1
    assert tokens.refusal(token, CALL).startswith("its token is 73 s old")


def test_what_is_remembered_is_bounded_and_a_full_memory_lets_nobody_in() -> None:
    clock = Clock()
    tokens = StreamTokens(SECRET, clock, TokenOptions(most_used=3))
    made = [tokens.make(CALL) for _ in range(4)]
    assert [tokens.refusal(token, CALL) for token in made[:3]] == ["", "", ""]
    assert "cannot be remembered" in tokens.refusal(made[3], CALL)
    assert tokens.remembered == 3
    clock.now += 73
    assert tokens.refusal(tokens.make(CALL), CALL) == ""


def test_another_process_with_the_same_secret_and_clock_takes_it() -> None:
    clock = Clock()
    assert StreamTokens(SECRET, clock).refusal(StreamTokens(SECRET, clock).make(CALL), CALL) == ""
    assert StreamTokens("x" * 32, clock).refusal(StreamTokens(SECRET, clock).make(CALL), CALL) != ""


def test_a_token_fits_into_a_stream_parameter_and_shows_nothing_of_the_secret() -> None:
    clock = Clock()
    clock.now = 1e12
    token = StreamTokens(SECRET, clock).make(CALL)
    assert len("token" + token) < MAX_PARAMETER
    assert SECRET not in token
    assert CALL not in token


@pytest.mark.parametrize("token", ["", "x", None, 5, "1-1-" + "0" * 64, "-" * 70, "0" * 10**6, "ａ-1-" + "0" * 64])
def test_what_is_no_token_is_refused_and_raises_nothing(token: object) -> None:
    assert StreamTokens(SECRET, Clock()).refusal(token, CALL) != ""  # type: ignore[arg-type]


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="empty secret"):
        StreamTokens("", Clock())


async def test_what_another_process_has_used_is_used() -> None:
    clock, claimed = Clock(), dict[str, float]()

    async def claim(code: str, until: float) -> bool:
        return claimed.setdefault(code, until) is until

    here, there = (StreamTokens(SECRET, clock, claim=claim) for _ in range(2))
    token = here.make(CALL)
    assert await there.use(token, CALL) == ""
    assert await here.use(token, CALL) == "its token was used before, in another process"
    assert await here.use(token, CALL) == "its token was used before"
    assert claimed == {token.rpartition("-")[2]: 1072.0}


async def test_only_a_token_that_is_good_is_claimed() -> None:
    asked: list[str] = []

    async def claim(code: str, until: float) -> bool:
        asked.append(code)
        return True

    clock = Clock()
    tokens = StreamTokens(SECRET, clock, claim=claim)
    old = tokens.make(CALL)
    clock.now += 61
    for token in ("", "x", old, tokens.make("CA" + "2" * 32)):
        assert await tokens.use(token, CALL) != ""
    assert asked == []


async def test_a_claim_lasts_longer_than_the_token_is_good_on_any_clock() -> None:
    untils: list[float] = []

    async def claim(code: str, until: float) -> bool:
        untils.append(until)
        return True

    fast, slow = Clock(), Clock()
    fast.now += 4.0
    token = StreamTokens(SECRET, fast).make(CALL)
    assert await StreamTokens(SECRET, slow, claim=claim).use(token, CALL) == ""
    slow.now = untils[0]
    assert "s old" in StreamTokens(SECRET, slow).refusal(token, CALL)

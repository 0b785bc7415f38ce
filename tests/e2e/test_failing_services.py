"""A service fails in the middle of a call, in every way it can, and the caller is never left in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.grids import always, crossed, first
from voiceloop.conversation import Message
from voiceloop.language import Phrases
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.report import CallReport
from voiceloop.sim.anthropic import Reply
from voiceloop.sim.caller import CallEnded
from voiceloop.sim.cartesia import Trouble
from voiceloop.sim.google import Fault
from voiceloop.tts.cartesia import CartesiaTTS

Shop = Callable[..., Any]
SAY = Phrases()
ANSWERS = {
    "What do you have?": "We have coffee, latte, cappuccino and mocha, small or large, hot or iced, and tea at noon.",
    "Do you have more?": "There is cake on Sundays.",
    "And how much?": "It costs three dollars.",
}
LONG, MORE, _ = ANSWERS.values()
EVER = 10**6
"""Requests that fail: all."""
USUAL = 1.0
"""Seconds from the end of a turn to the first sound, when nothing fails."""
AUDIBLE = 0.25
"""Seconds of silence above which it is no gap between words."""


def answer(messages: Sequence[Message]) -> str:
    """What a good model says."""
    return next((ANSWERS[message.text] for message in reversed(messages) if message.text in ANSWERS), "What?")


@dataclass
class Talk:
    """A call in which the caller asks one question after the other."""

    heard: list[str]
    """The agent's words after each question."""
    silences: list[float]
    """After each question, the longest silence until those words had been heard, seconds."""
    report: CallReport

    @property
    def messages(self) -> list[str]:
        return [fault.message for fault in self.report.faults]


async def talk(bar: Any, breaks: Callable[[], object] = lambda: None, questions: int = 3) -> Talk:
    """Ask; after each question wait until the agent has been silent for 6 s, or the call is over."""
    line = await bar.rings()
    breaks()
    heard, silences = [], []
    try:
        for question in list(ANSWERS)[:questions]:
            said = await line.caller.says(question)
            reply = await line.caller.hears(silence=6.0, timeout=40)
            heard.append(bar.lexicon.text(reply.audio))
            silences.append(longest_silence(line, said.speech_ended))
        report = await bar.report(line)
    except CallEnded:
        report = await bar.over(line)
    await asyncio.sleep(3.0)  # what is late may come now
    nothing_left(bar, report)
    return Talk(heard, silences, report)


def longest_silence(line: Any, since: float) -> float:
    """Seconds in which the caller waited for the agent's voice to begin, or to go on."""
    end, longest = since, 0.0
    for start, stop in line.caller.carrier.truth.sounds(gap=AUDIBLE):
        if stop > since:
            longest, end = max(longest, start - end), stop
    return longest


def nothing_left(bar: Any, report: CallReport) -> None:
    services = bar.services
    assert report.abandoned == []
    assert services.google.open_streams == 0
    assert [context for context in services.cartesia.contexts if context.outcome is None] == []
    assert len(services.cartesia.open) <= 1


def ended_politely(outcome: Talk, longest: float, sorry: str = SAY.apology) -> None:
    """The caller heard two apologies and a goodbye, each in time, and was hung up on."""
    words = " ".join(outcome.heard)
    assert words.count(sorry) == 2
    assert words.endswith(SAY.failed)
    assert max(outcome.silences) <= longest
    assert outcome.report.reason == "failed"


# --- the model ------------------------------------------------------------------------------------------------


def model(reply: Reply, times: int) -> Callable[[Sequence[Message]], str | Reply]:
    """A model that gives this reply so many times before it is well."""
    left = [times]

    def respond(messages: Sequence[Message]) -> str | Reply:
        left[0] -= 1
        return reply if left[0] >= 0 else answer(messages)

    return respond


BROKEN = {
    "cut": (Reply(LONG, fault="cut"), 1.6, 3.6, "no message_stop"),
    "reset": (Reply(LONG, fault="reset"), 1.4, 3.2, "the connection ended before the answer was complete"),
    "error": (Reply(LONG, fault="error"), 1.6, 3.6, "the service is overloaded (while it answered)"),
    "garbage": (Reply(LONG, fault="garbage"), 1.4, 1.2, "expected JSON in the stream"),
    "line": (Reply(LONG, fault="line"), 1.4, 1.2, "an event of more than 256 KiB"),
    "stall": (Reply(LONG, fault="stall"), 6.1, 10.6, "nothing came for"),
    "pings": (Reply(LONG, fault="pings"), 6.1, 10.6, "nothing came for"),
}
"""What happens; seconds until the answer when it happens once before the first word, until the apology when it happens
every time; the cause as the report tells it."""
REFUSED = {
    "wrong key": (Reply(status=401), 1.1, 0.6, "the key is not accepted (401)"),
    "no credit": (Reply(status=402), 1.1, 0.6, "there is no credit left (402)"),
    "unknown model": (Reply(status=404, message="model: claude-haiku-5-5"), 1.1, 0.6, "there is no model"),
    "rate limit": (Reply(status=429), 1.3, 3.4, "too many requests or tokens (429)"),
    "long wait": (Reply(status=429, retry_after=30.0), 1.1, 0.6, "it asks to wait 30 s"),
    "failure": (Reply(status=500), 1.3, 3.4, "the service failed (500)"),
    "overload": (Reply(status=529), 1.3, 3.4, "the service is overloaded (529)"),
    "web page": (Reply(status=502, page=True), 1.3, 3.4, "(502)"),
}
OFTEN = ("cut", "stall", "garbage", "wrong key", "long wait", "overload")
"""One of each kind."""


@pytest.mark.parametrize("how", always(OFTEN, [*BROKEN, *REFUSED]))
async def test_a_model_that_fails_before_its_first_word_is_asked_again(shop: Shop, how: str) -> None:
    reply, longest, _, _ = {**BROKEN, **REFUSED}[how]
    async with shop(model(reply, 1)) as bar:
        outcome = await talk(bar, questions=2)
    assert outcome.heard == [LONG, MORE]
    assert outcome.silences[0] <= longest
    assert outcome.silences[1] <= USUAL
    assert outcome.report.reason == "caller hung up"


@pytest.mark.parametrize(("how", "after"), crossed(BROKEN, [3, 12]))
async def test_a_model_that_breaks_off_is_excused_and_answers_the_next_turn(shop: Shop, how: str, after: int) -> None:
    reply, _, _, cause = BROKEN[how]
    async with shop(model(replace(reply, after=after), 1)) as bar:
        outcome = await talk(bar, questions=2)
        told = bar.services.anthropic.requests[-1].messages
    begun, sorry = outcome.heard[0].split(SAY.apology)
    assert LONG.startswith(begun.strip())
    assert sorry == ""
    assert outcome.heard[1] == MORE
    assert outcome.silences[0] <= (4.6 if how in ("stall", "pings") else 1.2)
    assert outcome.silences[1] <= USUAL
    assert [cause in message for message in outcome.messages] == [True]
    assert outcome.report.turns[0].heard == begun.strip()
    remembered = [message.text for message in told if message.role == "assistant"][1:]
    assert remembered == ([f"{begun.strip()} {SAY.apology}"] if begun.strip() else [SAY.apology])


@pytest.mark.parametrize("how", always(OFTEN, [*BROKEN, *REFUSED]))
async def test_a_model_that_never_answers_gets_two_apologies_and_a_goodbye(shop: Shop, how: str) -> None:
    reply, _, longest, cause = {**BROKEN, **REFUSED}[how]
    async with shop(model(reply, EVER)) as bar:
        outcome = await talk(bar)
    ended_politely(outcome, longest)
    assert any(cause in message for message in outcome.messages)


@pytest.mark.parametrize("how", ["cut", "stall"])
async def test_a_model_that_always_breaks_off_gets_two_apologies_and_a_goodbye(shop: Shop, how: str) -> None:
    async with shop(model(replace(BROKEN[how][0], after=12), EVER)) as bar:
        outcome = await talk(bar)
    ended_politely(outcome, 4.6 if how == "stall" else 1.2)


async def test_a_model_that_is_gone_for_a_while_answers_when_it_is_back(shop: Shop) -> None:
    async with shop(answer) as bar:
        line = await bar.rings()
        await bar.services.anthropic.down()
        said = await line.caller.says("What do you have?")
        assert await bar.hears(line) == SAY.apology
        assert longest_silence(line, said.speech_ended) <= 3.4
        await bar.services.anthropic.up()
        await line.caller.says("What do you have?")
        assert await bar.hears(line) == LONG
        report = await bar.report(line)
    assert "no connection" in report.faults[0].message


# --- the voice ------------------------------------------------------------------------------------------------


def troubles(bar: Any, times: int, trouble: Trouble) -> None:
    """What goes wrong with the next so many contexts."""
    sim = bar.services.cartesia
    numbers = range(len(sim.contexts), len(sim.contexts) + min(times, 200))
    sim.options = replace(sim.options, troubles=dict.fromkeys(numbers, trouble))


def drops(bar: Any, times: int, after: int) -> None:
    """The socket is cut in place of the next so many messages, but for the first ones."""
    sim = bar.services.cartesia
    sim.options = replace(sim.options, drops_sent=range(sim.sent + after, sim.sent + after + times))


def goes(bar: Any, times: int, after: int) -> None:
    """The socket is cut after so many messages, and new ones are refused so many times."""
    drops(bar, 1, after)
    bar.services.cartesia.refusing = 503 if times > 1 else 0


def breaking(how: str) -> Callable[[Any, int, int], None]:
    """What breaks the voice, so many times, after so many messages or pieces of audio."""
    if how in ("drop", "gone"):
        return drops if how == "drop" else goes
    if how == "stall":
        return lambda bar, times, after: troubles(bar, times, Trouble(after=after, stall=True))
    return lambda bar, times, after: troubles(bar, times, Trouble(after=after, status=int(how)))


VOICE = {
    "stall": (3.3, 10.6, "nothing came for"),
    "500": (1.2, 1.7, "the server failed (status 500)"),
    "429": (1.3, 7.4, "more at once than the plan allows (429)"),
    "402": (1.1, 1.1, "no credit is left"),
    "drop": (1.2, 1.7, "the socket closed"),
    "gone": (1.2, 1.2, "the server failed (status 503)"),
}
"""Seconds until the answer, or its next word, when it happens once; until the apology when it happens every time; the
cause as the report tells it."""
FURTHER = [pytest.param(*each, marks=pytest.mark.long) for each in (("stall", 3), ("500", 3), ("gone", 20))]
ONCE = [*crossed(["stall", "500", "drop", "gone"], [0, 3, 20]), *crossed(["402", "429"], [0])]


@pytest.mark.parametrize(("how", "after"), ONCE)
async def test_a_voice_that_fails_once_is_heard_to_the_last_word(shop: Shop, how: str, after: int) -> None:
    async with shop(answer) as bar:
        outcome = await talk(bar, lambda: breaking(how)(bar, 1, after), questions=2)
    assert outcome.heard == [LONG, MORE]
    assert [turn.heard for turn in outcome.report.turns] == [LONG, MORE]
    assert outcome.silences[0] <= VOICE[how][0]
    assert outcome.silences[1] <= USUAL
    assert outcome.report.reason == "caller hung up"


@pytest.mark.parametrize(("how", "after"), [(how, 0) for how in VOICE] + FURTHER)
async def test_a_voice_that_always_fails_gets_two_apologies_and_a_goodbye(shop: Shop, how: str, after: int) -> None:
    async with shop(answer) as bar:
        outcome = await talk(bar, lambda: breaking(how)(bar, EVER, after))
    _, longest, cause = VOICE[how]
    ended_politely(outcome, longest)
    assert any(cause in message for message in outcome.messages)


async def test_credit_that_ends_in_the_middle_of_an_answer_is_excused(shop: Shop) -> None:
    async with shop(answer) as bar:
        outcome = await talk(bar, lambda: breaking("402")(bar, 1, 6), questions=2)
    begun = outcome.heard[0].removesuffix(SAY.apology).strip()
    assert LONG.startswith(begun)
    assert outcome.report.turns[0].heard == begun
    assert outcome.heard[1] == MORE
    assert outcome.silences[0] <= USUAL


# --- the recogniser -------------------------------------------------------------------------------------------


def faults(fault: Fault, times: int) -> Callable[[int], Fault | None]:
    """What goes wrong with the next so many streams."""
    left = [times]

    def strike(number: int) -> Fault | None:
        left[0] -= 1
        return fault if left[0] >= 0 else None

    return strike


PASSING = ("UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED")
LASTING = ("UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT")
WHEN = {"when it opens": {}, "while the caller speaks": {"at": 2.6}, "after its first words": {"after": 1}}
CAUSES = {
    "UNAVAILABLE": "the service cannot be reached",
    "RESOURCE_EXHAUSTED": "the quota of project 'simulated' is used up",
    "UNAUTHENTICATED": "the credentials are not accepted",
    "PERMISSION_DENIED": "is not enabled in project 'simulated'",
    "INVALID_ARGUMENT": "the request is refused",
}


def fault_of(how: str, when: str) -> Fault:
    return Fault(how, **WHEN[when]) if how in ("cut", "end", "stall") else Fault(code=how, **WHEN[when])  # type: ignore[arg-type]


@pytest.mark.parametrize(("how", "when"), crossed(["UNAVAILABLE", "RESOURCE_EXHAUSTED", "cut", "end", "stall"], WHEN))
async def test_a_recogniser_that_fails_once_loses_no_word(shop: Shop, how: str, when: str) -> None:
    async with shop(answer) as bar:
        bar.services.google.faults = faults(fault_of(how, when), 1)
        outcome = await talk(bar, questions=2)
    assert outcome.heard == [LONG, MORE]
    assert [turn.caller for turn in outcome.report.turns] == list(ANSWERS)[:2]
    assert outcome.silences[0] <= (2.3 if how == "stall" else USUAL)
    assert outcome.silences[1] <= USUAL
    assert outcome.report.faults == []


@pytest.mark.parametrize("how", first(1, LASTING))
async def test_a_recogniser_that_refuses_once_is_asked_again(shop: Shop, how: str) -> None:
    async with shop(answer) as bar:
        bar.services.google.faults = faults(fault_of(how, "when it opens"), 1)
        outcome = await talk(bar, questions=2)
    assert outcome.heard == [LONG, MORE]
    assert [CAUSES[how] in message for message in outcome.messages] == [True]


@pytest.mark.parametrize("how", first(1, ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]))
async def test_every_stream_breaks_after_its_first_words_and_yet_nothing_is_lost(shop: Shop, how: str) -> None:
    async with shop(answer) as bar:
        bar.services.google.faults = faults(fault_of(how, "after its first words"), EVER)
        outcome = await talk(bar)
        assert len(bar.services.google.streams) < 60  # it is not asked without end
    assert outcome.heard == list(ANSWERS.values())
    assert max(outcome.silences) <= USUAL


@pytest.mark.parametrize("how", always(LASTING[:1] + PASSING[:1], [*PASSING[:1], "RESOURCE_EXHAUSTED", *LASTING]))
async def test_a_recogniser_that_never_listens_ends_the_call_in_words(shop: Shop, how: str) -> None:
    async with shop(answer) as bar:
        bar.services.google.faults = faults(fault_of(how, "when it opens"), EVER)
        outcome = await talk(bar)
    words = " ".join(outcome.heard)
    assert SAY.not_understood in words
    assert words.endswith(SAY.failed)
    assert max(outcome.silences) <= 2.4
    assert outcome.report.reason == "failed"
    assert any(CAUSES[how] in message for message in outcome.messages)


async def test_a_recogniser_that_is_silent_for_ever_is_owned_up_to_each_time(shop: Shop) -> None:
    async with shop(answer) as bar:
        bar.services.google.faults = faults(fault_of("stall", "when it opens"), EVER)
        outcome = await talk(bar)
    assert outcome.heard == [SAY.not_understood] * 3
    assert max(outcome.silences) <= 2.1
    assert any("did not answer for what was said" in message for message in outcome.messages)


# --- what is written down --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["model", "voice"])
async def test_a_wrong_key_is_told_without_the_key(shop: Shop, who: str, caplog: pytest.LogCaptureFixture) -> None:
    async with shop(answer) as bar:
        if who == "model":
            bar.module.llm = AnthropicLLM("claude-haiku-5-5", api_key="sk-ant-api03-verysecret")
        else:
            bar.module.tts = CartesiaTTS(bar.module.tts.voice, api_key="sk_car_verysecret")
        line = await bar.services.twilio.call(bar.voice_url)
        report = await bar.over(line)
    assert report.reason == "failed"
    assert report.duration < 10.0
    assert bar.heard(line) == (SAY.failed if who == "model" else "")
    told = "".join(f"{fault.message} {fault.detail}" for fault in report.faults)
    assert "key (401)" in told or "key is not accepted (401)" in told
    assert "verysecret" not in told + caplog.text

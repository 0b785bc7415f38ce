"""What Twilio may do to a call: webhooks twice, streams late, twice or never, lines that break, REST that fails."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest

from tests.server.shop import GREETING, PUBLIC, VOICE, Shop, shop
from voiceloop.server.phone import PhoneOptions
from voiceloop.sim.twilio import NUMBER, Phone, TwilioOptions
from voiceloop.testing import script

APOLOGY = PhoneOptions().apology
LATE = 70.0
"""Seconds after which a stream's token is good no more."""


def room(sim_options: TwilioOptions | None = None, **options: Any) -> AbstractAsyncContextManager[Shop]:
    """A shop whose answers take long enough to be broken off."""
    llm = script("One tea, coming up in five minutes.", "That is four euros.")
    return shop(sim_options, llm=llm, **options)


# --- webhooks -----------------------------------------------------------------------------------------------


async def test_a_webhook_that_comes_again_while_the_call_runs_changes_nothing() -> None:
    async with room(TwilioOptions(webhooks_again=2.0)) as here:
        line = await here.sim.call(VOICE)
        assert await here.hears(line) == GREETING
        await line.caller.waits(2)
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea, coming up in five minutes."
        assert here.phone.counts["voice"] == 2
    assert [report.reason for report in here.reports] == ["caller hung up"]
    assert here.sim.debugger == []


async def test_a_call_that_ends_while_its_webhook_is_answered_leaves_nothing() -> None:
    async def parameters(incoming: object) -> dict[str, str]:
        await asyncio.sleep(3)
        return {}

    async with room(parameters=parameters) as here:
        calling = asyncio.ensure_future(here.sim.call(VOICE))
        await asyncio.sleep(1)
        line = next(iter(here.sim.calls.values()))
        await line.hangs_up()
        assert await calling is line
        await asyncio.sleep(10)
        assert (line.status, line.did, here.calls) == ("canceled", [], [])
        again = await here.sim.call(VOICE)
        assert await here.hears(again) == GREETING


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (TwilioOptions(callbacks_twice=True), ["initiated", "ringing", "in-progress", "completed"]),
        (TwilioOptions(callbacks_lost=frozenset({"initiated", "completed"})), ["ringing", "in-progress"]),
        (TwilioOptions(callbacks_late=20.0), ["initiated", "ringing", "in-progress", "completed"]),
        (TwilioOptions(callbacks_swapped=True, callbacks_late=1.0), ["ringing", "completed"]),
    ],
    ids=["twice", "lost", "late", "swapped"],
)
async def test_each_status_is_told_at_most_once_and_never_goes_back(options: TwilioOptions, told: list[str]) -> None:
    news: list[str] = []
    async with room(options, on_status=lambda status: news.append(status.status)) as here:
        info = await here.rest.dial("+15550003333", NUMBER, url=VOICE, status_callback=f"{PUBLIC}/status")
        line = here.sim.calls[info.sid]
        await line.connected()
        assert await here.hears(line) == GREETING
        await line.hangs_up()
        await line.ended()
    assert news == told
    assert [report.reason for report in here.reports] == ["caller hung up"]


# --- streams ------------------------------------------------------------------------------------------------


async def test_a_stream_that_comes_too_late_is_refused_and_the_next_one_greets() -> None:
    async with room(TwilioOptions(stream_delays=(LATE,))) as here:
        line = await here.sim.call(VOICE)
        assert here.calls == []
        await line.connected(streams=2)
        assert line.streams[0].end == "closed by the server (1008)"
        began = line.streams[1].truth.started
        assert (await here.hears(line)).endswith(GREETING)
        first = line.caller.first_sound_after(began)
        assert first is not None
        assert first - began < 1.0
    assert [report.reason for report in here.reports] == ["caller hung up"]


async def test_streams_that_always_come_too_late_end_in_an_apology() -> None:
    async with room(TwilioOptions(stream_delays=(LATE,) * 20)) as here:
        line = await here.sim.call(VOICE)
        await line.ended()
        assert line.did[-2:] == [("say", APOLOGY), ("hang up", "")]
        assert here.calls == []


async def test_a_stream_that_never_comes_is_tried_again() -> None:
    async with room(TwilioOptions(streams_lost=1)) as here:
        line = await here.sim.call(VOICE)
        assert (await here.hears(line)).endswith(GREETING)
        assert [alert.code for alert in here.sim.debugger] == [31901]
        assert [verb for verb, _ in line.did] == ["redirect", "stream"]


async def test_streams_that_never_come_end_in_an_apology() -> None:
    async with room(TwilioOptions(streams_lost=100)) as here:
        line = await here.sim.call(VOICE)
        await line.ended()
        assert line.did[-2:] == [("say", APOLOGY), ("hang up", "")]
        assert here.phone.counts["media"] == 0


async def test_a_second_stream_with_a_used_token_is_refused_and_the_call_goes_on() -> None:
    async with room(TwilioOptions(streams_twice=True)) as here:
        line = await here.sim.call(VOICE)
        assert await here.hears(line) == GREETING
        await line.caller.waits(1)
        assert [double.end for double in line.doubles] == ["closed by the server (1008)"]
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea, coming up in five minutes."
    assert [report.reason for report in here.reports] == ["caller hung up"]


async def test_of_two_streams_that_both_have_a_token_the_caller_is_on_one_in_the_end() -> None:
    async with room(TwilioOptions(webhooks_twice=True, streams_twice=True)) as here:
        line = await here.sim.call(VOICE)
        await line.connected(streams=2)
        await asyncio.sleep(2)
        assert [double.end for double in line.doubles] == ["closed by the server (1000)"]
        assert [call.id for call in here.phone.calls.values()] == [line.sid]
        assert await here.hears(line) != ""
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea, coming up in five minutes."
    assert [report.reason for report in here.reports] == ["replaced", "replaced", "caller hung up"]


# --- lines that break ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["network", "server"])
async def test_a_line_that_breaks_while_the_agent_speaks_comes_back_and_the_agent_knows_all_that_was_heard(
    whose: str,
) -> None:
    async with room() as here:
        line = await here.sim.call(VOICE)
        assert await here.hears(line) == GREETING
        await line.caller.says("a tea please")
        await line.caller.waits(1.5)  # the answer is being said
        if whose == "network":
            await line.streams[0].cut()
        else:
            here.break_off(here.calls[0])
        broke = asyncio.get_running_loop().time()
        await line.connected(streams=2)
        assert "cut off" in await here.hears(line)
        first = line.caller.first_sound_after(broke)
        assert first is not None
        assert first - broke < 3.0
        said = [(message.role, message.text) for message in here.calls[1].conversation]
        assert said[:2] == [("assistant", GREETING), ("user", "a tea please")]
        heard = said[2][1]
        assert heard
        assert "One tea, coming up in five minutes.".startswith(heard.rstrip(" -…"))
        await line.hangs_up()
        await line.ended()
    assert here.calls[0].id == here.calls[1].id == line.sid


async def test_a_line_that_breaks_again_and_again_is_given_up_with_an_apology() -> None:
    async with room(returns=2) as here:
        line = await here.sim.call(VOICE)
        for number in (1, 2, 3):
            await line.connected(streams=number)
            await line.caller.hears()
            await line.streams[-1].cut()
        await line.ended()
        assert line.did[-2:] == [("say", APOLOGY), ("hang up", "")]
    assert len(here.calls) == 3


async def test_a_caller_who_hangs_up_is_not_called_back_nor_remembered() -> None:
    async with room() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        await line.hangs_up()
        await line.ended()
        assert [verb for verb, _ in line.did] == ["stream"]
        assert here.phone.counts["voice"] == 1


async def test_an_agent_that_hangs_up_ends_the_call_and_not_only_the_stream() -> None:
    async with room() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        here.calls[0].hang_up()
        await line.ended()
        assert (line.status, len(line.streams)) == ("completed", 1)
        assert not any(verb == "say" for verb, _ in line.did)
    assert here.sim.debugger == []


async def test_a_server_that_is_gone_for_good_leaves_no_call_hanging() -> None:
    async with room() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        here.sim.tunnel(PUBLIC, "http://127.0.0.1:9")  # nobody listens there
        here.break_off(here.calls[0])
        await line.ended()
        assert line.did[-1][0] == "say"  # Twilio's own words
        assert line.status == "completed"


# --- transfers ----------------------------------------------------------------------------------------------


async def test_a_transfer_from_outside_while_the_agent_speaks_keeps_what_was_heard() -> None:
    async with room() as here:
        here.sim.phones["+15550009999"] = Phone(rings=1.0, talks=5.0)
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        await line.caller.says("a tea please")
        await line.caller.waits(1.5)
        await here.rest.transfer(line.sid, "+15550009999")
        await line.ended()
        assert [verb for verb, _ in line.did] == ["stream", "dial"]
    last = list(here.reports[0].conversation)[-1]
    assert last.text
    assert last.unheard
    assert f"{last.text} {last.unheard}" == "One tea, coming up in five minutes."


async def test_a_transfer_that_the_agent_asks_for_while_it_speaks_waits_for_its_words() -> None:
    async with room() as here:
        here.sim.phones["+15550009999"] = Phone(rings=1.0, talks=5.0)
        line = await here.sim.call(VOICE)
        await line.caller.waits(0.4)  # the greeting is being said
        await here.calls[0].transfer("+15550009999")
        await line.ended()
        assert here.lexicon.text(bytes(line.streams[0].heard)) == GREETING
        assert line.did[-1] == ("dial", "+15550009999")
    assert here.reports[0].reason == "transferred"


@pytest.mark.parametrize("trouble", [500, 503, "stall", "cut", "page"])
async def test_a_transfer_that_fails_is_excused_in_time_and_the_call_goes_on(trouble: int | str) -> None:
    async with room() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        here.sim.troubles.append(trouble)
        asked = asyncio.get_running_loop().time()
        with suppress(Exception):
            await here.calls[0].transfer("+15550009999")
        heard = await here.hears(line)
        while heard in ("One moment, please.", "I'm still working on it."):
            heard = await here.hears(line)
        assert heard.startswith("Sorry")
        first = line.caller.first_sound_after(asked)
        assert first is not None
        assert first - asked < 11.0
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea, coming up in five minutes."


@pytest.mark.parametrize("trouble", [429, "slow", "lost"])
async def test_a_transfer_that_twilio_is_slow_to_confirm_is_made(trouble: int | str) -> None:
    async with room() as here:
        here.sim.phones["+15550009999"] = Phone(rings=1.0, talks=5.0)
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        here.sim.troubles.append(trouble)
        await here.calls[0].transfer("+15550009999")
        await line.ended()
        assert line.did[-1] == ("dial", "+15550009999")
        assert len(line.children) == 1


@pytest.mark.parametrize("trouble", [500, 429, "stall", "cut", "page", "lost", "slow"])
async def test_hanging_up_from_outside_gets_through_whatever_goes_wrong_once(trouble: int | str) -> None:
    async with room() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        here.sim.troubles.append(trouble)
        async with asyncio.timeout(26):
            await here.rest.hang_up(line.sid)
        await line.ended()
        assert line.status == "completed"
    assert here.reports[0].reason == "caller hung up"  # Twilio says stop

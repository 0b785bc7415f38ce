"""A phone whose process has enough to do: what callers get, what a balancer is told, and who is let in all the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tests.server.shop import shop
from tests.server.test_phone_door import FORM, post, server, signed
from voiceloop.server.load import LoadOptions
from voiceloop.server.overflow import Overflow
from voiceloop.server.phone import Phone
from voiceloop.server.serve import Serving
from voiceloop.server.webhook import IncomingCall
from voiceloop.sim.loop import run_virtual
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.twiml import TwimlError

ANY = LoadOptions(few=1)
"""Refuses as soon as one call is known."""
HEAD = '<?xml version="1.0" encoding="UTF-8"?><Response>'
THEM = "+15550003333"


def overload(phone: Phone, share: float = 0.92) -> None:
    """The gauges show that the loop has worked hard for two seconds; it takes calls again 5 s later at the earliest."""
    phone.load.load.ran(asyncio.get_running_loop().time(), 2.0, 2.0 * share)


def sid(number: int) -> str:
    return f"CA{number:032x}"


async def asks(serving: Serving, session: aiohttp.ClientSession, number: int = 1, **fields: str) -> str:
    """What a call is told."""
    form = {**FORM, "CallSid": sid(number), **fields}
    async with post(serving, session, data=form, headers=signed(form=form)) as response:
        assert (response.status, response.content_type) == (200, "text/xml")
        text: str = await response.text()
    return text.removeprefix(HEAD).removesuffix("</Response>")


# --- what a caller gets -------------------------------------------------------------------------------------


async def of_the_caller(incoming: IncomingCall) -> Overflow:
    await asyncio.sleep(1.0)
    return Overflow.forward(incoming.caller)


OVERFLOWS: list[tuple[str, Any, str]] = [
    ("busy tone", Overflow.busy_tone(), '<Reject reason="busy"/>'),
    (
        "a sentence",
        Overflow.spoken("Alle Leitungen sind belegt.", language="de-DE"),
        '<Say language="de-DE">Alle Leitungen sind belegt.</Say><Hangup/>',
    ),
    (
        "another region",
        Overflow.redirect("https://eu.example.com/voice?from=us"),
        '<Redirect method="POST">https://eu.example.com/voice?from=us</Redirect>',
    ),
    (
        "a telephone",
        Overflow.forward("+1 555 000 4444", caller_id=THEM),
        f'<Dial callerId="{THEM}">+15550004444</Dial><Hangup/>',
    ),
    (
        "verbs of one's own",
        Overflow((tw.play("https://example.com/full.mp3"),)),
        "<Play>https://example.com/full.mp3</Play>",
    ),
    ("a function", lambda incoming: Overflow.spoken(incoming.number), "<Say>+15550001111</Say><Hangup/>"),
    ("a coroutine", of_the_caller, "<Dial>+15550002222</Dial><Hangup/>"),
    ("one that fails", lambda incoming: 1 / 0, "<Say>Sorry.</Say><Hangup/>"),
    ("one that hangs", lambda incoming: asyncio.sleep(60), "<Say>Sorry.</Say><Hangup/>"),
    ("one that gives something else", lambda incoming: "busy", "<Say>Sorry.</Say><Hangup/>"),
]


@pytest.mark.parametrize(("overflow", "told"), [row[1:] for row in OVERFLOWS], ids=[row[0] for row in OVERFLOWS])
async def test_who_is_refused_gets_what_was_chosen(overflow: Any, told: str) -> None:
    async with server(load=ANY, overflow=overflow, apology="Sorry.") as (serving, session):
        assert "<Stream" in await asks(serving, session, 1)
        overload(serving.phone)
        assert await asks(serving, session, 2) == told
        assert (serving.phone.counts["voice.busy"], serving.phone.counts["voice.load"]) == (1, 1)


async def test_a_full_server_and_one_that_stops_give_it_too() -> None:
    async with shop(most_calls=1, overflow=Overflow.spoken("We are full.")) as here:
        await here.rings()
        assert (await here.rings()).did == [("say", "We are full."), ("hang up", "")]
        assert (here.phone.counts["voice.busy"], here.phone.counts["voice.load"]) == (1, 0)
        here.phone.stopping = True
        assert (await here.rings()).did == [("say", "We are full."), ("hang up", "")]


@pytest.mark.parametrize("url", ["", "eu.example.com/voice", "ftp://example.com", "https://", " https://example.com/"])
def test_a_redirect_to_no_url_is_refused_when_it_is_chosen(url: str) -> None:
    with pytest.raises(TwimlError, match="expected a URL like"):
        Overflow.redirect(url)


@pytest.mark.parametrize("text", ["", "  ", "x" * 70_000])
def test_a_sentence_that_twilio_could_not_say_is_refused_when_it_is_chosen(text: str) -> None:
    with pytest.raises(TwimlError):
        Overflow.spoken(text)


def test_a_forward_to_no_number_is_refused_when_it_is_chosen() -> None:
    with pytest.raises(TwimlError, match="country code"):
        Overflow.forward("911")


# --- who is let in all the same -----------------------------------------------------------------------------


async def test_a_process_that_has_nothing_to_do_with_calls_takes_them() -> None:
    async with server() as (serving, session):
        for number in range(4):
            overload(serving.phone)
            assert "<Stream" in await asks(serving, session, number)
        assert "<Reject" in await asks(serving, session, 4)


async def test_a_call_that_asks_twice_is_told_twice() -> None:
    async with server(load=ANY) as (serving, session):
        first = await asks(serving, session, 1)
        overload(serving.phone)
        assert "<Stream" in first
        assert "<Stream" in await asks(serving, session, 1)
        assert "<Reject" in await asks(serving, session, 2)


async def test_a_call_that_has_lost_its_line_is_taken_by_a_busy_process() -> None:
    async with shop(load=ANY) as here:
        line = await here.rings()
        await here.hears(line)
        overload(here.phone)
        here.break_off(here.calls[0])
        await line.connected(streams=2)
        assert (await here.hears(line)).startswith("Sorry, we were cut off.")
        assert here.phone.counts["voice.busy"] == 0


async def test_a_stream_whose_webhook_was_answered_is_taken_by_a_busy_process() -> None:
    phones: list[Phone] = []

    def busy_from_now_on(incoming: IncomingCall) -> dict[str, str]:
        overload(phones[0])  # the call is let in, and its stream has not come
        return {}

    async with shop(load=ANY, parameters=busy_from_now_on) as here:
        phones.append(here.phone)
        line = await here.rings()
        assert here.phone.busy
        assert await here.hears(line) == "Tea room, hello."
        assert here.phone.counts["media.refused"] == 0


async def test_who_was_called_and_answers_is_not_sent_away() -> None:
    async with server(load=ANY) as (serving, session):
        await asks(serving, session, 1)
        overload(serving.phone)
        assert "<Stream" in await asks(serving, session, 2, Direction="outbound-api")


async def test_nobody_is_called_while_the_process_is_busy() -> None:
    async with shop(load=ANY) as here:
        line = await here.rings()
        await here.hears(line)
        overload(here.phone)
        dialling = asyncio.ensure_future(here.dialler.dial(THEM))
        await asyncio.sleep(1.5)
        assert len(here.sim.calls) == 1
        await asyncio.sleep(5.0)
        called = list(here.sim.calls.values())[1]
        assert called.to == THEM
        await called.connected()
        await called.hangs_up()
        assert (await dialling).status == "answered"


# --- bursts -------------------------------------------------------------------------------------------------


async def settled(serving: Serving, calls: int, share: float) -> None:
    """So many calls have been on the line for a minute and load the loop as much."""
    load, loop = serving.phone.load.load, asyncio.get_running_loop()
    for number in range(calls):
        load.began(f"old {number}", loop.time())
    for _ in range(240):
        await asyncio.sleep(0.25)
        load.ran(loop.time(), 0.25, 0.25 * share)


async def test_a_burst_at_once_is_let_in_as_far_as_there_is_room() -> None:
    async with server() as (serving, session):
        await settled(serving, 200, 0.6)
        told = await asyncio.gather(*(asks(serving, session, number) for number in range(120)))
        taken = sum("<Stream" in each for each in told)
        assert taken == 83  # (0.85 - 0.6) / 0.003; and fifty are
        assert sum("<Reject" in each for each in told) == 120 - taken
        assert serving.phone.load.figures().coming == taken


async def test_of_a_burst_no_more_are_let_in_than_may_be_on_the_line() -> None:
    async with server(most_calls=3) as (serving, session):
        told = await asyncio.gather(*(asks(serving, session, number) for number in range(10)))
        assert [text for text in told if "<Stream" not in text] == ['<Reject reason="busy"/>'] * 7
        (first, *_) = (number for number, text in enumerate(told) if "<Stream" in text)
        again = await asks(serving, session, first, CallToken="asks twice")
        assert "<Stream" in again
        await asyncio.sleep(6)  # their streams have not come
        assert "<Stream" in await asks(serving, session, 11)


async def test_a_call_that_cannot_be_taken_gives_its_room_back_at_once() -> None:
    def broken(incoming: IncomingCall) -> dict[str, str]:
        raise LookupError("no database")

    async with server(parameters=broken) as (serving, session):
        assert "<Say>" in await asks(serving, session)
        assert serving.phone.load.figures().coming == 0


# --- what a balancer is told --------------------------------------------------------------------------------


async def reads(serving: Serving, session: aiohttp.ClientSession, path: str = "/readyz") -> tuple[int, str]:
    async with session.get(serving.url + path) as response:
        return response.status, await response.text()


async def test_readiness_says_that_it_is_busy_and_why_and_that_it_is_free_again() -> None:
    async with shop(load=ANY) as here, aiohttp.ClientSession() as session:
        line = await here.rings()
        await here.hears(line)
        assert await reads(here.serving, session) == (200, "ready\n")
        overload(here.phone, 0.87)
        busy = (503, "busy: 1 call, the event loop was 87 % busy over the last 2 s\n")
        assert await reads(here.serving, session) == busy
        assert await reads(here.serving, session, "/healthz") == (200, "ok\n")
        await asyncio.sleep(2.5)  # there is no work to be seen any more, but not for long enough
        assert await reads(here.serving, session) == busy
        await asyncio.sleep(3.0)
        assert await reads(here.serving, session) == (200, "ready\n")
        await line.hangs_up()


async def test_a_busy_process_keeps_no_connection_so_that_the_next_request_finds_another() -> None:
    async with server(load=ANY) as (serving, session):

        async def kept() -> bool:
            async with session.get(serving.url + "/healthz") as response:
                return response.headers.get("Connection") != "close"

        await asks(serving, session)
        assert await kept()
        overload(serving.phone)
        assert not await kept()
        await asyncio.sleep(6)
        assert await kept()


async def test_readiness_says_that_as_many_calls_are_on_the_line_as_are_taken() -> None:
    async with shop(most_calls=1) as here, aiohttp.ClientSession() as session:
        line = await here.rings()
        assert await reads(here.serving, session) == (503, "busy: 1 call, as many as are taken\n")
        await line.hangs_up()
        await line.ended()
        assert await reads(here.serving, session) == (200, "ready\n")


async def test_a_load_that_is_only_measured_refuses_nobody_and_is_ready() -> None:
    async with server(load=LoadOptions(few=1, refuse=False)) as (serving, session):
        await asks(serving, session, 1)
        overload(serving.phone)
        assert serving.phone.load.look()
        assert "<Stream" in await asks(serving, session, 2)
        assert await reads(serving, session) == (200, "ready\n")


async def test_the_log_says_why_a_call_was_refused(caplog: pytest.LogCaptureFixture) -> None:
    async with server(load=ANY) as (serving, session):
        await asks(serving, session, 1)
        overload(serving.phone)
        with caplog.at_level(logging.WARNING, "voiceloop.phone"):
            await asks(serving, session, 2)
    assert caplog.messages == [f"the call {sid(2)} is not taken: the event loop was 92 % busy over the last 2 s"]


# --- virtual time -------------------------------------------------------------------------------------------


async def test_in_virtual_time_nothing_is_measured() -> None:
    loop: Any = asyncio.get_running_loop()
    async with shop() as here:
        line = await here.rings()
        await here.hears(line)
        here.phone.load.start()
        figures = here.phone.load.figures()
        assert (figures.share, figures.lag, figures.busy, figures.calls) == (0.0, 0.0, False, 1)
        assert [timer for timer in loop._scheduled if "load" in repr(timer._callback).lower()] == []
        await line.hangs_up()


def test_what_a_call_does_is_the_same_however_loaded_its_process_is() -> None:
    async def call(feed: Callable[[Phone], object]) -> tuple[str, str, bytes, float]:
        async with shop(load=ANY) as here:
            line = await here.rings()
            feed(here.phone)
            first = await here.hears(line)
            await line.caller.says("a tea please")
            answer = await here.hears(line)
            await line.hangs_up()
            return first, answer, bytes(line.streams[0].heard), asyncio.get_running_loop().time()

    busy, idle = (run_virtual(call(feed), max_time=100.0) for feed in (overload, lambda phone: None))
    assert busy == idle
    assert busy[:2] == ("Tea room, hello.", "One tea.")

"""Whole calls: Twilio's exchange, the phone server, a bot with scripted providers, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from tests.server.shop import GREETING, PUBLIC, VOICE, shop
from voiceloop import Call, Pipeline
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.server.webhook import CallStatus, IncomingCall
from voiceloop.sim.twilio import NUMBER, TOKEN, Phone, TwilioOptions, TwilioSim
from voiceloop.twilio.connections import ConnectionManager


async def test_a_call_of_two_turns_from_the_webhook_to_the_hang_up() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE, from_="+15550002222")
        assert await here.hears(line) == GREETING
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea."
        await line.caller.says("how long")
        assert await here.hears(line) == "Five minutes."
        await line.hangs_up()
        await line.ended()
        call = here.calls[0]
        assert here.phone.manager.calls == []
        assert (call.id, call.caller, call.number, call.direction) == (line.sid, "+15550002222", NUMBER, "inbound")
        assert call.params == {}
    assert [turn.caller for turn in here.reports[0].turns] == ["a tea please", "how long"]
    assert here.reports[0].reason == "caller hung up"
    assert here.reports[0].faults == []
    assert [status for _, status in line.statuses] == ["ringing", "in-progress", "completed"]
    assert here.sim.debugger == []
    assert here.phone.counts == {"voice": 1, "media": 1}
    assert here.phone.calls == {}


async def test_the_parameters_hook_fills_params_and_never_sees_or_leaks_the_token() -> None:
    asked: list[IncomingCall] = []

    async def parameters(incoming: IncomingCall) -> dict[str, str]:
        asked.append(incoming)
        return {"tenant": 't-42 "<&>', "empty": "", "lines": "a\nb\tc"}

    async with shop(parameters=parameters) as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        assert here.calls[0].params == {"tenant": 't-42 "<&>', "empty": "", "lines": "a\nb\tc"}
        assert "token" in line.streams[0]._parameters  # type: ignore[operator]
        await line.hangs_up()
    assert asked[0].fields["CallStatus"] == "ringing"
    assert (asked[0].caller, asked[0].number) == ("+15550002222", NUMBER)


@pytest.mark.parametrize(
    "given", [{"caller": "+1999"}, {"token": "x"}, {"long": "x" * 500}, {"number": 5}, {f"p{i}": "" for i in range(50)}]
)
async def test_parameters_that_cannot_be_sent_are_excused_by_voice(given: dict[str, str]) -> None:
    async with shop(parameters=lambda incoming: given) as here:
        line = await here.sim.call(VOICE)
        await line.ended()
        assert line.did == [("say", PhoneOptions().apology), ("hang up", "")]
        assert here.phone.counts["voice.failed"] == 1


async def test_a_parameters_hook_that_hangs_is_given_up_before_twilio_does() -> None:
    async def parameters(incoming: IncomingCall) -> dict[str, str]:
        await asyncio.sleep(100)
        return {}

    async with shop(parameters=parameters) as here:
        line = await here.sim.call(VOICE)
        await line.ended()
        assert line.did[0] == ("say", PhoneOptions().apology)
        assert line.statuses[1][0] - line.statuses[0][0] == pytest.approx(5.0, abs=0.01)
        assert here.sim.debugger == []


async def test_the_agent_transfers_when_its_words_were_heard_and_the_call_goes_on_without_it() -> None:
    async with shop() as here:
        here.sim.phones["+15550009999"] = Phone(rings=1.0, talks=20.0)
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        await here.calls[0].transfer("+15550009999", announce="One moment please.")
        await line.ended()
        assert here.lexicon.text(bytes(line.streams[0].heard)) == f"{GREETING} One moment please."
        assert line.did[1:] == [("dial", "+15550009999")]
        child = line.children[0]
        assert (child.status, child.direction, child.duration) == ("completed", "outbound-dial", 20)
        assert (await here.rest.status(child.sid)).parent_sid == line.sid
        assert line.streams[0].end == "hung up"
    assert here.reports[0].reason == "transferred"
    assert here.reports[0].faults == []


async def test_a_transfer_from_outside_ends_the_stream_announces_and_dials() -> None:
    async with shop() as here:
        here.sim.phones["+15550009999"] = Phone("busy", rings=1.0)
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        await here.rest.transfer(line.sid, "+1 (555) 000-9999", "One moment & I connect you.")
        await line.ended()
        assert line.did[1:] == [("say", "One moment & I connect you."), ("dial", "+15550009999")]
    assert here.reports[0].reason == "caller hung up"  # Twilio says stop


async def test_a_transfer_that_twilio_refuses_is_excused_and_the_call_goes_on() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        here.sim.troubles.append(503)
        await here.calls[0].transfer("+15550009999")
        assert (await here.hears(line)).startswith("Sorry, something went wrong.")
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea."
        await line.hangs_up()
    assert [fault.kind for fault in here.reports[0].faults] == ["transfer.failed"]


async def test_who_hangs_up_after_a_transfer_takes_the_other_party_along() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        await here.rest.transfer(line.sid, "+15550009999")
        await line.streams[0].wait_ended()
        await line.caller.waits(10)
        await line.hangs_up()
        await line.children[0].ended()
        assert line.children[0].status == "completed"


async def test_hanging_up_by_rest_ends_the_stream_and_the_call_and_may_come_late() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        await here.rest.hang_up(line.sid)
        await line.ended()
        assert (line.status, line.streams[0].end) == ("completed", "hung up")
        await here.rest.hang_up(line.sid)  # it is over already


async def test_the_agent_hangs_up_and_nothing_follows() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        here.calls[0].hang_up()
        await line.ended()
        assert line.streams[0].end == "closed by the server (1000)"
        assert [verb for verb, _ in line.did] == ["stream", "redirect", "hang up"]
        assert here.sim.debugger == []


async def test_a_redirect_to_the_webhook_gives_a_second_stream_with_a_token_of_its_own() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        await here.rest.redirect(line.sid, url=VOICE)
        caller = await line.connected(streams=2)
        assert here.lexicon.text((await caller.hears()).audio) == GREETING
        await line.hangs_up()
        first, second = line.streams
        assert first.stream.call_sid == second.stream.call_sid
        assert first.stream.stream_sid != second.stream.stream_sid
    assert [report.call_id for report in here.reports] == [line.sid, line.sid]


async def test_calling_out_rings_is_answered_and_status_callbacks_come_in_order() -> None:
    told: list[CallStatus] = []
    async with shop(on_status=told.append) as here:
        here.sim.phones["+15550003333"] = Phone(rings=4.0)
        info = await here.rest.dial("+15550003333", NUMBER, url=VOICE, status_callback=f"{PUBLIC}/status")
        assert (info.status, info.direction) == ("queued", "outbound-api")
        line = here.sim.calls[info.sid]
        caller = await line.connected()
        assert here.lexicon.text((await caller.hears()).audio) == GREETING
        call = here.calls[0]
        assert (call.caller, call.number, call.direction) == (NUMBER, "+15550003333", "outbound")
        await caller.waits(20)
        await line.hangs_up()
        await line.ended()
    assert [status.status for status in told] == ["initiated", "ringing", "in-progress", "completed"]
    assert [status.sequence for status in told] == [0, 1, 2, 3]
    assert told[-1].duration == line.duration
    assert told[-1].ended


async def test_status_callbacks_out_of_order_never_go_back() -> None:
    told: list[str] = []

    async def on_status(status: CallStatus) -> None:
        told.append(status.status)

    async with shop(TwilioOptions(callbacks_swapped=True), on_status=on_status) as here:
        info = await here.rest.dial("+15550003333", NUMBER, url=VOICE, status_callback=f"{PUBLIC}/status")
        line = here.sim.calls[info.sid]
        await line.connected()
        await line.hangs_up()
        await line.ended()
        assert here.phone.counts["status.stale"] == 2
    assert told == ["ringing", "completed"]


@pytest.mark.parametrize(("outcome", "status"), [("busy", "busy"), ("no-answer", "no-answer"), ("failed", "failed")])
async def test_a_call_that_is_not_answered_is_told_by_its_status(outcome: str, status: str) -> None:
    told: list[str] = []
    async with shop(on_status=lambda news: told.append(news.status)) as here:
        here.sim.phones["+15550003333"] = Phone(outcome)  # type: ignore[arg-type]
        info = await here.rest.dial("+15550003333", NUMBER, url=VOICE, status_callback=f"{PUBLIC}/status", timeout=20)
        await here.sim.calls[info.sid].ended()
        assert (await here.rest.status(info.sid)).status == status
    assert told[-1] == status
    assert here.calls == []


async def test_an_on_status_that_raises_is_logged_and_twilio_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    def on_status(status: CallStatus) -> None:
        raise RuntimeError("no database")

    async with shop(on_status=on_status) as here:
        info = await here.rest.dial(
            "+15550003333", NUMBER, url=VOICE, status_callback=f"{PUBLIC}/status", events=["completed"]
        )
        await here.sim.calls[info.sid].connected()
        await here.sim.calls[info.sid].hangs_up()
        await here.sim.calls[info.sid].ended()
        assert here.sim.debugger == []
    assert "on_status failed: RuntimeError: no database" in caplog.text


async def test_a_webhook_that_comes_twice_gives_one_call() -> None:
    async with shop(TwilioOptions(webhooks_twice=True)) as here:
        line = await here.sim.call(VOICE)
        assert await here.hears(line) == GREETING
        await line.hangs_up()
        assert here.phone.counts == {"voice": 2, "media": 1}
    assert len(here.calls) == 1


async def test_more_calls_than_the_server_takes_hear_the_busy_tone() -> None:
    async with shop(most_calls=1) as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        second = await here.sim.call(VOICE)
        assert (second.status, second.did) == ("busy", [("reject", "busy")])
        await line.hangs_up()


async def test_a_bot_that_cannot_be_made_ends_the_call_cleanly() -> None:
    def bot(call: Call) -> Pipeline:
        if call.id == "rehearsal":
            return Pipeline([call.transport])
        raise RuntimeError("no menu")

    sim = TwilioSim()
    options = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN)
    async with sim.listening(), serving_phone(bot, options=options) as serving:
        sim.tunnel(PUBLIC, serving.url)
        line = await sim.call(VOICE)
        await line.ended()
        assert line.status == "completed"
        assert serving.phone.calls == {}


async def test_the_server_ends_calls_when_it_stops_and_lets_the_agent_finish() -> None:
    async with shop() as here:
        line = await here.sim.call(VOICE)
        await line.caller.waits(0.3)  # the greeting is being said
        await here.phone.drain(0)
        assert here.lexicon.text(bytes(line.streams[0].heard)) == GREETING
        await line.ended()
        late = await here.sim.call(VOICE)
        assert late.did == [("reject", "busy")]
    assert here.reports[0].reason == "server stopped"


async def test_a_call_that_does_not_end_in_time_is_ended_when_the_server_stops() -> None:
    async with shop(last_words=0.1) as here:
        line = await here.sim.call(VOICE)
        await line.caller.waits(0.3)
        await here.phone.drain(0)
        await line.ended()
    assert here.reports[0].reason == "server stopped"


async def test_live_calls_are_found_by_their_ids_and_a_full_manager_refuses() -> None:
    manager = ConnectionManager(limit=1)
    async with shop(manager=manager, returns=0) as here:
        line = await here.sim.call(VOICE)
        await line.caller.hears()
        assert manager.get_call(line.sid) is here.calls[0]
        late = await here.sim.call(VOICE)
        await late.ended()
        assert late.streams[0].end == "closed by the server (1013)"
        assert here.phone.counts["media.refused"] == 1
        assert len(here.phone.calls) == 1
        await line.hangs_up()

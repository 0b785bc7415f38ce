"""The simulated Twilio calls somebody: machines and their detection, callbacks, and what may go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from voiceloop.audio.mulaw import decode
from voiceloop.sim.caller import Caller
from voiceloop.sim.twilio import ACCOUNT, NUMBER, TOKEN, Machine, Phone, SimCall, TwilioOptions, TwilioSim
from voiceloop.sim.twilio_machine import Detection, beep
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.rest import TwilioError, TwilioREST
from voiceloop.twilio.signature import is_genuine

HERE = "http://127.0.0.1:8092"
THEM = "+15550003333"
STREAM = tw.document(tw.connect_stream("ws://127.0.0.1:8092/media"))
RATE = 8000
TAPE = b"\x00" * (7 * RATE)
"""Of a machine with 0.5 s of silence, 5.6 s of greeting, 0.5 s of silence, 0.4 s of beep."""


class App:
    """An application: answers ``/voice`` with TwiML, hears ``/status``, and echoes nothing on ``/media``."""

    def __init__(self, twiml: str) -> None:
        self.twiml = twiml
        self.asked: list[tuple[str, dict[str, str], float]] = []
        self.failures = 0
        self.plays = b""

    def forms(self, path: str) -> list[dict[str, str]]:
        return [form for asked, form, _ in self.asked if asked.partition("?")[0] == path]

    async def post(self, request: web.Request) -> web.Response:
        form = dict(parse_qsl(await request.text(), keep_blank_values=True))
        url = HERE + request.raw_path
        assert is_genuine(TOKEN, url, request.headers["X-Twilio-Signature"], form)
        self.asked.append((request.raw_path, form, asyncio.get_running_loop().time()))
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        return web.Response(text=self.twiml, content_type="text/xml")

    async def media(self, request: web.Request) -> web.WebSocketResponse:
        import base64

        line = web.WebSocketResponse()
        await line.prepare(request)
        await line.receive_json()
        sid = (await line.receive_json())["streamSid"]
        if self.plays:
            payload = base64.b64encode(self.plays).decode()
            await line.send_json({"event": "media", "streamSid": sid, "media": {"payload": payload}})
        async for _ in line:
            pass
        return line


@asynccontextmanager
async def exchange(
    options: TwilioOptions | None = None, twiml: str = STREAM
) -> AsyncIterator[tuple[TwilioSim, TwilioREST, App]]:
    sim, told = TwilioSim(options=options), App(twiml)
    app = web.Application()
    app.router.add_get("/media", told.media)
    app.router.add_post("/{path:.*}", told.post)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8092).start()
    try:
        async with sim.listening() as base, TwilioREST(ACCOUNT, TOKEN, base_url=base) as rest:
            yield sim, rest, told
    finally:
        await runner.cleanup()


async def dial(sim: TwilioSim, rest: TwilioREST, **more: str) -> SimCall:
    info = await rest.dial(
        THEM, NUMBER, url=f"{HERE}/voice?out=e30", status_callback=f"{HERE}/status", time_limit=60, more=more
    )
    return sim.calls[info.sid]


# --- the detection ------------------------------------------------------------------------------------------

END = {"MachineDetection": "DetectMessageEnd"}
ENABLE = {"MachineDetection": "Enable"}


@pytest.mark.parametrize(
    ("form", "who", "machine", "answered_by", "after"),
    [
        (ENABLE, "human", None, "human", 2.2),
        (END, "human", None, "human", 2.2),
        (END | {"MachineDetectionSpeechEndThreshold": "500"}, "human", None, "human", 1.5),
        (END, "silent", None, "unknown", 5.0),
        (END | {"MachineDetectionSilenceTimeout": "3000"}, "silent", None, "unknown", 3.0),
        (END, "fax", None, "fax", 2.0),
        (END, "machine_end_other", None, "machine_end_other", 2.2),
        (ENABLE, "human", Machine(), "machine_start", 2.9),
        (ENABLE | {"MachineDetectionSpeechThreshold": "1000"}, "human", Machine(), "machine_start", 1.5),
        (END, "human", Machine(), "machine_end_beep", 7.0),
        (END | {"MachineDetectionTimeout": "5"}, "human", Machine(), "unknown", 5.0),
        (END, "human", Machine(beeps=0.0), "machine_end_silence", 0.5 + 6.0 + 1.2),
        # A greeting shorter than the threshold passes for a person.
        (END | {"MachineDetectionSpeechThreshold": "6000"}, "human", Machine(), "human", 0.5 + 5.6 + 1.2),
    ],
)
def test_what_is_found_and_when(
    form: Mapping[str, str], who: str, machine: Machine | None, answered_by: str, after: float
) -> None:
    verdict = Detection(form).verdict(who, machine, TAPE)
    assert verdict.answered_by == answered_by
    assert verdict.after == pytest.approx(after)


def test_keys_that_are_sent_cancel_the_detection() -> None:
    assert Detection(END).wanted
    assert not Detection({}).wanted
    assert not Detection(END | {"SendDigits": "1"}).wanted


def test_a_beep_is_a_tone_of_1000_hz() -> None:
    samples = decode(beep(0.4))
    assert len(samples) == 3200
    crossings = sum(1 for one, other in pairwise(samples.tolist()) if one < 0 <= other)
    assert crossings == pytest.approx(400, abs=1)


async def test_beside_the_call_the_webhook_comes_at_once_and_the_callback_later() -> None:
    async with exchange() as (sim, rest, app):
        sim.phones[THEM] = Phone(machine=Machine())
        line = await dial(sim, rest, **END, AsyncAmd="true", AsyncAmdStatusCallback=f"{HERE}/amd")
        await line.connected()
        assert line.answered_at is not None
        assert app.asked[-1][0] == "/voice?out=e30"
        assert "AnsweredBy" not in app.forms("/voice")[0]
        assert (await rest.status(line.sid)).answered_by == ""
        await line.caller.waits(10)
        _, form, at = next(each for each in app.asked if each[0] == "/amd")
        assert at - line.answered_at == pytest.approx(0.5 + 6.0 + 0.5 + 0.4)
        assert form == {
            "AccountSid": ACCOUNT,
            "CallSid": line.sid,
            "AnsweredBy": "machine_end_beep",
            "MachineDetectionDuration": "7400",
        }
        assert (await rest.status(line.sid)).answered_by == ""
        await line.hangs_up()
        await line.ended()
        assert (await rest.status(line.sid)).answered_by == "machine_end_beep"
        assert app.forms("/status")[-1]["AnsweredBy"] == "machine_end_beep"
        assert app.forms("/status")[-1]["SipResponseCode"] == "200"


async def test_a_call_that_waits_for_the_detection_tells_the_webhook() -> None:
    async with exchange() as (sim, rest, app):
        line = await dial(sim, rest, **END)
        await line.connected()
        form = app.forms("/voice")[0]
        assert (form["AnsweredBy"], form["MachineDetectionDuration"]) == ("human", "2200")
        assert line.answered_at is not None
        assert line.streams[0].truth.started - line.answered_at == pytest.approx(2.2)


async def test_a_call_that_ends_before_anything_is_found_has_no_callback() -> None:
    async with exchange() as (sim, rest, app):
        line = await dial(sim, rest, **END, AsyncAmd="true", AsyncAmdStatusCallback=f"{HERE}/amd")
        await line.connected()
        await line.hangs_up()
        await asyncio.sleep(20)
        assert app.forms("/amd") == []


@pytest.mark.parametrize(
    ("options", "times"), [(TwilioOptions(detection_lost=True), 0), (TwilioOptions(detection_twice=True), 2)]
)
async def test_the_callback_of_the_detection_lost_and_doubled(options: TwilioOptions, times: int) -> None:
    async with exchange(options) as (sim, rest, app):
        line = await dial(sim, rest, **END, AsyncAmd="true", AsyncAmdStatusCallback=f"{HERE}/amd")
        await line.connected()
        await line.caller.waits(5)
        assert len(app.forms("/amd")) == times


async def test_a_machine_plays_its_greeting_beeps_records_what_comes_then_and_hangs_up() -> None:
    greeting = b"\x10" * RATE
    async with exchange() as (sim, rest, app):
        app.plays = b"\x20" * (2 * RATE) + b"\x30" * RATE
        sim.phones[THEM] = Phone(machine=Machine(greeting=greeting, records=5.0))
        line = await dial(sim, rest)
        await line.ended()
    tape = b"\xff" * (RATE // 2) + greeting + b"\xff" * (RATE // 2) + beep(0.4)
    assert bytes(line.streams[0].said[160:]).startswith(tape)  # from the second 20 ms on
    assert line.duration == round(2.4 + 5.0)
    # 2.4 s had passed when it began to record.
    recorded = line.message.rstrip(b"\xff")
    assert set(recorded) == {0x30}
    assert len(recorded) == pytest.approx(0.6 * RATE, abs=320)
    assert len(line.message) == pytest.approx(5.0 * RATE, abs=320)


async def test_the_person_who_is_called_may_act_on_their_own() -> None:
    async def person(caller: Caller) -> None:
        await caller.waits(3)
        await caller.hangs_up()

    async with exchange() as (sim, rest, _):
        sim.everybody = Phone(rings=1.0, person=person)
        line = await dial(sim, rest)
        await line.connected()
        await line.streams[0].wait_ended()
        assert line.streams[0].end == "hung up"


async def test_a_call_ends_at_its_time_limit() -> None:
    async with exchange() as (sim, rest, _):
        line = await dial(sim, rest)
        await line.ended()
        assert (line.status, line.duration) == ("completed", 60)


# --- what may go wrong --------------------------------------------------------------------------------------


async def test_statuses_lost_doubled_and_late() -> None:
    async def told(options: TwilioOptions) -> list[str]:
        async with exchange(options) as (sim, rest, app):
            line = await dial(sim, rest)
            await line.connected()
            await line.hangs_up()
            await line.ended()
            return [form["CallStatus"] for form in app.forms("/status")]

    every = ["initiated", "ringing", "in-progress", "completed"]
    assert await told(TwilioOptions()) == every
    assert await told(TwilioOptions(callbacks_lost=frozenset({"ringing", "completed"}))) == [every[0], every[2]]
    assert await told(TwilioOptions(callbacks_twice=True)) == [each for each in every for _ in range(2)]
    assert await told(TwilioOptions(callbacks_late=9.0)) == every


@pytest.mark.parametrize(
    ("fragment", "failures", "asked", "verb"),
    [
        ("", 1, 1, "say"),
        ("#rc=2&rp=5xx", 2, 3, "pause"),
        ("#rc=2&rp=all", 2, 3, "pause"),
        ("#rc=1&rp=all", 2, 2, "say"),
        ("#rc=2&rp=ct,rt", 1, 1, "say"),
    ],
)
async def test_a_urls_fragment_says_how_often_to_ask_again(fragment: str, failures: int, asked: int, verb: str) -> None:
    async with exchange(twiml=tw.document(tw.pause(1))) as (sim, _, app):
        app.failures = failures
        line = await sim.call(f"{HERE}/voice{fragment}")
        await line.ended()
        assert [path for path, _, _ in app.asked] == ["/voice"] * asked
        assert line.did[0][0] == verb


async def test_rest_that_is_slow_or_loses_its_answer_has_done_what_it_was_told() -> None:
    async with exchange() as (sim, rest, _):
        line = await dial(sim, rest)
        await line.connected()
        loop = asyncio.get_running_loop()
        sim.troubles.append("slow")
        before = loop.time()
        await rest.status(line.sid)
        assert loop.time() - before == pytest.approx(5.0)
        sim.troubles.append("lost")
        with pytest.raises(TwilioError, match=r"the connection to .* broke") as lost:
            await rest.redirect(line.sid, tw.document(tw.pause(1)))
        assert lost.value.unclear
        await line.ended()
        assert line.did[-1] == ("pause", "1")


@pytest.mark.parametrize("name", ["Timeout", "TimeLimit"])
async def test_what_is_no_number_of_seconds_is_refused(name: str) -> None:
    async with exchange() as (sim, rest, _):
        more: dict[str, Any] = {name: "soon"}
        with pytest.raises(TwilioError, match=f"{name} is not a number of seconds"):
            await rest.dial(THEM, NUMBER, url=f"{HERE}/voice", more=more)
        assert sim.calls == {}

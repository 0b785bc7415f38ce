"""The simulated Twilio: what it does with TwiML, webhooks and streams, good and bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from voiceloop.sim.caller import CallEnded
from voiceloop.sim.twilio import NUMBER, TOKEN, Number, Phone, SimCall, TwilioOptions, TwilioSim
from voiceloop.sim.twilio_program import APPLICATION_ERROR
from voiceloop.sim.twilio_twiml import TwimlFault, read_twiml
from voiceloop.sim.twilio_web import WebClient
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.signature import is_genuine

HERE = "http://127.0.0.1:8091"
Answer = str | web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


class App:
    """An application that answers each path as told, and keeps what it was asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def take(self, request: web.Request) -> web.StreamResponse:
        form = dict(parse_qsl(await request.text(), keep_blank_values=True))
        self.asked.append((request.path, form))
        answer = self.answers[request.path]
        if isinstance(answer, str):
            return web.Response(text=answer, content_type="text/xml")
        return answer if isinstance(answer, web.Response) else await answer(request)

    def forms(self, path: str) -> list[dict[str, str]]:
        return [form for asked, form in self.asked if asked == path]


@asynccontextmanager
async def serving(**answers: Answer) -> AsyncIterator[App]:
    told = App({f"/{name}": answer for name, answer in answers.items()})
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.take)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8091).start()
    try:
        yield told
    finally:
        await runner.cleanup()


async def run(sim: TwilioSim, **answers: Answer) -> tuple[SimCall, App]:
    """A call to ``/voice`` from its begin to its end."""
    async with serving(**answers) as app, sim.listening():
        call = await sim.call(f"{HERE}/voice")
        await call.ended()
        return call, app


def codes(sim: TwilioSim) -> list[int]:
    return [alert.code for alert in sim.debugger]


async def test_verbs_run_in_order_and_take_their_time() -> None:
    text = tw.document(tw.say("x" * 30), tw.pause(3), tw.play_digits("1w2"), tw.hang_up(), tw.say("never"))
    call, app = await run(TwilioSim(), voice=text)
    assert call.did == [("say", "x" * 30), ("pause", "3"), ("play", "1w2"), ("hang up", "")]
    assert [(status, at) for at, status in call.statuses] == [
        ("ringing", 0.0),
        ("in-progress", 0.0),
        ("completed", 6.0),
    ]
    assert call.duration == 6
    form = app.asked[0][1]
    assert (form["CallSid"], form["CallStatus"], form["Direction"]) == (call.sid, "ringing", "inbound")
    assert (form["From"], form["To"], form["Caller"], form["Called"]) == (
        "+15550002222",
        NUMBER,
        "+15550002222",
        NUMBER,
    )


async def test_webhooks_are_signed_with_the_url_as_it_was_given() -> None:
    signatures: list[tuple[str, str]] = []

    async def voice(request: web.Request) -> web.Response:
        signatures.append((request.raw_path, request.headers["X-Twilio-Signature"]))
        return web.Response(text=tw.document(), content_type="text/xml")

    sim = TwilioSim(tunnels={"https://agent.example.com": HERE})
    async with serving(voice=voice) as app, sim.listening():
        await (await sim.call("https://agent.example.com/voice?a=%20b")).ended()
    path, signature = signatures[0]
    assert path == "/voice?a=%20b"
    assert is_genuine(TOKEN, f"https://agent.example.com{path}", signature, app.asked[0][1])


async def test_a_redirect_asks_the_next_url() -> None:
    call, app = await run(
        TwilioSim(), voice=tw.document(tw.redirect(f"{HERE}/next")), next=tw.document(tw.say("There."))
    )
    assert call.did == [("redirect", f"{HERE}/next"), ("say", "There.")]
    assert [path for path, _ in app.asked] == ["/voice", "/next"]


async def test_a_relative_url_is_that_of_the_document_it_stands_in() -> None:
    text = "<Response><Redirect>next?again=1</Redirect></Response>"
    call, app = await run(TwilioSim(), voice=text, next=tw.document(tw.say("There.")))
    assert call.did == [("redirect", "next?again=1"), ("say", "There.")]
    assert app.asked[1][0] == "/next"


async def test_redirects_in_a_circle_end() -> None:
    call, app = await run(TwilioSim(), voice=tw.document(tw.redirect(f"{HERE}/voice")))
    assert (len(app.asked), call.status) == (50, "completed")


@pytest.mark.parametrize(("verb", "status"), [(tw.reject(), "no-answer"), (tw.reject(busy=True), "busy")])
async def test_a_rejected_call_was_never_answered(verb: tw.Verb, status: str) -> None:
    call, _ = await run(TwilioSim(), voice=tw.document(verb, tw.say("never")))
    assert [each for _, each in call.statuses] == ["ringing", status]
    assert call.duration == 0


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(20)
    return web.Response(text=tw.document(), content_type="text/xml")


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (web.Response(status=500), 11200, "got HTTP 500 response"),
        (web.Response(status=403), 11200, "got HTTP 403 response"),
        (web.Response(status=301, headers={"Location": HERE}), 11200, "got HTTP 301 response"),
        (slow, 11200, "no answer from http://127.0.0.1:8091/voice within 15 s"),
        (web.Response(text="{}", content_type="application/json"), 12300, "Invalid Content-Type: application/json"),
        (web.Response(text="<Response>" + " " * 70_000 + "</Response>", content_type="text/xml"), 11750, "too large"),
        ("<Response>", 12100, "Document parse failure"),
        ("", 12100, "Document parse failure"),
        ("<Answer/>", 12100, "the root element is <Answer>"),
        (tw.document(tw.redirect("ftp://nowhere")), 11100, "Invalid URL format"),
        (tw.document(tw.redirect("https://example.com/voice")), 11210, "no tunnel to it"),
        ("<Response><Gather/></Response>", 0, "does not run <Gather>"),
        ("<Response><Dial>nobody</Dial></Response>", 13224, "invalid"),
        (
            "<Response><Connect><Stream url='wss://a.example/m' track='both_tracks'/></Connect></Response>",
            31941,
            "track",
        ),
    ],
)
async def test_a_webhook_that_fails_is_told_to_the_caller_and_to_the_debugger(
    answer: Answer, code: int, said: str
) -> None:
    sim = TwilioSim()
    call, _ = await run(sim, voice=answer)
    assert codes(sim) == [code]
    assert said in sim.debugger[0].message
    assert sim.debugger[0].call_sid == call.sid
    assert call.did[-1] == ("say", APPLICATION_ERROR)
    assert call.status == "completed"
    with pytest.raises(CallEnded, match=str(code)):
        _ = call.caller


async def test_nobody_at_the_webhook() -> None:
    sim = TwilioSim()
    async with sim.listening():
        call = await sim.call("http://127.0.0.1:9/voice")
        await call.ended()
    assert codes(sim) == [11200]


def test_what_the_schema_does_not_have_is_warned_of_and_left_out() -> None:
    warnings: list[tuple[int, str]] = []
    text = "<Response><say>a</say><Say colour='red'>b</Say><Connect><Steam/></Connect></Response>"
    verbs = read_twiml(text, lambda code, message: warnings.append((code, message)))
    assert [verb.name for verb in verbs] == ["Say", "Connect"]
    assert [code for code, _ in warnings] == [12200, 12200, 12200]
    assert [name for name in ("say", "colour", "Steam") if name not in str(warnings)] == []
    with pytest.raises(TwimlFault, match="ConversationRelay"):
        read_twiml("<Response><Connect><ConversationRelay/></Connect></Response>", lambda code, message: None)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ws://agent.example.com/media", 31922),
        ("https://agent.example.com/media", 31922),
        ("wss:///media", 31923),
        ("wss://agent.example.com/media", 11210),
        ("ws://127.0.0.1:9/media", 31902),
        ("ws://127.0.0.1:8091/refuses", 31920),
    ],
)
async def test_a_stream_that_cannot_be_opened_lets_the_call_go_on(url: str, code: int) -> None:
    sim = TwilioSim()
    text = f"<Response><Connect><Stream url='{url}'/></Connect><Say>Bye.</Say></Response>"
    call, _ = await run(sim, voice=text, refuses=web.Response(status=403))
    assert codes(sim) == [code]
    assert call.did == [("say", "Bye.")]


def socket(code: int = 1000, after: float = 1.0) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def media(request: web.Request) -> web.StreamResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        await asyncio.sleep(after)
        await line.close(code=code)
        return line

    return media


async def test_a_stream_carries_parameters_and_ids_and_what_follows_runs_when_the_server_closes() -> None:
    messages: list[dict[str, Any]] = []

    async def media(request: web.Request) -> web.StreamResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        for _ in range(2):
            messages.append(await line.receive_json())
        await line.close()
        return line

    stream = tw.connect_stream("ws://127.0.0.1:8091/media", {"a": "<1>", "b": ""}, action=f"{HERE}/after")
    call, app = await run(TwilioSim(), voice=tw.document(stream), media=media, after=tw.document(tw.say("Bye.")))
    start = messages[1]["start"]
    assert start["customParameters"] == {"a": "<1>", "b": ""}
    assert (start["callSid"], start["accountSid"]) == (call.sid, app.asked[0][1]["AccountSid"])
    assert call.did == [("stream", "ws://127.0.0.1:8091/media"), ("say", "Bye.")]
    assert call.streams[0].end == "closed by the server (1000)"


async def test_an_unclean_close_is_told() -> None:
    sim = TwilioSim()
    await run(sim, voice=tw.document(tw.connect_stream("ws://127.0.0.1:8091/media")), media=socket(1011))
    assert codes(sim) == [31921]


async def test_a_streams_own_status_callback() -> None:
    text = tw.document(tw.connect_stream("ws://127.0.0.1:8091/media", name="agent", status_callback=f"{HERE}/told"))
    _, app = await run(TwilioSim(), voice=text, media=socket(), told=web.Response(status=204))
    assert [form["StreamEvent"] for form in app.forms("/told")] == ["stream-started", "stream-stopped"]
    assert app.forms("/told")[0]["StreamName"] == "agent"


async def test_dial_rings_talks_and_goes_on_with_the_action() -> None:
    sim = TwilioSim()
    sim.phones["+15550009999"] = Phone(rings=2.0, talks=30.0)
    text = tw.document(tw.dial("+15550009999", caller_id="+15550001111", action=f"{HERE}/after"))
    call, app = await run(sim, voice=text, after=tw.document(tw.say("Back.")))
    child = call.children[0]
    assert (child.to, child.from_, child.parent, child.duration) == ("+15550009999", "+15550001111", call, 30)
    after = app.forms("/after")[0]
    assert (after["DialCallStatus"], after["DialCallSid"], after["DialCallDuration"]) == ("completed", child.sid, "30")
    assert call.did == [("dial", "+15550009999"), ("say", "Back.")]


@pytest.mark.parametrize(
    ("phone", "status"), [(Phone("busy"), "busy"), (Phone("no-answer"), "no-answer"), (Phone(rings=31.0), "no-answer")]
)
async def test_a_party_that_cannot_be_had(phone: Phone, status: str) -> None:
    sim = TwilioSim()
    sim.phones["+15550009999"] = phone
    call, _ = await run(sim, voice=tw.document(tw.dial("+15550009999"), tw.say("Sorry.")))
    assert call.children[0].status == status
    assert call.did[-1] == ("say", "Sorry.")


async def test_the_numbers_own_webhook_and_status_callback_are_used() -> None:
    sim = TwilioSim(numbers=[Number(NUMBER, voice_url=f"{HERE}/voice", status_callback=f"{HERE}/status")])
    async with serving(voice=tw.document(tw.pause(61)), status=web.Response(status=204)) as app, sim.listening():
        call = await sim.call()
        await call.ended()
        form = app.forms("/status")
    assert len(form) == 1  # a number's callback tells of the end only
    assert (form[0]["CallStatus"], form[0]["CallDuration"], form[0]["Duration"]) == ("completed", "61", "2")
    with pytest.raises(ValueError, match="has no webhook"):
        await sim.call(to="+15559999999")


async def test_a_status_callback_that_fails_harms_nothing_but_is_told() -> None:
    sim = TwilioSim(numbers=[Number(NUMBER, status_callback=f"{HERE}/status")])
    call, _ = await run(sim, voice=tw.document(), status=web.Response(status=500))
    assert (call.status, codes(sim)) == ("completed", [11200])


async def test_a_caller_who_hangs_up_before_the_answer() -> None:
    sim = TwilioSim()
    async with serving(voice=slow), sim.listening():
        calling = asyncio.ensure_future(sim.call(f"{HERE}/voice"))
        await asyncio.sleep(3)
        call = next(iter(sim.calls.values()))
        await call.hangs_up()
        assert await calling is call
        assert [(at, status) for at, status in call.statuses] == [(0.0, "ringing"), (3.0, "canceled")]


async def test_closing_the_simulator_hangs_up_every_call() -> None:
    sim = TwilioSim()
    async with serving(voice=tw.document(tw.connect_stream("ws://127.0.0.1:8091/media")), media=socket(after=5.0)):
        async with sim.listening():
            first, second = await sim.call(f"{HERE}/voice"), await sim.call(f"{HERE}/voice")
        assert [call.status for call in (first, second)] == ["completed", "completed"]
        await asyncio.sleep(10)


async def test_ids_are_the_same_on_every_run_and_differ_between_calls() -> None:
    async def sids() -> list[str]:
        sim = TwilioSim(options=TwilioOptions())
        async with serving(voice=tw.document()), sim.listening():
            return [(await sim.call(f"{HERE}/voice")).sid for _ in range(3)]

    first, second = await sids(), await sids()
    assert first == second
    assert len(set(first)) == 3


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example/voice", "http://127.0.0.1:1/voice"),
        ("https://a.example/phone/voice?again=1", "http://127.0.0.1:2/voice?again=1"),
        ("https://a.example/phones/voice", "http://127.0.0.1:1/phones/voice"),
        ("https://a.example", "http://127.0.0.1:1"),
    ],
)
def test_the_tunnel_with_the_longest_public_address_carries_a_request(url: str, found: str) -> None:
    web = WebClient(TOKEN, {"https://a.example": "http://127.0.0.1:1", "https://a.example/phone": "http://127.0.0.1:2"})
    assert web.target(url).url == found

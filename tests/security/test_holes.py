"""Ways in, and ways to do harm, that were open once."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.security.asking import (
    CONNECTED,
    FORM,
    MEDIA,
    OTHER,
    PUBLIC,
    SID,
    VOICE,
    Pairs,
    ask,
    encoded,
    genuine,
    handshake,
    server,
    silent,
    start,
    stream,
    token_of,
)
from voiceloop import Call, Pipeline
from voiceloop.server.asgi import PhoneASGI
from voiceloop.server.claims import WORKERS_VARIABLE
from voiceloop.server.door import Door, Sparingly
from voiceloop.server.phone import PhoneOptions
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.twilio import ACCOUNT, TOKEN
from voiceloop.twilio.signature import is_genuine_handshake, sign
from voiceloop.twilio.transport import MOST_AT_ONCE, TwilioTransport

STATUS = f"{PUBLIC}/status"
DICTATED = {"AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "CallSid": SID, "CallerName": f"Eve CallSid{OTHER}"}
"""A webhook of a caller who has chosen their name with care."""
MOVED: Pairs = [
    ("AccountSid", ACCOUNT),
    ("ApiVersion", f"2010-04-01CallSid{SID}CallerNameEve "),
    ("CallSid", OTHER),
]
"""The same text to be signed; another call."""


# --- more calls than are paid for -----------------------------------------------------------------------------


async def test_streams_that_come_at_once_are_no_more_than_the_calls_that_are_taken() -> None:
    async with server(most_calls=3) as serving:
        sids = [f"CA{number:032x}" for number in range(8)]
        tokens = [token_of((await ask(serving, genuine(form={**FORM, "CallSid": sid})))[1]) for sid in sids]
        lines = [
            Carrier(
                f"{serving.url}/media",
                parameters={"token": token},
                call_sid=sid,
                account_sid=ACCOUNT,
                headers=handshake(),
            )
            for sid, token in zip(sids, tokens, strict=True)
        ]
        await asyncio.gather(*(line.__aenter__() for line in lines))
        await asyncio.sleep(1)
        assert len(serving.phone.calls) == 3
        assert [line.end for line in lines].count("") == 3
        assert serving.phone.counts["media.refused"] == 5
        for line in lines:
            await line.__aexit__(None, None, None)
        await asyncio.sleep(1)
        assert not serving.phone.full, "no place is lost"


# --- requests that were kept ----------------------------------------------------------------------------------


async def test_a_border_that_is_moved_names_no_other_call_on_another_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, str(tmp_path))
    real = genuine(form=DICTATED)
    assert sign(TOKEN, VOICE, MOVED) == real.signature, "Twilio's signature does not tell them apart"
    async with server() as first, server() as second:
        assert (await ask(first, real))[0] == 200
        assert (await ask(second, real.but(body=encoded(MOVED))))[0] == 403
        assert second.phone.counts["voice.replayed"] == 1
        status, twiml = await ask(second, real)
        assert status == 200, "Twilio may ask another worker again"
        assert token_of(twiml)


async def test_a_status_that_was_kept_is_told_once() -> None:
    told: list[str] = []
    hooks = {"on_status": lambda news: told.append(news.status), "on_answered_by": lambda news: told.append(news.who)}
    call = {"AccountSid": ACCOUNT, "CallSid": SID}
    asks = [genuine(STATUS, {**call, "CallStatus": status}) for status in ("ringing", "in-progress")]
    asks.append(genuine(STATUS, {**call, "AnsweredBy": "human"}))
    async with server(**hooks) as serving:
        for _ in range(10):
            assert [(await ask(serving, each))[0] for each in asks] == [204, 204, 204]
    assert told == ["ringing", "in-progress", "human"]
    assert serving.phone.counts["status.stale"] == 27


async def test_a_status_moved_to_another_call_is_not_told() -> None:
    told: list[str] = []
    real = genuine(
        STATUS, {**DICTATED, "CallStatus": "completed", "CallerName": f"EveCallSid{OTHER}CallStatuscompleted"}
    )
    moved: Pairs = [
        ("AccountSid", ACCOUNT),
        ("ApiVersion", f"2010-04-01CallSid{SID}CallStatuscompletedCallerNameEve"),
        ("CallSid", OTHER),
        ("CallStatus", "completed"),
    ]
    assert sign(TOKEN, STATUS, moved) == real.signature
    async with server(on_status=lambda status: told.append(status.call_sid)) as serving:
        assert (await ask(serving, real))[0] == 204
        assert (await ask(serving, real.but(body=encoded(moved))))[0] == 204
    assert told == [SID]


# --- time that strangers take ---------------------------------------------------------------------------------


def test_a_handshake_with_many_fields_is_not_signed_time_and_again() -> None:
    for fields, genuine_ in ((50, True), (51, False)):
        pairs = [(f"a{number}", "") for number in range(fields)]
        query = "&".join(f"{name}=" for name, _ in pairs)
        assert is_genuine_handshake(TOKEN, f"{MEDIA}?{query}", sign(TOKEN, MEDIA, pairs)) is genuine_


async def test_why_a_signature_is_wrong_is_not_found_out_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def diagnosis(*what: object) -> str:
        made.append(what)
        return "it is wrong"

    monkeypatch.setattr(Door, "_diagnosis", diagnosis)
    async with server() as serving:
        for _ in range(50):
            assert (await ask(serving, genuine(token="f" * 32)))[0] == 403
    assert len(made) == 10


async def test_a_compressed_body_is_not_unpacked() -> None:
    async with server() as serving:
        packed = genuine().but(body=gzip.compress(encoded(FORM))).and_("Content-Encoding", "gzip")
        assert (await ask(serving, packed))[0] == 400
        broken = genuine().and_("Content-Encoding", "deflate")
        assert (await ask(serving, broken))[0] == 200, "it was taken as it came"


@dataclass
class _Message:
    type: int
    data: str


class _Flood:
    """A socket in which everything is there at once."""

    closed = False

    def __init__(self, messages: list[str]) -> None:
        self._messages = iter(messages)
        self.read = 0

    async def receive(self) -> _Message:
        self.read += 1
        message = next(self._messages, None)
        return _Message(8, "") if message is None else _Message(1, message)

    async def send_str(self, data: str) -> None:
        """Nobody reads it."""

    async def close(self, *, code: int = 1000, message: bytes = b"") -> None:
        self.closed = True

    def exception(self) -> BaseException | None:
        return None


async def test_a_flood_on_one_line_leaves_the_others_their_turn() -> None:
    begin = start(None)
    key = json.dumps({"event": "dtmf", "streamSid": begin["streamSid"], "dtmf": {"digit": "1"}})
    socket = _Flood([json.dumps(CONNECTED), json.dumps(begin), *[key] * 1000])
    read: list[int] = []

    async def other() -> None:
        while not socket.closed:
            read.append(socket.read)
            await asyncio.sleep(0)

    transport = await TwilioTransport.accept(socket)
    beside = asyncio.create_task(other())
    await Pipeline([transport]).run(Call(transport, id=SID))
    await beside
    assert socket.read == 1003
    assert max(later - sooner for sooner, later in pairwise(read)) <= MOST_AT_ONCE


# --- what strangers write into the log ------------------------------------------------------------------------


async def test_what_strangers_write_begins_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Sparingly().warning("it was %s", "bad\nERROR all is lost\x1b[2J\x9b2J")
    assert [record.getMessage() for record in caplog.records] == ["it was bad ERROR all is lost?[2J?2J"]


class _Asgi:
    """One request of an ASGI server."""

    def __init__(self, path: str, query: bytes = b"", root: str = "", *, more: bool = False) -> None:
        self.more = more
        self.sent: list[MutableMapping[str, Any]] = []
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "http_version": "1.1",
            "path": path,
            "root_path": root,
            "query_string": query,
            "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        }

    async def receive(self) -> MutableMapping[str, Any]:
        if self.more:
            await asyncio.sleep(0.1)
        return {"type": "http.request", "body": b"a" if self.more else b"", "more_body": self.more}

    async def send(self, event: MutableMapping[str, Any]) -> None:
        self.sent.append(event)

    async def status(self, phone: PhoneASGI) -> int:
        await phone(self.scope, self.receive, self.send)
        return int(self.sent[0]["status"])


async def test_behind_asgi_no_query_and_no_path_makes_more_than_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    phone = PhoneASGI(silent, options=PhoneOptions(public_url=PUBLIC, auth_token=TOKEN))
    async with phone.lifespan():
        many = b"&".join(b"a%d=" % number for number in range(300))
        assert await _Asgi("/voice", many).status(phone) == 403
        assert await _Asgi("/voice", b"%FF=%00&\xff").status(phone) == 403
        assert await _Asgi("/a\nb/voice", root="/a\nb").status(phone) == 403
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 3
    assert all(record.getMessage().isprintable() for record in warned)


async def test_behind_asgi_a_connection_whose_body_was_not_read_is_closed() -> None:
    phone = PhoneASGI(silent, options=PhoneOptions(public_url=PUBLIC, auth_token=TOKEN, max_body=10, body_wait=0.5))
    close = (b"connection", b"close")
    async with phone.lifespan():
        slow, long, whole = _Asgi("/voice", more=True), _Asgi("/voice", more=True), _Asgi("/voice")
        assert await slow.status(phone) == 408
        long.receive = _too_much  # type: ignore[method-assign]
        assert await long.status(phone) == 413
        assert await whole.status(phone) == 403
        for each, closed in ((slow, True), (long, True), (whole, False)):
            assert (close in each.sent[0]["headers"]) is closed
        newer = _Asgi("/voice", more=True)
        newer.scope["http_version"] = "2"  # which has no such header
        assert await newer.status(phone) == 408
        assert close not in newer.sent[0]["headers"]


async def test_behind_asgi_a_body_with_two_lengths_is_refused_and_nothing_behind_it_is_read() -> None:
    phone = PhoneASGI(silent, options=PhoneOptions(public_url=PUBLIC, auth_token=TOKEN))
    async with phone.lifespan():
        smuggled = _Asgi("/voice")
        smuggled.scope["headers"] += [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
        assert await smuggled.status(phone) == 400
        assert (b"connection", b"close") in smuggled.sent[0]["headers"]


async def _too_much() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"a" * 100, "more_body": True}


# --- tokens and calls that come back --------------------------------------------------------------------------


async def test_who_says_that_a_call_comes_back_gets_nothing_of_another_call() -> None:
    kept: list[Call] = []

    def bot(call: Call) -> Pipeline:
        kept.append(call)
        return Pipeline([call.transport])

    async with server(bot) as serving:
        mine = token_of((await ask(serving, genuine()))[1])
        parameters = {"token": mine, "again": "1"}
        forged = start(None, callSid=OTHER, customParameters=parameters)
        assert await stream(serving, CONNECTED, forged) == 1008
        assert await stream(serving, CONNECTED, start(None, customParameters=parameters), wait=0.5) == 0
        assert await stream(serving, CONNECTED, start(None, customParameters=parameters)) == 1008
        live = [call for call in kept if call.id == SID]
        assert [call.params for call in live] == [{}], "the token is in no record"


def test_what_another_user_puts_into_the_spool_is_not_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spool_file = pytest.importorskip("voiceloop.store.spool_file", reason="the spool needs flock")
    (tmp_path / "4711-0").mkdir()
    assert [folder.name for folder in spool_file.folders(tmp_path)] == ["4711-0"]
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert list(spool_file.folders(tmp_path)) == []

"""Hooks that hang, and callers who write lines: neither makes another worker deaf, nor the console lie."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from tests.security.asking import PUBLIC, SID, silent
from voiceloop import Call, Runtime
from voiceloop.server.console import Console
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.server.siblings import Siblings
from voiceloop.server.webhook import CallStatus
from voiceloop.sim.twilio import TOKEN


@pytest.mark.realtime
async def test_a_hook_that_hangs_makes_no_worker_deaf_and_no_other_tell_the_news_again(tmp_path: Path) -> None:
    told: list[str] = []

    async def slow(status: CallStatus) -> None:
        told.append(status.call_sid)
        await asyncio.sleep(2.0)

    async with Runtime() as runtime:
        options = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN, hook_wait=0.2)
        asking, having = (Phone(silent, runtime, options) for _ in range(2))
        for phone in (asking, having):
            phone.on_status.append(slow)
        having.manager._by_sid[SID] = []
        folder = tmp_path / "s"
        folder.mkdir(mode=0o700)
        one, other = (Siblings(str(folder), name) for name in "ab")
        async with one.join(asking), other.join(having):
            await cast(Any, asking.on_status[0])(CallStatus.of([("CallSid", SID), ("CallStatus", "completed")]))
            assert told == [SID]
            await asyncio.sleep(0.4)
            assert not other._asked, "the hook was given up"


async def test_a_caller_cannot_write_a_line_of_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    call = Call(cast(Any, None), id=SID, caller="sip:eve\ncall CA0: ok\x1b[2J", number="+1")
    Console().began(call)
    assert capsys.readouterr().err == f"call {SID}: inbound, sip:eve call CA0: ok?[2J to +1\n"

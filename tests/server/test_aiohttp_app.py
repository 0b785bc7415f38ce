"""The phone server as a part of an aiohttp application, with the records that its owner keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.server.shop import GREETING, PUBLIC, Room
from voiceloop.runtime import Runtime
from voiceloop.server.aiohttp_app import phone_app, phone_of
from voiceloop.server.keeping import keeping
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.starting import rehearsed
from voiceloop.sim.twilio import TOKEN, TwilioSim
from voiceloop.testing import ScriptedTTS

pytest.importorskip("sqlalchemy")


async def test_a_mounted_phone_keeps_records_until_the_application_ends(tmp_path: Path) -> None:
    from voiceloop.store.database import Database

    store = f"sqlite:///{tmp_path / 'calls.db'}"
    room, runtime = Room(), Runtime()
    bot = room.bot()
    phone = phone_app(bot, runtime, PhoneOptions(public_url=f"{PUBLIC}/phone", auth_token=TOKEN))

    async def phone_is_on(app: web.Application) -> AsyncIterator[None]:
        async with runtime, keeping(phone_of(phone), store, tmp_path / "sound"):
            await rehearsed(bot, runtime)
            yield

    app = web.Application()
    app.cleanup_ctx.append(phone_is_on)
    app.add_subapp("/phone", phone)
    runner = web.AppRunner(app)
    await runner.setup()
    sim = TwilioSim(voice=ScriptedTTS(room.lexicon))
    async with sim.listening():
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            sim.tunnel(PUBLIC, f"http://127.0.0.1:{runner.addresses[0][1]}")
            line = await sim.call(f"{PUBLIC}/phone/voice")
            assert room.lexicon.text((await line.caller.hears()).audio) == GREETING
            await line.hangs_up()
        finally:
            await runner.cleanup()
    with Database(store) as database:
        record = database.get(line.sid)
    assert record is not None
    assert [message["text"] for message in record.conversation if message["role"] == "assistant"] == [GREETING]
    assert record.recordings == [str(file) for file in (tmp_path / "sound").rglob("*.wav")] != []

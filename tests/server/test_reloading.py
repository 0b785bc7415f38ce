"""A call waits for a file that was just saved: longer when nobody is charged for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.server.bot_file import LOOK, BotFile
from voiceloop.server.phone_options import PhoneOptions
from voiceloop.server.reloading import ReloadedBot
from voiceloop.server.webhook import IncomingCall

BOT = "from voiceloop import Pipeline\n\ndef bot(call): return Pipeline([call.transport])\n"


class _Line(Processor):
    """Nothing is ever sent on it."""


class Models:
    """Stands in for models, which take their time to load."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def __call__(self, module: ModuleType, runtime: Runtime) -> None:
        await asyncio.sleep(self.seconds)


@asynccontextmanager
async def reloaded(folder: Path, models: Models, *, patient: bool, text: str = BOT) -> AsyncIterator[ReloadedBot]:
    (folder / "bot.py").write_text(text)
    bot = ReloadedBot(BotFile(folder / "bot.py", load=load_bot, prepare=models), patient=patient)
    async with bot.watched():
        yield bot


def edit(folder: Path) -> None:
    (folder / "bot.py").write_text(f"{BOT}\n# edited\n")


def hook(bot: ReloadedBot) -> Any:
    asked = bot.options(PhoneOptions()).parameters
    assert asked is not None
    return asked(IncomingCall("CA1", "+15550002222", "+15550001111", "inbound", {}))


def call() -> Call:
    return Call(_Line(), id="CA1", runtime=Runtime())


async def took(waiting: Any) -> float:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await waiting
    return loop.time() - begun


async def test_the_first_load_is_waited_for_however_long_it_takes(tmp_path: Path) -> None:
    async with reloaded(tmp_path, Models(100.0), patient=False) as bot:
        assert await took(bot.settled()) == pytest.approx(100.0, abs=1.0)
        assert bot.file.state == "ready"


async def test_a_file_with_an_error_does_not_keep_the_server_from_listening(tmp_path: Path) -> None:
    async with reloaded(tmp_path, Models(1.0), patient=True, text="x = (\n") as bot:
        assert await took(bot.settled()) < 1.0
        assert bot.file.state == "error"
        assert await took(bot.ready()) < 2.0  # the call is taken, and hears the apology


async def test_a_real_call_is_not_kept_waiting_beyond_what_twilio_waits(tmp_path: Path) -> None:
    models = Models(0.0)
    async with reloaded(tmp_path, models, patient=False) as bot:
        await bot.settled()
        models.seconds = 30.0
        edit(tmp_path)
        with pytest.raises(VoiceloopError, match="the bot's file was still being loaded after 10 s"):
            await hook(bot)


async def test_a_simulated_call_waits_for_the_models(tmp_path: Path) -> None:
    models = Models(0.0)
    async with reloaded(tmp_path, models, patient=True) as bot:
        await bot.settled()
        models.seconds = 30.0
        edit(tmp_path)
        assert await took(hook(bot)) == pytest.approx(10.0, abs=0.2)  # the webhook's answer cannot be later
        assert await took(bot.bot(call())) == pytest.approx(20.0, abs=2 * LOOK)


async def test_a_probe_is_answered_when_calls_can_be(tmp_path: Path) -> None:
    models = Models(0.0)
    async with reloaded(tmp_path, models, patient=True) as bot:
        await bot.settled()
        models.seconds = 30.0
        edit(tmp_path)
        assert await took(bot.ready()) == pytest.approx(30.0, abs=2 * LOOK)
        assert await took(bot.ready()) == 0.0


async def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    models = Models(0.0)
    async with reloaded(tmp_path, models, patient=True) as bot:
        await bot.settled()
        models.seconds = 300.0
        edit(tmp_path)
        with pytest.raises(VoiceloopError, match="the bot's file was still being loaded after 60 s"):
            await bot.bot(call())

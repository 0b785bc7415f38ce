"""A talk server in memory, and a bot without models."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.server.serving import BOT
from voiceloop.cli.load import load_bot
from voiceloop.cli.prepare import prepare
from voiceloop.server.bot_file import BotFile
from voiceloop.server.talk import talk_app

NAMES = itertools.count(1)


class Talk:
    """A talk server, and a client of it."""

    def __init__(
        self, bot_file: BotFile, session: aiohttp.ClientSession, path: str, stop: Callable[[], Awaitable[None]]
    ) -> None:
        self.bot_file = bot_file
        self.stop = stop
        self.session = session
        self.path = path

    def get(self, path: str, **headers: str) -> aiohttp.client._RequestContextManager:
        """A request as a browser's, to localhost; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.get(f"http://localhost/{path}", headers=named)

    def connector(self) -> aiohttp.BaseConnector:
        """A way to the server for a carrier."""
        return aiohttp.UnixConnector(path=self.path)


Talking = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture
def bot_path(tmp_path: Path) -> Path:
    file = tmp_path / "tea.py"
    file.write_text(BOT)
    return file


@pytest.fixture
def talking(bot_path: Path) -> Talking:
    """``talking(max_calls=4)``: the server with the bot of `bot_path`."""

    @asynccontextmanager
    async def serve(**options: int) -> AsyncIterator[Talk]:
        bot_file = BotFile(bot_path, load=load_bot, prepare=prepare)
        runner = web.AppRunner(talk_app(bot_file, **options), handle_signals=False, access_log=None)
        await runner.setup()
        path = f"talk-{next(NAMES)}"
        await web.UnixSite(runner, path).start()
        try:
            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=path)) as session:
                yield Talk(bot_file, session, path, runner.cleanup)
        finally:
            await runner.cleanup()

    return serve

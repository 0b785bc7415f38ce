"""A bot whose file is loaded anew for the next call when it was edited: ``voiceloop serve --reload``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.observe.logs import is_json
from voiceloop.pipeline import Pipeline, pipeline_of
from voiceloop.rehearsal import REHEARSAL
from voiceloop.report import CallReport
from voiceloop.server.bot_file import LOOK, BotFile, Loaded
from voiceloop.server.phone_options import PhoneOptions
from voiceloop.server.webhook import IncomingCall

__all__ = ["ReloadedBot"]

WAIT: Final = 10.0
"""Seconds that a call waits for the bot to be loaded; Twilio waits 15 s for the webhook's answer."""
PATIENT: Final = 60.0
"""The same for simulated calls: who has just saved the file rather waits than hears the apology."""
_LOOK: Final = 0.05


class _StillLoading(VoiceloopError):
    """The file takes too long."""


class ReloadedBot:
    """The bot of a file as it is now. While the file has an error, callers hear the apology: the version before would
    hide it.

    Args:
        file: loads it; started and closed here.
        patient: whether only simulated calls are taken. These wait longer, on the line: nobody pays for it.
    """

    def __init__(self, file: BotFile, *, patient: bool = False) -> None:
        self.file = file
        self._patient = patient
        self._leaving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Load the file, and look after it until the block is left."""
        self.file.start()
        try:
            yield
        finally:
            if self._leaving:
                await asyncio.wait(self._leaving)
            await self.file.aclose()

    async def settled(self) -> None:
        """Wait until the file is loaded, or an error in it has been told."""
        while self.file.state == "loading":  # noqa: ASYNC110 - the file tells nobody
            await asyncio.sleep(_LOOK)

    async def ready(self) -> None:
        """Wait until calls can be answered, or there is an error that keeps them from it."""
        with suppress(VoiceloopError):
            await (await self._ready(self.file.enter, PATIENT)).leave()

    def options(self, given: PhoneOptions) -> PhoneOptions:
        """The same options, with a webhook that waits for the file."""
        parameters = given.parameters

        def ask(incoming: IncomingCall) -> Awaitable[Mapping[str, str]]:
            return self._parameters(incoming, parameters)

        return replace(given, parameters=ask, hook_wait=given.hook_wait + WAIT)

    async def bot(self, call: Call) -> Pipeline:
        """The bot: makes the pipeline of a call."""
        if call.id == REHEARSAL:  # each version is rehearsed when it is loaded
            return Pipeline([call.transport])
        loaded = await self._ready(self.file.enter, PATIENT if self._patient else WAIT)
        call.on_end(lambda report: self._left(loaded, report))
        loaded.runtime.console = not is_json()
        call.runtime, call.made_by = loaded.runtime, loaded.module.bot
        return await pipeline_of(loaded.module.bot, call)

    async def _parameters(
        self,
        incoming: IncomingCall,
        given: Callable[[IncomingCall], Mapping[str, str] | Awaitable[Mapping[str, str]]] | None,
    ) -> Mapping[str, str]:
        try:
            await (await self._ready(self.file.enter, WAIT)).leave()
        except _StillLoading:
            if not self._patient:
                raise  # else the call goes on to wait as a stream: a webhook's answer must not take longer
        if given is None:
            return {}
        asked = given(incoming)
        return asked if isinstance(asked, Mapping) else await asked

    async def _ready(self, enter: Callable[[], Loaded | None], limit: float) -> Loaded:
        """What a call runs on. A file that was saved a moment ago is waited for.

        Args:
            limit: seconds.

        Raises:
            VoiceloopError: it has an error, or takes too long.
        """
        loop = asyncio.get_running_loop()
        seen, until = loop.time() + 2 * LOOK, loop.time() + limit
        while (loaded := enter()) is None:
            if (error := self.file.error) is not None and loop.time() >= seen:  # else it may have been mended just now
                where = f"{error.file}:{error.line}: " if error.line else ""
                raise VoiceloopError(f"the bot's file has an error: {where}{error.message}")
            if loop.time() >= until:
                raise _StillLoading(f"the bot's file was still being loaded after {limit:g} s")
            await asyncio.sleep(_LOOK)
        return loaded

    def _left(self, loaded: Loaded, report: CallReport) -> None:
        task = asyncio.ensure_future(loaded.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

"""Answer the phone with a bot: ``serve(bot)``."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Final

from aiohttp import web

from voiceloop.errors import VoiceloopError
from voiceloop.loopnoise import without_noise
from voiceloop.observe.logs import is_json
from voiceloop.runtime import Runtime
from voiceloop.server import event_loop
from voiceloop.server.aiohttp_app import app_of
from voiceloop.server.bounded import BoundedRunner
from voiceloop.server.console import Console, complain, say
from voiceloop.server.ending import Ending
from voiceloop.server.garbage import collecting_seldom, set_aside
from voiceloop.server.keeping import Recordings, can_keep, keeping
from voiceloop.server.listening import Entrance, cannot_listen, where
from voiceloop.server.observing import metrics_served, observed, with_own_log
from voiceloop.server.opening import open_phone
from voiceloop.server.outlet import unheld_output
from voiceloop.server.phone import Phone, PhoneError, PhoneOptions
from voiceloop.server.serve_settings import ServeSettings
from voiceloop.twilio.media import Bot

__all__ = ["Serving", "serve", "serve_here", "serving_phone"]

HEADER_WAIT: Final = 20.0
"""Seconds for a request's headers, and that an idle connection is kept."""
_LINGER: Final = 1.0
"""Seconds that the rest of a refused request is read, so that its sender gets to read the refusal."""
_CLEANUP: Final = 5.0
"""Seconds that requests get to end once the calls have ended."""


@dataclass(slots=True)
class Serving:
    """A phone server that listens."""

    phone: Phone
    url: str
    """Where it listens, ``http://127.0.0.1:8080``."""
    leaving: bool = False
    """Others take what is new."""
    entrance: Entrance | None = field(default=None, repr=False)
    """Of the sockets that it shares."""

    @property
    def public_url(self) -> str:
        """What stands before ``/voice`` in the address that Twilio calls; empty when a proxy's headers say it."""
        return self.phone.door.base

    @property
    def setup(self) -> str:
        """What to put into Twilio's console."""
        base = self.public_url or "https://YOUR-HOST"
        return (
            f"Answering the phone at {self.url}, as {base}.\n"
            "In https://console.twilio.com, Phone Numbers > Manage > Active numbers > your number > Voice:\n"
            f"  A call comes in:       Webhook, {base}/voice, HTTP POST\n"
            f"  Call status changes:   {base}/status, HTTP POST\n"
        )

    def leave(self) -> None:
        """Take no more connections, and close each behind its next answer: others listen at the same address."""
        self.leaving = True
        if self.entrance is not None:
            self.entrance.close()


def serve(
    bot: Bot | ModuleType,
    *,
    host: str = "0.0.0.0",
    port: int = 8080,
    public_url: str | None = None,
    runtime: Runtime | None = None,
    options: PhoneOptions | None = None,
    workers: int = 1,
    store: str | None = None,
    recordings: str | os.PathLike[str] | None = None,
    metrics_port: int | None = None,
) -> None:
    """Answer the phone until the process is told to stop; then it returns.

    SIGTERM: no new calls are taken, and live ones go on to their end (`PhoneOptions.drain` seconds at most). SIGINT
    (Ctrl-C): calls end when the agent has finished its sentence. A further signal hurries.

    Each call's begin, faults and end are told on standard error, and its turns, if the runtime is its own or one with
    `Runtime.console`. Everything is warmed before it listens. With ``TWILIO_ACCOUNT_SID`` and a key in the environment,
    a call can also be transferred (`voiceloop.twilio.rest.TwilioREST` as ``call.carrier``).

    When it cannot start (the bot raises, a key is missing or wrong, the port is taken), it says on standard error what
    is wrong and what to do, and the process ends with the status 1. `serving_phone` raises instead.

    Args:
        bot: the function ``bot(call)``, or the module that holds it.
        host: address to listen on; all of the machine's by default.
        port: 0 takes a free one.
        public_url: what stands before ``/voice`` in the address that Twilio calls; None: ``VOICELOOP_PUBLIC_URL``.
        runtime: what the calls share; one of its own when not given.
        options: of the server.
        workers: processes that answer. With more than one each imports the file of the bot anew: there it must be
            named ``bot``, `options` must be named ``options`` at the top of the same file, and this call must stand
            behind ``if __name__ == "__main__":``.
        store: URL of a database for the records of calls, such as ``sqlite:///voiceloop-calls.db``; None keeps none.
        recordings: a folder for the sound of every call; None keeps none.
        metrics_port: where ``GET /metrics`` is served, on loopback; None serves none.

    Raises:
        SystemExit: it cannot start.
    """
    folder = None if recordings is None else os.fspath(recordings)
    settings = ServeSettings(
        host=host,
        port=port,
        public_url=public_url,
        store=store,
        recordings=folder,
        metrics_port=metrics_port,
    )
    event_loop.open_standard_files()  # before workers inherit them
    with unheld_output():
        try:
            begun = _serve(bot, with_own_log(settings), runtime, options, workers)
            # The supervisor of workers starts processes by more than uvloop can do, and has no calls.
            status = event_loop.run(begun) if workers == 1 else asyncio.run(begun)
        except VoiceloopError as error:
            complain(error, "Look at everything with `voiceloop doctor`.")
            raise SystemExit(1) from None
        except KeyboardInterrupt:  # while the models were loading
            raise SystemExit(130) from None
    if status:
        raise SystemExit(status)


async def _serve(
    bot: Bot | ModuleType,
    settings: ServeSettings,
    runtime: Runtime | None,
    options: PhoneOptions | None,
    workers: int,
) -> int:
    if workers == 1:
        await serve_here(bot, settings, runtime=runtime, options=options)
        return 0
    from voiceloop.server.workers import bot_file_of, supervise

    event_loop.chosen_loop()  # that of the workers: what is wrong with it is told once
    return await supervise(bot_file_of(bot, runtime, options), settings, workers)


async def serve_here(
    bot: Bot | ModuleType,
    settings: ServeSettings,
    *,
    runtime: Runtime | None = None,
    options: PhoneOptions | None = None,
    sockets: Sequence[socket.socket] = (),
    setup: Callable[[Serving], str] = lambda serving: serving.setup,
    tell: Callable[[str], object] | None = None,
    healthy: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve in this process until it is told to stop.

    Args:
        tell, healthy: as of `serving_phone`.

    Raises:
        VoiceloopError: it cannot start.
    """
    without_noise(asyncio.get_running_loop())
    async with AsyncExitStack() as stack:
        metrics = await stack.enter_async_context(metrics_served(settings))
        if runtime is None:
            runtime = await stack.enter_async_context(Runtime(console=not is_json()))

        async def before(phone: Phone) -> None:
            await stack.enter_async_context(observed(phone, settings))
            await stack.enter_async_context(collecting_seldom(lambda: bool(phone.calls)))

        serving = serving_phone(
            bot,
            host=settings.host,
            port=settings.port,
            runtime=runtime,
            options=settings.options(options),
            store=settings.store,
            recordings=settings.recording,
            sockets=sockets,
            before=before,
            tell=tell,
            warmed=set_aside,
            healthy=healthy,
        )
        served = await stack.enter_async_context(serving)
        # Not before: a signal that comes while the models load ends the process at once.
        ending = Ending(lambda stage: Console().ending(stage, served.phone))
        ending.on_signals()
        say(setup(served))
        if metrics is not None:
            say(f"Metrics: {metrics.url}")
        if served.phone.options.carrier is None and settings.local_token is None:
            say("TWILIO_ACCOUNT_SID is not set: calls can be answered, but call.transfer will fail.")
        await ending.carried_out(served.phone)


@asynccontextmanager
async def serving_phone(
    bot: Bot | ModuleType,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public_url: str | None = None,
    runtime: Runtime | None = None,
    options: PhoneOptions | None = None,
    store: str | None = None,
    recordings: Recordings | None = None,
    sockets: Sequence[socket.socket] = (),
    before: Callable[[Phone], Awaitable[None]] | None = None,
    tell: Callable[[str], object] | None = None,
    warmed: Callable[[], object] = lambda: None,
    healthy: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Serving]:
    """The same as `serve`, for a block: the bot is warmed, the server listens, and calls end when the block is left.

    Args:
        sockets: that listen already, in place of `host` and `port`; other processes may share them.
        before: awaited with the phone before the first connection is taken.
        tell, warmed: as of `open_phone`.
        healthy: awaited before ``/healthz`` is answered.

    Raises:
        VoiceloopError: the bot cannot start, the port is taken, or something that Twilio needs is missing:
            `CannotStart` when that is several things.
    """
    options = options or PhoneOptions()
    if public_url is not None:
        options = replace(options, public_url=public_url)
    await can_keep(store, recordings)
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(
            open_phone(bot, runtime=runtime, options=options, tell=tell, warmed=warmed)
        )
        await stack.enter_async_context(keeping(phone, store, recordings))
        app = app_of(phone)
        serving = Serving(phone, "")
        app.middlewares.append(_closing(serving))
        if healthy is not None:
            app.middlewares.append(_holding(healthy))
        runner = BoundedRunner(
            app,
            most=phone.options.most_calls + phone.options.spare_connections,
            header_wait=HEADER_WAIT,
            linger=_LINGER,
            cleanup=_CLEANUP,
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        if before is not None:
            await before(phone)
        if sockets:
            _enter(serving, runner, sockets)
            stack.callback(serving.leave)
            serving.url = where(host, sockets[0].getsockname()[1])
        else:
            site = web.TCPSite(runner, host, port)
            try:
                await site.start()
            except OSError as error:
                raise PhoneError(cannot_listen(host, port, error)) from error
            serving.url = where(host, runner.addresses[0][1])
        yield serving


def _enter(serving: Serving, runner: web.AppRunner, sockets: Sequence[socket.socket]) -> None:
    server = runner.server
    assert server is not None  # the runner is set up
    serving.entrance = Entrance(sockets, server, lambda: len(server.connections))
    serving.entrance.open()


def _holding(healthy: Callable[[], Awaitable[None]]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """A middleware that is silent about the server's health until it is known."""

    @web.middleware
    async def hold(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path == "/healthz":
            await healthy()
        return await handler(request)

    return hold


def _closing(serving: Serving) -> Callable[..., Awaitable[web.StreamResponse]]:
    """A middleware that closes connections behind their answer, once others listen at the same address, and while this
    process has enough to do: who comes again may find another that has not."""

    @web.middleware
    async def close(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        if not response.prepared and (serving.leaving or serving.phone.busy):
            response.force_close()
        return response

    return close

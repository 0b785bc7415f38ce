"""Answer the phone with a bot: ``serve(bot)``."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Final

from aiohttp import web

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.rehearsal import REHEARSAL, rehearse
from voiceloop.runtime import Runtime
from voiceloop.server.phone import Phone, PhoneError, PhoneOptions, phone_app, phone_of
from voiceloop.twilio.media import Bot
from voiceloop.twilio.rest import TwilioREST

__all__ = ["Serving", "serve", "serving_phone"]

HEADER_WAIT: Final = 20.0
"""Seconds for a request's headers, and that an idle connection is kept."""
_LINGER: Final = 1.0
"""Seconds that the rest of a refused request is read, so that its sender gets to read the refusal."""
_CLEANUP: Final = 5.0
"""Seconds that requests get to end once the calls have ended."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A phone server that listens."""

    phone: Phone
    url: str
    """Where it listens, ``http://127.0.0.1:8080``."""

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


def serve(
    bot: Bot | ModuleType,
    *,
    host: str = "0.0.0.0",
    port: int = 8080,
    public_url: str | None = None,
    runtime: Runtime | None = None,
    options: PhoneOptions | None = None,
) -> None:
    """Answer the phone until the process is told to stop (SIGINT or SIGTERM); then calls end, and it returns.

    Everything is warmed before it listens. With ``TWILIO_ACCOUNT_SID`` and a key in the environment, a call can also be
    transferred (`voiceloop.twilio.rest.TwilioREST` as ``call.carrier``).

    Args:
        bot: the function ``bot(call)``, or the module that holds it.
        host: address to listen on; all of the machine's by default.
        port: 0 takes a free one.
        public_url: what stands before ``/voice`` in the address that Twilio calls; None: ``VOICELOOP_PUBLIC_URL``.
        runtime: what the calls share; one of its own when not given.
        options: of the server.

    Raises:
        VoiceloopError: the bot cannot start, the port is taken, or something that Twilio needs is missing.
    """
    asyncio.run(_serve(bot, host=host, port=port, public_url=public_url, runtime=runtime, options=options))


async def _serve(
    bot: Bot | ModuleType,
    *,
    host: str,
    port: int,
    public_url: str | None,
    runtime: Runtime | None,
    options: PhoneOptions | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    serving = serving_phone(bot, host=host, port=port, public_url=public_url, runtime=runtime, options=options)
    async with serving as served:
        # Not before: a signal that comes while the models load ends the process at once.
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # no signals on this loop, or in this thread
                loop.add_signal_handler(number, stop.set)
        print(served.setup, flush=True)
        if served.phone.options.carrier is None:
            print("No TWILIO_ACCOUNT_SID with a key: calls can be answered, not transferred.", flush=True)
        await stop.wait()
        print("Stopping: calls end.", flush=True)


@asynccontextmanager
async def serving_phone(
    bot: Bot | ModuleType,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public_url: str | None = None,
    runtime: Runtime | None = None,
    options: PhoneOptions | None = None,
    tell: Callable[[str], object] | None = None,
) -> AsyncIterator[Serving]:
    """The same as `serve`, for a block: the bot is warmed, the server listens, and calls end when the block is left.

    Args:
        tell: called with a line when something takes long.
    """
    answer = getattr(bot, "bot", bot)
    if not callable(answer):
        raise PhoneError(f"expected the function bot(call) or a module that has one, got {bot!r}")
    options = options or PhoneOptions()
    if public_url is not None:
        options = replace(options, public_url=public_url)
    options.base(), options.secret()  # what is missing is better told before the models load
    async with AsyncExitStack() as stack:
        if options.carrier is None and (carrier := _carrier(options)) is not None:
            options = replace(options, carrier=await stack.enter_async_context(carrier))
        if runtime is None:
            runtime = await stack.enter_async_context(Runtime())
        if tell is not None:
            tell("Loading the models.")
        await _warm(answer, runtime)
        app = phone_app(answer, runtime, options)
        runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            keepalive_timeout=HEADER_WAIT,
            lingering_time=_LINGER,
            shutdown_timeout=_CLEANUP,
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise PhoneError(_cannot_listen(host, port, error)) from error
        here = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
        yield Serving(phone_of(app), f"http://{f'[{here}]' if ':' in here else here}:{runner.addresses[0][1]}")


async def _warm(bot: Bot, runtime: Runtime) -> None:
    """Rehearse the bot, so that no caller waits for a model.

    Raises:
        VoiceloopError: it cannot start.
    """
    try:
        rehearsal = await rehearse(bot, runtime)
    except VoiceloopError:
        raise
    except Exception as error:
        raise VoiceloopError(f"bot(call) raised {describe(error)[0]}") from error
    if rehearsal.reason != REHEARSAL:
        raise VoiceloopError("; ".join(f"{fault.kind}: {fault.message}" for fault in rehearsal.faults))


def _carrier(options: PhoneOptions) -> TwilioREST | None:
    """Twilio's REST API, when the environment has what opens it.

    Raises:
        TwilioError: what it has cannot be right.
    """
    account = os.environ.get("TWILIO_ACCOUNT_SID", "").strip()
    by_key = os.environ.get("TWILIO_API_KEY", "").strip()
    token = None if by_key else options.secret()
    return TwilioREST(account, token) if account and (by_key or token) else None


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: end what uses it, or choose another port (0 takes a free one)"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"

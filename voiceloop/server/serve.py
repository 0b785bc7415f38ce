"""Answer the phone with a bot: ``serve(bot)``."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Final

from aiohttp import web

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.loopnoise import without_noise
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.server.phone import Phone, PhoneError, PhoneOptions, phone_app, phone_of
from voiceloop.server.starting import CannotStart, keys_missing, rehearsed
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

    Raises:
        SystemExit: it cannot start.
    """
    try:
        asyncio.run(_serve(bot, host=host, port=port, public_url=public_url, runtime=runtime, options=options))
    except VoiceloopError as error:
        problem = error if isinstance(error, CannotStart) else CannotStart([str(error)])
        print(f"{problem.told}\nLook at everything with `voiceloop doctor`.", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:  # while the models were loading
        raise SystemExit(130) from None


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
    without_noise(loop)
    options = _told(options or PhoneOptions())
    async with AsyncExitStack() as stack:
        if runtime is None:
            runtime = await stack.enter_async_context(Runtime(console=True))
        serving = serving_phone(bot, host=host, port=port, public_url=public_url, runtime=runtime, options=options)
        served = await stack.enter_async_context(serving)
        # Not before: a signal that comes while the models load ends the process at once.
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # no signals on this loop, or in this thread
                loop.add_signal_handler(number, stop.set)
        print(served.setup, flush=True)
        if served.phone.options.carrier is None:
            print("TWILIO_ACCOUNT_SID is not set: calls can be answered, but call.transfer will fail.", flush=True)
        await stop.wait()
        print("Stopping: calls end.", flush=True)


def _told(options: PhoneOptions) -> PhoneOptions:
    """The same, and each call's begin and end are told on standard error; a runtime with `console` tells the turns."""

    def began(call: Call) -> None:
        print(
            f"call {call.id}: {call.direction}, {call.caller or 'unknown'} to {call.number}",
            file=sys.stderr,
            flush=True,
        )
        call.on_end(_ended)
        if options.on_call is not None:
            options.on_call(call)

    return replace(options, on_call=began)


def _ended(report: CallReport) -> None:
    lines = [f"call {report.call_id}: {report.reason}, {report.duration:.0f} s, {len(report.turns)} turns"]
    lines += [f"  fault: {fault.kind}: {fault.message}" for fault in report.faults]
    print("\n".join(lines), file=sys.stderr, flush=True)


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

    Raises:
        VoiceloopError: the bot cannot start, the port is taken, or something that Twilio needs is missing:
            `CannotStart` when that is several things.
    """
    answer = getattr(bot, "bot", bot)
    if not callable(answer):
        raise PhoneError(f"expected the function bot(call) or a module that has one, got {bot!r}")
    options = options or PhoneOptions()
    if public_url is not None:
        options = replace(options, public_url=public_url)
    async with AsyncExitStack() as stack:
        carrier, problems = _checked(options)
        if runtime is None:
            runtime = await stack.enter_async_context(Runtime())
        if problems:  # better told before the models load, and together with keys that are missing
            raise CannotStart([*problems, *await keys_missing(answer, runtime)])
        if carrier is not None:
            options = replace(options, carrier=await stack.enter_async_context(carrier))
        if tell is not None:
            tell("Loading the models.")
        await rehearsed(answer, runtime)
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


def _checked(options: PhoneOptions) -> tuple[TwilioREST | None, list[str]]:
    """Twilio's REST API, if it is to be had and was not given, and what is wrong with what Twilio needs."""
    problems: list[str] = []
    for needed in (options.base, options.secret):
        try:
            needed()
        except PhoneError as error:
            problems.append(str(error))
    try:
        return (None if options.carrier is not None else _carrier(options)), problems
    except PhoneError:
        return None, problems
    except VoiceloopError as error:
        return None, [*problems, str(error)]


def _carrier(options: PhoneOptions) -> TwilioREST | None:
    """Twilio's REST API, when the environment has what opens it.

    Raises:
        PhoneError: there is no auth token.
        TwilioError: what it has cannot be right.
    """
    account = os.environ.get("TWILIO_ACCOUNT_SID", "").strip()
    by_key = os.environ.get("TWILIO_API_KEY", "").strip()
    token = None if by_key else options.secret()
    return TwilioREST(account, token) if account and (by_key or token) else None


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: end what uses it, or choose another with serve(bot, port=…); 0 takes a free one"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"

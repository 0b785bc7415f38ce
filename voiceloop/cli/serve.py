"""``voiceloop serve``: answer the phone with a bot file."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voiceloop.cli.load import BotFileError, load_bot
from voiceloop.cli.prepare import loading_note, prepare
from voiceloop.cli.talk import _port
from voiceloop.errors import VoiceloopError
from voiceloop.server.console import complain, note
from voiceloop.server.event_loop import chosen_loop
from voiceloop.server.keeping import can_keep
from voiceloop.server.observing import logged
from voiceloop.server.outlet import unheld_output
from voiceloop.server.phone_options import TOKEN_VARIABLE, URL_VARIABLE, PhoneOptions, public_base
from voiceloop.server.serve_settings import LOOPBACK, ServeSettings
from voiceloop.store import DEFAULT_STORE, STORE_VARIABLE

if TYPE_CHECKING:
    from voiceloop.server.serve import Serving

__all__ = ["add_serve", "serve"]

_ANY: Final = "0.0.0.0"
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_DAY: Final = 86400
"""Seconds."""


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "serve",
        help="answer the phone with a bot file",
        description="Answers the calls of a Twilio number with the bot of a file: a module with bot(call) -> Pipeline, "
        "and with options = PhoneOptions(...) if it wants any. Without TWILIO_AUTH_TOKEN and a public URL it takes "
        "simulated calls from this machine only: voiceloop sim call.",
    )
    command.add_argument("bot", help="the bot file")
    command.add_argument("--host", help=f"address to listen on (default: {_ANY}, all of the machine's)")
    command.add_argument("--port", type=_port, default=8080, help="0 takes a free one (default: 8080)")
    command.add_argument(
        "--public-url",
        metavar="URL",
        help=f"what stands before /voice in the address that Twilio calls (default: {URL_VARIABLE})",
    )
    command.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that answer, about one a core (default: 1)"
    )
    command.add_argument(
        "--reload", action="store_true", help="in development: load the file and its models anew when it was edited"
    )
    command.add_argument(
        "--store",
        metavar="URL",
        help="database for the records of calls, sqlite:///file.db or postgresql://…, or none "
        f"(default: {STORE_VARIABLE}, or {DEFAULT_STORE})",
    )
    command.add_argument("--recordings", metavar="FOLDER", help="keep the sound of every call there (default: nowhere)")
    command.add_argument(
        "--recordings-form",
        choices=("mulaw", "pcm16"),
        help="mulaw: as it was on the phone; pcm16: linear, for programs that read nothing else (default: mulaw)",
    )
    command.add_argument(
        "--drain",
        type=float,
        metavar="SECONDS",
        help="how long live calls may go on at SIGTERM (default: 300, or as the file's options say)",
    )
    command.add_argument(
        "--metrics-port",
        type=_port,
        metavar="PORT",
        help="serve GET /metrics for Prometheus there; 0 takes a free one (default: nowhere)",
    )
    command.add_argument(
        "--metrics-host", default=LOOPBACK, metavar="HOST", help=f"address that it listens on (default: {LOOPBACK})"
    )
    command.add_argument(
        "--log",
        choices=("text", "json"),
        default="text",
        help="lines for people, or everything that is told as JSON, an object a line (default: text)",
    )
    command.add_argument(
        "--log-level",
        type=str.upper,
        choices=LEVELS,
        help="from which on what happens inside is logged (default: WARNING as text, INFO as JSON)",
    )
    command.add_argument("--verbose", action="store_true", help="the same as --log-level DEBUG")


async def serve(options: argparse.Namespace) -> int:
    """Serve until the process is told to stop. Why it cannot start is told; returns the exit status."""
    with unheld_output(), logged(_log_settings(options)):
        try:
            return await _serve(options)
        except (VoiceloopError, OSError) as error:
            complain(error)
            return 1


def _log_settings(options: argparse.Namespace) -> ServeSettings:
    return ServeSettings(log=options.log, log_level="DEBUG" if options.verbose else options.log_level)


async def _serve(options: argparse.Namespace) -> int:
    from voiceloop.server.listening import bind
    from voiceloop.server.local import local_access

    _check(options)
    local = _is_local(options)
    host = LOOPBACK if local else options.host if options.host is not None else _ANY
    with ExitStack() as stack:
        sockets = bind(host, options.port)  # a port that is taken is told before the models load
        for each in sockets:
            stack.callback(each.close)
        port = sockets[0].getsockname()[1]
        # At once: whoever finds the port taken looks for the token.
        access = stack.enter_context(local_access(port)) if local else None
        settings = replace(
            _log_settings(options),
            host=host,
            port=port,
            public_url=options.public_url if access is None else access.base,
            store=_store(options.store),
            recordings=options.recordings,
            recordings_form=options.recordings_form or "mulaw",
            drain=options.drain,
            metrics_port=options.metrics_port,
            metrics_host=options.metrics_host,
        )
        await can_keep(settings.store, settings.recording, ask_server=False)  # that is done when it is used
        if access is None:
            return await _run(options, settings, sockets, None)
        settings = replace(settings, local_token=access.token)
        return await _run(options, settings, sockets, _local_setup(options, access.base))


async def _run(
    options: argparse.Namespace, settings: ServeSettings, sockets: list[socket.socket], setup: str | None
) -> int:
    if options.workers > 1:
        from voiceloop.server.workers import supervise

        note(loading_note())
        return await supervise(
            options.bot,
            settings,
            options.workers,
            sockets=sockets,
            setup=setup,
        )
    from voiceloop.server.serve import serve_here
    from voiceloop.server.worker import options_of

    def told(serving: Serving) -> str:
        return serving.setup if setup is None else setup

    if options.reload:
        await _run_reloaded(options, settings, sockets, told)
        return 0
    module = load_bot(options.bot)
    await serve_here(
        module,
        settings,
        options=options_of(module),
        sockets=sockets,
        setup=told,
        tell=lambda _: note(loading_note()),
    )
    return 0


async def _run_reloaded(
    options: argparse.Namespace,
    settings: ServeSettings,
    sockets: list[socket.socket],
    setup: Callable[[Serving], str],
) -> None:
    """Serve a file that is edited meanwhile."""
    from voiceloop.server.bot_file import BotFile
    from voiceloop.server.reloading import ReloadedBot
    from voiceloop.server.serve import serve_here

    local = settings.local_token is not None
    phone = settings.options(None)
    phone.base(), phone.secret()  # what is missing is told before the models load
    note(loading_note())
    file = BotFile(options.bot, load=load_bot, prepare=prepare, tell=note)
    bot = ReloadedBot(file, patient=local)
    async with bot.watched():
        await bot.settled()
        await serve_here(
            bot.bot,
            settings,
            options=bot.options(PhoneOptions()),
            sockets=sockets,
            setup=setup,
            healthy=bot.ready if local else None,
        )


def _check(options: argparse.Namespace) -> None:
    """Wrong usage that the command line's parser does not see.

    Raises:
        VoiceloopError: there is some.
    """
    from voiceloop.server.workers import MOST_WORKERS

    if not 1 <= options.workers <= MOST_WORKERS:
        raise VoiceloopError(f"expected --workers from 1 to {MOST_WORKERS}, got {options.workers}")
    chosen_loop()
    if options.reload and options.workers > 1:
        raise VoiceloopError("--reload is for development, with one process: leave --workers out")
    if options.drain is not None and not 0 <= options.drain <= _DAY:
        raise VoiceloopError(f"expected --drain from 0 to {_DAY} seconds, got {options.drain:g}")
    if options.recordings_form is not None and options.recordings is None:
        raise VoiceloopError("--recordings-form says how sound is kept: add --recordings FOLDER, where")
    if options.public_url is not None:
        public_base(options.public_url)
    if Path(options.bot).is_dir():
        inside = Path(options.bot) / "bot.py"
        hint = f": is {inside} the file?" if inside.is_file() else ""
        raise BotFileError(f"expected a bot file, a Python module with bot(call), but {options.bot} is a folder{hint}")
    if not Path(options.bot).is_file():
        raise BotFileError(f"expected a bot file, a Python module with bot(call), but there is no file {options.bot}")


def _is_local(options: argparse.Namespace) -> bool:
    """Whether nothing says who would call, or where: then only this machine can."""
    told = (options.public_url or "", os.environ.get(URL_VARIABLE, ""), os.environ.get(TOKEN_VARIABLE, ""))
    return not any(text.strip() for text in told)


def _local_setup(options: argparse.Namespace, base: str) -> str:
    host = f" (--host {options.host} is for real ones)" if options.host not in (None, LOOPBACK, "localhost") else ""
    return (
        f"Answering at {base}: simulated calls from this machine only{host}. In another terminal:\n"
        f"  voiceloop sim call {base}\n"
        f"For real calls set {TOKEN_VARIABLE} and {URL_VARIABLE} (or --public-url), and start again.\n"
    )


def _store(given: str | None) -> str | None:
    """The database of records; None when none are kept."""
    named = given if given is not None else os.environ.get(STORE_VARIABLE, "").strip()
    if named.lower() == "none":
        note("No records of calls are kept.")
        return None
    if named:
        return named
    if find_spec("sqlalchemy") is None:
        note("No records of calls are kept: pip install 'voiceloop[serve]' keeps them in a database.")
        return None
    note(f"Records of calls are kept in {DEFAULT_STORE.removeprefix('sqlite:///')}; see voiceloop calls.")
    return DEFAULT_STORE

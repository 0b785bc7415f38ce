"""``voiceloop talk``: a local page with a microphone, and the bot on the other end of the line."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any

from voiceloop.cli.load import example, load_bot
from voiceloop.cli.models import LLM_FORMS
from voiceloop.cli.prepare import loading_note, prepare
from voiceloop.errors import VoiceloopError
from voiceloop.server.bot_file import BotFile
from voiceloop.server.talk import talk_app

__all__ = ["add_talk", "talk"]


def add_talk(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "talk",
        help="talk to an agent yourself: a local page with your microphone",
        description="Opens a page in your browser. You talk to the agent (the coffee bar's, or your own) with your "
        "microphone, and see what it hears, what it says, and what each wait was made of. Edit the bot file and call "
        "again: it is loaded anew.",
    )
    command.add_argument("bot", nargs="?", help="a bot file with bot(call) -> Pipeline (default: the coffee bar)")
    command.add_argument("--port", type=_port, default=8080, help="of the page; 0 takes a free one (default: 8080)")
    command.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1). Browsers give a page no microphone unless it comes from "
        "localhost or over TLS",
    )
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.add_argument("--llm", metavar="MODEL", help=f"a language model instead of the bot's own: {LLM_FORMS}")
    command.add_argument("--verbose", action="store_true", help="log what happens inside")


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return port


async def talk(options: argparse.Namespace) -> int:
    """Serve the page until the process is told to stop.

    Raises:
        VoiceloopError: the port is taken, or `--llm` names no model.
    """
    from aiohttp import web

    path = options.bot or example("coffee_bot.py")
    substitutes = _substitutes(options.llm)
    substitutes()  # a wrong name is better told now than on the page
    bot_file = BotFile(path, load=load_bot, prepare=prepare, substitutes=substitutes, tell=_note)
    app = talk_app(bot_file, host=options.host)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=2.0)
    _note(loading_note())
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port)
        try:
            await site.start()
        except OSError as error:
            raise VoiceloopError(_taken(options, error)) from error
        url = _url(options.host, runner.addresses[0][1])
        print(f"Talk to {bot_file.path.name}: {url}", flush=True)
        _note("Ctrl-C ends it.")
        if not options.no_browser and _has_display():
            # A browser that is started here may hold on to its caller; nobody waits for it.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        await _terminated()
    finally:
        await runner.cleanup()
    return 0


async def _terminated() -> None:
    """Return when the process is asked to end; Ctrl-C cancels us instead."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # no signals on this system's loop
        loop.add_signal_handler(signal.SIGTERM, asked.set)
    await asked.wait()


def _substitutes(llm: str | None) -> Callable[[], Mapping[type, Any]]:
    """Makes what stands in for the bot's own providers, each time the bot is loaded."""

    def make() -> Mapping[type, Any]:
        if llm is None:
            return {}
        from voiceloop.cli.models import parse_llm
        from voiceloop.llm.base import LLM

        return {LLM: parse_llm(llm)}

    return make


def _taken(options: argparse.Namespace, error: OSError) -> str:
    import errno

    if error.errno == errno.EADDRINUSE:
        return f"port {options.port} is in use: end what uses it, or choose another with --port (0 takes a free one)"
    return f"cannot listen on {options.host} port {options.port}: {error.strerror or error}"


def _url(host: str, port: int) -> str:
    """What to open. In digits: by the name localhost a browser might reach another server, on ::1."""
    if host in ("0.0.0.0", "::", ""):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _has_display() -> bool:
    """Whether a browser has a screen to open on; without one a text browser would take over the terminal."""
    return sys.platform != "linux" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    )


def _note(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)

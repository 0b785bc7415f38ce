"""``voiceloop sim``: simulators of the services on fixed ports, for bots in other processes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import hashlib
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from voiceloop.cli.speech import add_speech, embedded_speech
from voiceloop.errors import VoiceloopError

if TYPE_CHECKING:
    from voiceloop.cli.exchange import Exchange
    from voiceloop.sim.twilio import TwilioSim
    from voiceloop.sim.twilio_exchange import TwilioOptions

__all__ = ["CALL", "EXCHANGE", "EXCHANGE_VARIABLE", "PATIENCE", "add_sim", "new_line", "people", "sim"]

CALL: Final = "sim call"
"""The command that rings."""
PORT: Final = 7650
"""Of the first simulator. The others follow."""
_ORDER: Final = ("google", "anthropic", "cartesia", "twilio")
PATIENCE: Final = 3.0
"""Seconds that a caller waits for the answer once the agent has asked for a moment."""
EXCHANGE_VARIABLE: Final = "VOICELOOP_SIM_URL"
"""Says where ``voiceloop sim call`` finds the exchange."""
EXCHANGE: Final = f"http://127.0.0.1:{PORT + len(_ORDER)}"
"""Where it is unless that says otherwise."""


BUSY: Final = "+15550000003"
MACHINE: Final = "+15550000004"
NOBODY: Final = "+15550000005"
"""Numbers to call that are busy, have an answering machine, and do not answer. At any other one somebody talks."""
GREETING: Final = "You have reached the Millers. We cannot come to the phone. Please leave a message after the tone."


class _InOrder(argparse.Action):
    """Keeps texts and recordings in the order in which they stand on the command line."""

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        lines = getattr(namespace, "lines", None) or []
        namespace.lines = [*lines, *((self.dest, value) for value in values)]


def add_sim(commands: Any) -> None:
    """Add both commands to those of ``voiceloop``."""
    serve = commands.add_parser(
        "sim",
        help="serve simulators of Google, Anthropic, Cartesia and Twilio: no key, no account",
        description="Serves simulators until it is stopped, and prints the environment by which a bot in another "
        "terminal finds them in place of the real services. `voiceloop sim call` rings the bot.",
    )
    serve.add_argument("services", nargs="*", metavar="SERVICE", help=f"{', '.join(_ORDER)} (default: all)")
    serve.add_argument(
        "--ports",
        type=int,
        default=PORT,
        metavar="FIRST",
        help=f"port of google; anthropic, cartesia, twilio and the exchange follow; 0: free ones (default: {PORT})",
    )
    serve.add_argument(
        "--public-url",
        default="http://127.0.0.1:8080",
        metavar="URL",
        help="where the bot will be served (default: http://127.0.0.1:8080)",
    )
    serve.add_argument(
        "--answers",
        metavar="FILE",
        help="a conversation as JSON: what the caller says, and what the model answers (default: it repeats what it "
        "heard)",
    )
    add_speech(serve)
    serve.add_argument("--verbose", action="store_true", help="log what happens inside")
    serve.set_defaults(bot=None)
    ring = commands.add_parser(
        CALL,
        prog="voiceloop sim call",
        help="ring a bot that is served: a simulated caller, no account",
        description="A simulated caller rings the webhook of a bot on this machine, as Twilio would. You see what was "
        "said and heard, and get a stereo recording: the caller left, the agent right. A bot that `voiceloop serve` "
        "serves without an auth token is rung as it is; with one, set the same TWILIO_AUTH_TOKEN here.",
    )
    ring.add_argument(
        "url",
        nargs="?",
        help="where the bot is served (default: http://127.0.0.1:8080, or where `voiceloop sim` was told it is)",
    )
    ring.add_argument(
        "--says",
        nargs="+",
        metavar="TEXT",
        action=_InOrder,
        help="what the caller says, in order; '- ' before it: over the agent; 'keys: 12#': presses these keys "
        "(default: a greeting, a question, and goodbye; or the lines of sim --answers)",
    )
    ring.add_argument(
        "--caller", nargs="+", metavar="FILE", action=_InOrder, help="recordings (WAV) that the caller plays, in order"
    )
    ring.add_argument(
        "--exchange",
        metavar="URL",
        help=f"of a `voiceloop sim` that is to ring (default: {EXCHANGE_VARIABLE}, or {EXCHANGE} if it listens and the "
        "bot has left no token; else this process rings)",
    )
    ring.add_argument(
        "--speech",
        choices=("embedded", "artificial"),
        help="embedded: a voice and a recogniser in this process, which need voiceloop[local] (default); artificial: "
        "buzzing words, for a bot whose recogniser is scripted",
    )
    ring.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help=f"how long the caller waits in silence after words such as 'One moment, please.' (default: {PATIENCE:g})",
    )
    ring.add_argument("--recording", default="voiceloop-call.wav", metavar="FILE", help="where to write the recording")
    ring.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    ring.add_argument("--verbose", action="store_true", help="log what happens inside")
    ring.set_defaults(bot=None, lines=None)


def new_line() -> TwilioOptions:
    """A Twilio whose calls have other ids than those of any run before: bots keep records of them by their ids."""
    from voiceloop.sim.carrier import CarrierOptions
    from voiceloop.sim.twilio_exchange import TwilioOptions

    run = f"{os.getpid()} {asyncio.get_running_loop().time()}"
    return TwilioOptions(carrier=CarrierOptions(seed=int(hashlib.sha256(run.encode()).hexdigest()[:8], 16)))


async def sim(options: argparse.Namespace) -> int:
    """Serve until the process is told to stop.

    Raises:
        VoiceloopError: a name is none of a service's, the conversation is none, or a port is taken.
    """
    from voiceloop.cli.exchange import Exchange
    from voiceloop.server.phone_options import public_base
    from voiceloop.sim.profiles import PROFILES
    from voiceloop.sim.scripted_model import ScriptedModel, exchanges_of, lines_of, repeating
    from voiceloop.sim.services import NAMES, simulated_services
    from voiceloop.sim.voiced import VoicedLexicon
    from voiceloop.testing.scripted import ScriptedTTS

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC would print each client that goes
    only = _only(options.services, NAMES)
    base = public_base(options.public_url)
    exchanges = exchanges_of(_read(options.answers)) if options.answers else []
    ports = _ports(options.ports, len(NAMES) + 1)
    lexicon = VoicedLexicon()
    speech: dict[str, Any] = {"lexicon": lexicon, "caller": ScriptedTTS(lexicon)}
    async with AsyncExitStack() as stack:
        if options.speech == "embedded":
            _note("Loading the models; the environment follows.")
            speech = await embedded_speech(stack)
        answers = ScriptedModel(exchanges) if exchanges else repeating
        try:
            services = await stack.enter_async_context(
                simulated_services(
                    answers,
                    profile=PROFILES[options.profile],
                    ports=ports[: len(NAMES)],
                    only=only,
                    public_url=base,
                    line=new_line(),
                    **speech,
                )
            )
            environment = dict(services.environment)
            if "twilio" in only:
                exchange = Exchange(services.twilio, speech.get("hears") or lexicon, lines_of(exchanges))
                people(services.twilio, exchange)
                environment[EXCHANGE_VARIABLE] = await stack.enter_async_context(exchange.listening(ports[-1]))
        except (OSError, RuntimeError) as error:  # gRPC raises the latter
            raise VoiceloopError(_taken(options.ports, error)) from error
        _tell(environment, only)
        await _terminated()
    return 0


def people(twilio: TwilioSim, exchange: Exchange) -> None:
    """Who answers when the bot calls: somebody who talks, but for three well-known numbers."""
    from voiceloop.sim.twilio import Machine, Phone

    twilio.everybody = Phone(person=exchange.answers)
    twilio.phones[BUSY] = Phone("busy")
    twilio.phones[MACHINE] = Phone(rings=4.0, machine=Machine(greeting=GREETING))
    twilio.phones[NOBODY] = Phone("no-answer")


def _only(named: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    strangers = [name for name in named if name not in known]
    if strangers:
        raise VoiceloopError(f"expected some of {', '.join(known)}, or call, got {', '.join(strangers)}")
    return tuple(name for name in known if not named or name in named)


def _ports(first: int, count: int) -> list[int]:
    if not (first == 0 or 1024 <= first <= 65535 - count):
        raise VoiceloopError(f"expected --ports from 1024 to {65535 - count}, or 0 for free ones, got {first}")
    return [first + index if first else 0 for index in range(count)]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VoiceloopError(f"cannot read the conversation {path}: {error}") from None


def _tell(environment: Mapping[str, str], only: tuple[str, ...]) -> None:
    shown = sys.stdout.isatty()
    _note(f"Simulating {', '.join(only)}; Ctrl-C ends it.{' In the terminal of the bot, first:' if shown else ''}\n")
    print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items()), flush=True)
    if not shown:
        _note("The environment was written to standard output; in the bot's terminal: `. ./sim.env`")
    if "twilio" in only:
        _note("\nThen serve the bot there, and ring it from a third one: voiceloop sim call --says 'Hello?'")


def _taken(first: int, error: BaseException) -> str:
    busy = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    if busy or "bind" in str(error).lower():
        return f"a port from {first} on is in use: end what uses it, or choose others with --ports (0 takes free ones)"
    return f"the simulators cannot listen: {error}"


async def _terminated() -> None:
    """Return when the process is asked to end; Ctrl-C cancels us instead."""
    asked = asyncio.Event()
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    await asked.wait()


def _note(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)

"""Who rings for ``voiceloop sim call``: the exchange of a ``voiceloop sim`` that runs, or one in this process."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp
from yarl import URL

from voiceloop.cli.conversing import Tell
from voiceloop.cli.exchange import Exchange
from voiceloop.cli.outcome import Show
from voiceloop.cli.prepare import loading_note
from voiceloop.cli.sim import EXCHANGE, EXCHANGE_VARIABLE, new_line
from voiceloop.errors import MissingExtra, VoiceloopError
from voiceloop.server.local import LocalAccess, find_access
from voiceloop.server.phone_options import TOKEN_VARIABLE, URL_VARIABLE, public_base
from voiceloop.sim.twilio import ACCOUNT, TwilioSim
from voiceloop.stt.base import STT
from voiceloop.tts.base import TTS
from voiceloop.web_service import is_here

__all__ = ["HERE", "Ringing", "ringing", "webhook"]

VOICE: Final = "voice"
"""The last part of the webhook's path."""
HERE: Final = "http://127.0.0.1:8080/voice"
"""What is rung when no address was given and no ``voiceloop sim`` runs."""
_MAX_LINE: Final = 1024 * 1024
_QUIET: Final = 120.0
"""Seconds in which an exchange of another process has nothing to tell."""
_PROBE: Final = 2.0
"""Seconds for an answer to a question that takes no time."""
_STARTING: Final = 120.0
"""Seconds that a bot may take to load its models."""


_POST_ONLY: Final = 405
"""What a webhook answers to who only looks."""


class Ringing(Protocol):
    """What makes the call."""

    refused: str
    """What to do when the bot does not take it for Twilio."""

    async def ring(self, order: Mapping[str, Any], tell: Tell) -> None:
        """Make a call; see `Exchange.ring`. ``{"rings": url}`` is told first."""
        ...

    async def recording(self, call: str) -> bytes:
        """A WAV file; empty when there is none."""
        ...


def webhook(url: str | None) -> str:
    """Where to ring; an address without a path is that of the server. Empty when none was given.

    Raises:
        VoiceloopError: it is no address.
    """
    if not url:
        return ""
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise VoiceloopError(f"expected the webhook of a bot, like http://127.0.0.1:8080/voice, got {url!r}")
    return str(parsed / VOICE) if parsed.path in ("", "/") else url


@asynccontextmanager
async def ringing(options: argparse.Namespace, show: Show) -> AsyncIterator[tuple[Ringing, str]]:
    """What makes the call, and the webhook it rings.

    Raises:
        VoiceloopError: nobody listens, there is no token, or speech needs something that is not installed.
    """
    url = webhook(options.url)
    named = options.exchange or os.environ.get(EXCHANGE_VARIABLE, "")
    access = find_access(url) if url and not named else None
    if named or (access is None and await _listens(EXCHANGE)):
        if options.speech is not None:
            raise VoiceloopError("--speech is told to `voiceloop sim`, which rings here: leave it out")
        if url and is_here(URL(url).host or ""):
            url = str(await _mounted(URL(url)))
        async with _elsewhere(named or EXCHANGE) as there:
            yield there, url
        return
    url = url or HERE
    way = await _way(url, access or find_access(url), show)
    async with AsyncExitStack() as stack:
        hears, voice = await _speech(options.speech or "embedded", stack, show)
        twilio = TwilioSim(way.account_sid, way.token, tunnels=way.tunnels, voice=voice, options=new_line())
        await stack.enter_async_context(twilio.listening())
        yield _Here(Exchange(twilio, hears), way.refused), way.url


# --- in this process ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Way:
    """How a bot of this machine is rung."""

    url: str
    token: str
    account_sid: str
    tunnels: Mapping[str, str]
    refused: str


async def _way(url: str, access: LocalAccess | None, show: Show) -> _Way:
    parsed = URL(url)
    base = str(parsed.origin())
    if not is_here(parsed.host or ""):
        raise VoiceloopError(f"expected a bot on this machine, like {HERE}: {base} is elsewhere, and Twilio's to call")
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if access is None and not await _listens(base):
        raise VoiceloopError(f"nothing listens at {base}: start `voiceloop serve bot.py` in another terminal")
    if access is None and not token:
        raise VoiceloopError(
            f"the bot at {base} has left no token for simulated calls, so it checks with an auth token of its own: set "
            f"{TOKEN_VARIABLE} here as there, and {URL_VARIABLE} too. Or serve it without {TOKEN_VARIABLE}"
        )
    if not await _answers(base):
        show.note("The bot is starting.")
        await _started(base, local=access is not None)
    parsed = await _mounted(parsed)
    if access is not None:
        # The server checks for its own spelling of the address, which may be localhost here.
        return _Way(access.base + parsed.raw_path_qs, access.token, access.account_sid, {}, "Serve it anew.")
    refused = f"{TOKEN_VARIABLE} and {URL_VARIABLE} must be here what they are in the terminal of the bot."
    account = os.environ.get("TWILIO_ACCOUNT_SID", "").strip() or ACCOUNT
    given = os.environ.get(URL_VARIABLE, "").strip()
    if not given:
        return _Way(str(parsed), token, account, {}, refused)
    public = URL(public_base(given))
    prefix, path = public.raw_path.rstrip("/"), parsed.raw_path_qs
    if not prefix or path.startswith(f"{prefix}/"):  # what leads here leaves the path as it is
        return _Way(f"{public.origin()}{path}", token, account, {str(public.origin()): base}, refused)
    return _Way(f"{public_base(given)}{path}", token, account, {public_base(given): base}, refused)


async def _mounted(url: URL) -> URL:
    """The webhook, when the address is that of a prefix under which a server is mounted; else the address."""
    if url.name == VOICE:
        return url
    voice = url.with_query(None) / VOICE
    timeout = aiohttp.ClientTimeout(total=_PROBE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            async with session.get(url, allow_redirects=False) as response:
                there = response.status
            async with session.get(voice, allow_redirects=False) as response:
                return voice if response.status == _POST_ONLY and there != _POST_ONLY else url
    except (aiohttp.ClientError, OSError, TimeoutError):
        return url


async def _listens(base: str) -> bool:
    url = URL(base)
    try:
        async with asyncio.timeout(_PROBE):
            _, writer = await asyncio.open_connection(url.host, url.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _answers(base: str) -> bool:
    """Whether a server speaks there. One that loads its models has its port already, and is silent."""
    timeout = aiohttp.ClientTimeout(total=_PROBE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{base}/healthz") as response:
            return response.status < 600
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


async def _started(base: str, *, local: bool) -> None:
    try:
        async with asyncio.timeout(_STARTING):
            answers = False
            while not answers:
                await asyncio.sleep(0.25)
                answers = await _answers(base)
                if not answers and local and find_access(base) is None:
                    raise VoiceloopError(f"the bot at {base} has ended: look at its terminal")
    except TimeoutError:
        raise VoiceloopError(f"the bot at {base} was not ready within {_STARTING:g} s: look at its terminal") from None


async def _speech(kind: str, stack: AsyncExitStack, show: Show) -> tuple[Any, TTS]:
    """What understands the agent, and the caller's voice."""
    if kind == "artificial":
        from voiceloop.sim.voiced import VoicedLexicon
        from voiceloop.testing.scripted import ScriptedTTS

        lexicon = VoicedLexicon()
        return lexicon, ScriptedTTS(lexicon)
    from voiceloop.stt.moonshine import Moonshine
    from voiceloop.tts.hibari import Hibari, HibariOptions

    hears, voice = Moonshine(), Hibari(HibariOptions(speed=1.05))
    providers: tuple[STT | TTS, ...] = (hears, voice)
    show.note(loading_note())
    try:
        for provider in providers:
            stack.push_async_callback(provider.aclose)
            await provider.warm()
    except MissingExtra as error:
        raise VoiceloopError(
            f"the caller has no voice: {error}. Or, if the bot understands artificial words: --speech artificial"
        ) from None
    return hears, voice


class _Here:
    """An exchange of this process."""

    def __init__(self, exchange: Exchange, refused: str) -> None:
        self._exchange = exchange
        self.refused = refused

    async def ring(self, order: Mapping[str, Any], tell: Tell) -> None:
        await tell({"rings": order["url"]})
        await self._exchange.ring(order, tell)

    async def recording(self, call: str) -> bytes:
        return await asyncio.to_thread(self._exchange.recording, call) or b""


# --- in another process -------------------------------------------------------------------------------------


class _There:
    """The exchange of ``voiceloop sim``."""

    refused = (
        f"The bot does not take it for Twilio's: its {URL_VARIABLE} must be what stands before /voice in the URL, and "
        f"its {TOKEN_VARIABLE} the one that `voiceloop sim` has printed."
    )

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ring(self, order: Mapping[str, Any], tell: Tell) -> None:
        async with self._session.post("/calls", json=order) as response:
            if response.status != 200:
                raise VoiceloopError((await response.text()).strip()[:500] or f"status {response.status}")
            await tell({"rings": order["url"]})
            async for line in response.content:
                await tell(json.loads(line))

    async def recording(self, call: str) -> bytes:
        async with self._session.get(f"/calls/{call}.wav") as response:
            return await response.read() if response.status == 200 else b""


@asynccontextmanager
async def _elsewhere(exchange: str) -> AsyncIterator[_There]:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=_QUIET)
    try:
        async with aiohttp.ClientSession(exchange, timeout=timeout, read_bufsize=_MAX_LINE) as session:
            yield _There(session)
    except aiohttp.ClientConnectorError:
        raise VoiceloopError(f"nothing listens at {exchange}: start `voiceloop sim` in another terminal") from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise VoiceloopError(f"{exchange}: {str(error) or type(error).__name__}") from None

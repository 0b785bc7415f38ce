"""The way in for ``voiceloop sim call``: has the simulated Twilio ring a bot, and tells how the call goes.

``POST /calls`` takes the caller's lines and answers with one JSON object a line, as things happen: ``{"said": …}``;
``{"heard": …, "after": seconds}``, or with ``"cut": true`` what was heard until the caller spoke over it;
``{"failed": …, "alerts": […]}``; ``{"transferred": number}``; and last ``{"over": …, "call": …}``.
``GET /calls/{call}.wav`` gives the recording.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from voiceloop.cli.sim import PATIENCE
from voiceloop.cli.simulate import OVER_AFTER
from voiceloop.languages import LANGUAGES
from voiceloop.server.guard import guard
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.google_listen import listener_of
from voiceloop.sim.twilio import SimCall, TwilioSim
from voiceloop.stt.base import STT

__all__ = ["Exchange", "Line"]

ANSWER_LIMIT: Final = 30.0
"""Seconds the caller waits for an answer."""
_LEAVING: Final = 3.0
"""Seconds in which the agent may hang up, once everything was said."""
_MOST_PATIENT: Final = 60.0
_MOST_CALLS: Final = 8
_MOST_LINES: Final = 200
_MOST_KEPT: Final = 20
"""Recordings that are kept."""
_MAX_BODY: Final = 64 * 1024 * 1024
_HELLO: Final = (("Hello, can you hear me?", False), ("Thank you.", False))


@dataclass(frozen=True, slots=True)
class Line:
    """Something the caller says."""

    shown: str
    what: str | bytes
    """A text, or mu-law."""
    over: bool
    """Whether it is said over the agent."""


class Exchange:
    """Rings bots on behalf of another process of this machine.

    Args:
        twilio: what rings.
        hears: tells what was heard.
        lines: what callers say when they are not told; each with whether it is said over the agent.
    """

    def __init__(self, twilio: TwilioSim, hears: Lexicon | STT, lines: Sequence[tuple[str, bool]]) -> None:
        self._twilio = twilio
        self._artificial = isinstance(hears, Lexicon)
        self._listener = listener_of(hears)
        self._lines = list(lines) or list(_HELLO)
        self._kept: OrderedDict[str, SimCall] = OrderedDict()
        self._calls = 0

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[str]:
        """Serve on 127.0.0.1 until the block is left; 0 takes a free port. Gives the URL."""
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[guard("127.0.0.1")])
        app.router.add_post("/calls", self._call)
        app.router.add_get("/calls/{call}.wav", self._recording)
        runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=0.0, handler_cancellation=True
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":  # a page of another site cannot send that
            raise web.HTTPUnsupportedMediaType(text="expected JSON\n")
        url, lines, patience = self._order(await request.text())
        if self._calls >= _MOST_CALLS:
            raise web.HTTPServiceUnavailable(text=f"{_MOST_CALLS} calls are on the line: try again later\n")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)

        async def tell(event: dict[str, Any]) -> None:
            await response.write(json.dumps(event).encode() + b"\n")

        self._calls += 1
        ringing = asyncio.ensure_future(self._twilio.call(url or None))
        try:
            line = await asyncio.shield(ringing)
            await self._talk(line, lines, patience, tell)
        finally:  # also when the other process has gone, in the middle of ringing
            self._calls -= 1
            await (await ringing).hangs_up()
        self._keep(line)
        end = line.streams[-1].end if line.streams else line.status
        for dialled in line.children:
            await tell({"transferred": dialled.to})
        await tell({"over": end, "call": line.sid})
        return response

    def _order(self, text: str) -> tuple[str, list[Line], float]:
        """The webhook, what the caller says, and the caller's patience in seconds.

        Raises:
            HTTPBadRequest: it is no order, or cannot be carried out.
        """
        try:
            order = json.loads(text)
            url, lines = str(order.get("url") or ""), [_line(each) for each in order.get("lines") or ()]
            patience = float(order.get("patience", PATIENCE))
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
            raise web.HTTPBadRequest(text="expected an order as voiceloop sim call sends it\n") from None
        if not 0 <= patience <= _MOST_PATIENT:
            raise web.HTTPBadRequest(text=f"expected a patience from 0 to {_MOST_PATIENT:g} s\n")
        if len(lines) > _MOST_LINES:
            raise web.HTTPBadRequest(text=f"expected at most {_MOST_LINES} lines\n")
        if self._artificial and any(isinstance(line.what, bytes) for line in lines):
            text = (
                "recordings of people need voiceloop sim --speech embedded: here only artificial words are understood\n"
            )
            raise web.HTTPBadRequest(text=text)
        return url, lines or [Line(shown, shown, over) for shown, over in self._lines], patience

    async def _talk(self, line: SimCall, lines: Sequence[Line], patience: float, tell: Any) -> None:
        """Say everything, wait for each answer, and for the agent's hang-up if it does that."""
        try:
            caller = line.caller
            await self._hears(caller, patience, tell)
            for index, each in enumerate(lines):
                if each.over:
                    cut = await caller.interrupts(each.what, after=OVER_AFTER, timeout=ANSWER_LIMIT)
                    truth = caller.carrier.truth
                    first, end = truth.sample_at(cut.agent_started), truth.sample_at(cut.agent_stopped)
                    await tell({"heard": await self._words(bytes(caller.carrier.heard[first:end])), "cut": True})
                    await tell({"said": each.shown})
                else:
                    await tell({"said": each.shown})
                    await caller.says(each.what)
                if index + 1 == len(lines) or not lines[index + 1].over:
                    await self._hears(caller, patience, tell)
        except (GaveUp, CallEnded) as error:
            await tell({"failed": str(error), "alerts": self._alerts(line)})
            return
        try:
            async with asyncio.timeout(_LEAVING):
                await line.ended()
        except TimeoutError:
            return

    async def _hears(self, caller: Caller, patience: float, tell: Any) -> None:
        """Hear an answer out; also what follows when the agent has only asked for a moment."""
        asked = caller.speech_end
        heard = await caller.hears(timeout=ANSWER_LIMIT)
        after = None if asked is None else round(heard.started - asked, 3)
        words = await self._words(heard.audio)
        await tell({"heard": words, "after": after})
        while _asks_to_wait(words) and await _goes_on(caller, heard.ended + patience):
            heard = await caller.hears(timeout=ANSWER_LIMIT)
            words = await self._words(heard.audio)
            await tell({"heard": words, "after": None})

    async def _words(self, audio: bytes) -> str:
        return " ".join(word.text for word in await self._listener.words(audio))

    def _alerts(self, line: SimCall) -> list[str]:
        return [f"{each.code} {each.message}" for each in self._twilio.debugger if each.call_sid == line.sid]

    # --- the recording ---

    def _keep(self, line: SimCall) -> None:
        self._kept[line.sid] = line
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        line = self._kept.get(request.match_info["call"])
        if line is None or not line.streams:
            raise web.HTTPNotFound(text="there is no recording of this call\n")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "call.wav"
            line.streams[-1].save_recording(path)
            return web.Response(body=path.read_bytes(), content_type="audio/wav")


def _spelt(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


_WAITING: Final = tuple(
    _spelt(phrase)
    for language in LANGUAGES.values()
    for phrase in (language.phrases.one_moment, language.phrases.still_working)
)
"""What the library says while tools take their time."""


def _asks_to_wait(words: str) -> bool:
    """Whether the agent's last sentence asks for a moment; not one that only quotes such words."""
    sentences = [spelt for sentence in re.split(r"[.!?]", words) if (spelt := _spelt(sentence))]
    return bool(sentences) and sentences[-1] in _WAITING


async def _goes_on(caller: Caller, until: float) -> bool:
    """Whether the agent is heard again before a time on the loop's clock."""
    playback = caller.carrier.playback
    heard = playback.sound_end
    try:
        async with asyncio.timeout_at(until):
            return await caller.carrier.when(lambda: playback.sound_end > heard)
    except TimeoutError:
        return False


def _line(given: dict[str, Any]) -> Line:
    shown, audio = str(given["shown"])[:2000], given.get("audio")
    return Line(shown, shown if audio is None else base64.b64decode(audio), bool(given.get("over")))

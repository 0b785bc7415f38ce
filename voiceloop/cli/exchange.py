"""Has the simulated Twilio ring a bot for ``voiceloop sim call``, and tells how the call goes.

The process that calls may do it itself: `Exchange.ring`. For others ``voiceloop sim`` has a way in: ``POST /calls``
takes the caller's lines and answers with one JSON object a line, as things happen: ``{"silent": seconds}``, when the
agent has no greeting; ``{"said": …}``;
``{"heard": …, "after": seconds}``, or with ``"cut": true`` what was heard until the caller spoke over it;
``{"cut_off": streams}``, when the line was cut and the call has come back; ``{"failed": …, "alerts": […]}``;
``{"transferred": number}``; and last ``{"over": …, "call": …}``.
``GET /calls/{call}.wav`` gives the recording.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from voiceloop.cli.sim import PATIENCE
from voiceloop.cli.simulate import OVER_AFTER
from voiceloop.errors import VoiceloopError
from voiceloop.languages import LANGUAGES
from voiceloop.server.guard import guard
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.google_listen import listener_of
from voiceloop.sim.twilio import SimCall, TwilioSim
from voiceloop.stt.base import STT

__all__ = ["HELLO", "BadOrder", "Exchange", "Line", "Tell"]

ANSWER_LIMIT: Final = 30.0
"""Seconds the caller waits for an answer."""
GREETING_LIMIT: Final = 6.0
"""Seconds that the caller waits for a greeting; then it speaks first."""
_LEAVING: Final = 3.0
"""Seconds in which the agent may hang up, once everything was said."""
_RETURN: Final = 5.0
"""Seconds in which a call whose line was cut may come back, and then in which the agent may answer."""
_MOST_PATIENT: Final = 60.0
_MOST_CALLS: Final = 8
_MOST_LINES: Final = 200
_MOST_KEPT: Final = 20
"""Recordings that are kept."""
_MAX_BODY: Final = 64 * 1024 * 1024
_LONGEST: Final = 1800.0
"""Seconds after which the caller hangs up, whatever is being said."""
HELLO: Final = (
    ("Hello, can you hear me?", False),
    ("What can you do for me?", False),
    ("Thank you very much. Goodbye.", False),
)
"""What a caller says to a bot of which nothing is known."""
Tell = Callable[[dict[str, Any]], Awaitable[object]]
"""Takes one thing that happened; see the top of this module."""


class BadOrder(VoiceloopError):
    """An order that cannot be carried out."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something the caller says."""

    shown: str
    what: str | bytes
    """A text, or mu-law."""
    over: bool
    """Whether it is said over the agent."""


@dataclass(frozen=True, slots=True)
class Order:
    """A call to be made."""

    url: str
    """The webhook; empty: that of the simulated number."""
    lines: Sequence[Line]
    patience: float
    """Seconds."""


class Exchange:
    """Rings bots on behalf of another process of this machine, or of this one.

    Args:
        twilio: what rings.
        hears: tells what was heard.
        lines: what callers say when they are not told; each with whether it is said over the agent.
    """

    def __init__(self, twilio: TwilioSim, hears: Lexicon | STT, lines: Sequence[tuple[str, bool]] = ()) -> None:
        self._twilio = twilio
        self._artificial = isinstance(hears, Lexicon)
        self._listener = listener_of(hears)
        self._lines = list(lines) or list(HELLO)
        self._kept: OrderedDict[str, SimCall] = OrderedDict()
        self._calls = 0

    async def ring(self, order: Mapping[str, Any], tell: Tell) -> None:
        """Make a call, and tell how it goes. Cancelled, the caller hangs up.

        Args:
            order: as ``POST /calls`` takes it.
            tell: awaited with everything that happens, in order.

        Raises:
            BadOrder: it cannot be carried out.
        """
        await self._call(self._order(order), tell)

    def recording(self, call: str) -> bytes | None:
        """A WAV file: the caller left, the agent right. None when there was no such call, or it never spoke."""
        line = self._kept.get(call)
        if line is None or not line.streams:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "call.wav"
            line.streams[-1].save_recording(path)
            return path.read_bytes()

    # --- the way in from another process ---

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[str]:
        """Serve on 127.0.0.1 until the block is left; 0 takes a free port. Gives the URL."""
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[guard("127.0.0.1")])
        app.router.add_post("/calls", self._ordered)
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

    async def _ordered(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":  # a page of another site cannot send that
            raise web.HTTPUnsupportedMediaType(text="expected JSON\n")
        try:
            order = self._order(json.loads(await request.text()))
        except BadOrder as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        except (ValueError, RecursionError):
            raise web.HTTPBadRequest(text=f"{_NO_ORDER}\n") from None
        if self._calls >= _MOST_CALLS:
            raise web.HTTPServiceUnavailable(text=f"{_MOST_CALLS} calls are on the line: try again later\n")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)

        async def tell(event: dict[str, Any]) -> None:
            await response.write(json.dumps(event).encode() + b"\n")

        await self._call(order, tell)
        return response

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        recording = self.recording(request.match_info["call"])
        if recording is None:
            raise web.HTTPNotFound(text="there is no recording of this call\n")
        return web.Response(body=recording, content_type="audio/wav")

    # --- the call ---

    def _order(self, given: Any) -> Order:
        try:
            url, lines = str(given.get("url") or ""), [_line(each) for each in given.get("lines") or ()]
            patience = float(given.get("patience", PATIENCE))
        except (KeyError, ValueError, TypeError, AttributeError):
            raise BadOrder(_NO_ORDER) from None
        if not 0 <= patience <= _MOST_PATIENT:
            raise BadOrder(f"expected a patience from 0 to {_MOST_PATIENT:g} s")
        if len(lines) > _MOST_LINES:
            raise BadOrder(f"expected at most {_MOST_LINES} lines")
        if self._artificial and any(isinstance(line.what, bytes) for line in lines):
            raise BadOrder(
                "recordings of people need voiceloop sim --speech embedded: here only artificial words are understood"
            )
        return Order(url, lines or [Line(shown, shown, over) for shown, over in self._lines], patience)

    async def _call(self, order: Order, tell: Tell) -> None:
        self._calls += 1
        ringing = asyncio.ensure_future(self._twilio.call(order.url or None))
        try:
            line = await asyncio.shield(ringing)
            await self._talk(line, order, tell)
        finally:  # also when the other process has gone, in the middle of ringing
            self._calls -= 1
            await (await ringing).hangs_up()
        self._keep(line)
        end = line.streams[-1].end if line.streams else line.status
        for dialled in line.children:
            await tell({"transferred": dialled.to})
        await tell({"over": end, "call": line.sid})

    async def _talk(self, line: SimCall, order: Order, tell: Tell) -> None:
        """Say everything, wait for each answer, and for the agent's hang-up if it does that."""
        try:
            async with asyncio.timeout(_LONGEST):
                await self._converse(line, order, tell)
        except (GaveUp, CallEnded, TimeoutError) as error:
            failed = str(error) or f"the caller hung up after {_LONGEST:g} s"
            await tell({"failed": failed, "alerts": self._alerts(line)})
            return
        try:
            async with asyncio.timeout(_LEAVING):
                await line.ended()
        except TimeoutError:
            return

    async def _converse(self, line: SimCall, order: Order, tell: Tell) -> None:
        """Say everything, each when the agent has spoken. When the line is cut and the call comes back, what was being
        said is said again, unless it was said to its end and the agent answers it now.
        """
        lines, at, known, said, cut = order.lines, 0, 0, False, -1
        while at < len(lines):
            caller, streams = line.caller, len(line.streams)
            try:
                if streams != known:
                    if known:
                        await tell({"cut_off": known})
                    greeting, known = await self._greeting(caller, order.patience, tell), streams
                    said = said and await self._answers(caller, greeting, order.patience, tell)
                if not said:
                    await self._say(caller, lines[at], tell, over=lines[at].over and at != cut)
                    said = True
                    if at + 1 == len(lines) or not lines[at + 1].over:
                        await self._hears(caller, order.patience, tell)
            except CallEnded:
                if not await _comes_back(line, streams):
                    raise
                cut = at
                continue
            at, said = at + 1, False

    async def _greeting(self, caller: Caller, patience: float, tell: Tell) -> str:
        """Hear what the agent says first, if it does; gives the words."""
        if await _sounds(caller, 0, asyncio.get_running_loop().time() + GREETING_LIMIT) or caller.carrier.end:
            return await self._hears(caller, patience, tell)
        await tell({"silent": GREETING_LIMIT})
        return ""

    async def _answers(self, caller: Caller, greeting: str, patience: float, tell: Tell) -> bool:
        """Whether the agent, back on the line, answers what it was asked before."""
        if _spelt(greeting) not in _CUT_OFF:
            return True
        if not await _sounds(caller, caller.carrier.playback.sound_end, asyncio.get_running_loop().time() + _RETURN):
            return False
        await self._hears(caller, patience, tell)
        return True

    async def _say(self, caller: Caller, line: Line, tell: Tell, *, over: bool) -> None:
        if not over:
            await tell({"said": line.shown})
            await caller.says(line.what)
            if caller.carrier.ended:
                raise CallEnded(f"the call ended ({caller.carrier.end}) while the caller spoke")
            return
        cut = await caller.interrupts(line.what, after=OVER_AFTER, timeout=ANSWER_LIMIT)
        truth = caller.carrier.truth
        first, end = truth.sample_at(cut.agent_started), truth.sample_at(cut.agent_stopped)
        await tell({"heard": await self._words(bytes(caller.carrier.heard[first:end])), "cut": True})
        await tell({"said": line.shown})

    async def _hears(self, caller: Caller, patience: float, tell: Tell) -> str:
        """Hear an answer out; also what follows when the agent has only asked for a moment. Gives the words."""
        asked = caller.speech_end
        heard = await caller.hears(timeout=ANSWER_LIMIT)
        after = None if asked is None else round(heard.started - asked, 3)
        words = await self._words(heard.audio)
        await tell({"heard": words, "after": after})
        playback = caller.carrier.playback
        while _asks_to_wait(words) and await _sounds(caller, playback.sound_end, heard.ended + patience):
            heard = await caller.hears(timeout=ANSWER_LIMIT)
            words = await self._words(heard.audio)
            await tell({"heard": words, "after": None})
        return words

    async def _words(self, audio: bytes) -> str:
        return " ".join(word.text for word in await self._listener.words(audio))

    def _alerts(self, line: SimCall) -> list[str]:
        return [f"{each.code} {each.message}" for each in self._twilio.debugger if each.call_sid == line.sid]

    def _keep(self, line: SimCall) -> None:
        self._kept[line.sid] = line
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


_NO_ORDER: Final = "expected an order as voiceloop sim call sends it"


def _spelt(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


_WAITING: Final = tuple(
    _spelt(phrase)
    for language in LANGUAGES.values()
    for phrase in (language.phrases.one_moment, language.phrases.still_working)
)
"""What the library says while tools take their time."""
_CUT_OFF: Final = ((), *(_spelt(language.phrases.cut_off) for language in LANGUAGES.values()))
"""What the agent says, or nothing, when it has no words of the caller that it could answer."""


def _asks_to_wait(words: str) -> bool:
    """Whether the agent's last sentence asks for a moment; not one that only quotes such words."""
    sentences = [spelt for sentence in re.split(r"[.!?]", words) if (spelt := _spelt(sentence))]
    return bool(sentences) and sentences[-1] in _WAITING


async def _comes_back(line: SimCall, streams: int) -> bool:
    """Whether a call whose stream has ended gets another one, as it does when the bot's process has died."""
    try:
        async with asyncio.timeout(_RETURN):
            await line.settled(streams + 1)
    except TimeoutError:
        return False
    return len(line.streams) > streams


async def _sounds(caller: Caller, after: int, until: float) -> bool:
    """Whether the agent is heard after a sample, before a time on the loop's clock."""
    playback = caller.carrier.playback
    try:
        async with asyncio.timeout_at(until):
            return await caller.carrier.when(lambda: playback.sound_end > after)
    except TimeoutError:
        return False


def _line(given: dict[str, Any]) -> Line:
    shown, audio = str(given["shown"])[:2000], given.get("audio")
    return Line(shown, shown if audio is None else base64.b64decode(audio), bool(given.get("over")))

"""Has the simulated Twilio ring a bot for ``voiceloop sim call``, and tells how the call goes.

The process that calls may do it itself: `Exchange.ring`. For others ``voiceloop sim`` has a way in: ``POST /calls``
takes the caller's lines and answers with one JSON object a line, as things happen: ``{"silent": seconds}``, when the
agent has no greeting; ``{"said": …}``; ``{"pressed": keys}``;
``{"heard": …, "after": seconds}``, or with ``"cut": true`` what was heard until the caller spoke over it;
``{"cut_off": streams}``, when the line was cut and the call has come back; ``{"failed": …, "alerts": […]}``;
``{"transferred": number}``; and last ``{"over": …, "call": …}``.
``GET /calls/{call}.wav`` gives the recording.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from voiceloop.cli.conversing import HELLO, LEAVING, LONGEST, BadLine, Conversation, Line, Tell, line_of
from voiceloop.cli.sim import PATIENCE
from voiceloop.errors import VoiceloopError
from voiceloop.server.guard import guard
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.google_listen import listener_of
from voiceloop.sim.playback import RATE
from voiceloop.sim.twilio import SimCall, TwilioSim
from voiceloop.stt.base import STT

__all__ = ["BadOrder", "Exchange"]

_MOST_PATIENT: Final = 60.0
_MOST_CALLS: Final = 8
_MOST_LINES: Final = 200
_MOST_KEPT: Final = 20
"""Recordings that are kept."""
_MAX_BODY: Final = 64 * 1024 * 1024


class BadOrder(VoiceloopError):
    """An order that cannot be carried out."""


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
        self._lines = [line_of(shown, over) for shown, over in lines or HELLO]
        self._kept: OrderedDict[str, SimCall] = OrderedDict()
        self._calls = 0

    async def answers(self, caller: Caller) -> None:
        """Be somebody whom a bot has called, on one stream: say the lines, then hang up.

        Raises:
            CallEnded: before everything was said.
            GaveUp: the agent is mute, or does not stop speaking.
        """
        await Conversation(self._listener, self._lines, PATIENCE, _nobody_is_told).answers(caller)

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
            _save(line.streams, path)
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
        except BadLine as error:
            raise BadOrder(str(error)) from None
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
        return Order(url, lines or self._lines, patience)

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
            async with asyncio.timeout(LONGEST):
                await Conversation(self._listener, order.lines, order.patience, tell).runs(line)
        except (GaveUp, CallEnded, TimeoutError) as error:
            failed = str(error) or f"the caller hung up after {LONGEST:g} s"
            await tell({"failed": failed, "alerts": self._alerts(line)})
            return
        try:
            async with asyncio.timeout(LEAVING):
                await line.ended()
        except TimeoutError:
            return

    def _alerts(self, line: SimCall) -> list[str]:
        alerts = (f"{each.code} {each.message}" for each in self._twilio.debugger if each.call_sid == line.sid)
        return list(dict.fromkeys(alerts))

    def _keep(self, line: SimCall) -> None:
        self._kept[line.sid] = line
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


_NO_ORDER: Final = "expected an order as voiceloop sim call sends it"


async def _nobody_is_told(event: dict[str, Any]) -> None:
    """What was heard goes no further."""


def _line(given: dict[str, Any]) -> Line:
    audio = given.get("audio")
    return line_of(
        str(given["shown"])[:2000], bool(given.get("over")), None if audio is None else base64.b64decode(audio)
    )


def _save(streams: Sequence[Carrier], path: Path) -> None:
    """Write all streams of a call as one recording, with as much silence between two as there was."""
    import numpy as np

    from voiceloop.audio.mulaw import decode
    from voiceloop.audio.wav import write_wav

    pieces, ended = [], streams[0].truth.started
    for stream in streams:
        size = min(len(stream.said), len(stream.heard))
        gap = max(0, round((stream.truth.started - ended) * RATE))
        pieces += [np.zeros((gap, 2), np.int16)]
        pieces += [np.stack([decode(bytes(side[:size])) for side in (stream.said, stream.heard)], axis=1)]
        ended = stream.truth.time_of(size)
    write_wav(path, np.concatenate(pieces), RATE)

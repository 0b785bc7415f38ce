"""What all sockets and requests of the simulated Cartesia share: its limits, and its record."""

from __future__ import annotations

import asyncio
import itertools

from aiohttp import web

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia_context import ContextRun, Send
from voiceloop.sim.cartesia_record import CartesiaSimOptions, Input, SimContext, SimSocket
from voiceloop.sim.cartesia_wire import Generation, Refusal
from voiceloop.tts.base import TTS

__all__ = ["Service"]


class Service:
    """Begins and ends contexts."""

    def __init__(self, voice: Lexicon | TTS | None = None, options: CartesiaSimOptions | None = None) -> None:
        self.voice: Lexicon | TTS = voice or Lexicon()
        self.options = options or CartesiaSimOptions()
        """May be replaced while it runs."""
        self.contexts: list[SimContext] = []
        """Contexts and HTTP requests, oldest first; also those that were refused."""
        self.sockets: list[SimSocket] = []
        """Sockets that were opened, oldest first."""
        self.open: dict[web.WebSocketResponse, asyncio.BaseTransport | None] = {}
        """Those that are open now."""
        self.active = 0
        """Contexts and HTTP requests now."""
        self.received = 0
        """Messages that came over sockets."""
        self.sent = 0
        """Messages that were sent over sockets."""
        self._requests = itertools.count(1)

    @property
    def transcripts(self) -> list[str]:
        """The text of each context."""
        return [context.transcript for context in self.contexts]

    def cuts_received(self) -> bool:
        """A message came: whether the socket is to be cut before it is read."""
        self.received += 1
        return self.received - 1 in self.options.drops_received

    def cuts_sent(self) -> bool:
        """A message is due: whether the socket is to be cut in its place."""
        self.sent += 1
        return self.sent - 1 in self.options.drops_sent

    def request_id(self, context: str) -> str:
        """The next one, for a context or for none."""
        number = f"00000000-0000-4000-8000-{next(self._requests):012d}"
        return f"{number}:{context}" if context else number

    def begin(self, given: Generation, socket: int, send: Send) -> ContextRun:
        """A new context.

        Raises:
            Refusal: it cannot be had. It is in the record all the same.
        """
        now = asyncio.get_running_loop().time()
        number = len(self.contexts)
        record = SimContext(given.context, socket, given.settings, now)
        self.contexts.append(record)
        try:
            self._check(given)
        except Refusal:
            record.inputs.append(Input(now, given.transcript, given.goes_on, given.flush))
            record.outcome, record.ended_at = "refused", now
            raise
        run = ContextRun(self.options, self.voice, given, record, send, self.options.troubles.get(number))
        run.take(given)
        self.active += 1
        return run

    def _check(self, given: Generation) -> None:
        options, context = self.options, given.context or None
        if not options.credit:
            raise Refusal(402, "quota_exceeded", "Payment required", "Your credits are used up.", context)
        if given.model not in options.models:
            raise Refusal(400, "model_not_found", "Model not found", f"No model {given.model!r}.", context)
        if options.voices is not None and given.voice not in options.voices:
            raise Refusal(404, "voice_not_found", "Voice not found", f"No voice {given.voice!r}.", context)
        if not given.speakable:
            message = "first transcript for WS is empty or contains only punctuation"
            raise Refusal(400, None, "transcript empty or contains only punctuation", message, context)
        if self.active >= options.concurrency:
            message = "You have exceeded your plan's concurrency limit."
            raise Refusal(429, "concurrency_limited", "Too many concurrent requests", message, context)

    def end(self, record: SimContext) -> None:
        """It takes no place any more."""
        self.active -= 1
        record.ended_at = asyncio.get_running_loop().time()

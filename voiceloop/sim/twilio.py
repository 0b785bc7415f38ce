"""A small Twilio: it rings your webhook, runs the TwiML it gets, opens the stream, and has a REST API.

Webhooks and streams are signed; calls have states, status callbacks and a debugger. All by the loop's clock, over
127.0.0.1: in virtual time in memory, else on loopback::

    sim = TwilioSim(tunnels={"https://agent.example.com": serving.url})
    async with sim.listening() as base_url:
        line = await sim.call("https://agent.example.com/voice", from_="+15550002222")
        await line.caller.hears()
        await line.hangs_up()

A tunnel stands for what carries Twilio's requests to your machine; without one only this machine can be called, by
plain http.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from voiceloop.sim.caller import Caller
from voiceloop.sim.serving import listen
from voiceloop.sim.twilio_call import SimCall, Source
from voiceloop.sim.twilio_exchange import Alert, Exchange, Machine, Number, Phone, TwilioOptions
from voiceloop.sim.twilio_rest import RestApi
from voiceloop.tts.base import TTS

__all__ = [
    "ACCOUNT",
    "NUMBER",
    "TOKEN",
    "Alert",
    "Caller",
    "Machine",
    "Number",
    "Phone",
    "SimCall",
    "TwilioOptions",
    "TwilioSim",
]

ACCOUNT: Final = "AC5e1f0000000000000000000000000001"
TOKEN: Final = "0123456789abcdef0123456789abcdef"
NUMBER: Final = "+15550001111"
"""The number that the account has unless others are given."""


class TwilioSim:
    """The exchange and its REST API, for one account.

    Args:
        account_sid: of the account.
        auth_token: signs webhooks and streams, and opens the REST API.
        api_keys: keys (``SK…``) with their secrets, that open it too.
        numbers: of the account: numbers, or `Number` with their webhooks.
        tunnels: from the public address of an application (``https://agent.example.com``) to where it listens
            (``http://127.0.0.1:8080``).
        voice: says what callers say as text; recordings need none.
        options: how it behaves.
    """

    def __init__(
        self,
        account_sid: str = ACCOUNT,
        auth_token: str = TOKEN,
        *,
        api_keys: Mapping[str, str] | None = None,
        numbers: Iterable[str | Number] = (NUMBER,),
        tunnels: Mapping[str, str] | None = None,
        voice: TTS | None = None,
        options: TwilioOptions | None = None,
    ) -> None:
        listed = [number if isinstance(number, Number) else Number(number) for number in numbers]
        own = {number.number: number for number in listed}
        self._exchange = Exchange(account_sid, auth_token, own, tunnels or {}, options or TwilioOptions(), voice)
        self._rest = RestApi(self._exchange, api_keys or {})
        self.account_sid = account_sid
        self.auth_token = auth_token

    @property
    def numbers(self) -> dict[str, Number]:
        """The account's numbers."""
        return self._exchange.numbers

    @property
    def phones(self) -> dict[str, Phone]:
        """What happens when another number is called; one that is not listed has `everybody`'s."""
        return self._exchange.phones

    @property
    def everybody(self) -> Phone:
        """What happens when a number is called that is not among `phones`: it answers after 2 s."""
        return self._exchange.everybody

    @everybody.setter
    def everybody(self, phone: Phone) -> None:
        self._exchange.everybody = phone

    @property
    def calls(self) -> dict[str, SimCall]:
        """All calls by their SID, oldest first."""
        return self._exchange.calls

    @property
    def debugger(self) -> list[Alert]:
        """What the console's debugger shows."""
        return self._exchange.debugger

    @property
    def troubles(self) -> deque[int | str]:
        """What becomes of the next requests to the REST API: a status (429, 503, …), ``stall``, ``cut``, ``page``;
        ``slow``: carried out after 5 s; ``lost``: carried out, and the answer is cut off."""
        return self._exchange.troubles

    def tunnel(self, public: str, here: str) -> None:
        """Lead a public address to where an application listens."""
        self._exchange.web.tunnels[public.rstrip("/")] = here.rstrip("/")

    @property
    def app(self) -> web.Application:
        """A new application with the REST API, to serve in another way than `listening`."""
        return self._rest.app()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[str]:
        """Serve the REST API until the block is left; then all calls are hung up. Gives the base URL."""
        runner = await listen(self.app, port)
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            try:
                await self._exchange.aclose()
            finally:
                await runner.cleanup()

    async def call(self, webhook_url: str | None = None, *, from_: str = "+15550002222", to: str = NUMBER) -> SimCall:
        """Call a number of the account. Returns when the call has its stream, or is over.

        Args:
            webhook_url: asked for TwiML; None: what is set for the number.
            from_: who calls.
            to: which number.
        """
        number = self._exchange.numbers.get(to)
        url = webhook_url if webhook_url is not None else (number.voice_url if number is not None else "")
        if not url:
            raise ValueError(f"the number {to} has no webhook: give one, or numbers=[Number({to!r}, voice_url=…)]")
        call = SimCall(self._exchange, to, from_, "inbound")
        call.callback_url = number.status_callback if number is not None else ""
        call.start(call.inbound(Source(url=url)))
        await call.settled()
        return call

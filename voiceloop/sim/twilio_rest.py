"""The REST API of the simulated Twilio: calls, phone numbers and the account.

Replies and errors have the form of https://www.twilio.com/docs/voice/api/call-resource; the official SDK reads them.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from voiceloop.sim.twilio_call import SimCall, Source
from voiceloop.sim.twilio_exchange import Exchange, Number
from voiceloop.sim.twilio_json import VERSION, account_json, call_json, number_json, page_json
from voiceloop.sim.twilio_machine import Detection

__all__ = ["RestApi"]

_ROOT: Final = f"{VERSION}/Accounts/{{account}}"
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")
_MAX_TWIML: Final = 4000
_SLOW: Final = 5.0
"""Seconds of an answer that is slow, and comes."""
Reply = web.Response


class _Refusal(Exception):
    """An answer that is an error of Twilio's."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RestApi:
    """The routes.

    Args:
        keys: API keys with their secrets. They may not read the account, as Twilio's standard keys may not.
    """

    def __init__(self, exchange: Exchange, keys: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._keys = dict(keys)

    def app(self) -> web.Application:
        """A new application."""
        app = web.Application(middlewares=[self._outer()], client_max_size=256 * 1024)
        app.router.add_get(f"{_ROOT}.json", self._account)
        app.router.add_post(f"{_ROOT}/Calls.json", self._dial)
        app.router.add_get(f"{_ROOT}/Calls.json", self._list_calls)
        app.router.add_get(f"{_ROOT}/Calls/{{call}}.json", self._fetch)
        app.router.add_post(f"{_ROOT}/Calls/{{call}}.json", self._update)
        app.router.add_get(f"{_ROOT}/IncomingPhoneNumbers.json", self._list_numbers)
        app.router.add_get(f"{_ROOT}/IncomingPhoneNumbers/{{number}}.json", self._fetch_number)
        app.router.add_post(f"{_ROOT}/IncomingPhoneNumbers/{{number}}.json", self._update_number)
        return app

    def _outer(self) -> Any:
        @web.middleware
        async def outer(request: web.Request, handler: Any) -> web.StreamResponse:
            try:
                trouble = await self._trouble(request)
                self._enter(request)
                response: web.StreamResponse = await handler(request)
                if trouble == "lost" and request.transport is not None:
                    request.transport.abort()
                return response
            except _Refusal as refusal:
                body = {
                    "code": refusal.code,
                    "message": str(refusal),
                    "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}",
                    "status": refusal.status,
                }
                headers = {"Retry-After": "1"} if refusal.status == 429 else None
                return web.json_response(body, status=refusal.status, headers=headers)
            except web.HTTPNotFound:
                body = {"code": 20404, "message": f"The requested resource {request.path} was not found", "status": 404}
                return web.json_response(body, status=404)

        return outer

    async def _trouble(self, request: web.Request) -> int | str:
        """What is to go wrong next. Gives what does so only once the request is carried out."""
        if not self._exchange.troubles:
            return ""
        trouble = self._exchange.troubles.popleft()
        if trouble == "lost":
            return trouble
        if trouble == "slow":
            await asyncio.sleep(_SLOW)
            return trouble
        if trouble == "cut" and request.transport is not None:
            request.transport.abort()
        if trouble in ("cut", "stall"):
            await asyncio.get_running_loop().create_future()  # until the client goes
        if trouble == "page":
            raise web.HTTPBadGateway(text="<html><body>502 Bad Gateway</body></html>", content_type="text/html")
        if trouble == 429:
            raise _Refusal(429, 20429, "Too Many Requests")
        raise _Refusal(int(trouble), 20500, "Internal server error")

    def _enter(self, request: web.Request) -> None:
        """Basic authentication, and what a key opens."""
        kind, _, code = request.headers.get("Authorization", "").partition(" ")
        try:
            user, _, secret = b64decode(code, validate=True).decode().partition(":")
        except ValueError:
            user, secret = "", ""
        exchange = self._exchange
        wanted = exchange.auth_token if user == exchange.account_sid else self._keys.get(user, "")
        account = request.match_info.get("account", "")
        right = bool(wanted) and hmac.compare_digest(wanted.encode(), secret.encode())
        reads_account = request.path == f"{VERSION}/Accounts/{account}.json"
        if kind != "Basic" or not right or account != exchange.account_sid or (reads_account and user in self._keys):
            raise _Refusal(401, 20003, "Authenticate")
        if exchange.options.account_status != "active" and not reads_account:
            raise _Refusal(401, 20005, f"Account {account} is not active")

    # --- the account and its numbers -----------------------------------------------------------------------

    async def _account(self, request: web.Request) -> Reply:
        return web.json_response(account_json(self._exchange))

    async def _list_numbers(self, request: web.Request) -> Reply:
        wanted = request.query.get("PhoneNumber", "")
        numbers = [number for number in self._exchange.numbers.values() if wanted in number.number]
        found = [number_json(self._exchange, number) for number in numbers]
        return web.json_response(page_json(request, "incoming_phone_numbers", found))

    async def _fetch_number(self, request: web.Request) -> Reply:
        return web.json_response(number_json(self._exchange, self._find_number(request)))

    async def _update_number(self, request: web.Request) -> Reply:
        number, form = self._find_number(request), await request.post()
        fields = {"VoiceUrl": "voice_url", "VoiceMethod": "voice_method", "StatusCallback": "status_callback"}
        for name, attribute in fields.items():
            if name in form:
                setattr(number, attribute, str(form[name]))
        return web.json_response(number_json(self._exchange, number))

    def _find_number(self, request: web.Request) -> Number:
        sid = request.match_info["number"]
        for number in self._exchange.numbers.values():
            if number.sid == sid:
                return number
        raise _Refusal(404, 20404, f"The requested resource {request.path} was not found")

    # --- calls ---------------------------------------------------------------------------------------------

    async def _dial(self, request: web.Request) -> Reply:
        form = await request.post()
        given = {name: str(value) for name, value in form.items()}
        to, from_ = given.get("To", ""), given.get("From", "")
        self._check_numbers(to, from_)
        source = self._source(given)
        ring, limit = self._seconds(given, "Timeout", "60"), self._seconds(given, "TimeLimit", "14400")
        call = SimCall(self._exchange, to, from_, "outbound-api")
        call.callback_url = given.get("StatusCallback", "")
        if events := form.getall("StatusCallbackEvent", []):
            call.callback_events = tuple(str(event) for event in events)
        call.start(call.outbound(source, ring, Detection(given), limit))
        return web.json_response(call_json(self._exchange, call), status=201)

    def _seconds(self, given: Mapping[str, str], name: str, default: str) -> float:
        text = given.get(name, default)
        if not text.isascii() or not text.isdigit():
            raise _Refusal(400, 21205, f"{name} is not a number of seconds: {text}")
        return float(text)

    def _check_numbers(self, to: str, from_: str) -> None:
        options = self._exchange.options
        if not to:
            raise _Refusal(400, 21201, "No 'To' number is specified")
        if not from_:
            raise _Refusal(400, 21213, "No 'From' number is specified")
        if not to.startswith(("client:", "sip:")) and not _NUMBER.fullmatch(to):
            raise _Refusal(400, 21211, f"The phone number you are attempting to call, {to}, is not valid.")
        if not _NUMBER.fullmatch(from_):
            raise _Refusal(400, 21212, f"The phone number provided, {from_}, is not valid.")
        if from_ not in self._exchange.numbers and from_ not in options.verified:
            text = f"The source phone number provided, {from_}, is not yet verified for your account."
            raise _Refusal(400, 21210, text)
        if to.startswith(options.blocked):
            raise _Refusal(400, 21215, f"Account not authorized to call {to}.")
        if options.trial and to not in options.verified:
            text = f"The number {to} is unverified. Trial accounts may only make calls to verified numbers."
            raise _Refusal(400, 21219, text)

    def _source(self, given: Mapping[str, str]) -> Source:
        """Where the TwiML comes from; a URL counts before a text."""
        if url := given.get("Url", ""):
            if not url.startswith(("http://", "https://")):
                raise _Refusal(400, 21205, f"Url is not a valid URL: {url}")
            return Source(url=url)
        text = given.get("Twiml", "")
        if not text:
            raise _Refusal(400, 21205, "Url parameter is required")
        if len(text) > _MAX_TWIML:
            raise _Refusal(400, 21205, f"Twiml must be at most {_MAX_TWIML} characters")
        return Source(text=text)

    async def _list_calls(self, request: web.Request) -> Reply:
        query = request.query
        wanted = {"status": query.get("Status"), "to": query.get("To"), "from_": query.get("From")}
        calls = [
            call
            for call in reversed(self._exchange.calls.values())
            if all(value is None or getattr(call, name) == value for name, value in wanted.items())
        ]
        found = [call_json(self._exchange, call) for call in calls]
        return web.json_response(page_json(request, "calls", found))

    async def _fetch(self, request: web.Request) -> Reply:
        return web.json_response(call_json(self._exchange, self._find(request)))

    async def _update(self, request: web.Request) -> Reply:
        call = self._find(request)
        given = {name: str(value) for name, value in (await request.post()).items()}
        status = given.get("Status", "")
        if status not in ("", "completed", "canceled"):
            raise _Refusal(400, 21218, f"Invalid status: {status}")
        if status:
            if call.ended_at is not None:
                raise _Refusal(404, 20404, f"The requested resource {request.path} was not found")
            if status == "completed" or call.answered_at is None:
                call.command(None, "canceled" if status == "canceled" else "completed")
        else:
            source = self._source(given)
            if call.ended_at is not None or call.answered_at is None:
                raise _Refusal(400, 21220, "Call is not in-progress. Cannot redirect.")
            call.command(source)
        return web.json_response(call_json(self._exchange, call))

    def _find(self, request: web.Request) -> SimCall:
        call = self._exchange.calls.get(request.match_info["call"])
        if call is None:
            raise _Refusal(404, 20404, f"The requested resource {request.path} was not found")
        return call

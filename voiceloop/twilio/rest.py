"""The part of Twilio's REST API that a phone agent needs: dial, hang up, transfer, look.

On aiohttp, without the official SDK: that takes 48 MB, and its asynchronous client waits without a limit, whatever
time-out it is given. The tests hold this module to the SDK.

Source: https://www.twilio.com/docs/voice/api/call-resource and its neighbours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from voiceloop.twilio import twiml as tw
from voiceloop.twilio.rest_client import API, Credentials, Form, RestClient, RestOptions, base_of
from voiceloop.twilio.rest_errors import ENDED, TwilioError
from voiceloop.twilio.rest_records import Account, CallInfo, PhoneNumber

__all__ = ["EVENTS", "Account", "CallInfo", "PhoneNumber", "RestOptions", "TwilioError", "TwilioREST"]

EVENTS: Final = ("initiated", "ringing", "answered", "completed")
"""What a status callback can be told of."""
_VERSION: Final = "/2010-04-01"
_PAGE: Final = 50
_KEYS: Final = "https://console.twilio.com, Account > API keys & tokens"
_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY: Final = re.compile(r"SK[0-9a-fA-F]{32}")
_CALL: Final = re.compile(r"CA[0-9a-fA-F]{32}")


class TwilioREST:
    """One account. Belongs to one event loop at a time; the first request opens a connection.

    ``transfer`` is what `voiceloop.Call` asks of its carrier.

    Args:
        account_sid: ``AC…``; None: ``TWILIO_ACCOUNT_SID``.
        auth_token: of the account; None: ``TWILIO_AUTH_TOKEN``.
        api_key: ``SK…``, used with its secret in place of the auth token; None: ``TWILIO_API_KEY``, unless an
            `auth_token` is given.
        api_secret: None: ``TWILIO_API_SECRET``.
        base_url: None: ``TWILIO_BASE_URL``, or Twilio's own. For the simulator, or another region.
        options: limits.

    Raises:
        TwilioError: something of this is missing, or cannot be what it is given as.
    """

    def __init__(
        self,
        account_sid: str | None = None,
        auth_token: str | None = None,
        *,
        api_key: str | None = None,
        api_secret: str | None = None,
        base_url: str | None = None,
        options: RestOptions | None = None,
    ) -> None:
        self.account_sid = _setting(account_sid, "TWILIO_ACCOUNT_SID")
        key = _setting(api_key, "TWILIO_API_KEY") if auth_token is None else (api_key or "").strip()
        credentials = (
            Credentials(key, _setting(api_secret, "TWILIO_API_SECRET"))
            if key
            else Credentials(self.account_sid, _setting(auth_token, "TWILIO_AUTH_TOKEN"))
        )
        _check(self.account_sid, credentials)
        self._by_key = bool(key)
        base = base_of(_setting(base_url, "TWILIO_BASE_URL") or API)
        self._client = RestClient(base, credentials, options or RestOptions())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.account_sid} at {self._client.base}>"

    async def __aenter__(self) -> TwilioREST:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; a request after that opens new ones."""
        await self._client.aclose()

    # --- calls ---------------------------------------------------------------------------------------------

    async def dial(
        self,
        to: str,
        from_: str,
        *,
        url: str = "",
        twiml: str = "",
        status_callback: str = "",
        events: Sequence[str] = EVENTS,
        timeout: int | None = None,
        time_limit: int | None = None,
        send_digits: str = "",
        more: Mapping[str, str] | None = None,
    ) -> CallInfo:
        """Call somebody. Returns when Twilio has taken the order; the call is then ``queued``.

        Args:
            to: number (E.164), ``client:name`` or ``sip:user@host``.
            from_: number of the account, or verified in it.
            url: asked for TwiML when they answer: ``https://…/voice`` of `voiceloop.server.phone`.
            twiml: instead of `url`, at most 4000 bytes.
            status_callback: URL that is told of `events`.
            timeout: seconds to let it ring, at most 600; Twilio's default is 60.
            time_limit: seconds that the call may last.
            send_digits: keys to press when they answer, at most 32; ``w`` waits 0.5 s.
            more: further fields of Twilio's, such as ``MachineDetection``.

        Raises:
            TwilioError: Twilio refuses. It is asked once only, unless it cannot have heard.
            TwimlError: `to` or `from_` is no number.
        """
        if bool(url) == bool(twiml):
            raise TwilioError("dial: expected one of url and twiml")
        _check_length("dial", twiml)
        to = tw.callee(to)
        form = [("To", to), ("From", tw.callee(from_)), ("Url", url) if url else ("Twiml", twiml)]
        if status_callback:
            form += [("StatusCallback", status_callback), *(("StatusCallbackEvent", event) for event in events)]
        given = {"Timeout": timeout, "TimeLimit": time_limit, "SendDigits": send_digits or None}
        form += [(name, str(value)) for name, value in given.items() if value is not None]
        form += (more or {}).items()
        data = await self._client.request(f"dial {to}", "POST", self._path("Calls.json"), form, twice=False)
        return CallInfo.of(data)

    async def status(self, call_sid: str) -> CallInfo:
        """How a call stands.

        Raises:
            TwilioError: there is no such call, or Twilio cannot be asked.
        """
        what = f"status of {call_sid}"
        return CallInfo.of(await self._client.request(what, "GET", self._call_path(call_sid), twice=True))

    async def calls(self, to: str, from_: str) -> list[CallInfo]:
        """The latest calls from one number to another, the newest first, at most 20.

        Raises:
            TwilioError: Twilio refuses, or cannot be asked.
            TwimlError: one is no number.
        """
        given = "".join(f"&{name}={quote(tw.callee(value), safe='')}" for name, value in (("To", to), ("From", from_)))
        page = await self._client.request("list calls", "GET", self._path(f"Calls.json?PageSize=20{given}"), twice=True)
        listed = page.get("calls")
        return [CallInfo.of(each) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []

    async def hang_up(self, call_sid: str) -> None:
        """End a call. That it is over already is no error.

        Raises:
            TwilioError: Twilio refuses, or cannot be asked.
        """
        try:
            await self._change(f"hang up {call_sid}", call_sid, [("Status", "completed")], twice=True)
        except TwilioError as error:
            if error.code not in ENDED:
                raise

    async def redirect(self, call_sid: str, twiml: str = "", *, url: str = "") -> CallInfo:
        """Have a call go on with other TwiML; its stream ends.

        Args:
            twiml: at most 4000 bytes.
            url: asked for it instead.

        Raises:
            TwilioError: the call is not in progress, or Twilio cannot be asked.
        """
        if bool(url) == bool(twiml):
            raise TwilioError("redirect: expected one of url and twiml")
        _check_length("redirect", twiml)
        form = [("Url", url)] if url else [("Twiml", twiml)]
        return await self._change(f"redirect {call_sid}", call_sid, form, twice=False)

    async def transfer(
        self,
        call_sid: str,
        to: str,
        announce: str = "",
        *,
        caller_id: str = "",
        ring: int | None = None,
        action: str = "",
    ) -> None:
        """Connect the caller with somebody else: the stream ends, Twilio says `announce` and dials `to`.

        Args:
            to: number (E.164), ``client:name`` or ``sip:user@host``.
            announce: what Twilio's own voice says first.
            caller_id: number that they see: the caller's own when not given, one of the account's or a verified one.
            ring: seconds that it rings; Twilio's default is 30.
            action: URL that is told how it went, and asked for more TwiML. Without one the call ends when they hang up,
                or do not answer.

        Raises:
            TwimlError: `to` is none of these, or `announce` is too long.
            TwilioError: the call is not in progress, or Twilio cannot be asked.
        """
        verbs = [tw.say(announce)] if announce else []
        dial = tw.dial(to, caller_id=caller_id, timeout=ring, action=action)
        text = tw.document(*verbs, dial, limit=tw.MAX_REST)
        await self._change(f"transfer {call_sid}", call_sid, [("Twiml", text)], twice=False)

    async def _change(self, what: str, call_sid: str, form: Form, *, twice: bool) -> CallInfo:
        return CallInfo.of(await self._client.request(what, "POST", self._call_path(call_sid), form, twice=twice))

    # --- the account ---------------------------------------------------------------------------------------

    async def check(self) -> Account:
        """The account, when its key is right and it is active. A standard API key may not read it: then only that it
        opens the account's calls is known.

        Raises:
            TwilioError: the key is wrong, the account suspended or closed, or Twilio cannot be asked.
        """
        what = "check the account"
        try:
            data = await self._client.request(what, "GET", f"{_VERSION}/Accounts/{self.account_sid}.json", twice=True)
        except TwilioError as error:
            if not self._by_key or error.status not in (401, 403, 404):
                raise
            await self._client.request(what, "GET", self._path("Calls.json?PageSize=1"), twice=True)
            return Account(self.account_sid, "", "", trial=False)
        account = Account.of(data)
        if account.status != "active":
            raise TwilioError(
                f"the account {account.sid} is {account.status[:20] or 'in an unknown state'}, not active: see "
                "https://console.twilio.com, there is a notice, mostly about the balance",
                code=20005,
            )
        return account

    async def numbers(self) -> list[PhoneNumber]:
        """The account's numbers, at most `RestOptions.most_numbers`.

        Raises:
            TwilioError: Twilio refuses, or cannot be asked.
        """
        return await self._list_numbers("")

    async def number(self, number: str) -> PhoneNumber | None:
        """One number of the account (E.164), and where its calls go; None when the account has no such number.

        Raises:
            TwilioError: Twilio refuses, or cannot be asked.
            TwimlError: it is no number.
        """
        wanted = tw.callee(number)
        found = await self._list_numbers(f"&PhoneNumber={quote(wanted, safe='')}")
        return next((each for each in found if each.number == wanted), None)

    async def _list_numbers(self, filters: str) -> list[PhoneNumber]:
        path = self._path(f"IncomingPhoneNumbers.json?PageSize={_PAGE}{filters}")
        found: list[PhoneNumber] = []
        while path and len(found) < self._client.options.most_numbers:
            page: dict[str, Any] = await self._client.request("list the phone numbers", "GET", path, twice=True)
            listed = page.get("incoming_phone_numbers")
            numbers = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
            found += [PhoneNumber.of(each) for each in numbers]
            following = page.get("next_page_uri") if numbers else None
            path = following if isinstance(following, str) and following.startswith(f"{_VERSION}/") else ""
        return found[: self._client.options.most_numbers]

    def _path(self, rest: str) -> str:
        return f"{_VERSION}/Accounts/{self.account_sid}/{rest}"

    def _call_path(self, call_sid: str) -> str:
        if not isinstance(call_sid, str) or not _CALL.fullmatch(call_sid):
            raise TwilioError(f"expected a call's SID, CA and 32 hexadecimal digits, got {str(call_sid)[:50]!r}")
        return self._path(f"Calls/{call_sid}.json")


def _check_length(what: str, twiml: str) -> None:
    if (size := len(twiml.encode())) > tw.MAX_REST:
        raise TwilioError(f"{what}: expected TwiML of at most {tw.MAX_REST} bytes, got {size}: use url")


def _setting(given: str | None, variable: str) -> str:
    return (os.environ.get(variable, "") if given is None else given).strip()


def _check(account_sid: str, credentials: Credentials) -> None:
    """Find the slips that need no request to be found."""
    if not account_sid:
        raise TwilioError(f"no account: set TWILIO_ACCOUNT_SID to the account's SID (AC…), see {_KEYS}")
    if not _ACCOUNT.fullmatch(account_sid):
        hint = ": that is an API key, which belongs into TWILIO_API_KEY" if account_sid.startswith("SK") else ""
        shown = account_sid[:2] + "…"  # maybe the token was put here
        raise TwilioError(f"expected TWILIO_ACCOUNT_SID to be AC and 32 hexadecimal digits, got {shown!r}{hint}")
    by_key = credentials.user != account_sid
    if by_key and not _KEY.fullmatch(credentials.user):
        shown = credentials.user[:2] + "…"
        raise TwilioError(f"expected TWILIO_API_KEY to be SK and 32 hexadecimal digits, got {shown!r}")
    name = "TWILIO_API_SECRET" if by_key else "TWILIO_AUTH_TOKEN"
    if not credentials.secret:
        raise TwilioError(f"no secret: set {name}, see {_KEYS}")
    if any(not "!" <= character <= "~" for character in credentials.secret):
        raise TwilioError(f"{name} holds blanks or characters that no secret has: look for a slip in copying it")

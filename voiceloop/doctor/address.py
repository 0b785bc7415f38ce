"""The public address: whether Twilio can reach the bot there, and nobody else can start calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from yarl import URL

from voiceloop.doctor.finding import Finding
from voiceloop.twilio.signature import SIGNATURE_HEADER, sign
from voiceloop.web_service import nearby

__all__ = ["check_address"]

LIMIT: Final = 10.0
"""Seconds for each question."""
_MAX_BODY: Final = 4096
_CALL: Final = {"CallSid": "CA" + "0" * 32, "From": "+15005550006", "To": "+15005550006"}
_NO_CALL: Final = {"From": "voiceloop doctor"}
"""A webhook that names no call: it is refused for that (400) when its signature is right, and starts nothing."""
_WHAT: Final = "public URL"


async def check_address(base: str, token: str, *, simulated: bool) -> AsyncIterator[Finding]:
    """Whether the bot answers there, lets Twilio in, and keeps others out.

    Args:
        base: what stands before ``/voice``, as `voiceloop.server.phone_options.public_base` gives it.
        token: the auth token; empty when there is none.
        simulated: whether Twilio's simulator is used, which is on this machine, too.
    """
    url = URL(base)
    if not simulated and nearby(url.host or ""):
        text = f"{base} is an address of this machine or network, which Twilio cannot reach: use a tunnel or a host"
        yield Finding(_WHAT, "wrong", text)
        return
    timeout = aiohttp.ClientTimeout(total=LIMIT)
    try:
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            answers = await _healthy(session, base)
            yield answers
            if answers.state != "ok":
                return
            found = await _unsigned(session, base)
            yield found
            if token and found.state == "ok":
                yield await _signed(session, base, token)
                yield await _stream(session, base, token)
    except TimeoutError:
        yield Finding(_WHAT, "wrong", f"{base} did not answer within {LIMIT:g} s: is the bot running there?")
    except (aiohttp.ClientError, OSError) as error:
        yield Finding(_WHAT, "wrong", _unreachable(base, error))


async def _healthy(session: aiohttp.ClientSession, base: str) -> Finding:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with session.get(f"{base}/healthz", allow_redirects=False) as response:
        body = await _text(response)
        seconds = loop.time() - began
    if response.status == 200 and body.strip() == "ok":
        return Finding(_WHAT, "ok", f"{base} answers", seconds)
    where = response.headers.get("Location", "").partition("?")[0][:200]
    text = f"GET {base}/healthz gave status {response.status}"
    if 300 <= response.status < 400 and where:
        text += f", which leads to {where}: put the address that answers by itself into VOICELOOP_PUBLIC_URL"
    elif response.status >= 500:
        text += ": what stands before the bot, a tunnel or a proxy, does not reach it. Is it running, at that port?"
    else:
        text += ": something else than voiceloop answers there. Is the address right, and the bot running behind it?"
    return Finding(_WHAT, "wrong", text)


async def _unsigned(session: aiohttp.ClientSession, base: str) -> Finding:
    status, body = await _post(session, base, _CALL, "")
    what = "webhook of a stranger"
    if status == 403 and "signed by Twilio" in body:
        return Finding(what, "ok", "it is refused")
    if status == 403:
        return Finding(what, "wrong", f"{base}/voice gave status 403, but not voiceloop's: what else guards it?")
    text = f"a webhook without a signature gave status {status}, expected 403: {_open_door(status)}"
    return Finding(what, "wrong", text)


def _open_door(status: int) -> str:
    if status == 200:
        return "anybody can start calls at your cost. Leave PhoneOptions.check as it is"
    return "does another program answer at /voice, or does a proxy not pass POST on?"


async def _signed(session: aiohttp.ClientSession, base: str, token: str) -> Finding:
    status, _ = await _post(session, base, _NO_CALL, sign(token, f"{base}/voice", list(_NO_CALL.items())))
    what = "webhook of Twilio"
    if status == 400:
        return Finding(what, "ok", "its signature is accepted")
    if status == 403:
        text = (
            f"a webhook signed for {base}/voice is refused (403): the bot runs with another TWILIO_AUTH_TOKEN or "
            "another VOICELOOP_PUBLIC_URL than this command; its log says which URL it checks"
        )
        return Finding(what, "wrong", text)
    return Finding(what, "wrong", f"a signed webhook gave status {status}, expected 400, for it names no call")


async def _post(session: aiohttp.ClientSession, base: str, form: dict[str, str], signature: str) -> tuple[int, str]:
    headers = {SIGNATURE_HEADER: signature} if signature else {}
    async with session.post(f"{base}/voice", data=form, headers=headers, allow_redirects=False) as response:
        return response.status, await _text(response)


async def _stream(session: aiohttp.ClientSession, base: str, token: str) -> Finding:
    url = "ws" + base.removeprefix("http") + "/media"
    what = "media stream"
    try:
        async with session.ws_connect(url, headers={SIGNATURE_HEADER: sign(token, url)}):
            return Finding(what, "ok", "WebSockets reach the bot")
    except aiohttp.WSServerHandshakeError as error:
        if error.status == 503:
            return Finding(what, "warning", "the bot takes no more calls now (503): it is full, or stops")
        text = f"{url} gave status {error.status}, expected 101: a proxy must let WebSockets pass at /media"
        return Finding(what, "wrong", text)


async def _text(response: aiohttp.ClientResponse) -> str:
    return (await response.content.read(_MAX_BODY)).decode(errors="replace")


def _unreachable(base: str, error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {base} is not trusted, so Twilio will not call it: get a valid one, or use a tunnel"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"no TLS connection to {base}: what listens there speaks plain http. Put a proxy or a tunnel before it"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"no host {URL(base).host} is found: mend VOICELOOP_PUBLIC_URL; a tunnel has a new name at each start"
    why = getattr(getattr(error, "os_error", None), "strerror", None) or str(error) or type(error).__name__
    return f"{base} cannot be reached: {why[:200]}. Is the bot running, and the tunnel or proxy before it?"

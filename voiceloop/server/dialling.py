"""Calling out: ``await dial_out("+15550001111", bot)``, or a `Dialler` beside a server that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import ModuleType

from voiceloop.runtime import Runtime
from voiceloop.server.dial_options import DialError, DialOptions, Outcome, WhenMachine
from voiceloop.server.dialled import leave_message
from voiceloop.server.dialler import Dialler, checked_params
from voiceloop.server.outgoing import encode_out
from voiceloop.server.phone_options import PhoneOptions
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.media import Bot
from voiceloop.twilio.rest import TwilioREST

__all__ = ["DialError", "DialOptions", "Dialler", "Outcome", "WhenMachine", "dial_out", "leave_message"]


async def dial_out(
    to: str,
    bot: Bot | ModuleType,
    *,
    from_: str | None = None,
    params: Mapping[str, str] | None = None,
    options: DialOptions | None = None,
    rest: TwilioREST | None = None,
    host: str = "0.0.0.0",
    port: int = 8080,
    public_url: str | None = None,
    runtime: Runtime | None = None,
    phone: PhoneOptions | None = None,
    tell: Callable[[str], object] | None = None,
) -> Outcome:
    """Call somebody and let the bot talk to them; returns when the call is over.

    Serves the bot meanwhile, as `voiceloop.server.serve.serve` does: Twilio must be able to reach the port under the
    public URL. When it is cancelled, the call is hung up.

    Args:
        to: telephone number with country code, such as +15550001111, ``client:name`` or ``sip:user@host``.
        bot: the function ``bot(call)``, or the module that holds it.
        from_: number of the account, or verified in it; None: ``TWILIO_NUMBER``, or the account's only number.
        params: what the bot finds in ``call.params``. They travel in a URL: pass ids, not secrets.
        options: how long, and what to do about machines.
        rest: Twilio's REST API; None: as the environment says.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        public_url: what stands before ``/voice`` in the address that Twilio calls; None: ``VOICELOOP_PUBLIC_URL``.
        runtime: what the call uses; one of its own when not given.
        phone: options of the server.
        tell: called with lines for a person: what takes long, that it rings.

    Raises:
        DialError: what is ordered cannot be; nobody was called.
        VoiceloopError: likewise, and the bot cannot start, or something that Twilio needs is missing.
    """
    from voiceloop.server.serve import serving_phone

    options = options or DialOptions()
    number = tw.callee(to)
    encode_out(checked_params(params))
    async with AsyncExitStack() as stack:
        settings = phone or PhoneOptions()
        if rest is None:
            rest = settings.carrier if isinstance(settings.carrier, TwilioREST) else TwilioREST()
            if rest is not settings.carrier:
                await stack.enter_async_context(rest)
        if settings.carrier is None:
            settings = replace(settings, carrier=rest)
        serving = await stack.enter_async_context(
            serving_phone(
                bot, host=host, port=port, public_url=public_url, runtime=runtime, options=settings, tell=tell
            )
        )
        dialler = Dialler(serving.phone, rest)
        stack.callback(dialler.close)
        if tell is not None:
            tell(f"Calling {number}.")
        return await dialler.dial(number, from_=from_, params=params, options=options)

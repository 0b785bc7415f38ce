"""What stands between a bot and its phone: Twilio's side is checked, the bot is warmed, calls can be handed over."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import wraps
from types import ModuleType

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.language import Cues
from voiceloop.pipeline import Pipeline
from voiceloop.runtime import Runtime
from voiceloop.server.phone import Phone
from voiceloop.server.phone_options import PhoneError, PhoneOptions
from voiceloop.server.starting import CannotStart, keys_missing, rehearsed
from voiceloop.server.warming import warm_process
from voiceloop.twilio.media import Bot
from voiceloop.twilio.rest import TwilioREST

__all__ = ["open_phone"]


@asynccontextmanager
async def open_phone(
    bot: Bot | ModuleType,
    *,
    runtime: Runtime | None = None,
    options: PhoneOptions | None = None,
    tell: Callable[[str], object] | None = None,
    warmed: Callable[[], object] = lambda: None,
) -> AsyncIterator[Phone]:
    """A phone whose bot is warmed, for a block. Whoever opens it brings it the requests, and drains it.

    Args:
        tell: called with a line when something takes long.
        warmed: called when all is warm, and nothing is measured yet.

    Raises:
        VoiceloopError: the bot cannot start, or something that Twilio needs is missing: `CannotStart` when that is
            several things.
    """
    answer = getattr(bot, "bot", bot)
    if not callable(answer):
        raise PhoneError(f"expected the function bot(call) or a module that has one, got {bot!r}")
    options = options or PhoneOptions()
    async with AsyncExitStack() as stack:
        carrier, problems = _checked(options)
        if runtime is None:
            runtime = await stack.enter_async_context(Runtime())
        if problems:  # better told before the models load, and together with keys that are missing
            raise CannotStart([*problems, *await keys_missing(answer, runtime)])
        if carrier is not None:
            options = replace(options, carrier=await stack.enter_async_context(carrier))
        if tell is not None:
            tell("Loading the models.")
        languages: list[Cues] = []
        await rehearsed(_noting(answer, languages), runtime)
        warm_process(languages)
        warmed()
        phone = Phone(answer, runtime, options)
        phone.load.start()
        stack.callback(phone.load.stop)
        yield phone


def _noting(answer: Bot, languages: list[Cues]) -> Bot:
    """The bot, and what language its call speaks."""

    @wraps(answer)
    def bot(call: Call) -> Pipeline | Awaitable[Pipeline]:
        call.on_end(lambda _: languages.append(call.cues))
        return answer(call)

    return bot


def _checked(options: PhoneOptions) -> tuple[TwilioREST | None, list[str]]:
    """Twilio's REST API, if it is to be had and was not given, and what is wrong with what Twilio needs."""
    problems: list[str] = []
    for needed in (options.base, options.secret):
        try:
            needed()
        except PhoneError as error:
            problems.append(str(error))
    try:
        return (None if options.carrier is not None else _carrier(options)), problems
    except PhoneError:
        return None, problems
    except VoiceloopError as error:
        return None, [*problems, str(error)]


def _carrier(options: PhoneOptions) -> TwilioREST | None:
    """Twilio's REST API, when the environment has what opens it.

    Raises:
        PhoneError: there is no auth token.
        TwilioError: what it has cannot be right.
    """
    account = os.environ.get("TWILIO_ACCOUNT_SID", "").strip()
    by_key = os.environ.get("TWILIO_API_KEY", "").strip()
    token = None if by_key else options.secret()
    return TwilioREST(account, token) if account and (by_key or token) else None

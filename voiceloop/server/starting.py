"""What keeps a bot from answering the phone: all of it at once, in words for whoever starts it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

from voiceloop.doctor.environment import services_of
from voiceloop.doctor.providers import Provider, members
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.rehearsal import REHEARSAL, rehearse
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.server.phone_options import PhoneError
from voiceloop.twilio.media import Bot

__all__ = ["CannotStart", "keys_missing", "rehearsed"]

_ASK_LIMIT: Final = 15.0
"""Seconds in which services are asked what is wrong."""
_UNSAID: Final = "could not be rendered: "
_OURS: Final = re.compile(
    r"(?:(?<=^)|(?<=: ))(?:FallbackFailed|MissingExtra|ModelError|PhoneError|ProviderFailed|SpeechRefused"
    r"|TwilioError|VoiceloopError): "
)
"""Names of errors that mean nothing to a person."""


class CannotStart(PhoneError):
    """A bot that cannot answer the phone as things are.

    Args:
        problems: each in a line that says what to do.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        """Each in a line that says what to do."""
        super().__init__("; ".join(self.problems))

    @property
    def told(self) -> str:
        """All of it for a console."""
        if len(self.problems) == 1:
            return f"voiceloop: {self.problems[0]}"
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        return f"voiceloop: {len(self.problems)} things to mend before the bot can answer the phone:{lines}"


async def rehearsed(bot: Bot, runtime: Runtime) -> None:
    """Rehearse the bot, so that no caller waits for a model.

    Raises:
        VoiceloopError: it cannot start; `CannotStart` when several things may be wrong.
    """
    try:
        with _told_once():
            rehearsal = await rehearse(bot, runtime)
    except VoiceloopError:
        raise
    except Exception as error:
        raise VoiceloopError(f"bot(call) raised {describe(error)[0]}{_where(error, bot)}") from error
    faults = _grave(rehearsal)
    if faults:
        problems = await keys_missing(bot, runtime)
        raise CannotStart([*problems, *(fault for fault in faults if not any(_same(fault, each) for each in problems))])


@contextmanager
def _told_once() -> Iterator[None]:
    """Keep faults of the rehearsal out of the log: whoever starts the bot is told what they mean."""

    def is_other(record: logging.LogRecord) -> bool:
        return not (isinstance(record.args, tuple) and record.args[:1] == (REHEARSAL,))

    log = logging.getLogger("voiceloop.call")
    log.addFilter(is_other)
    try:
        yield
    finally:
        log.removeFilter(is_other)


async def keys_missing(bot: Bot, runtime: Runtime) -> list[str]:
    """What each service says that the bot's module names: no key, a wrong one, no such model."""
    found = [each for each in members(_named_beside(bot)) if services_of([each])]
    said = await asyncio.gather(*(_asked(each, runtime) for each in found))
    return [text for text in said if text]


async def _asked(provider: Provider, runtime: Runtime) -> str:
    with suppress(TimeoutError):
        try:
            async with asyncio.timeout(_ASK_LIMIT):
                await runtime.warm(provider)
        except VoiceloopError as error:
            return f"{type(provider).__name__}: {error}"
        except Exception as error:
            return f"{type(provider).__name__}: {describe(error)[0]}"
    return ""


def _named_beside(bot: Bot) -> list[Any]:
    """The values at the top level of the module in which the bot is defined."""
    return list(getattr(inspect.unwrap(bot), "__globals__", {}).values())


def _grave(rehearsal: CallReport) -> list[str]:
    """What no call could do without. Why the first of them ended, the others do not matter."""
    unsaid = [fault.message.partition(_UNSAID)[2] for fault in rehearsal.faults if fault.kind == "canned speech"]
    if rehearsal.reason == REHEARSAL:
        return [f"the voice cannot speak: {_plain(why)}" for why in dict.fromkeys(unsaid)]
    starts = [fault for fault in rehearsal.faults if fault.kind.endswith(".start")]
    return [f"{fault.kind}: {_plain(fault.message)}" for fault in starts or rehearsal.faults]


def _plain(text: str) -> str:
    return _OURS.sub("", text)


def _same(fault: str, problem: str) -> bool:
    """Whether a fault of the call says what a service has said, too."""
    return problem.partition(": ")[2] in fault


def _where(error: Exception, bot: Bot) -> str:
    """The line of the bot's file that had a part in it."""
    file = getattr(getattr(inspect.unwrap(bot), "__code__", None), "co_filename", "")
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({Path(file).name}, line {lines[-1]})" if lines else ""

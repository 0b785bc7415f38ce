"""TwiML: what Twilio is told to do with a call.

Each function makes one verb; `document` makes the text of them::

    document(say("One moment."), dial("+15550001111"))

Source: https://www.twilio.com/docs/voice/twiml; error codes: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from voiceloop.errors import VoiceloopError
from voiceloop.web_service import is_here

__all__ = [
    "MAX_ANSWER",
    "MAX_PARAMETER",
    "MAX_REST",
    "TwimlError",
    "Verb",
    "callee",
    "connect_stream",
    "dial",
    "document",
    "hang_up",
    "pause",
    "play",
    "play_digits",
    "redirect",
    "reject",
    "say",
]

MAX_REST: Final = 4000
"""Characters of a document that is handed to the REST API; here bytes are counted, which are never fewer."""
MAX_ANSWER: Final = 64 * 1024
"""Bytes of a document that answers a webhook (error 11750)."""
MAX_PARAMETER: Final = 500
"""Characters that the name and the value of a ``<Parameter>`` may have together. Not confirmed by Twilio's pages."""
MAX_PARAMETERS: Final = 50
"""Parameters of one stream. Ours: Twilio names no limit."""

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_NUMBER: Final = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
_CLIENT: Final = re.compile(r"client:[\w.@+-]{1,121}", re.ASCII)
_SIP: Final = re.compile(r"sips?:[^\s<>\"&]{1,250}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9A-Da-d*#wW]{1,500}", re.ASCII)
_SPACES: Final = re.compile(r"[\s().-]+")
# What XML 1.0 cannot hold, in any spelling.
_IMPOSSIBLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = {
    ord(character): f"&#{ord(character)};" if character in "\t\n\r" else entity
    for character, entity in {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\t": "",
        "\n": "",
        "\r": "",
    }.items()
}


class TwimlError(VoiceloopError, ValueError):
    """TwiML that Twilio would refuse."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One element of a document."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    content: str | tuple[Verb, ...] = ()

    def __str__(self) -> str:
        attributes = "".join(f' {name}="{_escaped(value)}"' for name, value in self.attributes)
        inside = _escaped(self.content) if isinstance(self.content, str) else "".join(map(str, self.content))
        return f"<{self.name}{attributes}>{inside}</{self.name}>" if inside else f"<{self.name}{attributes}/>"


def _given(**attributes: str) -> tuple[tuple[str, str], ...]:
    """Those that are not empty."""
    return tuple((name, value) for name, value in attributes.items() if value)


def _escaped(text: str) -> str:
    # White space is written as numbers: XML would make blanks of it in an attribute.
    return _IMPOSSIBLE.sub("", text).translate(_ESCAPES)


def document(*verbs: Verb, limit: int = MAX_ANSWER) -> str:
    """The text of a document. Without verbs it ends the call.

    Args:
        limit: bytes it may have: `MAX_ANSWER`, or `MAX_REST` for the REST API.

    Raises:
        TwimlError: it is longer.
    """
    text = f"{_DECLARATION}<Response>{''.join(map(str, verbs))}</Response>"
    if (size := len(text.encode())) > limit:
        raise TwimlError(f"expected TwiML of at most {limit} bytes, got {size}: shorten what is said, or send a URL")
    return text


def connect_stream(
    url: str,
    parameters: Mapping[str, str] | None = None,
    *,
    name: str = "",
    status_callback: str = "",
    action: str = "",
) -> Verb:
    """Hand the call to the WebSocket at `url`, both ways. What stands behind it is done once the server closes it.

    Args:
        url: ``wss://…``, without a query, which Twilio does not support there. (``ws://`` on this machine only, for the
            simulator.)
        parameters: come back in the ``start`` message of the stream; at most `MAX_PARAMETERS`.
        name: of the stream.
        status_callback: URL that is told of its start, stop and errors.
        action: URL that is asked for more TwiML when it has ended.

    Raises:
        TwimlError: no such URL (errors 31922 and 31923), or parameters that are too long or too many.
    """
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise TwimlError(f"expected a stream URL without a query, got {url!r}: use parameters")
    if not parts.hostname or (parts.scheme != "wss" and not (parts.scheme == "ws" and is_here(parts.hostname))):
        raise TwimlError(f"expected a stream URL like 'wss://agent.example.com/media', got {url!r}")
    given = dict(parameters or {})
    if len(given) > MAX_PARAMETERS:
        raise TwimlError(f"expected at most {MAX_PARAMETERS} stream parameters, got {len(given)}")
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str) or not key:
            raise TwimlError(f"expected stream parameters with names and values of str, got {key!r}: {value!r}")
        if len(key) + len(value) > MAX_PARAMETER:
            raise TwimlError(
                f"the stream parameter {key[:50]!r} has {len(key) + len(value)} characters with its name, more than "
                f"{MAX_PARAMETER}: pass an id, and keep the rest on your side"
            )
    inside = tuple(Verb("Parameter", (("name", key), ("value", value))) for key, value in given.items())
    stream = Verb("Stream", _given(url=url, name=name, statusCallback=status_callback), inside)
    return Verb("Connect", _given(action=action), (stream,))


def say(text: str, *, voice: str = "", language: str = "") -> Verb:
    """Have Twilio's own voice say something."""
    return Verb("Say", _given(voice=voice, language=language), text)


def play(url: str, *, loop: int = 1) -> Verb:
    """Play the audio file at `url`; 0 times is for ever."""
    return Verb("Play", _given(loop="" if loop == 1 else str(loop)), url)


def play_digits(digits: str) -> Verb:
    """Press keys: ``0-9*#A-D``, and ``w`` to wait 0.5 s.

    Raises:
        TwimlError: they are no keys.
    """
    if not _DIGITS.fullmatch(digits):
        raise TwimlError(f"expected keys out of 0-9*#A-D and w, got {digits[:50]!r}")
    return Verb("Play", (("digits", digits),))


def pause(seconds: int = 1) -> Verb:
    """Be silent for whole seconds."""
    return Verb("Pause", (("length", str(seconds)),))


def hang_up() -> Verb:
    """End the call."""
    return Verb("Hangup")


def reject(*, busy: bool = False) -> Verb:
    """Do not answer the call, and do not pay for it. Only as the first verb."""
    return Verb("Reject", _given(reason="busy" if busy else ""))


def redirect(url: str) -> Verb:
    """Go on with the TwiML that a POST to `url` answers."""
    return Verb("Redirect", (("method", "POST"),), url)


def dial(to: str, *, caller_id: str = "", timeout: int | None = None, action: str = "") -> Verb:
    """Connect the call with another party; when they hang up it goes on with the next verb.

    Args:
        to: a number as E.164 (``+15550001111``), ``client:name`` or ``sip:user@host``.
        caller_id: number that they see; that of the caller when not given.
        timeout: seconds it rings; Twilio's default is 30.
        action: URL that is told how it went, and asked for more TwiML.

    Raises:
        TwimlError: `to` is none of these (error 13224).
    """
    party = callee(to)
    attributes = _given(callerId=caller_id, timeout="" if timeout is None else str(timeout), action=action)
    if party.startswith("client:"):
        return Verb("Dial", attributes, (Verb("Client", (), party.removeprefix("client:")),))
    return Verb("Dial", attributes, party if party.startswith("+") else (Verb("Sip", (), party),))


def callee(to: str) -> str:
    """Whom to call, as Twilio wants it: blanks, dots, dashes and brackets in a number are left out.

    Raises:
        TwimlError: it is no E.164 number, ``client:name`` or ``sip:user@host``.
    """
    if isinstance(to, str):
        if _CLIENT.fullmatch(to) or _SIP.fullmatch(to):
            return to
        if _NUMBER.fullmatch(number := _SPACES.sub("", to)):
            return number
    raise TwimlError(
        "expected a number with its country code, like '+15550001111' (or client:name, sip:user@host), "
        f"got {str(to)[:80]!r}"
    )

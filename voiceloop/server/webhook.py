"""What Twilio's webhooks say."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from voiceloop.twilio.rest_records import FINAL

__all__ = ["AnsweredBy", "BadWebhook", "CallStatus", "IncomingCall", "LatestStatuses", "read_form"]

_CALL: Final = re.compile(r"CA[0-9a-fA-F]{32}")
_MAX_FIELDS: Final = 200
"""Twilio sends about 30."""
_KNOWN_STATUSES: Final = 1000
"""Calls of which the latest status is remembered."""


class BadWebhook(ValueError):
    """A request that is no webhook of Twilio's."""


def read_form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form post, in order.

    Raises:
        BadWebhook: it is none, or has too many.
    """
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise BadWebhook("expected the fields of a form") from None


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call that asks what to do. Also one that we have made, at the moment when somebody answers."""

    call_sid: str
    caller: str
    """Who calls: for a call that we make, our own number. Mostly E.164; ``anonymous``, ``client:name``, ``sip:…``."""
    number: str
    """Who is called."""
    direction: str
    """``inbound`` or ``outbound``."""
    fields: Mapping[str, str] = field(repr=False)
    """All that Twilio said, such as ``FromCity`` and ``AnsweredBy``."""

    @property
    def answered_by(self) -> str:
        """Who has answered a call of ours: ``human``, ``machine``, ``fax``, ``unknown``; empty when nobody looked."""
        return who_answered(self.fields.get("AnsweredBy", ""))

    @classmethod
    def of(cls, form: list[tuple[str, str]]) -> IncomingCall:
        """Read a webhook's form.

        Raises:
            BadWebhook: it names no call.
        """
        fields = dict(form)
        direction = "outbound" if fields.get("Direction", "").startswith("outbound") else "inbound"
        return cls(_call_sid(fields), fields.get("From", ""), fields.get("To", ""), direction, fields)


@dataclass(frozen=True, slots=True)
class CallStatus:
    """A status callback."""

    call_sid: str
    status: str
    """``initiated``, ``ringing``, ``in-progress``, ``completed``, ``busy``, ``failed``, ``no-answer``, ``canceled``."""
    direction: str
    """``inbound`` or ``outbound``."""
    caller: str
    number: str
    duration: int | None
    """Seconds that the call lasted; None before its end."""
    sequence: int | None
    """Counts the callbacks of a call from 0, in the order of what happened; None when Twilio did not say."""
    fields: Mapping[str, str] = field(repr=False)
    """All that Twilio said."""

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self.status in FINAL

    @classmethod
    def of(cls, form: list[tuple[str, str]]) -> CallStatus:
        """Read a status callback's form.

        Raises:
            BadWebhook: it names no call, or no status.
        """
        call = IncomingCall.of(form)
        status = call.fields.get("CallStatus", "")
        if not status:
            raise BadWebhook("expected a CallStatus")
        return cls(
            call.call_sid,
            status,
            call.direction,
            call.caller,
            call.number,
            _count(call.fields.get("CallDuration", "")),
            _count(call.fields.get("SequenceNumber", "")),
            call.fields,
        )


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """Who has answered a call that we made: what Twilio's answering machine detection says beside the call.

    Source: https://www.twilio.com/docs/voice/answering-machine-detection (``AsyncAmdStatusCallback``).
    """

    call_sid: str
    who: str
    """``human``, ``machine``, ``fax`` or ``unknown``."""
    heard: str
    """What Twilio said: ``human``, ``fax``, ``unknown``, ``machine_start``, ``machine_end_beep``, …"""
    fields: Mapping[str, str] = field(repr=False)
    """All that Twilio said."""

    @classmethod
    def of(cls, form: list[tuple[str, str]]) -> AnsweredBy:
        """Read the form of the callback, or of a webhook that came once it was known.

        Raises:
            BadWebhook: it names no call.
        """
        fields = dict(form)
        heard = fields.get("AnsweredBy", "")[:40]
        return cls(_call_sid(fields), who_answered(heard), heard, fields)


class LatestStatuses:
    """Remembers how the latest calls went."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, CallStatus] = OrderedDict()

    def take(self, status: CallStatus) -> bool:
        """Whether that is news: neither said before, nor overtaken by a later one."""
        last = self._of.get(status.call_sid)
        if last is not None:
            if last.ended or status.status == last.status:
                return False
            if None not in (last.sequence, status.sequence) and (status.sequence or 0) <= (last.sequence or 0):
                return False
        self._of[status.call_sid] = status
        self._of.move_to_end(status.call_sid)
        while len(self._of) > _KNOWN_STATUSES:
            self._of.popitem(last=False)
        return True


def who_answered(heard: str) -> str:
    """What Twilio says of who has answered, in a word; empty when it says nothing."""
    if heard.startswith("machine"):
        return "machine"
    return heard if heard in ("", "human", "fax") else "unknown"


def _call_sid(fields: Mapping[str, str]) -> str:
    sid = fields.get("CallSid", "")
    if not _CALL.fullmatch(sid):
        raise BadWebhook(f"expected a CallSid, CA and 32 hexadecimal digits, got {sid[:50]!r}")
    return sid


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

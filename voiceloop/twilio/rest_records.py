"""What Twilio's REST API tells of an account, its numbers and its calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["FINAL", "Account", "CallInfo", "PhoneNumber"]

FINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""Statuses of a call that is over. The others: ``queued``, ``initiated``, ``ringing``, ``in-progress``."""


@dataclass(frozen=True, slots=True)
class CallInfo:
    """A call, as it stood when Twilio was asked."""

    sid: str
    status: str
    """``queued``, ``ringing``, ``in-progress``, or one of `FINAL`."""
    direction: str
    """``inbound``, ``outbound-api`` or ``outbound-dial``."""
    to: str
    from_: str
    duration: int | None
    """Seconds; None while it lasts."""
    parent_sid: str
    """Of the call that dialled this one; else empty."""
    answered_by: str = ""
    """What the detection of answering machines has found, such as ``human``; empty when it was not asked for, or has
    found nothing yet."""

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.status in FINAL

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> CallInfo:
        """Read Twilio's JSON."""
        duration = _text(data, "duration")
        return cls(
            sid=_text(data, "sid"),
            status=_text(data, "status"),
            direction=_text(data, "direction"),
            to=_text(data, "to"),
            from_=_text(data, "from"),
            duration=int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 10 else None,
            parent_sid=_text(data, "parent_call_sid"),
            answered_by=_text(data, "answered_by"),
        )


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number of the account, and where its calls go."""

    sid: str
    number: str
    """E.164."""
    name: str
    voice: bool
    """Whether it can take calls."""
    voice_url: str
    """Webhook that is asked what to do with a call; empty when there is none."""
    voice_method: str
    """``POST`` or ``GET``."""
    fallback_url: str
    """Asked when `voice_url` fails."""
    status_callback: str
    """Told when a call is over."""
    goes_elsewhere: str
    """SID of the TwiML application or SIP trunk that takes the calls, whatever `voice_url` says; else empty."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> PhoneNumber:
        """Read Twilio's JSON."""
        capabilities = data.get("capabilities")
        return cls(
            sid=_text(data, "sid"),
            number=_text(data, "phone_number"),
            name=_text(data, "friendly_name"),
            voice=not isinstance(capabilities, dict) or capabilities.get("voice") is not False,
            voice_url=_text(data, "voice_url"),
            voice_method=_text(data, "voice_method") or "POST",
            fallback_url=_text(data, "voice_fallback_url"),
            status_callback=_text(data, "status_callback"),
            goes_elsewhere=_text(data, "trunk_sid") or _text(data, "voice_application_sid"),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """The account that a key opens."""

    sid: str
    name: str
    status: str
    """``active``; empty when an API key may not read it."""
    trial: bool
    """Whether it reaches verified numbers only."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Account:
        """Read Twilio's JSON."""
        return cls(
            _text(data, "sid"), _text(data, "friendly_name"), _text(data, "status"), _text(data, "type") == "Trial"
        )


def _text(data: Mapping[str, Any], name: str) -> str:
    """A field as text; empty when it is null or not there."""
    value = data.get(name)
    return "" if value is None else str(value)

"""What Twilio's refusals mean, and what mends them."""

from __future__ import annotations

from typing import Final

from voiceloop.errors import VoiceloopError

__all__ = ["ENDED", "TwilioError", "advice"]

ENDED: Final = frozenset({20404, 21220})
"""Codes of a change to a call that is over, or was never there."""

_KEYS: Final = "https://console.twilio.com, Account > API keys & tokens"
_COUNTRY: Final = "the account may not call this country: allow it in the console, Voice > Settings > Geo permissions"
_TRIAL: Final = (
    "a trial account reaches verified numbers only: verify this one in the console, Phone Numbers > Verified caller "
    "IDs, or upgrade"
)
_NO_NUMBER: Final = "expected the country code and the number, like +15550001111"
_ADVICE: Final[dict[int, str]] = {
    20003: "the account SID and the auth token (or the API key and its secret) do not belong together, or were "
    f"mistyped: compare TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN with {_KEYS}. A key of another region needs the "
    "base_url of that region",
    20005: "the account is not active, which means suspended or closed: see https://console.twilio.com, there is a "
    "notice, mostly about the balance",
    20006: "access is denied: the API key is restricted, and may not do this",
    20008: "these are the account's test credentials, which cannot do this: use the live ones",
    20404: "there is no such thing in this account: a call that is over, a wrong SID, or one of another account",
    20429: "too many requests at a time: try again later, and at a lower rate",
    10004: "the account has as many calls at a time as it may: wait for some to end, or ask Twilio for more",
    13227: _COUNTRY,
    21201: "no number to call was given",
    21205: "the URL for the call's TwiML is not valid: expected https://… that Twilio can reach",
    21210: "the caller's number (from_) is neither bought from Twilio in this account nor verified in it",
    21211: f"the number to call is not valid: {_NO_NUMBER}",
    21212: "the caller's number (from_) is not valid: expected one of the account's, like +15550001111",
    21213: "no number to call from was given",
    21214: "the number to call cannot be reached",
    21215: _COUNTRY,
    21216: "Twilio does not let this account call this number: it is held to be risky",
    21217: f"the number does not appear to be one: {_NO_NUMBER}",
    21219: _TRIAL,
    21220: "the call is not in progress any more, or not yet: it cannot be changed",
    21608: _TRIAL,
}
_STATUS: Final[dict[int, str]] = {
    401: _ADVICE[20003],
    403: "access is denied: the account is suspended, or the API key is restricted",
    404: _ADVICE[20404],
    429: _ADVICE[20429],
}


class TwilioError(VoiceloopError):
    """Twilio refuses a request, or cannot be asked."""

    def __init__(self, message: str, *, code: int = 0, status: int = 0, unclear: bool = False) -> None:
        super().__init__(message)
        self.code = code
        """Twilio's error code (https://www.twilio.com/docs/errors); 0 when it named none."""
        self.status = status
        """HTTP status; 0 when there was no answer."""
        self.unclear = unclear
        """Whether Twilio may have done it: it was asked, and did not say that it has not."""


def advice(code: int, status: int) -> str:
    """What a code, or else a status, means and what to do; empty when nothing is known about it."""
    later = "Twilio failed: try again later (https://status.twilio.com)" if status >= 500 else ""
    return _ADVICE.get(code) or _STATUS.get(status, later)

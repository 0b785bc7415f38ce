"""Secrets that tests use, and the search for them in whatever a test puts out.

Tests give providers keys, servers tokens, and callers card numbers. None of it may come out: not in a log, at whatever
level, and not on standard output or error. So whatever a test has put out is searched when it is over, and a test that
has shown a secret fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["MARK", "PLANTED", "found"]

PLANTED: Final[Mapping[str, str]] = {
    "the auth token of the simulated Twilio": "0123456789abcdef0123456789abcdef",
    "the secret of a key of Twilio's": "key-secret-key-secret",
    "a shared key for webhooks": "shared-secret-of-a-test",
    "a key of Anthropic's": "sk-ant-api03-secret",
    "another key of Anthropic's": "sk-ant-very-secret",
    "a key of Anthropic's for repr": "sk-ant-secret",
    "the key that a simulated Anthropic takes": "right-secret",
    "the key of a gateway": "gateway-secret",
    "a key of Cartesia's": "sk_car_very_secret_123456",
    "a mistyped key of Cartesia's": "sk_car_mistyped_654321",
    "the key that a simulated Cartesia takes": "sk_car_secret_1",
    "the key of the conformance suite": "key-of-the-test",
    "a key of OpenAI's": "sk-very-secret-123456",
    "the key that a simulated OpenAI takes": "sk-secret-1",
    "the key of a real server of OpenAI's kind": "sk-of-this-test",
    "the PIN of a caller": "9753187654",
    "the PIN of another caller": "1464720035",
    "the number of a card": "4929123456781234",
    "the password of a database": "hidden-password-of-a-test",
}
"""What it is, and the secret itself."""

STREAM_TOKEN: Final = re.compile(r"[0-9a-f]{1,16}-[0-9a-f]{1,16}-[0-9a-f]{64}")
"""As `voiceloop.twilio.token` makes them: each call has its own."""
SIGNATURE: Final = re.compile(r"X-Twilio-Signature\W{1,4}[A-Za-z0-9+/]{27}=", re.IGNORECASE)
"""One that was kept opens the door again."""
MARK: Final = "shows_secrets"
"""The marker of a test that shows a secret on purpose."""

_ANY: Final = re.compile("|".join(re.escape(secret) for secret in PLANTED.values()))
_NAMES: Final = {secret: name for name, secret in PLANTED.items()}
_AROUND: Final = 40


def found(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Where a secret is: one line for each kind of secret in each text, which does not show it again.

    Args:
        texts: of what is searched, the name and the text.
    """
    hits: dict[tuple[str, str], str] = {}
    for place, text in texts:
        for match in _ANY.finditer(text):
            hits.setdefault((place, match[0]), _hit(place, text, match, _NAMES[match[0]]))
        for pattern, name in ((STREAM_TOKEN, "the token of a stream"), (SIGNATURE, "a signature of Twilio's")):
            if (match := pattern.search(text)) is not None:
                hits.setdefault((place, name), _hit(place, text, match, name))
    return list(hits.values())


def _hit(place: str, text: str, match: re.Match[str], name: str) -> str:
    begin = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    line = text[begin : match.start()][-_AROUND:] + "***" + text[match.end() : None if end < 0 else end][:_AROUND]
    return f"{name} is in the {place.lower()}: …{_ANY.sub('***', line)}…"

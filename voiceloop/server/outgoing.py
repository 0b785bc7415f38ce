"""Parameters of a call that we dial, on their way through the URL that Twilio asks when somebody answers.

So any worker that gets the webhook knows them. Twilio signs the URL with its query: nobody else can write one.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final

from voiceloop.errors import VoiceloopError

__all__ = ["MAX_OUT", "decode_out", "encode_out"]

MAX_OUT: Final = 3000
"""Characters of all of them in the URL."""


def encode_out(params: Mapping[str, str]) -> str:
    """The parameters as one field of a query.

    Raises:
        VoiceloopError: they are no texts, or too long.
    """
    for name, value in params.items():
        if not isinstance(name, str) or not isinstance(value, str) or not name:
            raise VoiceloopError(f"expected parameters with names and values of str, got {name!r}: {value!r}")
    text = base64.urlsafe_b64encode(json.dumps(dict(params), separators=(",", ":")).encode()).decode().rstrip("=")
    if len(text) > MAX_OUT:
        raise VoiceloopError(
            f"the parameters of a call take {len(text)} characters in its URL, more than {MAX_OUT}: pass an id, and "
            "keep the rest on your side"
        )
    return text


def decode_out(text: str) -> dict[str, str]:
    """The parameters again.

    Raises:
        VoiceloopError: it was not made by `encode_out`.
    """
    try:
        if len(text) > MAX_OUT:
            raise ValueError
        padded = text + "=" * (-len(text) % 4)
        params = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        if not isinstance(params, dict) or not all(isinstance(value, str) for value in params.values()):
            raise ValueError
    except (ValueError, RecursionError, binascii.Error):
        raise VoiceloopError("the parameters in the URL of an outgoing call cannot be read") from None
    return params

"""The key to a media stream: a token that opens one stream, of one call, once and soon.

The webhook puts it into the TwiML, Twilio brings it back in the ``start`` message of the stream. So whoever finds the
address of the WebSocket can do nothing with it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

__all__ = ["Claim", "StreamTokens", "TokenOptions"]

Claim: TypeAlias = Callable[[str, float], Awaitable[bool]]
"""``await claim(code, until)``: whether nobody else has claimed this code; from then on it is claimed until that time.
Never raises."""

_TOKEN: Final = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """How long tokens last, and how many are remembered."""

    lifetime: float = 60.0
    """Seconds from the webhook's answer to the ``start`` message. Twilio needs one or two."""
    skew: float = 5.0
    """Seconds by which the clocks of two machines may differ."""
    most_used: int = 100_000
    """Used tokens that are remembered, each for `lifetime`. When there are that many, no stream is let in: one that is
    forgotten could be used again."""


class StreamTokens:
    """Makes tokens and takes each once.

    A token holds when it was made, a number of its own, and an HMAC-SHA256 of both and the call.

    Args:
        secret: the account's auth token; the tokens' key is derived from it, and shown to nobody.
        time: a clock that all who make and take these tokens share: `voiceloop.wallclock.unix` where there are several
            processes.
        options: how long tokens last.
        claim: tells which tokens others have used; without it each process knows only its own.
    """

    def __init__(
        self,
        secret: str,
        time: Callable[[], float],
        options: TokenOptions | None = None,
        claim: Claim | None = None,
    ) -> None:
        if not secret:
            raise ValueError("an empty secret protects no stream")
        self._key = hmac.digest(secret.encode(), b"voiceloop stream token", sha256)
        self._time = time
        self._options = options or TokenOptions()
        self._claim = claim
        self._made = 0
        self._used: dict[str, float] = {}  # until when each is remembered; the oldest first

    @property
    def remembered(self) -> int:
        """Used tokens that are remembered."""
        return len(self._used)

    def make(self, call_sid: str) -> str:
        """A token for a stream of this call, 68 to 98 characters."""
        self._made += 1
        stamp = f"{int(self._time() * 1000):x}-{self._made:x}"
        return f"{stamp}-{self._code(stamp, call_sid)}"

    async def use(self, token: str, call_sid: str) -> str:
        """Use a token, so that no process can use it again. Returns why it opens no stream of this call; empty when it
        does.
        """
        why = self.refusal(token, call_sid)
        if why or self._claim is None:
            return why
        code = token.rpartition("-")[2]
        return "" if await self._claim(code, self._used[code]) else "its token was used before, in another process"

    def refusal(self, token: str, call_sid: str) -> str:
        """The same, as far as this process knows."""
        match = _TOKEN.fullmatch(token) if isinstance(token, str) else None
        if match is None:
            return "it has no token" if not token else "what it has is no token"
        if not call_sid:
            return "it names no call"
        made, number, code = match.groups()
        if not hmac.compare_digest(self._code(f"{made}-{number}", call_sid).encode(), code.encode()):
            return "its token is forged, or of another call"
        now, lifetime, skew = self._time(), self._options.lifetime, self._options.skew
        age = now - int(made, 16) / 1000
        if not -skew <= age <= lifetime:
            return f"its token is {age:.0f} s old; it is good for {lifetime:g} s"
        self._forget(now)
        if code in self._used:
            return "its token was used before"
        if len(self._used) >= self._options.most_used:
            return f"{len(self._used)} tokens were used within {lifetime:g} s, and more cannot be remembered"
        # Longer than it could be used by any process, whatever its clock says and how it is rounded.
        self._used[code] = now + lifetime + 2 * skew + 2.0
        return ""

    def _code(self, stamp: str, call_sid: str) -> str:
        return hmac.new(self._key, f"{stamp} {call_sid}".encode(errors="replace"), sha256).hexdigest()

    def _forget(self, now: float) -> None:
        while self._used:
            oldest = next(iter(self._used))
            if self._used[oldest] > now:
                break
            del self._used[oldest]

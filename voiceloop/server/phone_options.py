"""What a phone server is told: where it is, what it checks, how much it takes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from voiceloop.errors import VoiceloopError
from voiceloop.server.admission import WebhookOptions
from voiceloop.server.load import LoadOptions
from voiceloop.server.overflow import Overflow
from voiceloop.server.webhook import AnsweredBy, CallStatus, IncomingCall
from voiceloop.twilio.token import TokenOptions
from voiceloop.web_service import is_here

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.leaving import CarrierControl
    from voiceloop.twilio.connections import ConnectionManager

__all__ = ["PhoneError", "PhoneOptions", "public_base"]

URL_VARIABLE: Final = "VOICELOOP_PUBLIC_URL"
TOKEN_VARIABLE: Final = "TWILIO_AUTH_TOKEN"
ACCOUNT_VARIABLE: Final = "TWILIO_ACCOUNT_SID"
_EXAMPLE: Final = "https://agent.example.com"


class PhoneError(VoiceloopError):
    """A phone server that cannot work as it is set up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneOptions:
    """How a phone server stands between Twilio and a bot."""

    public_url: str | None = None
    """What stands before ``/voice`` in the address that Twilio calls, ``https://…``; None: ``VOICELOOP_PUBLIC_URL``."""
    trust_forwarded: bool = False
    """Without a `public_url`: believe the headers ``X-Forwarded-Proto`` and ``X-Forwarded-Host``. Only behind a proxy
    that sets them itself."""
    auth_token: str | None = field(default=None, repr=False)
    """Of the Twilio account, to check what Twilio has signed; None: ``TWILIO_AUTH_TOKEN``."""
    account_sid: str | None = None
    """The only account whose calls are taken; empty: any that has signed with the auth token. None:
    ``TWILIO_ACCOUNT_SID``, if the auth token is the environment's too."""
    shared_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets of shared keys, by the id that Twilio names, for webhooks that are signed with one."""
    check: bool = True
    """Whether webhooks must be signed and streams must have a token. False lets everybody in: for trying things at home
    only."""
    strict: bool = False
    """Whether the WebSocket's own signature must be right, too. Which URL Twilio signs there is not settled, so a wrong
    one under a valid token is only logged and counted by default."""
    parameters: Callable[[IncomingCall], Mapping[str, str] | Awaitable[Mapping[str, str]]] | None = None
    """Asked at each call; what it gives is in ``call.params``. Names and values of at most 500 characters together."""
    on_call: Callable[[Call], object] | None = None
    """Called with each `Call` before the bot is."""
    on_status: Callable[[CallStatus], object] | None = None
    """Called, or awaited, with each status callback that is news."""
    on_answered_by: Callable[[AnsweredBy], object] | None = None
    """Called, or awaited, when Twilio says who has answered a call of ours."""
    carrier: CarrierControl | None = None
    """Becomes ``call.carrier``, which transfers: a `TwilioREST`."""
    manager: ConnectionManager | None = None
    """Where the live calls are found by their ids; one of the server's own when not given: `Phone.manager`."""
    apology: str = "Sorry, we cannot take your call right now. Please call again later."
    """What Twilio's own voice says to a caller when `parameters` or `overflow` fails."""
    most_calls: int = 400
    """Calls at a time, whatever the load: for a further one there is `overflow`."""
    load: LoadOptions = field(default_factory=LoadOptions)
    """When the process has enough to do: before that is heard, further calls are not taken."""
    overflow: Overflow | Callable[[IncomingCall], Overflow | Awaitable[Overflow]] = field(
        default_factory=Overflow.busy_tone
    )
    """What becomes of a caller whom there is no room for, or what says so at each call."""
    most_handshakes: int = 100
    """WebSockets at a time that have not shown a valid token: so many that Twilio has signed, and so many that it has
    not. When one more comes, the oldest of its kind goes."""
    spare_connections: int = 400
    """TCP connections at a time beyond those of calls: requests, handshakes, and those that are kept for the next
    request. When one more comes, the one that has waited longest goes. For `serve`, and behind an ASGI server its own
    limits."""
    webhooks: WebhookOptions = field(default_factory=WebhookOptions)
    """When a request that was answered is answered again."""
    max_body: int = 64 * 1024
    """Bytes of a request's body."""
    body_wait: float = 5.0
    """Seconds for a request's body to arrive."""
    hook_wait: float = 5.0
    """Seconds for `parameters`, `overflow` and `on_status`. Twilio waits 15 s."""
    drain: float = 300.0
    """Seconds that live calls may go on when the server is told to stop (SIGTERM); it takes no new ones."""
    last_words: float = 10.0
    """Seconds in which calls end after that: what is being said is finished."""
    returns: int = 5
    """How often a call may come back that has lost its line; 0: it ends then, as Twilio does by itself."""
    store_wait: float = 2.0
    """Seconds in which it is found out what a call was that comes back."""
    tokens: TokenOptions = field(default_factory=TokenOptions)
    """Of the streams' tokens."""

    def secret(self) -> str:
        """The auth token.

        Raises:
            PhoneError: there is none.
        """
        token = (os.environ.get(TOKEN_VARIABLE, "") if self.auth_token is None else self.auth_token).strip()
        if not token and self.check:
            raise PhoneError(
                f"no auth token, so nobody could tell Twilio from an impostor: set {TOKEN_VARIABLE} (see "
                "https://console.twilio.com, Account > API keys & tokens)"
            )
        return token

    def account(self) -> str:
        """The only account whose calls are taken; empty: any."""
        if self.account_sid is not None:
            return self.account_sid.strip()
        return os.environ.get(ACCOUNT_VARIABLE, "").strip() if self.auth_token is None else ""

    def base(self) -> str:
        """The public URL without a slash at the end; empty when each request's headers are to say it.

        Raises:
            PhoneError: there is none, or Twilio could not use it.
        """
        given = os.environ.get(URL_VARIABLE, "") if self.public_url is None else self.public_url
        if given.strip():
            return public_base(given)
        if self.trust_forwarded:
            return ""
        raise PhoneError(
            f"no public URL: Twilio must be able to reach this server. Set {URL_VARIABLE} to the https address of your "
            f"tunnel or host, such as {_EXAMPLE}"
        )


def public_base(text: str) -> str:
    """A public URL, as it is used: without a slash at the end.

    Raises:
        PhoneError: Twilio could not use it.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise PhoneError(f"expected a public URL like {_EXAMPLE}, got {text[:200]!r}") from None
    if "://" not in text or not host or not text.isascii() or any(blank in text for blank in " \t\r\n\"'<>\\"):
        hint = f": did you mean https://{text[:200]}?" if text and "://" not in text else ""
        raise PhoneError(f"expected a public URL like {_EXAMPLE}, got {text[:200]!r}{hint}")
    if parts.query or parts.fragment or parts.username is not None:
        raise PhoneError(f"expected a public URL without user, query and fragment, got {text[:200]!r}")
    if parts.path.rstrip("/").endswith(("/voice", "/media", "/status")):
        raise PhoneError(f"expected what stands before /voice in the public URL, got {text[:200]!r}")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here(host)):
        raise PhoneError(
            f"expected a public URL with https, since Twilio opens streams over TLS only, got {text[:200]!r}: most "
            "tunnels and hosts give an https address, too"
        )
    return text.rstrip("/")

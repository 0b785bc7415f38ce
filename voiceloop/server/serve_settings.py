"""What `voiceloop serve` is told, and what it tells its workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from voiceloop.record.recording_options import RecordingOptions
from voiceloop.server.phone_options import PhoneError, PhoneOptions

__all__ = ["LOOPBACK", "ServeSettings"]

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Where a server listens, and what it keeps."""

    host: str = "0.0.0.0"
    """Address to listen on."""
    port: int = 8080
    """0 takes a free one."""
    public_url: str | None = None
    """What stands before ``/voice`` in the address that Twilio calls; None: ``VOICELOOP_PUBLIC_URL``."""
    store: str | None = field(default=None, repr=False)
    """URL of the database for the records of calls; None keeps none."""
    recordings: str | None = None
    """Folder for the sound of every call; None keeps none."""
    recordings_form: Literal["mulaw", "pcm16"] = "mulaw"
    """As of `RecordingOptions`."""
    drain: float | None = None
    """Seconds that live calls may go on at SIGTERM; None: as `PhoneOptions` say."""
    metrics_port: int | None = None
    """Port of ``GET /metrics``; 0 takes a free one, None serves none."""
    metrics_host: str = LOOPBACK
    """Address that it listens on. Whoever reaches it can read the metrics."""
    log: Literal["text", "json"] = "text"
    """``text``: lines for people. ``json``: everything that is told, how calls go included, is a record of the log."""
    log_level: str | None = None
    """From which on records are written; None: WARNING as text, INFO as JSON."""
    local_token: str | None = field(default=None, repr=False)
    """Stands for the auth token of a server that takes only simulated calls from this machine."""

    def options(self, given: PhoneOptions | None) -> PhoneOptions:
        """The phone's options, with what is said here.

        Raises:
            PhoneError: a server for this machine alone was begun, and the options are of another.
        """
        options = given or PhoneOptions()
        if self.local_token is not None:
            if is_set_up(options):
                raise PhoneError(
                    "the options in the bot's file name an auth token or a public URL of their own: put "
                    "TWILIO_AUTH_TOKEN and VOICELOOP_PUBLIC_URL into the environment instead"
                )
            options = replace(options, auth_token=self.local_token)
        if self.public_url is not None:
            options = replace(options, public_url=self.public_url)
        if self.drain is not None:
            options = replace(options, drain=self.drain)
        return options

    @property
    def recording(self) -> RecordingOptions | None:
        """How the sound of calls is kept; None: not at all."""
        return None if self.recordings is None else RecordingOptions(folder=self.recordings, form=self.recordings_form)

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> ServeSettings:
        """Again from plain values."""
        return cls(**values)


def is_set_up(options: PhoneOptions) -> bool:
    """Whether options say themselves who calls, and where."""
    own = (options.auth_token, options.public_url)
    return any(value is not None for value in own) or options.trust_forwarded or not options.check

"""What is asked for when somebody is called, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from voiceloop.errors import VoiceloopError
from voiceloop.report import CallReport

__all__ = ["DialError", "DialOptions", "Outcome", "WhenMachine"]

MAX_RING: Final = 600
"""Seconds that Twilio lets a telephone ring at most."""
MAX_LIMIT: Final = 24 * 3600
"""Seconds that a call may last at Twilio."""
MAX_MESSAGE: Final = 600
"""Characters of a message: 40 s of speech. A hang-up waits 60 s for the last words, and machines cut long messages."""
_DETECTION: Final = (3, 59)
"""Seconds that Twilio can be told to listen for a machine."""

WhenMachine = Literal["ignore", "tell", "hang up", "message"]


class DialError(VoiceloopError):
    """A call that cannot be made as it is ordered. Nobody was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOptions:
    """How somebody is called."""

    ring: int = 30
    """Seconds to let it ring."""
    limit: int = 3600
    """Seconds that the call may last; then Twilio ends it."""
    machine: WhenMachine = "ignore"
    """When an answering machine answers: ``ignore``: nobody looks, the bot talks to it; ``tell``: only
    ``call.answered_by`` says so; ``hang up``; ``message``: after the beep the `message` is spoken, and the call ends.
    With all but ``ignore`` a fax is hung up on. Twilio charges for the detection."""
    message: str = ""
    """What is left on an answering machine, in the bot's own voice."""
    wait: bool = False
    """Let the person wait until it is known who has answered: 2 s of silence, or 5 for one who says nothing. Otherwise
    the bot greets them at once, and what is found later is acted on then."""
    detection: int = 30
    """Seconds that Twilio listens for a machine; then it is ``unknown``, and taken for a person. A greeting must be
    over by then."""
    send_digits: str = ""
    """Keys to press when they answer, such as an extension: ``wwww1928``; ``w`` waits 0.5 s. Nobody looks for a machine
    then: Twilio does not do both."""
    poll: float = 5.0
    """Seconds without news after which Twilio is asked how the call goes."""

    def __post_init__(self) -> None:
        if self.machine not in ("ignore", "tell", "hang up", "message"):
            raise DialError(f"expected machine to be ignore, tell, hang up or message, got {self.machine!r}")
        if (self.machine == "message") != bool(self.message.strip()):
            raise DialError("expected a message with machine='message', and only with that")
        if len(self.message) > MAX_MESSAGE:
            raise DialError(f"expected a message of at most {MAX_MESSAGE} characters, got {len(self.message)}")
        for name, least, most in (("ring", 5, MAX_RING), ("limit", 1, MAX_LIMIT), ("detection", *_DETECTION)):
            if not least <= (value := getattr(self, name)) <= most or int(value) != value:
                raise DialError(f"expected {name} in whole seconds from {least} to {most}, got {value!r}")
        if self.poll <= 0:
            raise DialError(f"expected poll in seconds, more than 0, got {self.poll!r}")
        if self.send_digits and self.machine != "ignore":
            raise DialError("send_digits and the detection of machines exclude each other: use machine='ignore'")
        if self.wait and self.machine == "ignore":
            raise DialError("expected wait=True with a machine that is not ignored: there is nothing to wait for")

    def fields(self, callback: str) -> dict[str, str]:
        """The fields of the order that Twilio gets for the detection of machines.

        Source: https://www.twilio.com/docs/voice/answering-machine-detection

        Args:
            callback: URL that is told who has answered.
        """
        if self.machine == "ignore":
            return {}
        # Only who leaves a message has to hear the greeting out; the others learn of a machine while it speaks.
        found = {
            "MachineDetection": "DetectMessageEnd" if self.machine == "message" else "Enable",
            "MachineDetectionTimeout": str(self.detection),
        }
        if not self.wait:
            found |= {"AsyncAmd": "true", "AsyncAmdStatusCallback": callback, "AsyncAmdStatusCallbackMethod": "POST"}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call."""

    status: Literal["answered", "busy", "no answer", "failed", "canceled"]
    """``answered`` also by a machine; ``canceled``: somebody has hung up for us before it was answered."""
    call_sid: str = ""
    """Twilio's id of it; empty when Twilio did not take the order."""
    answered_by: str = ""
    """``human``, ``machine``, ``fax``, ``unknown``; empty when nobody looked, or it was not found out."""
    message_left: bool = False
    """Whether the machine was told the whole message."""
    report: CallReport | None = None
    """Of the conversation; None when there was none in this process."""
    duration: int | None = None
    """Seconds from the answer to the end, when Twilio has said."""
    why: str = ""
    """When it was not answered: why, and what to do."""
    code: int = 0
    """Twilio's error code (https://www.twilio.com/docs/errors); 0 when there is none."""

"""One call that was dialled: what is known of it, and what is done when a machine has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Literal

from voiceloop.call import Call
from voiceloop.frames import CallStart
from voiceloop.processor import Processor
from voiceloop.report import CallReport
from voiceloop.server.dial_options import DialOptions, Outcome
from voiceloop.server.webhook import CallStatus, who_answered
from voiceloop.twilio.rest_records import FINAL

__all__ = ["MESSAGE_LEFT", "Dialled", "leave_message"]

MESSAGE_LEFT: Final = "message left"
"""Reason for the end of a call that has left its message."""
_ORDER: Final = ("queued", "initiated", "ringing", "in-progress")
_MISSED: Final[dict[str, Literal["busy", "no answer", "failed", "canceled"]]] = {
    "busy": "busy",
    "no-answer": "no answer",
    "failed": "failed",
    "canceled": "canceled",
}
_WHY: Final = {
    "busy": "the line was busy",
    "no-answer": "nobody answered within {ring} s",
    "canceled": "the call was hung up before it was answered",
    "failed": "Twilio could not connect the call",
}
_SIP: Final = {
    "404": "there is no such number",
    "410": "the number is no longer in use",
    "480": "the telephone cannot be reached right now",
    "484": "the number is incomplete",
    "503": "the carrier could not connect it",
    "603": "the call was declined",
}


def leave_message(call: Call, text: str) -> None:
    """Leave a message on the machine that records now: all else that is being said is cut off, the text is spoken once
    and as a whole, and the call ends when it was heard."""
    for answer in call.unheard_answers():
        call.interrupt(answer)
    call.say(text, interruptible=False)
    call.hang_up(MESSAGE_LEFT)
    call.to_be_heard = True


class Dialled:
    """A call that was dialled, as it is seen from here. Its news come in any order, and more than once.

    Args:
        sid: of the call.
        options: how it was ordered; None while that is not known.
    """

    def __init__(self, sid: str, options: DialOptions | None = None) -> None:
        self.sid = sid
        self.options = options
        self.status = "queued"
        self.since = asyncio.get_running_loop().time()
        """When that became known, seconds on the loop's clock."""
        self.fields: Mapping[str, str] = {}
        """All that Twilio has said of the status."""
        self.duration: int | None = None
        self.parties: tuple[str, str] | None = None
        """Numbers: who is called, and who calls; None while that is not known."""
        self.heard = ""
        """What the detection has found, as Twilio says it."""
        self.call: Call | None = None
        """While it is on a line of this process."""
        self.report: CallReport | None = None
        self.news = asyncio.Event()
        self.waiting_since: float | None = None
        """Since when something is to be done to the call that could not be done yet."""
        self._answered = False
        self._began = False
        self._acted = False

    @property
    def over(self) -> bool:
        """Whether Twilio says so."""
        return self.status in FINAL

    @property
    def answered(self) -> bool:
        """Whether it was answered."""
        # Hung up by somebody else of us while it rang, it may be said to be completed, too.
        return self.status not in _MISSED and (self._answered or bool(self.duration))

    @property
    def who(self) -> str:
        """Who has answered: ``human``, ``machine``, ``fax``, ``unknown``; empty while that is not known."""
        return who_answered(self.heard)

    # --- news ----------------------------------------------------------------------------------------------

    def told(self, news: CallStatus) -> None:
        """A status callback."""
        self.parties = (news.number, news.caller)
        if news.duration is not None:
            self.duration = news.duration
        self.went_on(news.status, news.fields)
        self.found(news.fields.get("AnsweredBy", ""))

    def went_on(self, status: str, fields: Mapping[str, str] | None = None) -> None:
        """A status is known, if it is later than the one before."""
        if self.over or status == self.status:
            return
        if status not in FINAL and (status not in _ORDER or _ORDER.index(status) < _ORDER.index(self.status)):
            return
        self.status = status
        self._answered |= status == "in-progress"
        self.fields = fields or {}
        self.since = asyncio.get_running_loop().time()
        self.news.set()

    def found(self, heard: str) -> None:
        """The detection has found who has answered. What it says first counts, but for the end of a greeting."""
        if not heard or (self.heard and not (self.heard == "machine_start" and heard.startswith("machine_end"))):
            return
        self.heard = heard
        if self.call is not None:
            self.call.answered_by = self.who
        self.act()

    def connected(self, call: Call) -> None:
        """It is on a line of this process."""
        self.call = call
        self._began = False
        self._acted = False  # on a line that comes back, a message that was cut off is spoken once more
        self.parties = (call.number, call.caller)
        call.answered_by = call.answered_by or self.who
        call.observe(_Attendant(self._started))
        call.on_end(self._reported)
        if self.status in _ORDER:
            self.went_on("in-progress")

    def _started(self, call: Call) -> None:
        # Not in the course of the call: what is done to it from outside stands in its recording.
        asyncio.get_running_loop().call_soon(self._on_line, call)

    def _on_line(self, call: Call) -> None:
        if self.call is not call:
            return
        self._began = True
        if call.answered_by and not self.heard:  # the detection was waited for
            self.heard = "machine_end_other" if call.answered_by == "machine" else call.answered_by
        self.act()

    def _reported(self, report: CallReport) -> None:
        self.report = report
        self.call = None
        self.news.set()

    # --- what is done --------------------------------------------------------------------------------------

    @property
    def wanted(self) -> str:
        """What is to be done now because of who has answered: ``hang up``, ``message``; empty: nothing."""
        if self.options is None or self.options.machine == "ignore" or self._acted:
            return ""
        if self.who == "fax":
            return "hang up"
        if self.who != "machine" or self.options.machine == "tell":
            return ""
        if self.options.machine == "message" and self.heard == "machine_start":
            return ""  # its greeting goes on
        return self.options.machine

    def act(self) -> None:
        """Do what is wanted, if the call is here and has begun."""
        wanted = self.wanted
        if not wanted or self.options is None:
            return
        if self.call is None or not self._began:
            if self.waiting_since is None:
                self.waiting_since = asyncio.get_running_loop().time()
                self.news.set()
            return
        self.done()
        if wanted == "message":
            leave_message(self.call, self.options.message)
        else:
            self.call.end(self.who)

    def done(self) -> None:
        """What was wanted has been done."""
        self._acted = True
        self.waiting_since = None

    @property
    def message_left(self) -> bool:
        """Whether the whole message was heard on the other end."""
        if self.report is None or self.report.reason != MESSAGE_LEFT or self.options is None:
            return False
        said = [message for message in self.report.conversation if message.role == "assistant"]
        return bool(said) and said[-1].text == self.options.message and not said[-1].unheard

    def outcome(self, options: DialOptions) -> Outcome:
        """What came of it, when it is over."""
        answered = self.answered
        code = self.fields.get("ErrorCode", "")
        return Outcome(
            status="answered" if answered else _MISSED.get(self.status, "canceled"),
            call_sid=self.sid,
            answered_by=self.who,
            message_left=self.message_left,
            report=self.report,
            duration=self.duration,
            why="" if answered else self._why(options),
            code=int(code) if code.isascii() and code.isdigit() and len(code) < 10 else 0,
        )

    def _why(self, options: DialOptions) -> str:
        sip = self.fields.get("SipResponseCode", "")
        told = f" ({_SIP[sip]}: SIP {sip})" if self.status == "failed" and sip in _SIP else ""
        return _WHY.get(self.status, _WHY["canceled"]).format(ring=options.ring) + told


class _Attendant(Processor):
    """Stands behind the pipeline and says when the call has begun."""

    def __init__(self, started: Callable[[Call], None]) -> None:
        self._tell: Callable[[Call], None] | None = started

    def on_call_start(self, start: CallStart) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(self.call)

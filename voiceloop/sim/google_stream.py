"""One stream of Google's simulator: requests in, responses out, limits, and faults that were ordered."""

from __future__ import annotations

import asyncio
import random
from bisect import insort
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from voiceloop.sim.google_listen import RATE, Listener
from voiceloop.sim.google_recognition import Outcome, Recognition, Timing
from voiceloop.sim.google_wire import Config, Refused, Wire

__all__ = ["TEXTS", "Fault", "Limits", "Stream", "StreamRecord"]

_EARLY = 1e-9
TEXTS = {
    "UNAVAILABLE": "The service is currently unavailable.",
    "RESOURCE_EXHAUSTED": "Quota exceeded for quota metric 'Streaming requests' and limit 'Streaming requests per "
    "minute per region' of service 'speech.googleapis.com' for consumer 'project_number:1'.",
    "UNAUTHENTICATED": "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential.",
    "PERMISSION_DENIED": "Cloud Speech-to-Text API has not been used in project 1 before or it is disabled. Enable it "
    "by visiting https://console.developers.google.com/apis/api/speech.googleapis.com/overview?project=1 then retry.",
    "INTERNAL": "Internal error encountered.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with a stream, and when. Without `after` and `at` it does at once."""

    how: Literal["status", "stall", "cut", "end"] = "status"
    """``status``: it ends with `code`; ``stall``: no more responses; ``cut``: the connection breaks; ``end``: it ends
    well, though the client has not half-closed."""
    code: str = "UNAVAILABLE"
    """Name of the gRPC status."""
    text: str = ""
    """Its text; empty for a usual one."""
    after: int | None = None
    """Responses that are given first."""
    at: float | None = None
    """Seconds of audio that are taken first."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a stream ends. Audio in seconds of the stream's audio; idle in seconds on the loop's clock.

    Sources: reports of users, see docs/google.md.
    """

    v1: float = 305.0
    """Audio of a stream of v1."""
    v2: float = 300.0
    """Audio of a stream of v2."""
    idle: float = 10.0
    """Without audio (v1) or any request (v2); 5 to 10 s have been reported."""
    clock: bool = True
    """Whether the length of a stream is limited by the clock too, not only by its audio."""


@dataclass(slots=True)
class StreamRecord:
    """What became of one stream."""

    number: int
    version: str
    opened: float
    """When, seconds on the loop's clock."""
    config: Config | None = None
    """None until the first request has come."""
    audio: float = 0.0
    """Seconds that were taken."""
    half_closed: float | None = None
    """When the client had no more to say."""
    closed: float | None = None
    """When it ended."""
    status: str = ""
    """``OK``, the name of a gRPC status, ``CANCELLED`` when the client left; empty while it goes on."""
    responses: int = 0
    finals: int = 0


class Stream:
    """One `StreamingRecognize`."""

    def __init__(
        self,
        wire: Wire,
        record: StreamRecord,
        listener: Listener,
        *,
        timing: Timing,
        limits: Limits,
        fault: Fault | None,
        seed: int,
        split: bool,
        ends: str,
        bills: bool,
    ) -> None:
        self._wire = wire
        self.record = record
        self._limits = limits
        self._fault = fault
        self._split = split
        self._bills = bills
        self._recognition = Recognition(listener, timing, random.Random(f"{seed} {record.number}"), ends=ends)
        self._samples = 0
        self._flush = timing.flush
        self._due: list[Outcome] = []
        self._refused: Refused | None = None
        self._half_closed = self._over = self._stalled = self._deaf = self._timed_out = False
        self._last = record.opened  # when audio (v1) or a request (v2) came last
        self._news = asyncio.Event()

    async def responses(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Answer. Raises `Refused` for a status other than OK."""
        reader = asyncio.create_task(self._read(requests), name=f"google sim: requests of stream {self.record.number}")
        try:
            while (outcome := await self._next()) is not None:
                if (response := self._response(outcome)) is not None:
                    self.record.responses += 1
                    self.record.finals += outcome.kind == "final"
                    yield response
            if self._bills:
                yield self._wire.billed(-int(-self.record.audio // 1))
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    # --- requests ---

    async def _read(self, requests: AsyncIterator[Any]) -> None:
        try:
            self._strike()
            async for request in requests:
                await self._request(request)
                self._news.set()
            self._half_closed = True
            self.record.half_closed = self._now()
            if self.record.config is None:
                raise self._wire.malordered()
            await self._finish()
        except Refused as refused:
            self._refused = refused
        self._news.set()

    async def _request(self, request: Any) -> None:
        if self.record.config is None:
            self.record.config = self._wire.first(request)
            self._last = self._now()
            return
        audio = self._wire.audio(request)
        self._last = self._now()
        if self._deaf:
            return
        self._samples += len(audio)
        self.record.audio = self._samples / RATE
        self._check_length()
        self._add(await self._recognition.hear(audio, self._last))
        self._check_activity(self.record.config)
        self._strike()

    def _add(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            config = self.record.config
            if outcome.kind == "final":  # overtakes interims that are not out yet
                self._due = [each for each in self._due if each.kind != "interim" or each.due <= outcome.due]
            if outcome.kind == "final" and config is not None and config.single:
                insort(self._due, Outcome(outcome.due, "utterance", outcome.end), key=_due)
                self._deaf = True
            insort(self._due, outcome, key=_due)

    async def _finish(self) -> None:
        now = self._now()
        self._add([] if self._deaf else await self._recognition.finish(now))
        if self._flush is not None:
            for outcome in self._due:
                outcome.due = min(outcome.due, now + self._flush)
        self._over = True

    # --- limits ---

    def _check_length(self) -> None:
        limit = self._limits.v1 if self._wire.version == "v1" else self._limits.v2
        clock = self._now() - self.record.opened if self._limits.clock else 0.0
        if max(self.record.audio, clock) <= limit + _EARLY:
            return
        if self._wire.version == "v1":
            raise Refused("OUT_OF_RANGE", f"Exceeded maximum allowed stream duration of {limit:g} seconds.")
        raise Refused("ABORTED", f"Max duration of {limit / 60:g} minutes reached for stream.")

    def _check_activity(self, config: Config) -> None:
        """The time-outs of voice activity: v1 tells, v2 ends the stream."""
        loud = self._recognition.loud_end
        since = self._recognition.position - (loud or 0)
        limit = config.start_timeout if loud is None else config.end_timeout
        if self._timed_out or not limit or since < limit * RATE:
            return
        self._timed_out = True
        if self._wire.version == "v1":
            self._due.append(Outcome(self._now(), "timeout", self._recognition.position / RATE))
        else:
            self._deaf = self._over = True

    def _idle(self) -> Refused:
        if self._wire.version == "v1":
            text = "Audio Timeout Error: Long duration elapsed without audio. Audio should be sent close to real time."
            return Refused("OUT_OF_RANGE", text)
        return Refused("ABORTED", "Stream timed out after receiving no more client requests.")

    def _strike(self) -> None:
        """Fail if it is time to."""
        fault = self._fault
        if fault is None or (fault.at is not None and self.record.audio < fault.at):
            return
        if fault.after is not None and self.record.responses < fault.after:
            return
        self._fault = None
        if fault.how == "stall":
            self._stalled = True
        elif fault.how == "end":
            self._due.clear()
            self._deaf = self._over = True
        elif fault.how == "cut":
            raise Refused("UNAVAILABLE", fault.text or "recvmsg:Connection reset by peer")
        else:
            raise Refused(fault.code, fault.text or TEXTS.get(fault.code, f"{fault.code}, as ordered."))

    # --- responses ---

    async def _next(self) -> Outcome | None:
        """The next outcome when it is due; None at the end."""
        while True:
            if self._fault is not None and self._fault.after is not None and self._fault.after <= self.record.responses:
                self._strike()
            if self._refused is not None:
                raise self._refused
            now = self._now()
            if self._due and not self._stalled and self._due[0].due <= now + _EARLY:
                return self._due.pop(0)
            if self._over and not self._due and not self._stalled:
                return None
            await self._wait(now)

    async def _wait(self, now: float) -> None:
        idle = None if self._half_closed else self._last + self._limits.idle
        if idle is not None and idle <= now + _EARLY:
            self._raise_idle()
        moments = [when for when in (idle, self._due[0].due if self._due and not self._stalled else None) if when]
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(moments) if moments else None):
                await self._news.wait()

    def _raise_idle(self) -> NoReturn:
        raise self._idle()

    def _response(self, outcome: Outcome) -> Any:
        config = self.record.config
        assert config is not None
        if outcome.kind in _EVENTS:
            always = outcome.kind in ("utterance", "timeout")
            if not config.events and not always:
                return None
            return self._wire.event(_EVENTS[outcome.kind], outcome.end)
        space = "" if outcome.first else " "
        texts = [word.text for word in outcome.words]
        if outcome.kind == "final":
            words = outcome.words if config.word_times else ()
            return self._wire.final(space + " ".join(texts), outcome.end, config.language, words)
        if not config.interim:
            return None
        if self._split and len(texts) > 1:
            pieces = [(space + " ".join(texts[:-1]), 0.9), (f" {texts[-1]}", 0.01)]
        else:
            pieces = [(space + " ".join(texts), 0.9 if len(texts) > 1 else 0.01)]
        return self._wire.interim(pieces, outcome.end, config.language)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _due(outcome: Outcome) -> float:
    return outcome.due


_EVENTS = {
    "begin": "SPEECH_ACTIVITY_BEGIN",
    "end": "SPEECH_ACTIVITY_END",
    "utterance": "END_OF_SINGLE_UTTERANCE",
    "timeout": "SPEECH_ACTIVITY_TIMEOUT",
}

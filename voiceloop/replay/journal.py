"""The journal of a call that is driven again: gives back what came from outside, and compares what goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

from voiceloop.call import Call
from voiceloop.conversation import ToolResult
from voiceloop.flight.entries import PROVIDERS, SENT_PLACE, Kind, failure_text
from voiceloop.flight.items import decode_canned, encode_item, from_json, hashed, parts_of, to_json
from voiceloop.flight.notes import FlightNotes
from voiceloop.flight.reader import Flight
from voiceloop.flight.report import report_values
from voiceloop.journal import Judged
from voiceloop.processor import Processor
from voiceloop.replay.driver import Driver
from voiceloop.replay.loop import ReplayLoop
from voiceloop.replay.read_back import RecordedFailure, failure_of_entry, probabilities
from voiceloop.report import CallReport
from voiceloop.runtime import Canned

__all__ = ["ReplayJournal"]

R = TypeVar("R")
T = TypeVar("T")


class ReplayJournal(Driver):
    """Stands at the gate of a call that is driven again.

    Args:
        flight: the recording.
        loop: on which the call runs.
    """

    def __init__(self, flight: Flight, loop: ReplayLoop) -> None:
        super().__init__(flight, loop)
        self._judged = probabilities(flight.entries)
        self._canned: dict[str, Canned] = {}
        self._notes = FlightNotes(self._note, self._note_sent)
        self.report: dict[str, Any] | None = None

    def observers(self) -> Sequence[Processor]:
        """What notes what passes, to compare."""
        return (self._notes,)

    def began(self, call: Call, processors: Sequence[Processor]) -> None:
        """The call is about to run."""
        self._call = call

    def now(self) -> float:
        """The recording's time."""
        return self.loop.time() if self.free else self._at

    def item(self, kind: str, item: object) -> None:
        """It was given."""
        self._expect(Kind.ITEM, PROVIDERS.index(kind), encode_item(item), f"{kind} gives something else")

    def message(self, message: str | bytes, take: Callable[[str | bytes], None]) -> None:
        """Messages come from the recording only."""

    def inbound(self, message: str | bytes, event: object) -> None:
        """It was given."""

    def ended(self, kind: str, failure: tuple[str, str] | None) -> None:
        """It was given."""
        self._expect(Kind.ENDED, PROVIDERS.index(kind), failure_text(failure), f"{kind} ends otherwise")

    def sent(self, kind: str, detail: str | bytes) -> None:
        """A message for the carrier."""
        if isinstance(detail, bytes):
            self._expect(Kind.MEDIA_OUT, 0, detail, "the caller gets other audio")
        else:
            made = Kind.MARK_OUT if kind == "mark" else Kind.CLEAR_OUT
            self._expect(made, 0, detail.encode(), "the carrier gets another message")
        if not self.free:
            self.messages += 1

    def requested(self, kind: str, request: Mapping[str, Any]) -> None:
        """A request, by its hash."""
        parts = [hashed(name, part) for name, part in parts_of(request)]
        self._parts.update(parts)
        hashes = b"".join(digest for digest, _ in parts)
        self._expect(Kind.REQUEST, PROVIDERS.index(kind), hashes, f"{kind} is asked something else")

    async def _may(self, what: tuple[Kind, int]) -> None:
        while not self.free and not self._allowed[what]:
            self._asks[what] = self.loop.create_future()
            await self._asks[what]
        if not self.free:
            self._allowed[what] -= 1

    async def asked(self, number: int) -> None:
        """The voice asks for text: it does when the recording says so."""
        await self._may((Kind.ASK, number))

    async def took(self, number: int) -> None:
        """It gets some, likewise."""
        await self._may((Kind.TOOK, number))

    def canned(self, text: str, found: Canned | None) -> Canned | None:
        """What the recording had."""
        if self.free:
            return None
        entry = self.peek()
        if entry is None:
            return None
        if entry.kind is not Kind.CANNED:
            self._differ(entry, f"{text!r} is to be said", "something is said that was not")
        recorded, speech = decode_canned(entry.content)
        if recorded != text:
            self._differ(entry, f"{text!r} is to be said", f"something else is said than {recorded!r}")
        self.take()
        if not entry.number:
            return None
        if speech is not None:
            self._canned[text] = speech
        return self._canned[text]

    def probability(self, value: Callable[[bytes], float], window: bytes) -> float:
        """What the model said."""
        return 0.0 if self.free else next(self._judged, 0.0)

    def judging(self, take: Judged) -> Judged:
        """The recording says when, and what: no model is asked."""
        self._judging[self.number("vad")] = take
        return take

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """Wait until it came, failed or was given up; what stands in for it takes no time."""
        given_up: asyncio.CancelledError | None = None
        while not self.free and self.next_in(Kind.AWAITED) is None and not self.leaving:
            try:
                await self.arrival()
            except asyncio.CancelledError as error:  # the recording says whether it minded
                given_up = error
        entry = self.next_in(Kind.AWAITED)
        if entry is not None:
            self.take()
            if entry.content:
                raise failure_of_entry(entry)
        if given_up is not None and (entry is None or not entry.number):
            raise given_up
        return await work()

    async def tool(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """What the tool gave; it is not run again."""
        while (entry := self.next_in(Kind.TOOL)) is None:
            if self.leaving:
                raise RecordedFailure("the recording does not say what the tool gave")
            await self.arrival()
        self.take()
        outcome = from_json(entry.content)
        fault = outcome["fault"]
        result = ToolResult(**outcome["result"])
        return SimpleNamespace(result=result, fault=None if fault is None else tuple(fault), seconds=outcome["seconds"])

    async def hand_over(self, step: Callable[[], Awaitable[None]]) -> None:
        """What the carrier said; it is not asked again."""
        while (entry := self.next_in(Kind.HAND_OVER)) is None:
            if self.leaving:
                raise RecordedFailure("the recording does not say what the carrier did")
            await self.arrival()
        self.take()
        if entry.content:
            raise failure_of_entry(entry)

    def close(self, report: CallReport) -> None:
        """The call is over."""
        self.report = report_values(report)

    # --- notes ---

    def _note(self, note: dict[str, Any]) -> None:
        self._expect(Kind.NOTE, 0, to_json(note), "the call takes another course")

    def _note_sent(self, answer: int, at: float, position: int) -> None:
        self._expect(Kind.SENT, answer, SENT_PLACE.pack(at, position), "audio belongs elsewhere")

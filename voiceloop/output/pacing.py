"""How much audio may be sent, and when: a bounded lead over real time, in steps worth waking up for."""

from __future__ import annotations

from voiceloop.output.events import RATE, PlayoutOptions
from voiceloop.output.transit import Transit
from voiceloop.output.voice import Voice, bytes_at

__all__ = ["FRAME", "Pacing"]

FRAME = 160
"""Bytes (20 ms) the carrier may take from its buffer at once."""
_SLACK = 0.001
"""Seconds: a timer may fire a hair early and must find its room."""
_LEAST = 0.6
"""Share of the largest step that a step has at least: up to the next mark behind that."""


class Pacing:
    """Keeps what was sent within the lead. What is sent at once ends at a mark where one is near, so that neither marks
    nor steps cut the audio into more messages than there are of the other."""

    __slots__ = ("_chunk", "_every", "_gather", "_lead", "_least", "_low", "_step", "_transit")

    def __init__(self, options: PlayoutOptions, transit: Transit) -> None:
        self._lead = options.lead
        self._gather = options.gather
        self._low = options.margin
        self._chunk = bytes_at(options.chunk)
        self._every = bytes_at(options.mark_every)
        self._step = bytes_at(options.lead - options.margin)
        self._least = max(self._chunk, round(_LEAST * self._step))
        self._transit = transit

    def sendable(self, voice: Voice) -> tuple[float, bool]:
        """From when on the next step may go, seconds; and whether all of that step was given, so that nothing but room
        is waited for."""
        head, waiting = self._transit.head, voice.total - voice.sent
        if size := self._whole(voice, waiting):
            return head - self._lead + size / RATE + _SLACK, True
        return head - (self._low if waiting >= self._chunk else self._gather), False

    def allowance(self, voice: Voice, now: float) -> int:
        """How many bytes may go now. After an underrun or a stall, too, never more than the lead."""
        waiting, ahead = voice.total - voice.sent, self._transit.ahead(now)
        if not waiting:
            return 0
        room = int((self._lead - ahead) * RATE + 1e-6)
        if size := self._whole(voice, waiting):
            return size if size <= room else 0
        enough = self._low if waiting >= self._chunk else self._gather
        return min(room, waiting) if ahead <= enough + _SLACK else 0

    def _whole(self, voice: Voice, waiting: int) -> int:
        """Bytes of the next step, when the voice has given all of it; 0 when more of it is to be waited for, as long
        as there is time."""
        if waiting <= self._step and voice.finished:
            return waiting
        size = voice.mark_behind(self._least, self._every)
        size = min(size, self._step)
        return size if size <= waiting else 0

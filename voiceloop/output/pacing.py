"""How much audio may be sent, and when: a bounded lead over real time, in messages worth their while."""

from __future__ import annotations

from voiceloop.output.events import RATE, PlayoutOptions
from voiceloop.output.transit import Transit
from voiceloop.output.voice import Voice, bytes_at

__all__ = ["FRAME", "Pacing"]

FRAME = 160
"""Bytes (20 ms) the carrier may take from its buffer at once; a smaller message only when there is no more audio."""
_SLACK = 0.001
"""Seconds: a timer may fire a hair early and must find its room."""


class Pacing:
    """Keeps what was sent within the lead. When there is room for a chunk, all room is used."""

    __slots__ = ("_chunk", "_gather", "_lead", "_transit")

    def __init__(self, options: PlayoutOptions, transit: Transit) -> None:
        self._lead = options.lead
        self._gather = options.gather
        self._chunk = bytes_at(options.chunk)
        self._transit = transit

    def sendable(self, voice: Voice) -> float:
        """From when on the next message may go, seconds."""
        head = self._transit.head
        room = head - self._lead + min(voice.total - voice.sent, self._chunk) / RATE
        return max(room, head - self._gather) if self._scrap(voice) else room

    def allowance(self, voice: Voice, now: float, *, filling: bool) -> int:
        """How many bytes may go in one message now. After an underrun or a stall, too, never more than the lead.

        Args:
            voice: whose audio is next.
            now: seconds.
            filling: True when another message has just gone.
        """
        waiting, ahead = voice.total - voice.sent, self._transit.ahead(now)
        if not waiting or (self._scrap(voice) and ahead > self._gather + _SLACK):
            return 0
        room = int((self._lead - ahead) * RATE + 1e-6)
        wanted = min(waiting, FRAME if filling else self._chunk)
        return min(room, waiting, self._chunk) if room + _SLACK * RATE >= wanted else 0

    def _scrap(self, voice: Voice) -> bool:
        """Too little to be worth a message while there is time."""
        return voice.total - voice.sent < self._chunk and not voice.finished

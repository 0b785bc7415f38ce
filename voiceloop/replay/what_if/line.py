"""The telephone line of a what-if: the recorded caller's audio, keys and hang-up, on the recording's own clock."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from voiceloop.flight.entries import Entry, Kind
from voiceloop.flight.reader import BadFlight, Flight
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.delay import DelayLine
from voiceloop.sim.playback import BLOCK, RATE, SILENCE

__all__ = ["LineFacts", "RecordedCarrier", "line_of"]

TICK: Final = BLOCK / RATE
ROUND_TRIP: Final = 0.12
"""Seconds, where no mark tells: what the streamer itself guesses (`PlayoutOptions.round_trip`)."""
AFTER: Final = 30.0
"""Seconds for which the caller is silent on the line where the recorded call was over, and today's is not."""
_SPARE: Final = 60.0
"""Seconds by which timestamps may go beyond the length of the recording."""
_QUIET: Final = SILENCE[:1]


@dataclass(slots=True)
class LineFacts:
    """What a recording says of its line. Times are seconds on its loop's clock."""

    began: float
    """When the call began here."""
    begins: float
    """When the stream began at the carrier, as seen from here: its first sample, and a one-way delay later here."""
    audio: bytes
    """What the caller said, mu-law, by the media timestamps; silence where nothing came."""
    arrivals: dict[int, float]
    """When each block of 20 ms came, by its number."""
    first_timestamp: int
    """Of the first media message, milliseconds."""
    round_trip: float
    """The shortest from a mark sent into an empty buffer to its echo."""
    measured: bool
    """Whether a mark told that."""
    keys: list[tuple[float, str]] = field(default_factory=list)
    """When each came here."""
    hung_up: float | None = None
    """When the caller was gone; None when the agent ended the call, or the recording ends before that."""
    stop_missing: bool = False
    """Whether that came without a ``stop``."""
    ends: float = 0.0
    """When the recorded call was over."""

    @property
    def one_way(self) -> float:
        """From the carrier to here. It cannot be known: half of the round trip is taken."""
        return self.round_trip / 2

    @property
    def lead(self) -> int:
        """Blocks of silence in front of the first audio, where the call began before that came.

        A multiple of eight: so the windows of a model of voice activity, 20 or 32 ms, lie as they lay.
        """
        return 8 * max(0, math.ceil((self.begins + self.one_way - self.began - 1e-6) / (8 * TICK)))

    @property
    def dialled(self) -> float:
        """When the carrier is to begin."""
        return self.begins - self.lead * TICK


def line_of(flight: Flight) -> LineFacts:
    """What a recording says of its line.

    Raises:
        BadFlight: nothing was heard of the caller.
    """
    media = [entry for entry in flight.entries if entry.kind is Kind.MEDIA_IN]
    if not media:
        raise BadFlight(f"{flight.path} holds no audio of the caller: there is nothing to ask 'what if' about")
    first = min(entry.number for entry in media[:50])
    audio, arrivals = _audio(media, first, flight.entries[-1].at - flight.header["at"] + _SPARE)
    trip = _round_trip(flight.entries)
    round_trip = ROUND_TRIP if trip is None else trip
    earliest = min(at - (block + 1) * TICK for block, at in arrivals.items())
    line = LineFacts(flight.header["at"], earliest - round_trip / 2, audio, arrivals, first, round_trip, trip is not None)
    line.ends = flight.entries[-1].at
    for entry in flight.entries:
        if line.hung_up is None and (act := _ACTS.get(entry.kind)) is not None:
            act(line, entry)
        if entry.kind is Kind.MOMENT and entry.text == "end":
            line.ends = entry.at
            break
    return line


def _audio(media: list[Entry], first: int, longest: float) -> tuple[bytes, dict[int, float]]:
    """The caller's audio by its timestamps, and when the end of each block came."""
    audio = bytearray()
    arrivals: dict[int, float] = {}
    for entry in media:
        start = (entry.number - first) * RATE // 1000
        end = start + len(entry.content)
        if start < 0 or end > longest * RATE:
            continue  # a timestamp that cannot be
        if len(audio) < end:
            audio += _QUIET * (end - len(audio))
        audio[start:end] = entry.content
        for block in range(-(-start // BLOCK), max(-(-end // BLOCK), -(-start // BLOCK) + 1)):
            arrivals.setdefault(block, entry.at)
    return bytes(audio), arrivals


def _round_trip(entries: list[Entry]) -> float | None:
    """The shortest time from a mark sent into an empty buffer to its echo."""
    head = -math.inf
    sent: dict[str, float] = {}
    best: float | None = None
    for entry in entries:
        if entry.kind is Kind.MEDIA_OUT:
            head = max(head, entry.at) + len(entry.content) / RATE
        elif entry.kind is Kind.CLEAR_OUT:
            head = entry.at
            sent.clear()  # what comes back now may have been flushed
        elif entry.kind is Kind.MARK_OUT and head <= entry.at:
            sent[entry.text] = entry.at
        elif entry.kind is Kind.OTHER_IN and sent:
            name = _event(entry).get("mark", {}).get("name", "")
            if name in sent:
                trip = entry.at - sent.pop(name)
                best = trip if best is None else min(best, trip)
    return best


def _event(entry: Entry) -> dict[str, Any]:
    try:
        event = json.loads(entry.text)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _message(line: LineFacts, entry: Entry) -> None:
    event = _event(entry)
    if event.get("event") == "stop":
        line.hung_up = entry.at
    elif event.get("event") == "dtmf":
        line.keys.append((entry.at, str(event.get("dtmf", {}).get("digit", ""))))


def _disconnected(line: LineFacts, entry: Entry) -> None:
    if entry.text.startswith('["end",["disconnected"'):
        line.hung_up, line.stop_missing = entry.at, True


_ACTS: Final[dict[Kind, Callable[[LineFacts, Entry], None]]] = {Kind.OTHER_IN: _message, Kind.API: _disconnected}


class RecordedCarrier(Carrier):
    """A carrier whose caller is the recorded one, and whose messages come when the recorded ones came.

    Args:
        line: of the recording.
    """

    def __init__(self, url: str, line: LineFacts, **given: Any) -> None:
        lead = line.lead
        options = CarrierOptions(
            delay_from_server=line.round_trip - line.one_way,
            delay_to_server=line.one_way,
            first_timestamp=line.first_timestamp - lead * 20,
            drop_stop=line.stop_missing,
        )
        super().__init__(url, options=options, **given)
        self.line = line
        self._lead = lead
        self._late = 0.0
        self._to_server = DelayLine(self._wire.send, line.one_way, held=self._held)
        self.say(_QUIET * (lead * BLOCK) + line.audio)

    def _held(self, sent: float, due: float) -> float:
        """When a message arrives: as the recorded one, or as late as the last of those."""
        if sent == self.truth.started:
            return max(due, self.line.began)
        block = round((sent - self.truth.started) / TICK) - 1 - self._lead
        arrived = self.line.arrivals.get(block)
        if arrived is not None and abs(sent - self.truth.started - (block + 1 + self._lead) * TICK) < TICK / 4:
            self._late = max(0.0, arrived - due)
        return due + self._late

    async def talk(self) -> None:
        """Press the caller's keys and hang up when they did; returns when the call is over."""
        loop = asyncio.get_running_loop()
        line = self.line
        for at, key in line.keys:
            loop.call_at(max(loop.time(), at - line.one_way), self._key, key)
        leaves = line.ends + AFTER if line.hung_up is None else line.hung_up - line.one_way
        waiting = asyncio.ensure_future(self.wait_ended())
        await asyncio.wait({waiting}, timeout=max(0.0, leaves - loop.time()))
        if not waiting.done():
            await self.hang_up()
        await waiting

    def _key(self, key: str) -> None:
        if not self.ended and key in "0123456789*#ABCD":
            self.press(key)

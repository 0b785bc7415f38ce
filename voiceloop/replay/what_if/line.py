"""The telephone line of a what-if: the recorded caller's audio, keys and hang-up, on the recording's own clock."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from voiceloop.flight.entries import Entry, Kind
from voiceloop.flight.reader import BadFlight, Flight
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.delay import DelayLine
from voiceloop.sim.playback import BLOCK, RATE, SILENCE

__all__ = ["LineFacts", "RecordedCarrier", "line_of", "windows_of"]

TICK: Final = BLOCK / RATE
ROUND_TRIP: Final = 0.12
"""Seconds, where no mark tells: what the streamer itself guesses (`PlayoutOptions.round_trip`)."""
SOON: Final = 1.0
"""Seconds by which today's call may be over later than the recorded one without a word about it."""
AFTER: Final = 30.0
"""Seconds for which the caller is silent on the line where the recorded call was over, and today's is not."""
_HAIR: Final = 1e-6  # seconds: sums of blocks are off by less
_LOST: Final = 0.1  # a longer gap is lost audio for the model of voice activity, seconds
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
    """When the recorded call was over, or the recording is."""
    ended: bool = False
    """Whether it was the call."""
    dead_from: float | None = None
    """When the last message came, of a line that went dead before the call was over."""

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
    line = LineFacts(
        flight.header["at"], earliest - round_trip / 2, audio, arrivals, first, round_trip, trip is not None
    )
    line.ends = flight.entries[-1].at
    last = 0.0
    for entry in flight.entries:
        last = entry.at if entry.kind in (Kind.MEDIA_IN, Kind.OTHER_IN) else last
        if line.hung_up is None and (act := _ACTS.get(entry.kind)) is not None:
            act(line, entry)
        if entry.kind is Kind.MOMENT and entry.text == "end":
            line.ends, line.ended = entry.at, True
            break
    if last < line.ends - SOON and line.hung_up is None:
        line.dead_from = last
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


def windows_of(flight: Flight, probabilities: Sequence[float], window: int) -> dict[int, float]:
    """How likely each window of the caller's audio held speech, by its number among windows without a gap.

    As `voiceloop.vad.processor` cuts them: behind audio that was lost it begins anew.
    """
    values = iter(probabilities)
    judged: dict[int, float] = {}
    media = [entry for entry in flight.entries if entry.kind is Kind.MEDIA_IN]
    first = min((entry.number for entry in media[:50]), default=0)
    waiting, end = 0, 0  # samples that are in no window yet, and where the audio ends
    for entry in media:
        start = (entry.number - first) * RATE // 1000
        if start - end > _LOST * RATE:
            waiting = 0
        end = start + len(entry.content)
        waiting += len(entry.content)
        while waiting >= window:
            value = next(values, None)
            if value is None:
                return judged
            judged[round((end - waiting) / window)] = value
            waiting -= window
    return judged


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
    except (ValueError, RecursionError):  # an outsider may have sent anything
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
        if arrived is not None and abs(sent - self.truth.started - (block + 1 + self._lead) * TICK) < _HAIR:
            self._late = max(0.0, arrived - due)
        return due + self._late

    async def talk(self, beyond: Callable[[], None]) -> None:
        """Press the caller's keys and hang up when they did; returns when the call is over.

        Args:
            beyond: called when the recorded call is over, by the agent's doing, and today's is not.
        """
        loop = asyncio.get_running_loop()
        line = self.line
        for at, key in line.keys:
            loop.call_at(max(loop.time(), at - line.one_way), self._key, key)
        if line.dead_from is not None:
            loop.call_at(max(loop.time(), line.dead_from + TICK / 2), self._to_server.break_off)
        waiting = asyncio.ensure_future(self.wait_ended())
        if line.hung_up is None:
            await asyncio.wait({waiting}, timeout=max(0.0, line.ends + SOON - loop.time()))
            if not waiting.done() and line.ended:
                beyond()
                await asyncio.wait({waiting}, timeout=AFTER)
        else:
            await asyncio.wait({waiting}, timeout=max(0.0, line.hung_up - line.one_way - loop.time()))
        if not waiting.done():
            await self.hang_up()
        await waiting

    def _key(self, key: str) -> None:
        if not self.ended and key in "0123456789*#ABCD":
            self.press(key)

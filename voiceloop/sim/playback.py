"""The carrier's playback buffer: one FIFO of audio and marks, played at 8000 bytes a second. Pure.

Time is counted in samples of 1/8000 s since the start of the stream, as whole numbers; `tick` plays the next 20 ms.

The rules, from Twilio's documentation of the ``media``, ``mark`` and ``clear`` messages
(https://www.twilio.com/docs/voice/media-streams/websocket-messages) and of error 31931:

1. Audio of any length is appended and played in order. What does not fit in the buffer is discarded.
2. An empty buffer plays silence; the next audio starts when it comes, nothing is caught up.
3. A mark is echoed when all audio before it has been played; at once, when nothing is left to play.
4. ``clear`` drops the audio and echoes all pending marks at once, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["BLOCK", "QUIET", "RATE", "SILENCE", "Mark", "Playback", "Segment"]

RATE: Final = 8000
"""Samples, and bytes, a second."""
BLOCK: Final = 160
"""Samples played by one tick: 20 ms."""
SILENCE: Final = b"\xff" * BLOCK
"""One block of mu-law silence."""
QUIET: Final = bytes(code for code in range(256) if code & 0x7F >= 0x73)
"""Mu-law codes nobody would call a sound: amplitude at most 100 of 32768, -50 dBFS."""


@dataclass(slots=True, eq=False)
class Mark:
    """A mark the agent has set, and what became of it."""

    name: str
    set_at: float
    """When it reached the carrier, seconds on the loop's clock."""
    echoed_at: float | None = None
    """When the carrier echoed it (for the first time), seconds on the loop's clock; None while it is pending, or when
    it never was."""
    reached_at: float | None = None
    """When all audio before it had been played, seconds on the loop's clock, whatever was echoed; None when that has
    not happened."""
    flushed: bool = False
    """True when a ``clear`` dropped audio that stood before it; False when all of that was played."""


@dataclass(slots=True, frozen=True)
class Segment:
    """A range of the bytes of one media message, and what became of it."""

    message: int
    """Number of the media message, from 0."""
    offset: int
    """Where the range begins in the message's audio, bytes."""
    size: int
    """Length of the range, bytes."""
    start: int
    """When its first byte was played, samples since the start of the stream; when it was dropped, if `flushed`."""
    flushed: bool
    """True when a ``clear``, or the end of the stream, dropped it before it was heard."""


@dataclass(slots=True, eq=False)
class _Chunk:
    audio: bytes
    message: int
    position: int = 0  # of the next byte to play
    start: int = 0  # when the first byte was played, samples


class Playback:
    """The buffer of one stream, and the record of what was heard.

    Args:
        capacity: audio held at most, bytes. Twilio's is 10 minutes.
        echo_on_clear: whether ``clear`` echoes the pending marks, as Twilio's documentation says; otherwise they are
            never echoed, a fault seen at carriers that copy the protocol.
        is_answer_end: says of a mark's name that the agent's answer ends there: running dry behind it is no underrun.
    """

    def __init__(
        self,
        *,
        capacity: int = 600 * RATE,
        echo_on_clear: bool = True,
        is_answer_end: Callable[[str], bool] = lambda name: name.startswith("end:"),
    ) -> None:
        self.heard = bytearray()
        """What the line carried to the caller, mu-law, from the start of the stream."""
        self.segments: list[Segment] = []
        """Fates of the media messages' bytes, in order of their ends; what is still buffered is not listed."""
        self.runs: list[tuple[int, int, int]] = []
        """Uninterrupted playing of the agent's audio: first sample, number of bytes, bytes played before it."""
        self.underruns: list[tuple[int, int]] = []
        """Silences inside an answer because its audio came too late: first sample, number of samples."""
        self.buffered = 0
        """Bytes waiting to be played."""
        self.discarded = 0
        """Bytes that did not fit in the buffer."""
        self.sound_end = 0
        """One past the last sample heard that was louder than `QUIET`."""
        self._capacity = capacity
        self._echo_on_clear = echo_on_clear
        self._is_answer_end = is_answer_end
        self._fifo: deque[_Chunk | Mark] = deque()
        self._reached: list[Mark] = []  # marks inside the block that is being played
        self._messages = 0
        self._busy_until = 0  # end of the last byte taken from the buffer, samples
        self._boundary = True  # nothing of an answer was played since the last answer's end or clear

    def play(self, audio: bytes) -> int:
        """Append the audio of one media message. Returns how many bytes at its end did not fit."""
        message = self._messages
        self._messages += 1
        excess = max(0, self.buffered + len(audio) - self._capacity)
        if excess:
            self.discarded += excess
            audio = audio[: len(audio) - excess]
        if audio:
            self._fifo.append(_Chunk(audio, message))
            self.buffered += len(audio)
        return excess

    def mark(self, mark: Mark, now: int) -> list[Mark]:
        """Append a mark; `now` in samples. Returns the marks to be echoed: this one, if nothing is left to play."""
        if self._fifo or self._reached or now < self._busy_until:
            self._fifo.append(mark)
            return []
        self._reach(mark)
        return [mark]

    def clear(self, now: int) -> tuple[int, list[Mark]]:
        """Drop all audio; `now` in samples. Returns the number of bytes dropped and the marks to be echoed, in order.

        The block that is being played is not taken back.
        """
        echoes = self._reached
        self._reached = []
        dropped = self.buffered
        for item in self._fifo:
            if isinstance(item, Mark):
                item.flushed = self.buffered < dropped  # some byte before it was dropped
                echoes.append(item)
            else:
                self._flush(item, now)
        self._fifo.clear()
        self._busy_until = 0  # the buffer is empty now: the next mark is echoed at once
        self._boundary = True
        return dropped, echoes if self._echo_on_clear else []

    def ahead(self, now: int) -> int:
        """Samples until all that is buffered will have been played; `now` in samples."""
        return self.buffered + max(0, self._busy_until - now)

    def finish(self, now: int) -> None:
        """The stream is over: what is buffered is never heard."""
        for item in self._fifo:
            if isinstance(item, _Chunk):
                self._flush(item, now)
        self._fifo.clear()

    def tick(self) -> list[Mark]:
        """Play the next block. Returns the marks to be echoed: all audio before them has been played by now."""
        fifo = self._fifo
        if not fifo and not self._reached:
            self.heard += SILENCE
            return []
        echoes = self._reached
        self._reached = []
        self._pass_marks(echoes)
        start = len(self.heard)
        end = start + BLOCK
        at = start
        while at < end and fifo:
            chunk = fifo[0]
            if isinstance(chunk, Mark):
                self._pass_marks(self._reached)
                continue
            at = self._take(chunk, at, end)
        if at < end:
            self.heard += SILENCE[: end - at]
        if at > start and (loud := len(self.heard[start:at].rstrip(QUIET))):
            self.sound_end = start + loud
        return echoes

    def _take(self, chunk: _Chunk, at: int, end: int) -> int:
        """Play from the chunk at the head until `end` or the chunk is used up. Returns how far that went, samples."""
        if chunk.position == 0:
            chunk.start = at
            self._note_start(at)
        piece = chunk.audio[chunk.position : chunk.position + end - at]
        size = len(piece)
        self.heard += piece
        self.buffered -= size
        chunk.position += size
        first, length, before = self.runs[-1]
        self.runs[-1] = (first, length + size, before)
        self._busy_until = at + size
        if chunk.position == len(chunk.audio):
            self._fifo.popleft()
            self.segments.append(Segment(chunk.message, 0, chunk.position, chunk.start, flushed=False))
        return at + size

    def _note_start(self, at: int) -> None:
        """Audio of a message begins: does it follow the one before, or is there a gap, and was it meant to be?"""
        first, length, before = self.runs[-1] if self.runs else (0, 0, 0)
        if not self.runs or first + length < at:
            self.runs.append((at, 0, before + length))
            if not self._boundary:
                self.underruns.append((first + length, at - first - length))
        self._boundary = False

    def _pass_marks(self, into: list[Mark]) -> None:
        fifo = self._fifo
        while fifo and isinstance(fifo[0], Mark):
            mark = fifo.popleft()
            assert isinstance(mark, Mark)
            self._reach(mark)
            into.append(mark)

    def _reach(self, mark: Mark) -> None:
        if self._is_answer_end(mark.name):
            self._boundary = True

    def _flush(self, chunk: _Chunk, now: int) -> None:
        if chunk.position:
            self.segments.append(Segment(chunk.message, 0, chunk.position, chunk.start, flushed=False))
        rest = len(chunk.audio) - chunk.position
        self.buffered -= rest
        self.segments.append(Segment(chunk.message, chunk.position, rest, now, flushed=True))

"""Where a voice pauses, from its audio alone, as it comes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voiceloop.output.events import RATE

__all__ = ["Pause", "Pauses"]

_FRAME: Final = RATE // 100
_LOUDNESS: Final = bytes(~code & 0x7F for code in range(256))
"""The seven magnitude bits of mu-law, the right way up. They grow by 16 with every 6 dB, above -40 dBFS: their mean
is a level."""
_QUIET: Final = 0.2
"""Share of the loudest level that is silence: about 30 dB below, for a voice as loud as voices on a phone are."""
_FAINT: Final = 0.1
"""Share below which a sound has faded away at the end of a word."""
_FADING: Final = 0.1 * RATE
"""Bytes that this takes at most."""
_FADES: Final = 0.9995
"""What is left of the loudest level after a frame: half of it after 14 s."""
_SHORTEST: Final = 0.045 * RATE
"""Bytes of silence that may be a pause. What is shorter is a plosive."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence between two sounds."""

    start: int
    """Where the sound before it has faded away, bytes from the first sample."""
    stop: int
    """Where the next begins."""
    size: int
    """Bytes, with what is faint of the sound before."""


class Pauses:
    """The pauses of one voice."""

    __slots__ = ("_faint", "_level", "_rest", "_size", "_sounded", "begun", "found")

    def __init__(self) -> None:
        self._level: float = 20 * _FRAME  # of the loudest sound; at first that of a soft voice
        self._rest = b""
        self._size = 0
        self._faint = 0  # where the last sound has faded away, as far as it has
        self.begun: int | None = None
        """Where the first sound begins, bytes; None while there was none."""
        self._sounded = 0
        self.found: list[Pause] = []
        """Those that are over, in order."""

    @property
    def sounded(self) -> int:
        """Where the last sound so far ends, bytes."""
        return self._faint

    def add(self, audio: bytes) -> None:
        """More audio, mu-law."""
        loud = (self._rest + audio if self._rest else audio).translate(_LOUDNESS)
        whole = len(loud) - len(loud) % _FRAME
        level, at = self._level, self._size
        for start in range(0, whole, _FRAME):
            mean = sum(loud[start : start + _FRAME])
            level = mean if mean > level else level * _FADES
            if mean > level * _QUIET:
                self._sound(at + start)
            elif self._faint == at + start and mean > level * _FAINT and self._faint - self._sounded < _FADING:
                self._faint += _FRAME
        self._level, self._size = level, at + whole
        # translate() is its own inverse but for the sign, which does not matter here
        self._rest = loud[whole:].translate(_LOUDNESS)

    def assume(self, total: int) -> None:
        """Take so many bytes, of which none were given, to be sound."""
        if total and not self._size and not self._rest:
            self.begun, self._sounded, self._faint = 0, total, total

    def finish(self) -> None:
        """No more comes: what is left counts as a frame."""
        if self._rest:
            self.add(b"\xff" * (_FRAME - len(self._rest)))

    def _sound(self, at: int) -> None:
        if self.begun is None:
            self.begun = at
        elif at - self._sounded >= _SHORTEST:
            self.found.append(Pause(min(self._faint, at), at, at - self._sounded))
        self._sounded = self._faint = at + _FRAME

"""Where speech really ended: a detector hears it late. Pure.

A neural detector goes on for a tenth of a second after the last sound of a word, and how long a caller waits is
counted from that sound. So when it reports a pause, the audio before is looked at again.
"""

from __future__ import annotations

from voiceloop.audio.levels import rms

__all__ = ["SpeechEnd"]

RATE = 8000
FRAME = 80
"""Samples that are judged together: 10 ms."""
MEMORY = 12_000
"""Samples of the past that are looked at: 1.5 s."""
KEPT = MEMORY + 4000
"""Samples that are kept at least: a detector's word may come later than the audio it is about, by 0.5 s."""
REACH = 2400
"""Samples before the detector's end that are looked at: 0.3 s."""
BELOW_PEAK = 30.0
"""A frame so many times softer (30 dB) than the loudest of the last second and a half is no speech any more."""
FLOOR = 60.0
"""Nor is one below this amplitude (-55 dBFS)."""


class SpeechEnd:
    """Remembers the latest audio of one line."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self.heard = 0
        """Samples so far."""

    def hear(self, audio: bytes) -> None:
        """The next piece of audio, mu-law."""
        self._audio += audio
        self.heard += len(audio)
        if len(self._audio) > 2 * KEPT:  # seldom: it moves what is kept
            del self._audio[: len(self._audio) - KEPT]

    def before(self, ago: int, later: int = 0) -> int:
        """How many samples ago the last sound of speech was, given the detector's word: `ago` to `ago` + REACH.

        Args:
            ago: samples from the detector's end of speech to the end of what it had heard.
            later: samples that were heard since: what they hold changes nothing.
        """
        until = max(0, len(self._audio) - later)
        audio = bytes(self._audio[max(0, until - MEMORY) : until])
        end = len(audio) - ago
        if end < FRAME:
            return ago
        levels = [rms(audio[at : at + FRAME]) for at in range(end % FRAME, end, FRAME)]
        threshold = max(FLOOR, max(levels) / BELOW_PEAK)
        quiet = 0
        for level in reversed(levels[-REACH // FRAME :]):
            if level > threshold:
                break
            quiet += FRAME
        return ago + quiet

"""What a voice gives, looked at before it is played."""

from __future__ import annotations

from voiceloop.pull import ProviderFailed
from voiceloop.tts.base import Speech

__all__ = ["accepted"]

_SLACK = 0.1
"""Seconds by which a time may lie before the first sample, for being rounded."""
_LATEST = 3600.0
"""Seconds; a later time of a word is none."""


def accepted(speech: object, voice: str) -> Speech:
    """A piece that can be played. Words without usable times are left out: what was heard is judged by the others.

    Args:
        voice: its name, for messages.

    Raises:
        ProviderFailed: it is none.
    """
    if not isinstance(speech, Speech):
        raise ProviderFailed(f"{voice} gave {speech!r:.100}, expected Speech")
    if not isinstance(speech.audio, bytes | bytearray | memoryview):
        raise ProviderFailed(f"{voice} gave Speech with {speech.audio!r:.100}, expected its audio as bytes")
    usable = [word for word in speech.words if -_SLACK <= word.start <= word.end < _LATEST]  # not what is no number
    if len(usable) == len(speech.words):
        return speech
    return Speech(speech.audio, tuple(usable))

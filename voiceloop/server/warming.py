"""What calls use without saying so when they begin: done once before the first of them, which else would pay for it.

A rehearsal (`voiceloop.rehearsal`) warms what a bot's pipeline needs to begin. What a turn needs beyond that is here:
modules that are imported where they are used, parts of numpy that are, and the word lists of a language, which are
made ready when the first words come. In the first call each held the loop for some milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Final

from voiceloop.audio.dtmf import tones
from voiceloop.language import Cues
from voiceloop.turns.completeness import evidence
from voiceloop.turns.endpointing import SoFar
from voiceloop.turns.prosody import ending

__all__ = ["warm_process"]

_LATER: Final = (
    "numpy.fft",
    "numpy.ma",  # by numpy.median
    "voiceloop.filler",
    "voiceloop.audio.keyboard",
    "voiceloop.audio.resample",
    "voiceloop.audio.wav",
    "voiceloop.server.outgoing",
)
"""Imported by functions, when a call first runs them."""
_VOWEL: Final = (b"\x80" * 4 + b"\x00" * 4 + b"\xff" * 56) * 125
"""A second of clicks, 125 of them: a voice, for those who look for its pitch."""


def warm_process(languages: Iterable[Cues] = ()) -> None:
    """Import what calls import, and run once what takes longer the first time. Takes some hundredths of a second.

    Args:
        languages: words that tell something in the languages that calls begin in.
    """
    for name in _LATER:
        import_module(name)
    ending(_VOWEL)
    tones("1")
    for cues in languages:
        evidence(SoFar("1 2", "?", cues=cues))

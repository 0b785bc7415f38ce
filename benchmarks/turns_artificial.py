"""Artificial sentences for a short run of `turns_endpointing.py`, which then needs no recordings and no models."""

from __future__ import annotations

import numpy as np
from turns_noise import RATE
from turns_recordings import Recording

from voiceloop.audio import mulaw
from voiceloop.sim.artificial import Lexicon

__all__ = ["sentences"]

SAID = (
    ("order", "can i get a small latte with oat milk please"),
    ("order", "a large mocha and a green tea"),
    ("digits", "four one five two zero nine"),
    ("read", "he was here on monday but he left before noon"),
    ("command", "book a room for two people"),
)


def sentences() -> tuple[list[Recording], dict[str, list[int]]]:
    """Recordings and where pauses can be put into them: behind every word."""
    lexicon = Lexicon()
    made, places = [], {}
    for number, (kind, text) in enumerate(SAID):
        audio, words = lexicon.speak(text)
        samples = mulaw.decode(audio[: round(words[-1].end * RATE)]).astype(np.float32) / np.float32(32768)
        room = np.full(129, 1e-4, np.float32)
        made.append(Recording(f"artificial {number}", text, kind, samples * np.float32(0.5), room, ()))
        places[f"artificial {number}"] = [round(word.end * RATE) + 160 for word in words[:-1]]
    return made, places

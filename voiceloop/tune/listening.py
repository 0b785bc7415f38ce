"""What turn-taking gets to know of a clip: when speech starts and pauses, and what is understood when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from voiceloop.tune.clips import Clip, Noticed, TrueTurn
from voiceloop.tune.words import Recogniser, Stretch
from voiceloop.vad.base import VADModel
from voiceloop.vad.detector import SpeechDetector, Started, VADOptions
from voiceloop.vad.speech_end import SpeechEnd

__all__ = ["TAIL", "Track", "listen", "notice", "stretches_of"]

RATE: Final = 8000
BLOCK: Final = 160
"""Samples that a carrier sends at a time: 20 ms."""
TAIL: Final = 2.0
"""Seconds for which the line stays open behind the last sample."""
QUIET: Final = b"\xff"


@dataclass(frozen=True, slots=True)
class Track:
    """What is heard of a clip, in the order in which it becomes known."""

    name: str
    stretches: tuple[Stretch, ...]
    """Speech between two short silences."""
    recogniser: Recogniser
    turns: tuple[TrueTurn, ...]
    """The truth, which nobody is told."""
    audio: bytes = field(default=b"", repr=False)
    """Mu-law, 8000 Hz: what an endpointing that judges the sound hears."""
    asked: tuple[tuple[float, str], ...] = ()
    """What the agent said, each when it was over."""

    @property
    def pauses(self) -> list[float]:
        """Seconds of every pause that was noticed inside a turn. Only there a caller can be cut off."""
        return [
            after.started - before.ended
            for before, after in pairwise(self.stretches)
            if any(turn.started < before.ended < turn.ended and after.started < turn.ended for turn in self.turns)
        ]


def listen(
    clip: Clip,
    recogniser: Callable[[Clip, Sequence[Stretch]], Recogniser],
    vad: VADModel | None = None,
    options: VADOptions | None = None,
) -> Track:
    """Hear a clip.

    Args:
        clip: with as much silence behind its last sample as it has; more is put there.
        recogniser: what makes one: `voiceloop.tune.words.Known`, `Recorded` or `voiceloop.tune.moonshine.Heard`.
        vad: the model of voice activity; None for what was noticed in the recorded call.
        options: when speech is held to begin and to pause.

    Raises:
        ValueError: there is no model, and the clip is no recorded call.
    """
    audio = clip.audio
    if vad is not None:
        audio += QUIET * round(TAIL * RATE) if clip.ears is None else b""
        noticed: Sequence[Noticed] = notice(audio, vad, options)
    elif clip.ears is not None:
        noticed = clip.ears.noticed
    else:
        raise ValueError(f"{clip.name} is no recorded call: a model of voice activity is needed")
    stretches = tuple(stretches_of(noticed))
    asked = clip.ears.asked if clip.ears is not None else ()
    return Track(clip.name, stretches, recogniser(clip, stretches), clip.turns, audio, asked)


def notice(audio: bytes, model: VADModel, options: VADOptions | None = None) -> list[Noticed]:
    """When speech is noticed to begin and to pause, as `voiceloop.vad.processor` would push it.

    Args:
        audio: mu-law, 8000 Hz; comes in blocks of 20 ms, each when its last sample was spoken.
    """
    line, detector, end = model.new_line(), SpeechDetector(options), SpeechEnd()
    window, position, noticed = model.window, 0, []
    for block in range(BLOCK, len(audio) + 1, BLOCK):
        end.hear(audio[block - BLOCK : block])
        while position + window <= block:
            probability = line.probability(audio[position : position + window])
            events = detector.feed(probability, position, window)
            position += window
            for event in events:
                ago = block - event.at_sample
                speaking = isinstance(event, Started)
                at = block - (ago if speaking else end.before(ago))
                noticed.append(Noticed(block / RATE, at / RATE, speaking))
    return noticed


def stretches_of(noticed: Sequence[Noticed]) -> Iterator[Stretch]:
    """What was noticed, in pairs. Speech that goes on when the clip ends is left out."""
    begun: Noticed | None = None
    for each in noticed:
        if each.speaking:
            begun = begun or each
        elif begun is not None:
            yield Stretch(begun.at, begun.now, max(each.at, begun.at), each.now)
            begun = None

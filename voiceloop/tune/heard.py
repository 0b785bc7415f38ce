"""A recogniser that listens: the utterance so far at each first short silence, as in a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from itertools import takewhile
from typing import Final

from voiceloop.frames import Transcript
from voiceloop.stt.base import STT, Flush
from voiceloop.stt.processor import PRE_ROLL
from voiceloop.tune.clips import Clip
from voiceloop.tune.words import Answer, Stretch

__all__ = ["Heard", "heard_by"]

RATE: Final = 8000
QUIET: Final = b"\xff"


def heard_by(stt: STT, cost: float) -> Callable[[Clip, Sequence[Stretch]], Heard]:
    """What makes a recogniser for each clip.

    Args:
        stt: hears all clips; one that needs no event loop of its own, such as `voiceloop.stt.moonshine.Moonshine`.
        cost: seconds it takes for an answer, on the clock of the clip.
    """
    return lambda clip, stretches: Heard(clip, stretches, stt, cost)


class Heard:
    """What a recogniser makes of a clip. Whatever it was asked once is kept."""

    def __init__(self, clip: Clip, stretches: Sequence[Stretch], stt: STT, cost: float) -> None:
        self._clip, self._stretches, self._stt, self._cost = clip, stretches, stt, cost
        self._texts: dict[tuple[int, int], str] = {}

    def answers(self, first: int, last: int) -> list[Answer]:
        """See `voiceloop.tune.words.Recogniser`. Blocks while it is recognised; not on an event loop, please."""
        if (first, last) not in self._texts:
            asyncio.run(self._hear(first, self._until(last)))
        return [Answer(self._stretches[last].paused + self._cost, self._texts[first, last], True)]

    def _until(self, last: int) -> int:
        """The last stretch of the turn: it will be asked about next."""
        end = max((turn.ended for turn in self._clip.turns if turn.started <= self._stretches[last].ended), default=0.0)
        return last + sum(1 for _ in takewhile(lambda each: each.started < end, self._stretches[last + 1 :]))

    async def _hear(self, first: int, last: int) -> None:
        texts: dict[int, str] = {}
        asked = iter(range(first, last + 1))
        async with aclosing(self._stt.transcribe(self._audio(first, last))) as given:
            async for item in given:
                if isinstance(item, Transcript):
                    texts[item.segment] = item.text
                elif isinstance(item, Flush):
                    stretch = next(asked)
                    self._texts[first, stretch] = " ".join(texts[key] for key in sorted(texts) if texts[key])
                    if stretch == last:
                        return

    async def _audio(self, first: int, last: int) -> AsyncIterator[bytes | Flush]:
        stretches, audio = self._stretches, self._clip.audio
        position = max(0, round((stretches[first].noticed - PRE_ROLL) * RATE))
        for number, stretch in enumerate(stretches[first : last + 1]):
            end = round(stretch.paused * RATE)
            piece = audio[position:end]
            yield piece + QUIET * (end - position - len(piece))
            yield Flush(number)
            position = end

"""The voice of a what-if: to each text what it spoke of the same text when the call was recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final, Self

from voiceloop.flight.items import NotKept
from voiceloop.frames import Word
from voiceloop.replay.read_back import failure_of_entry
from voiceloop.replay.what_if.desk import Desk, sleep_until
from voiceloop.replay.what_if.ground import Standing
from voiceloop.replay.what_if.recorded import Recorded, Taken, VoiceRequest
from voiceloop.served import Served
from voiceloop.tts.base import TTS, Speech

__all__ = ["WhatIfTTS"]

RATE: Final = 8000
PACE: Final = 0.065
"""Seconds of speech for a character, where the recording does not say."""
GRACE: Final = 0.1
"""Seconds for today's call to call a voice off where the recorded one was."""


class _Text:
    """What the voice is to say, as it comes."""

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._pieces = aiter(pieces)
        self.given = ""
        self.over = False

    async def more(self) -> bool:
        """Wait for the next piece; False when there is none."""
        if self.over:
            return False
        try:
            self.given += await anext(self._pieces)
        except StopAsyncIteration:
            self.over = True
        return not self.over


class WhatIfTTS(TTS):
    """Speaks from the recording: a text that was recorded sounds as it did, each piece as long after what it follows.

    For what was never said, or was cut off in the recording and is to be heard today, silence of the voice's own pace
    stands in, with words at even distances.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._pace = _pace(desk.recorded)

    def for_language(self, language: str) -> Self:
        """The same."""
        return self

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Served, None]:
        """Speak."""
        words = _Text(text)
        await words.more()
        request = self._find(words.given)
        if request is None:
            while await words.more():
                pass
            if words.given.strip():
                self._leave(f"{words.given.strip()!r} was never said: silence of about its length stands in")
                yield self._stand_in(words.given, 0.0)
            return
        request.used = True
        spoken: list[Speech] = []
        async for item in self._speak(request, words):
            if isinstance(item, Speech):
                spoken.append(item)
            yield item
        while await words.more():
            pass
        if rest := self._rest(request, words.given, spoken):
            yield self._stand_in(rest, sum(len(each.audio) for each in spoken) / RATE)

    def _find(self, beginning: str) -> VoiceRequest | None:
        """A recorded request whose text begins so: one that was not spoken yet before one that was."""
        voices = self._desk.recorded.voices
        same = [each for each in voices if each.text and each.text.startswith(beginning)]
        return next((each for each in same if not each.used), same[0] if same else None)

    async def _speak(self, request: VoiceRequest, words: _Text) -> AsyncGenerator[Any, None]:
        """The recorded voice goes through its text: asks for more when it did, and gives what it gave then."""
        loop = asyncio.get_running_loop()
        made = request.made
        took = 1  # the first piece is here
        for _ in range(request.before - took):  # what a try before it had taken
            await words.more()
        took = max(took - request.before, 0)
        last, due = made.at, loop.time()  # the step before: then, and today
        for at, step in request.steps:
            if not isinstance(step, Taken):
                due = max(loop.time(), due + at - last)
                await sleep_until(due)
                if not isinstance(step, NotKept):
                    yield step
            elif step.got:
                took -= 1
                if took < 0:
                    await words.more()
                due = loop.time()
            else:  # it asks; that the text is there only later is not its own doing
                due = max(loop.time(), due + at - last)
                await sleep_until(due)
            last = at
        await sleep_until(due + made.until - last)
        if made.failure is not None:
            raise failure_of_entry(made.failure)
        if made.ended is None:
            await sleep_until(loop.time() + GRACE)

    def _rest(self, request: VoiceRequest, given: str, spoken: list[Speech]) -> str:
        """What of a text the recording does not speak."""
        known = request.text or ""
        if request.made.ended is not None and given.strip() == known.strip():
            return ""
        if not given.startswith(known.rstrip()) and not known.startswith(given.rstrip()):
            self._leave(f"the text goes on otherwise than {known!r}: silence stands in for the rest of {given!r}")
            return given[_common(given, known) :]
        rest = given[self._spoken(given, spoken) :]
        if rest.strip():
            self._leave(f"the recorded voice was called off before {rest!r}: silence of about its length stands in")
        return rest

    def _spoken(self, given: str, spoken: list[Speech]) -> int:
        """Characters of a text that were spoken: by the words, or by the length of a voice that gives none."""
        said = sum(len(each.words) for each in spoken)
        if not said:
            return min(len(given), round(sum(len(each.audio) for each in spoken) / RATE / self._pace))
        ends = [found.end() for found in re.finditer(r"\S+", given)]
        return ends[min(said, len(ends)) - 1] if ends else 0

    def _stand_in(self, text: str, after: float) -> Speech:
        words = text.split()
        if not words:
            return Speech()
        made, at = [], after
        for word in words:
            seconds = self._pace * (len(word) + 1)
            made.append(Word(word, at, at + seconds))
            at += seconds
        return Speech(b"\xff" * round((at - after) * RATE), tuple(made))

    def _leave(self, what: str) -> None:
        self._desk.ground.leave(asyncio.get_running_loop().time(), Standing.STAND_IN, what)


def _pace(recorded: Recorded) -> float:
    """Seconds of speech for a character."""
    seconds, characters = 0.0, 0
    for each in recorded.voices:
        if each.made.ended is not None and each.made.failure is None and each.text:
            seconds += sum(len(item.audio) for _, item in each.made.items if isinstance(item, Speech)) / RATE
            characters += len(each.text.strip())
    return seconds / characters if characters and seconds else PACE


def _common(one: str, other: str) -> int:
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )

"""The text of one answer: read once from whoever writes it, handed to any number of voices."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

__all__ = ["Reader", "Script", "sounds"]

_SENTENCE = re.compile(r"[.!?…。！？][\"'”’)»\]*_`]*(?:\s|(?<=[。！？]))")
_LONG = 120
"""Characters after which a voice has something to say though no sentence has ended."""
_LONG_FIRST = 24
"""The same at the beginning: for its first words nobody should wait."""


def sounds(text: str) -> bool:
    """Whether there is anything to be spoken in a text."""
    return any(map(str.isalnum, text))


class Script:
    """Text as it is written, kept.

    Args:
        tell: called whenever there is more, or the end.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._waiting: list[asyncio.Future[None]] = []
        self._marks: list[tuple[int, float]] = []  # up to where a voice can speak, and since when, seconds
        self.text = ""
        self.over = False
        """No more will be written."""
        self.failure: BaseException | None = None
        """What whoever writes has raised."""
        self._reader: asyncio.Task[None] | None = None

    def read(self, source: AsyncIterator[str]) -> None:
        """Begin to read."""
        self._reader = asyncio.get_running_loop().create_task(self._read(source), name="text of an answer")

    async def _read(self, source: AsyncIterator[str]) -> None:
        now = asyncio.get_running_loop().time
        try:
            async for piece in source:
                done = self._marks[-1][0] if self._marks else 0
                self.text += piece
                sentence = max((found.end() for found in _SENTENCE.finditer(self.text, done)), default=done)
                sentence = len(self.text) if len(self.text) - sentence > (_LONG if done else _LONG_FIRST) else sentence
                if sentence > done:
                    self._marks.append((sentence, now()))
                self._wake()
        except Exception as error:
            self.failure = error
        self.over = True
        self._marks.append((len(self.text), now()))
        self._wake()

    def speakable(self, after: int) -> float | None:
        """Since when there is text behind a place that a voice need not wait for, seconds; None: there is none."""
        for end, since in self._marks:
            if end > after and sounds(self.text[after:end]):
                return since
        return None

    @property
    def ended(self) -> float | None:
        """When the end came, seconds."""
        return self._marks[-1][1] if self.over else None

    async def more(self, than: int) -> bool:
        """Wait until there is more text than so many characters; False when there never will be."""
        while len(self.text) <= than and not self.over:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
        return len(self.text) > than

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._tell()

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.cancel()


class Reader:
    """The script from a place on, for one voice. An iterator and no generator: it need not be closed."""

    def __init__(self, script: Script, start: int) -> None:
        self._script = script
        self._at = start

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> str:
        if not await self._script.more(self._at):
            raise StopAsyncIteration
        piece = self._script.text[self._at :]
        self._at += len(piece)
        return piece

"""What the caller says, cut into the blocks a carrier sends. Pure; times in samples since the start of the stream."""

from __future__ import annotations

from collections import deque

from voiceloop.sim.playback import BLOCK, SILENCE

__all__ = ["CallerSpeech"]


class CallerSpeech:
    """A queue of mu-law audio and the record of what went out of it; silence where nothing is said."""

    def __init__(self) -> None:
        self.said = bytearray()
        """What was said, from the start of the stream, with the block that is being spoken now."""
        self._queue: deque[memoryview] = deque()
        self._unsaid = 0

    def say(self, audio: bytes) -> int:
        """Say `audio` behind what is still being said, from the next block on. Returns when it begins, samples."""
        start = len(self.said) + self._unsaid
        if audio:
            self._queue.append(memoryview(audio))
            self._unsaid += len(audio)
        return start

    def hush(self) -> int:
        """Say no more. Returns how many bytes were not said."""
        unsaid = self._unsaid
        self._queue.clear()
        self._unsaid = 0
        return unsaid

    def next_block(self) -> None:
        """The next 20 ms begin."""
        room = BLOCK
        while self._queue and room:
            audio = self._queue.popleft()
            self.said += audio[:room]
            if len(audio) > room:
                self._queue.appendleft(audio[room:])
            spoken = min(room, len(audio))
            self._unsaid -= spoken
            room -= spoken
        self.said += SILENCE[:room]

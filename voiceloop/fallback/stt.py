"""Recognisers that stand in for each other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from voiceloop.fallback.hearing import Heard, Hearing
from voiceloop.fallback.members import SpokenMembers
from voiceloop.stt.base import STT, Flush

__all__ = ["FallbackSTT"]


class FallbackSTT(SpokenMembers[STT], STT):  # type: ignore[override]  # languages depend on the recognisers
    """Hears with the first recogniser that is well. When it fails, another one hears again what was not settled.

    It works per utterance or per call as its first recogniser does; the others are made to do the same. A segment is
    told as final only once all was settled.

    Raises, from `transcribe`: `FallbackFailed`.
    """

    @property
    def per_call(self) -> bool:  # type: ignore[override]  # depends on the recognisers
        """As the first one works."""
        return self.providers[0].per_call

    @property
    def chunk(self) -> float:  # type: ignore[override]  # depends on the recognisers
        """The shortest that one of them wants; the others are still woken as they want it."""
        return min(provider.chunk for provider in self.providers)

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Heard, None]:
        hearing = Hearing(self, per_call=self.per_call)
        try:
            hearing.begin(audio)
            while True:
                hearing.step()
                before = hearing.news.now()
                while hearing.out:
                    yield hearing.out.popleft()
                hearing.waited(hearing.news.now() - before)
                if hearing.over:
                    return
                if not hearing.ready():
                    await hearing.news.wait(hearing.decision())
        finally:
            hearing.close()

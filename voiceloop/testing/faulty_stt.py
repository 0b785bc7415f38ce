"""A recogniser of which some requests go wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from voiceloop.frames import Transcript
from voiceloop.served import Served
from voiceloop.stt.base import STT, Flush
from voiceloop.stt.google_errors import Status, explained
from voiceloop.testing.faulty_common import FaultySpeech, Items
from voiceloop.testing.faulty_faults import STTFault

__all__ = ["FaultySTT"]

GARBAGE = "\x00\x1b[2J\ufffd\ud800 …!? \u202e"


class FaultySTT(FaultySpeech[STTFault, STT], STT):
    """A recogniser of which some requests go wrong. A request is an utterance, or the whole call for a recogniser that
    listens to the whole call.

    Args:
        inner: the recogniser.
        faults: what goes wrong. Several of one request happen together.
        skip: requests before those that are counted.
    """

    def __init__(self, inner: STT, faults: Iterable[STTFault] = (), *, skip: int = 0) -> None:
        super().__init__(inner, faults, skip)
        self._last = Transcript("")
        self._withheld: list[Transcript] = []
        self._filters |= {
            "empty transcript": lambda items, fault: self._texts(items, fault, ""),
            "garbage": lambda items, fault: self._texts(items, fault, GARBAGE),
            "old utterance": self._old,
            "repeated final": self._repeated,
            "after the flush": self._after,
            "no flush": lambda items, fault: self._flushes(items, fault, ()),
            "wrong flush": lambda items, fault: self._flushes(items, fault, (Flush(), Flush())),
            "wrong type": self._wrong_type,
        }

    @property
    def per_call(self) -> bool:  # type: ignore[override]  # as the recogniser does
        """Whether one request is for the whole call."""
        return self.inner.per_call

    @property
    def chunk(self) -> float:  # type: ignore[override]  # as the recogniser does
        """Seconds of audio to gather before it is woken."""
        return self.inner.chunk

    @property
    def languages(self) -> tuple[str, ...] | None:  # type: ignore[override]  # as the recogniser does
        """What it understands."""
        return self.inner.languages

    def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush | Served, None]:
        """What the recogniser hears, or what becomes of it."""
        return self._remembered(self._broken(self.inner.transcribe(audio), self._begin()))

    def counts(self, item: Any) -> bool:
        return isinstance(item, Transcript)

    def limited(self, seconds: float) -> Exception:
        """As `GoogleSTT`."""
        wait = f" Retry in {seconds:g} s." if seconds else ""
        status = Status("RESOURCE_EXHAUSTED", f"Quota exceeded for quota metric 'Streaming recognize'.{wait}")
        return explained(status, model="", language="", location="", project="", host="speech.example")

    # --- what goes wrong -----------------------------------------------------------------------------------

    async def _remembered(self, items: Items) -> Items:
        """Keep the last words, and give those that were held back in the request before, behind the first flush."""
        late, self._withheld = self._withheld, []
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Transcript) and item.text:
                    self._last = item
                yield item
                if late and isinstance(item, Flush):
                    for each in late:
                        yield each
                    late = []

    async def _each(self, items: Items, fault: STTFault, change: Callable[[Transcript], Iterable[Any]]) -> Items:
        """Other items for each transcript behind the first ones."""
        given = 0
        async with aclosing(items):
            async for item in items:
                if not isinstance(item, Transcript) or given < fault.after:
                    given += isinstance(item, Transcript)
                    yield item
                    continue
                self.note(fault)
                for each in change(item):
                    yield each

    def _texts(self, items: Items, fault: STTFault, text: str) -> Items:
        return self._each(items, fault, lambda item: [replace(item, text=text)])

    def _repeated(self, items: Items, fault: STTFault) -> Items:
        return self._each(items, fault, lambda item: [replace(item, final=True), replace(item, final=True)])

    def _wrong_type(self, items: Items, fault: STTFault) -> Items:
        return self._each(items, fault, lambda item: [item.text])

    def _old(self, items: Items, fault: STTFault) -> Items:
        last = self._last

        def change(item: Transcript) -> list[Transcript]:
            nonlocal last
            old, last = last, Transcript("")
            return [Transcript(old.text, segment=old.segment, utterance=old.utterance), item] if old.text else [item]

        return self._each(items, fault, change)

    async def _after(self, items: Items, fault: STTFault) -> Items:
        given, before, now = 0, list[Transcript](), list[Transcript]()
        try:
            async with aclosing(items):
                async for item in items:
                    if isinstance(item, Transcript):
                        given += 1
                        if given > fault.after:
                            self.note(fault)
                            now.append(item)
                            continue
                    yield item
                    if isinstance(item, Flush):
                        before, now, due = now, [], before
                        for each in due:
                            yield each
        finally:
            self._withheld += [*before, *now]

    async def _flushes(self, items: Items, fault: STTFault, instead: Iterable[Flush]) -> Items:
        given = 0
        async with aclosing(items):
            async for item in items:
                given += isinstance(item, Transcript)
                if isinstance(item, Flush) and given >= fault.after:
                    self.note(fault)
                    for each in instead:
                        yield each
                else:
                    yield item

"""What the caller does, one item after the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from voiceloop.sim.caller import CallEnded, GaveUp
from voiceloop.testing.chaos.items import Item, to
from voiceloop.testing.chaos.words import text_of

if TYPE_CHECKING:
    from voiceloop.testing.chaos.scene import Scene
    from voiceloop.testing.dialled import Dialled

__all__ = ["Act", "HangsUp", "Hears", "Hums", "Interrupts", "Murmurs", "Presses", "Says", "StaysSilent"]

PATIENCE = 25.0
"""Seconds the caller waits at most for the agent to stop when it was spoken over."""


@dataclass(frozen=True, slots=True)
class Act(Item):
    """One of the things the caller does in a row."""

    group: ClassVar[str] = "caller"

    def join(self, scene: Scene) -> None:
        """The caller is no part of the scene: see `voiceloop.testing.chaos.plan.Plan.perform`."""

    async def perform(self, caller: Dialled) -> None:
        """Do it.

        Raises:
            CallEnded: the call is over.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Says(Act):
    """Speaks, whether or not the agent does."""

    kind: ClassVar[str] = "says"

    wait: float = to(0.0)
    """Seconds before it."""
    words: int = to(1)

    def __str__(self) -> str:
        return f"caller: {_after(self.wait)}says {_words(self.words)}"

    async def perform(self, caller: Dialled) -> None:
        await caller.waits(self.wait)
        await caller.says(text_of("k", self.number, self.words))


@dataclass(frozen=True, slots=True)
class Hears(Act):
    """Waits until the agent has spoken and fallen silent."""

    kind: ClassVar[str] = "hears"

    patience: float = to(0.5)
    """Seconds after which the caller waits no longer."""

    def __str__(self) -> str:
        return f"caller: listens until the agent has spoken, at most {self.patience:g} s"

    async def perform(self, caller: Dialled) -> None:
        await _unless_it_gives_up(lambda: caller.hears(timeout=self.patience))


@dataclass(frozen=True, slots=True)
class Interrupts(Act):
    """Speaks over the agent."""

    kind: ClassVar[str] = "interrupts"

    after: float = to(0.5)
    """Seconds the agent has been speaking by then; when it says less than that, nothing is said."""
    words: int = to(2)
    patience: float = to(0.5)
    """Seconds the caller waits for the agent to speak."""

    def __str__(self) -> str:
        return f"caller: interrupts with {_words(self.words)} when the agent has spoken for {self.after:g} s"

    async def perform(self, caller: Dialled) -> None:
        text = text_of("k", self.number, self.words)
        await _unless_it_gives_up(lambda: caller.interrupts(text, after=self.after, timeout=self.patience))


@dataclass(frozen=True, slots=True)
class Murmurs(Act):
    """Shows that they listen, while the agent speaks, and takes no turn."""

    kind: ClassVar[str] = "murmurs"

    after: float = to(0.5)
    """Seconds the agent has been speaking by then; when it says less than that, nothing is said."""
    words: str = to("mhm")
    """"mhm", "okay yeah"."""
    patience: float = to(0.5)
    """Seconds the caller waits for the agent to speak."""

    def __str__(self) -> str:
        return f'caller: says "{self.words}" when the agent has spoken for {self.after:g} s'

    async def perform(self, caller: Dialled) -> None:
        await _unless_it_gives_up(lambda: caller.interrupts(self.words, after=self.after, timeout=self.patience))


@dataclass(frozen=True, slots=True)
class Hums(Act):
    """Makes a noise that is no word: a cough, traffic, a hum."""

    kind: ClassVar[str] = "hums"

    wait: float = to(0.0)
    """Seconds before it."""
    seconds: float = to(0.1)
    loud: bool = to(True)
    """False: so softly that it is hardly speech."""

    def __str__(self) -> str:
        return f"caller: {_after(self.wait)}{'hums' if self.loud else 'breathes'} for {self.seconds:g} s"

    async def perform(self, caller: Dialled) -> None:
        await caller.waits(self.wait)
        if caller.carrier.ended:
            raise CallEnded("the call ended before the caller could make a noise")
        caller.carrier.say(_noise(self.number, self.seconds, self.loud))  # not as something that was said
        await caller.waits(self.seconds)


@dataclass(frozen=True, slots=True)
class Presses(Act):
    """Presses keys."""

    kind: ClassVar[str] = "presses"

    wait: float = to(0.0)
    """Seconds before it."""
    keys: str = to("1")

    def __str__(self) -> str:
        return f"caller: {_after(self.wait)}presses {self.keys}"

    async def perform(self, caller: Dialled) -> None:
        await caller.waits(self.wait)
        if caller.carrier.ended:
            raise CallEnded("the call ended before the caller could press a key")
        for index, key in enumerate(self.keys):
            if index:
                await caller.waits(0.25)
            if not caller.carrier.ended:
                await caller.presses(key)


@dataclass(frozen=True, slots=True)
class StaysSilent(Act):
    """Says nothing for a while, whatever the agent says."""

    kind: ClassVar[str] = "silent"

    seconds: float = to(0.0)

    def __str__(self) -> str:
        return f"caller: is silent for {self.seconds:g} s"

    async def perform(self, caller: Dialled) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.seconds
        await caller.carrier.when(lambda: loop.time() >= until)


@dataclass(frozen=True, slots=True)
class HangsUp(Act):
    """Hangs up, perhaps in the middle of a word; nothing comes after it."""

    kind: ClassVar[str] = "hangs up"

    wait: float = to(0.0)
    """Seconds before it."""
    words: int = to(0)
    """What the caller begins to say."""
    after: float = to(0.0)
    """Seconds into these words."""

    def __str__(self) -> str:
        speaking = f"{self.after:g} s into {_words(self.words)}" if self.words else ""
        return f"caller: {_after(self.wait)}hangs up {speaking}".rstrip()

    async def perform(self, caller: Dialled) -> None:
        await caller.waits(self.wait)
        speaking = asyncio.ensure_future(self._speak(caller))
        try:
            await caller.waits(self.after)
        finally:
            await caller.carrier.hang_up()
            await speaking
        raise CallEnded("the caller has hung up")

    async def _speak(self, caller: Dialled) -> None:
        if self.words and not caller.carrier.ended:
            await caller.says(text_of("k", self.number, self.words))


async def _unless_it_gives_up(act: Callable[[], Awaitable[object]]) -> None:
    """The agent need not do what the caller waits for: what it must do, the invariants say."""
    with suppress(GaveUp):
        await act()


def _after(wait: float) -> str:
    return f"after {wait:g} s " if wait else ""


def _words(count: int) -> str:
    return "1 word" if count == 1 else f"{count} words"


@lru_cache(maxsize=256)
def _noise(seed: int, seconds: float, loud: bool) -> bytes:
    """Mu-law noise that no artificial word sounds like: every fifth sample is silence."""
    codes = (0x05, 0x12, 0x85, 0x92) if loud else (0x62, 0x66, 0xE2, 0xE6)
    noise = bytearray(random.Random(f"noise {seed}").choices(codes, k=round(seconds * 8000)))
    noise[::5] = b"\xff" * len(noise[::5])
    return bytes(noise)

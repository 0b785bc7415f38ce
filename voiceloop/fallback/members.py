"""What fallbacks of all kinds have in common: their providers, who of them is well, warming and closing."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

from voiceloop.fallback.choosing import Choosing
from voiceloop.fallback.options import FallbackOptions
from voiceloop.faults import describe
from voiceloop.language import LanguageError, check_tag
from voiceloop.stt.base import STT
from voiceloop.tts.base import TTS

__all__ = ["Members", "SpokenMembers"]

log = logging.getLogger("voiceloop")

CLOSE_LIMIT = 1.0
"""Seconds that abandoned requests get to end when the fallback is closed."""


class _Provider(Protocol):
    async def warm(self) -> None: ...
    async def aclose(self) -> None: ...


P = TypeVar("P", bound=_Provider)
S = TypeVar("S", bound=STT | TTS)


class _Shared:
    """What a fallback and its variants for languages know of their providers. Forgotten on another event loop."""

    def __init__(self, options: FallbackOptions) -> None:
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._choosing = Choosing(options.rest, options.rest_most)

    def choosing(self) -> Choosing:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._choosing = loop, Choosing(self._options.rest, self._options.rest_most)
        return self._choosing


class Members(Generic[P]):
    """Providers that stand in for each other, the best first."""

    def __init__(self, providers: Sequence[P], options: FallbackOptions | None = None) -> None:
        self.options = options or FallbackOptions()
        self.providers: tuple[P, ...] = tuple(providers)
        """The best first."""
        self.names = _names(self.providers)
        self.indices: tuple[int, ...] = tuple(range(len(self.providers)))
        """Of each provider, by which its state is known: a variant for a language may lack some."""
        self._shared = _Shared(self.options)
        self._warm: set[int] = set()  # places of those that are ready
        self._warming: dict[int, asyncio.Task[None]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        """Requests under way, and such as do not end although they were cancelled."""

    def __repr__(self) -> str:
        return f"Fallback([{', '.join(map(repr, self.providers))}])"

    # --- who is asked --------------------------------------------------------------------------------------------

    def order(self, now: float) -> list[int]:
        """Places in `providers`, in the order in which to ask them."""
        places = {index: place for place, index in enumerate(self.indices)}
        return [places[index] for index in self._shared.choosing().order(now, self.indices)]

    def ask(self, place: int, now: float) -> bool:
        """A provider is asked; see `Choosing.ask`."""
        return self._shared.choosing().ask(self.indices[place], now)

    def failed(self, place: int, now: float, why: str) -> None:
        """It failed."""
        log.info("%s failed: %s", self.names[place], why)
        self._shared.choosing().failed(self.indices[place], now, why)

    def well(self, place: int) -> None:
        """It did what it was asked."""
        self._shared.choosing().well(self.indices[place])

    def left(self, place: int) -> None:
        """It could not show whether it is well."""
        self._shared.choosing().left(self.indices[place])

    def why(self, place: int) -> str:
        """What happened to it; empty when it is well."""
        return self._shared.choosing().why(self.indices[place])

    # --- life ----------------------------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Warm all. One that cannot be warmed rests, and is warmed when it is tried again.

        Raises: what the first one raised, when none can be warmed.
        """
        waiting = {place: self._warm_up(place) for place in range(len(self.providers)) if place not in self._warm}
        failures: dict[int, BaseException] = {}
        limit: float | None = None
        loop = asyncio.get_running_loop()
        while waiting:
            if self._warm and limit is None:
                limit = loop.time() + self.options.warm
            left = None if limit is None else max(0.0, limit - loop.time())
            done, _ = await asyncio.wait(waiting.values(), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for place, task in list(waiting.items()):
                if task not in done:
                    if not done:
                        self.failed(place, loop.time(), f"it was not ready after {self.options.warm:g} s")
                        del waiting[place]
                    continue
                del waiting[place]
                error = asyncio.CancelledError() if task.cancelled() else task.exception()
                if error is not None:
                    failures[place] = error
                    self.failed(place, loop.time(), describe(error)[0])
        if len(failures) == len(self.providers):
            raise failures[0]

    async def ready(self, place: int) -> None:
        """Warm one, unless it is warm."""
        if place not in self._warm:
            await asyncio.shield(self._warm_up(place))

    def _warm_up(self, place: int) -> asyncio.Task[None]:
        task = self._warming.get(place)
        if task is None:
            task = self._warming[place] = asyncio.get_running_loop().create_task(
                self.providers[place].warm(), name=f"warming {self.names[place]}"
            )
            task.add_done_callback(lambda done: self._warmed(place, done))
        return task

    def _warmed(self, place: int, task: asyncio.Task[None]) -> None:
        self._warming.pop(place, None)
        if not task.cancelled() and task.exception() is None:
            self._warm.add(place)

    async def aclose(self) -> None:
        """Close all, and end what is still under way."""
        pending = [*self._warming.values(), *self.tasks]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=CLOSE_LIMIT)
            if stuck := sorted(task.get_name() for task in pending if not task.done()):
                log.warning("%s: given up, for they do not end: %s", type(self).__name__, ", ".join(stuck))
        self._warm.clear()
        for name, done in zip(self.names, await self._each(lambda each: each.aclose()), strict=True):
            if done:
                log.warning("closing %s failed: %s", name, done)

    async def _each(self, what: Callable[[P], Awaitable[None]]) -> list[str]:
        """Do something with all of them at once; for each what went wrong."""
        results = await asyncio.gather(*map(what, self.providers), return_exceptions=True)
        return [describe(result)[0] if isinstance(result, BaseException) else "" for result in results]


class SpokenMembers(Members[S]):
    """Providers that know certain languages."""

    def __init__(self, providers: Sequence[S], options: FallbackOptions | None = None) -> None:
        super().__init__(providers, options)
        self._variants: dict[str, Self] = {}

    @property
    def languages(self) -> tuple[str, ...] | None:
        """What any of them knows; None when one of them cannot say."""
        known = [provider.languages for provider in self.providers]
        if any(each is None for each in known):
            return None
        return tuple(dict.fromkeys(tag for each in known for tag in each or ()))

    def for_language(self, language: str) -> Self:
        """This one, or one with the variants of those that know the language; the same object each time.

        Raises:
            LanguageError: none of them knows it.
        """
        if language not in self._variants:
            self._variants[language] = self._variant(check_tag(language))
        return self._variants[language]

    def _variant(self, language: str) -> Self:
        found: dict[int, Any] = {}
        reasons: list[str] = []
        for place, provider in enumerate(self.providers):
            try:
                found[place] = provider.for_language(language)
            except LanguageError as error:
                reasons.append(str(error))
        if not found:
            raise LanguageError("; ".join(reasons))
        if list(found.values()) == list(self.providers):
            return self
        variant = type(self)(tuple(found.values()), self.options)
        variant.names = tuple(self.names[place] for place in found)
        variant.indices = tuple(self.indices[place] for place in found)
        variant._shared = self._shared
        return variant


def _names(providers: Sequence[object]) -> tuple[str, ...]:
    """The class of each, with a number when there are several of it."""
    kinds = [type(provider).__name__ for provider in providers]
    many, seen, names = Counter(kinds), Counter[str](), []
    for kind in kinds:
        seen[kind] += 1
        names.append(f"{kind} {seen[kind]}" if many[kind] > 1 else kind)
    return tuple(names)

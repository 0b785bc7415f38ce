"""What goes wrong with every kind of provider, and the record of what did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress
from typing import Any, Generic, Protocol, Self, TypeVar

from voiceloop.testing.faulty_faults import Fault, Injected, ProviderFault

__all__ = ["FaultyProvider", "FaultySpeech", "Injector", "Items"]

F = TypeVar("F", bound=ProviderFault)
P = TypeVar("P", bound="Provider")
S = TypeVar("S", bound="SpeechProvider")
Items = AsyncGenerator[Any, None]
"""Of a provider; what is wrong with them may be their type."""


class Provider(Protocol):
    """What a recogniser, a model and a voice have in common."""

    async def warm(self) -> None: ...

    async def aclose(self) -> None: ...


class SpeechProvider(Provider, Protocol):
    """What a recogniser and a voice have in common."""

    def for_language(self, language: str) -> Self: ...


class Injector:
    """Keeps what went wrong and when, and holds what is deaf."""

    def __init__(self) -> None:
        self.injected: list[Injected] = []
        """What went wrong so far, oldest first."""
        self._held: list[asyncio.Future[None]] = []

    def note(self, fault: Fault) -> None:
        """It goes wrong now."""
        self.injected.append(Injected(asyncio.get_running_loop().time(), fault))

    async def wait(self) -> None:
        """Wait for what never comes."""
        await asyncio.get_running_loop().create_future()

    async def wait_deaf(self, seconds: float) -> None:
        """Wait, and swallow every cancellation, for so long, or until `let_go` when that is 0."""
        loop = asyncio.get_running_loop()
        held: asyncio.Future[None] = loop.create_future()
        self._held.append(held)
        timer = loop.call_later(seconds, _let_go, held) if seconds else None
        try:
            while not held.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(held)
        finally:
            self._held.remove(held)
            if timer is not None:
                timer.cancel()

    def let_go(self) -> None:
        """End what is deaf."""
        for held in self._held:
            _let_go(held)


def _let_go(held: asyncio.Future[None]) -> None:
    if not held.done():
        held.set_result(None)


async def instead(
    injector: Injector,
    items: Items,
    fault: ProviderFault,
    counts: Callable[[Any], bool],
    rest: Callable[[], AsyncIterator[Any]],
) -> Items:
    """Items up to the one that the fault takes the place of, or to the end, and then what comes instead."""
    given = 0
    async with aclosing(items):
        async for item in items:
            if counts(item):
                if given >= fault.after:
                    break
                given += 1
            yield item
        if given < fault.after:
            return
        injector.note(fault)
        async for item in rest():
            yield item


class FaultyProvider(Injector, Generic[F, P]):
    """A provider of which some requests go wrong.

    Args:
        inner: the provider.
        faults: what goes wrong. Several of one request happen together.
        skip: requests before those that are counted: a voice is asked for each of the library's own phrases first.
    """

    def __init__(self, inner: P, faults: Iterable[F], skip: int) -> None:
        super().__init__()
        self.inner: P = inner
        self.faults = tuple(faults)
        self.skip = skip
        self.requests: list[float] = []
        """When each request began, seconds on the loop's clock; those that are skipped too."""
        self._filters: dict[str, Callable[[Items, Any], Items]] = {
            "late": self._late,
            "slow": self._slow,
            "stalled": self._stalled,
            "deaf": self._deaf,
            "cut": self._cut,
            "ended": self._ended,
            "cancelled": self._cancelled,
            "rate limited": self._limited,
        }

    async def warm(self) -> None:
        """Warm the provider."""
        await self.inner.warm()

    async def aclose(self) -> None:
        """Close the provider."""
        await self.inner.aclose()

    def let_go(self) -> None:
        """End what is deaf, in the provider too."""
        super().let_go()
        getattr(self.inner, "let_go", lambda: None)()

    def counts(self, item: Any) -> bool:
        """Whether it is one of the items that are counted."""
        raise NotImplementedError

    def limited(self, seconds: float) -> Exception:
        """What the provider of a service raises that wants fewer requests."""
        raise NotImplementedError

    def _share(self, other: FaultyProvider[F, P]) -> None:
        """Count requests together with another one."""
        self.requests, self.injected, self._held = other.requests, other.injected, other._held

    def _begin(self) -> tuple[F, ...]:
        """A request begins: what will go wrong with it."""
        number = len(self.requests) - self.skip
        self.requests.append(asyncio.get_running_loop().time())
        return tuple(fault for fault in self.faults if number >= 0 and self._meets(fault, number))

    def _meets(self, fault: F, number: int) -> bool:
        return fault.request is None or fault.request == number

    def _broken(self, items: Items, faults: Iterable[F]) -> Items:
        """The items with what goes wrong with them."""
        for fault in faults:
            items = self._filters[fault.what](items, fault)
        return items

    def _instead(self, items: Items, fault: F, rest: Callable[[], AsyncIterator[Any]]) -> Items:
        return instead(self, items, fault, self.counts, rest)

    # --- what goes wrong -----------------------------------------------------------------------------------

    async def _slow(self, items: Items, fault: F, *, once: bool = False) -> Items:
        given = 0
        async with aclosing(items):
            async for item in items:
                if self.counts(item):
                    if given == fault.after:
                        self.note(fault)
                    if given == fault.after or (given > fault.after and not once):
                        await asyncio.sleep(fault.seconds)
                    given += 1
                yield item

    def _late(self, items: Items, fault: F) -> Items:
        return self._slow(items, fault, once=True)

    def _stalled(self, items: Items, fault: F) -> Items:
        async def rest() -> Items:
            await self.wait()
            yield

        return self._instead(items, fault, rest)

    def _deaf(self, items: Items, fault: F) -> Items:
        async def rest() -> Items:
            await self.wait_deaf(fault.seconds)
            return
            yield

        return self._instead(items, fault, rest)

    def _cut(self, items: Items, fault: F) -> Items:
        return self._raising(items, fault, lambda: ConnectionResetError("the connection was cut, as told"))

    def _cancelled(self, items: Items, fault: F) -> Items:
        return self._raising(items, fault, asyncio.CancelledError)

    def _raising(self, items: Items, fault: F, error: Callable[[], BaseException]) -> Items:
        async def rest() -> Items:
            raise error()
            yield

        return self._instead(items, fault, rest)

    def _ended(self, items: Items, fault: F) -> Items:
        async def rest() -> Items:
            return
            yield

        return self._instead(items, fault, rest)

    async def _limited(self, items: Items, fault: F) -> Items:
        async with aclosing(items):
            self.note(fault)
            raise self.limited(fault.seconds)
        yield


class FaultySpeech(FaultyProvider[F, S], Generic[F, S]):
    """A recogniser or a voice of which some requests go wrong: there may be one for each language."""

    def __init__(self, inner: S, faults: Iterable[F], skip: int) -> None:
        super().__init__(inner, faults, skip)
        self._others: dict[int, Self] = {}  # for other languages

    def for_language(self, language: str) -> Self:
        """The recogniser or the voice for a language, with the same faults. Requests are counted together."""
        inner = self.inner.for_language(language)
        if inner is self.inner:
            return self
        found = self._others.get(id(inner))
        if found is None:
            found = self._others[id(inner)] = type(self)(inner, self.faults, skip=self.skip)
            found._share(self)
        return found

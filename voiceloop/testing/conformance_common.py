"""The tests that every provider must pass, whatever its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from voiceloop.testing.conformance_base import Conformance, Provider
from voiceloop.testing.conformance_building import watched
from voiceloop.testing.conformance_run import Consumer, require, until

__all__ = ["CommonConformance"]

P = TypeVar("P", bound=Provider)
T = TypeVar("T")


async def _both(first: Coroutine[Any, Any, object], second: Coroutine[Any, Any, object]) -> None:
    await asyncio.gather(first, second)


class CommonConformance(Conformance[P, T]):
    """Life, order, haste and mishaps."""

    # --- life ---------------------------------------------------------------------------------------------------

    def test_building_opens_nothing_and_reads_no_key(self) -> None:
        with watched(self.kind) as noted:
            try:
                provider = self.provider()
            except RuntimeError as error:
                if "event loop" not in str(error):
                    raise
                noted.append(f"wanted a running event loop: {error}")
        require(
            not noted,
            "a provider is built while modules are imported: building opens nothing, reads no key and needs no loop",
            f"it {'; it '.join(noted)}",
            "keep in `__init__` what you are given; read keys, load models and connect in `warm`",
        )
        require(
            isinstance(provider, self.kind),
            f"a provider is a subclass of `{self.kind.__name__}`",
            f"a {type(provider).__name__}",
            f"derive it from `{self.kind.__module__}.{self.kind.__name__}`",
        )

    async def test_warming_twice_is_safe(self) -> None:
        async with self.opened() as provider:
            for _ in range(2):
                await self.safely(
                    _both(provider.warm(), provider.warm()),
                    "`warm` is safe when the provider is warm, or is being warmed",
                    "do nothing when there is a model or connection already; a lock keeps two from loading at once",
                )
            await self.used(provider)

    async def test_closing_twice_and_warming_again(self) -> None:
        closing = "`aclose` is safe on a provider that is not warm, or closed already"
        guard = "check what there is to give back, and forget it"
        await self.safely(self.provider().aclose(), closing, guard)
        async with self.opened() as provider:
            await self.used(provider)
            for _ in range(2):
                await self.safely(provider.aclose(), closing, guard)
            await self.safely(
                provider.warm(),
                "a provider that was closed can be warmed again",
                "build what `aclose` has closed anew in `warm`",
            )
            await self.used(provider, 1)

    # --- what comes ---------------------------------------------------------------------------------------------

    async def test_a_request_is_answered_in_full(self) -> None:
        async with self.opened() as provider:
            request = self.ask(provider)
            got = await self.whole(request)
            self.check(request, got)
            self.check_own(request, got)

    async def test_a_second_request_knows_nothing_of_the_first(self) -> None:
        async with self.opened() as provider:
            for which in (0, 1):
                request = self.ask(provider, which)
                self.check_own(request, await self.whole(request))

    async def test_two_requests_at_once_do_not_mix(self) -> None:
        async with self.opened() as provider:
            requests = [self.ask(provider, 0), self.ask(provider, 1)]
            for request, got in zip(requests, await asyncio.gather(*map(self.whole, requests)), strict=True):
                self.check_own(request, got)

    async def test_nothing_is_lost_to_a_slow_consumer(self) -> None:
        async with self.opened() as provider:
            first, second = [self.content(await self.used(provider)) for _ in range(2)]
            request = self.ask(provider)
            got = await self.whole(request, rest=0.03 if self.realtime else 2.0)
            if first != second:  # it never comes the same: nothing to compare
                self.check_own(request, got)
                return
            require(
                self.content(got) == first,
                "a consumer that is slow to take items gets the same as a quick one",
                f"{self.content(got)!r:.300} and not {first!r:.300}",
                "drop nothing when a queue is full: let whoever fills it wait",
            )

    # --- how it ends --------------------------------------------------------------------------------------------

    async def test_a_cancelled_request_ends_at_once_and_harms_no_other(self) -> None:
        async with self.opened() as provider:
            await self.used(provider)
            before = asyncio.all_tasks()
            for moment in (0.0, 0.02, None):
                request = self.ask_on(provider)
                if moment is None:
                    consumer = await self.begun(request)
                else:
                    consumer = self.consume(request)
                    await asyncio.sleep(moment)
                self.no_failure(consumer)
                if not consumer.done:
                    await self._cancel(consumer)
            await self.nothing_left(before, "when its request was cancelled")
            await self.used(provider, 1)

    async def _cancel(self, consumer: Consumer[T]) -> None:
        consumer.task.cancel()
        require(
            await until(lambda: consumer.done, self.limit),
            f"a request that is cancelled while its consumer waits for an item ends within {self.limit:g} s",
            "it still runs",
            "let CancelledError pass, and do nothing in `finally` that waits for a network or a thread",
        )
        failure = consumer.failure
        require(
            consumer.task.cancelled(),
            "CancelledError comes out of a request that is cancelled",
            f"{type(failure).__name__}: {failure}" if failure else "it ended as if complete",
            "catch it only to clean up, and raise it again; `except Exception` does not catch it",
        )

    async def test_a_closed_request_ends_at_once_and_leaves_nothing(self) -> None:
        async with self.opened() as provider:
            await self.used(provider)
            before = asyncio.all_tasks()
            for items in (0, 1, 1):
                await self._close(self.consume(self.ask_on(provider), leave_after=items))
            await self.nothing_left(before, "when its request was closed")
            await self.used(provider, 1)

    async def _close(self, consumer: Consumer[T]) -> None:
        require(
            await until(lambda: consumer.left or consumer.done, self.patience),
            f"`{self.request}` gives its first item while its input goes on",
            f"nothing for {self.patience:g} s",
            "yield what is ready before you wait for more input",
        )
        require(
            await until(lambda: consumer.done, self.limit),
            f"`aclose` of a request's generator ends within {self.limit:g} s",
            "it still runs",
            "do nothing in `finally` that waits for a network or a thread; cancel tasks before you await them",
        )
        require(
            consumer.failure is None,
            "a request's generator raises nothing, neither before nor in `aclose`",
            f"{type(consumer.failure).__name__}: {consumer.failure}",
            "let GeneratorExit pass, and yield nothing in `finally`",
        )

    async def test_an_error_comes_out_of_the_request(self) -> None:
        async with self.opened(self.failing_provider) as provider:
            for _ in range(2):
                request = self.ask(provider)
                failure = (await self.finish(self.consume(request), request)).failure
                require(
                    isinstance(failure, Exception),
                    "what goes wrong comes out of the request as an exception, so that the library can ask again",
                    f"{type(failure).__name__}: {failure}" if failure else "it ended as if complete",
                    "raise, also when the other side just stops before it has said that all was said",
                )

    async def test_a_stalled_request_ends_when_it_is_cancelled(self) -> None:
        async with self.opened(self.stalled_provider) as provider:
            before = asyncio.all_tasks()
            request = self.ask(provider)
            consumer = self.consume(request)
            await until(lambda: consumer.done, 0.5)
            require(
                not consumer.done,
                "`stalled_provider()` gives a provider whose requests do not end by themselves",
                f"it ended, {consumer.failure or 'as if complete'}" if consumer.done else "",
                "give one that waits for what never comes, or none",
            )
            await self._cancel(consumer)
            await self.nothing_left(before, "when its request was cancelled")

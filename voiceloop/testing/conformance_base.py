"""What the contract wants of every provider: its life, and the ways in which a request ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import pytest

from voiceloop.sim.loop import describe_task
from voiceloop.stt.base import Flush
from voiceloop.testing.conformance_run import Consumer, ContractBroken, Feed, require, run, until

__all__ = ["Conformance", "Provider", "Request"]


class Provider(Protocol):
    """What all providers have in common."""

    async def warm(self) -> None: ...

    async def aclose(self) -> None: ...


P = TypeVar("P", bound=Provider)
T = TypeVar("T")


@dataclass(slots=True)
class Request(Generic[T]):
    """One request to a provider."""

    items: AsyncGenerator[T, None]
    which: int = 0
    """Which of the two inputs it is given: 0 or 1."""
    feed: Feed[Any] | None = None
    """The stream it is given, if it is given one."""
    flushes: list[Flush] = field(default_factory=list)
    """Those in its stream."""


class Conformance(Generic[P, T]):
    """Tests that are the same for all providers. Subclass `STTConformance`, `LLMConformance` or `TTSConformance`."""

    realtime: ClassVar[bool] = False
    """True: on an ordinary event loop, for providers with a network or threads of their own. False: virtual time."""
    patience: ClassVar[float] = 10.0
    """Seconds without any progress after which a request is held to hang."""
    limit: ClassVar[float] = 1.0
    """Seconds within which a request that is cancelled or closed must have ended."""
    kind: ClassVar[type]
    request: ClassVar[str]
    """The method of the contract."""

    # --- what the author of a provider says --------------------------------------------------------------------

    def provider(self) -> P:
        """A new provider. It may share a loaded model with others. Called once or more in each test."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `provider` that returns the provider to test")

    def failing_provider(self) -> P:
        """One whose requests break, at once or after some items: a wrong key, a server that closes. Optional."""
        pytest.skip("no failing_provider() is given: how the provider fails is not tested")

    def stalled_provider(self) -> P:
        """One whose requests give nothing more, at once or after some items: a server that is silent. Optional."""
        pytest.skip("no stalled_provider() is given: how the provider stalls is not tested")

    # --- what each kind of provider says ------------------------------------------------------------------------

    def ask(self, provider: P, which: int = 0) -> Request[T]:
        """A request with one of two whole inputs."""
        raise NotImplementedError

    def ask_on(self, provider: P) -> Request[T]:
        """A request that gives at least one item and, if it has an input, waits for more of it then."""
        raise NotImplementedError

    def check(self, request: Request[T], got: Sequence[T]) -> None:
        """Raise `ContractBroken` unless this is all that the request should give, in the form it should have."""
        raise NotImplementedError

    def check_own(self, request: Request[T], got: Sequence[T]) -> None:
        """Raise `ContractBroken` unless this answers the request, and nothing else."""
        raise NotImplementedError

    def content(self, got: Sequence[T]) -> object:
        """What was said, without how it was divided."""
        raise NotImplementedError

    # --- running ------------------------------------------------------------------------------------------------

    @classmethod
    def run_check(cls, test: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine test of this class on a loop of its own. The pytest plugin calls it."""
        run(test, realtime=cls.realtime)

    @asynccontextmanager
    async def opened(self, make: Callable[[], P] | None = None) -> AsyncIterator[P]:
        """A warm provider, closed at the end; then nothing may be left."""
        before = asyncio.all_tasks()
        provider = (make or self.provider)()
        try:
            await provider.warm()
            yield provider
        except BaseException:
            closing = asyncio.create_task(provider.aclose(), name="aclose")
            await asyncio.wait({closing}, timeout=self.limit)
            if closing.done() and not closing.cancelled():
                closing.exception()  # not told: what went wrong first is
            raise
        closing = asyncio.create_task(provider.aclose(), name="aclose")
        require(
            await until(closing.done, self.patience),
            f"`aclose` returns within {self.patience:g} s",
            "it is still waiting",
            "wait for your own tasks and threads with a limit, after telling them to stop",
        )
        closing.result()
        await self.nothing_left(before, "when the provider is closed")

    async def safely(self, step: Coroutine[Any, Any, object], wants: str, mend: str) -> None:
        """Run a step in the life of a provider that must not raise."""
        try:
            await step
        except Exception as error:
            raise ContractBroken(
                f"{wants}\n  what came: {type(error).__name__}: {error}\n  how to mend it: {mend}"
            ) from error

    async def nothing_left(self, before: set[asyncio.Task[Any]], when: str) -> None:
        """No task but those of `before` may be there."""
        own = asyncio.current_task()

        def left() -> list[asyncio.Task[Any]]:
            return [task for task in asyncio.all_tasks() - before if task is not own]

        require(
            await until(lambda: not left(), self.limit),
            f"no task of a provider is left {when}",
            "; ".join(sorted(describe_task(task) for task in left())),
            "cancel the tasks a request has started, and await them, in a `finally` of its generator",
        )

    def consume(self, request: Request[T], *, rest: float = 0.0, leave_after: int | None = None) -> Consumer[T]:
        """Begin to read a request's items."""
        items: object = request.items
        if asyncio.iscoroutine(items):
            items.close()
        require(
            hasattr(items, "__anext__") and hasattr(items, "aclose"),
            f"`{self.request}` is one async generator",
            f"{type(items).__name__}",
            "write it as `async def` with at least one `yield`, and return nothing from it",
        )
        return Consumer(request.items, rest=rest, leave_after=leave_after)

    async def finish(self, consumer: Consumer[T], request: Request[T]) -> Consumer[T]:
        """Wait for the end, as long as there is progress."""

        def progress() -> tuple[int, int]:
            return len(consumer.got), request.feed.taken if request.feed is not None else 0

        seen = (-1, -1)
        while not consumer.done and seen != progress():
            seen = progress()
            await self._moves(consumer, progress)
        if not consumer.done:
            consumer.task.cancel()
            await until(lambda: consumer.done, self.limit)
            require(
                False,
                f"`{self.request}` ends when its input has ended and all was said",
                f"nothing for {self.patience:g} s, after {len(consumer.got)} items",
                "see what it waits for; if it only is so slow, raise `patience` of the test class",
            )
        return consumer

    async def _moves(self, consumer: Consumer[T], progress: Callable[[], object]) -> None:
        before = progress()
        await until(lambda: consumer.done or progress() != before, self.patience)

    async def whole(self, request: Request[T], *, rest: float = 0.0) -> list[T]:
        """All items of a request that ends well."""
        consumer = await self.finish(self.consume(request, rest=rest), request)
        self.no_failure(consumer)
        return consumer.got

    def no_failure(self, consumer: Consumer[T]) -> None:
        """Raise if the provider has raised."""
        failure = consumer.failure
        if failure is not None and not isinstance(failure, Exception | asyncio.CancelledError):
            raise failure  # pytest's own: skipped, failed
        if failure is not None:
            raise ContractBroken(
                f"`{self.request}` answers a request that is in order\n"
                f"  what came: {type(failure).__name__}: {failure}\n"
                "  how to mend it: see the error above; at a network, check key, address and limits first"
            ) from failure

    async def used(self, provider: P, which: int = 0) -> list[T]:
        """Make a request, to see that something comes."""
        got = await self.whole(self.ask(provider, which))
        require(
            self.content(got),
            f"`{self.request}` answers",
            f"nothing in {len(got)} items",
            "mend what `test_a_request_is_answered_in_full` finds first; if it passes, the provider has lost its state",
        )
        return got

    async def begun(self, request: Request[T]) -> Consumer[T]:
        """A consumer that has got its first item, or whatever came instead."""
        consumer = self.consume(request)
        await until(lambda: consumer.done or consumer.got, self.patience)
        return consumer

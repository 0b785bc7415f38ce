"""A language model on this machine, without key and network: any GGUF, through llama.cpp inside this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from voiceloop.conversation import Message
from voiceloop.errors import require
from voiceloop.llm.base import LLM, ToolSpec, Usage
from voiceloop.llm.history import CHARACTERS_PER_TOKEN, OPENING, alternating, estimate, fit
from voiceloop.llm.llamacpp_server import Engine, EngineOptions, PromptTooLong
from voiceloop.offload import Limit, in_virtual_time, offload
from voiceloop.weights import SMOLLM2_135M, fetch

__all__ = ["EngineOptions", "LlamaCpp", "LlamaCppOptions"]

Item = str | Usage

_REMEMBERED = 64
"""Of how many instructions it is known that they were read ahead."""


@dataclass(slots=True, frozen=True)
class LlamaCppOptions:
    """How `LlamaCpp` answers."""

    max_tokens: int = 200
    """An answer is cut after so many tokens; this is about a minute of speech."""
    temperature: float = 0.0
    """0 answers the same each time."""
    token_cost: float = 0.013
    """How long a token is said to take in virtual time, seconds."""
    engine: EngineOptions = field(default_factory=EngineOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.max_tokens <= self.engine.context // 2:
            raise ValueError(
                f"max_tokens must be 1 to {self.engine.context // 2} (half the context), got {self.max_tokens}"
            )
        if self.temperature < 0:
            raise ValueError(f"temperature must not be negative, got {self.temperature}")


class LlamaCpp(LLM):
    """Answers with a GGUF model; its own chat template says how turns are written and where an answer ends.

    Without a path it takes SmolLM2-135M (93 MB to fetch): small enough to run beside the speech models on one core,
    good enough to hear the pipeline speak, not good enough to be believed. For anything else name a better GGUF.

    Turns too many for the context are left out, the oldest first. Closing the generator stops the model at its next
    token; its slot then serves another call. The package comes with ``voiceloop[local]``. One object serves all calls.

    Raises, from `warm` and `respond`: `MissingExtra`, `WeightsError`, `ModelError`.
    """

    def __init__(self, path: str | PathLike[str] | None = None, options: LlamaCppOptions | None = None) -> None:
        self.options = options or LlamaCppOptions()
        self._path = None if path is None else Path(path)
        self._engine: Engine | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._loading = Limit(1)
        self._preparing = Limit(1)
        self._prepared: dict[str, None] = {}  # beginnings of conversations, oldest first
        self._running: set[threading.Event] = set()

    async def warm(self) -> None:
        """Fetch the weights if none were named and they are not in the cache, load the model.

        Loading is off the loop, but llama.cpp holds the interpreter meanwhile (about half a second for SmolLM2): warm
        it before there are calls.
        """
        async with self._loading:
            if self._engine is None:
                self._engine = await offload(_loaded, self._path, self.options.engine)

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        """Read the beginning of conversations ahead, so that the first answer of a call does not wait for that.

        The first one is read into every slot (about 7 ms a token and slot for SmolLM2); others, when they are new,
        once.
        """
        await self.warm()
        async with self._preparing:
            engine = self._engine
            key = "\n".join(str(message) for message in beginning)
            if engine is None or not beginning or key in self._prepared:
                return
            everywhere = not self._prepared
            self._prepared[key] = None
            if len(self._prepared) > _REMEMBERED:
                del self._prepared[next(iter(self._prepared))]
            messages = alternating([*beginning, Message("user", OPENING)])
            if in_virtual_time():
                await offload(engine.prepare, messages, everywhere)
            else:
                # Not in the shared pool: with calls under way this waits for their answers.
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._workers(), engine.prepare, messages, everywhere)

    async def aclose(self) -> None:
        """Stop the answers under way and unload the model; the next use loads it again."""
        for stop in self._running:
            stop.set()
        engine, self._engine = self._engine, None
        threads, self._threads = self._threads, None
        self._prepared.clear()
        if threads is not None:
            await offload(threads.shutdown)
        # Whoever lets go of it last waits for llama.cpp's threads to end: not the loop.
        holder = [engine]
        del engine
        await offload(holder.clear)

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        if self._engine is None:
            await self.warm()
        limit = self.options.engine.context - self.options.max_tokens
        whole = alternating(messages)
        ratio = CHARACTERS_PER_TOKEN
        kept = fit(whole, limit, ratio)
        while True:
            async with aclosing(self._answer(kept)) as answer:
                try:
                    async for item in answer:
                        yield item
                    return
                except PromptTooLong as error:
                    # The guess was wrong. The engine has counted: guess again by its count, if that leaves out more.
                    ratio *= 0.95 * estimate(kept, ratio) / error.tokens
                    fewer = fit(whole, limit, ratio)
                    if len(fewer) >= len(kept):
                        raise
                    kept = fewer

    async def _answer(self, messages: Sequence[Message]) -> AsyncGenerator[Item, None]:
        engine = self._engine
        assert engine is not None
        settings = {"max_tokens": self.options.max_tokens, "temperature": self.options.temperature}
        stop = threading.Event()

        def run(write: Callable[[Item], None]) -> None:
            if not stop.is_set():
                engine.answer(messages, settings, write, stop)

        if in_virtual_time():
            items: list[Item] = []
            await offload(run, items.append)
            for item in items:
                await asyncio.sleep(self.options.token_cost)
                yield item
            return
        stream = _Stream(asyncio.get_running_loop())
        self._running.add(stop)
        future = self._workers().submit(run, stream.write)
        future.add_done_callback(stream.end)
        try:
            while (piece := await stream.next()) is not None:
                yield piece
        finally:
            self._running.discard(stop)
            stop.set()
            future.cancel()

    def _workers(self) -> ThreadPoolExecutor:
        """Threads of our own: they only wait for the engine, through a whole answer, and must not take the places of
        work that computes."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.options.engine.slots, thread_name_prefix="voiceloop-llm")
        return self._threads


class _Stream:
    """Items from a thread to the event loop, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[Item | Future[None]] = asyncio.Queue()

    def write(self, item: Item) -> None:
        """From the thread. Raises RuntimeError when the loop is closed: then nobody waits, and the thread may end."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

    def end(self, future: Future[None]) -> None:
        """From the thread, or from whoever cancels it, when nothing more comes."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, future)

    async def next(self) -> Item | None:
        """The next item, None after the last.

        Raises: what the thread has raised.
        """
        item = await self._queue.get()
        if isinstance(item, Future):
            item.result()
            return None
        return item


def _loaded(path: Path | None, options: EngineOptions) -> Engine:
    require("xllamacpp", "local", "LlamaCpp")
    if path is None:
        (path,) = fetch(SMOLLM2_135M).values()
    return Engine(path, options)

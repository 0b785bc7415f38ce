"""Services of Pipecat (`pipecat-ai`) as models and voices of voiceloop.

    llm = PipecatLLM(lambda: OpenAILLMService(api_key=key))
    tts = PipecatTTS(lambda: CartesiaTTSService(api_key=key, settings=CartesiaTTSService.Settings(voice=voice)))

They stand wherever a model or a voice of voiceloop stands. `PipecatProcessor(service)` is a stage with a service of
its own, for one call. Pipecat itself is imported when the first service is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from voiceloop.bridges.pipecat_pool import PipecatOptions, Pool
from voiceloop.conversation import Message
from voiceloop.errors import require
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.llm.base import LLM, Item, ToolSpec
from voiceloop.processor import Processor
from voiceloop.tts.base import TTS, Speech
from voiceloop.tts.processor import TTSProcessor

__all__ = ["PipecatLLM", "PipecatOptions", "PipecatProcessor", "PipecatTTS"]

_LLM_BASE = ("pipecat.services.llm_service", "LLMService")
_TTS_BASE = ("pipecat.services.tts_service", "TTSService")


class PipecatLLM(LLM):
    """A language model that is a Pipecat `LLMService`.

    A Pipecat service answers one request at a time. So a function is wanted that makes one: as many are made as
    answers are written at the same time, and used again and again.

    Args:
        source: a function without arguments that makes a service; or a service, which then answers one after another.
        options: limits.
    """

    takes_tools: ClassVar[bool] = True

    def __init__(self, source: Callable[[], Any] | Any, options: PipecatOptions | None = None) -> None:
        self._pool = Pool(source, _LLM_BASE, "PipecatLLM", options or PipecatOptions())
        self._own_instructions: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        """What services were told when they were made: it holds where a conversation has no instructions."""

    async def warm(self) -> None:
        """Make and start a service. Most models connect with the first request only."""
        await self._pool.warm()

    async def aclose(self) -> None:
        """Close all services."""
        await self._pool.aclose()

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        """Answer the conversation. The service runs no function itself: calls are handed out.

        Raises:
            ServiceFailed: the service reported an error.
        """
        async with self._pool.lent() as island:
            from pipecat.frames.frames import LLMFullResponseEndFrame

            from voiceloop.bridges.pipecat_frames import context_frame, instructions, instructions_frame, items_of

            service: Any = island.service
            if tools and not service.has_function(None):
                service.register_function(None, _elsewhere)
            told, conversation = instructions(messages)
            own = self._own_instructions.setdefault(service, service.settings.system_instruction)
            if (told or own) != service.settings.system_instruction:
                await island.send(instructions_frame(told or own))
            await island.send(context_frame(conversation, tools))
            while not isinstance(frame := await island.next(), LLMFullResponseEndFrame):
                for item in items_of(frame):
                    yield item


async def _elsewhere(params: Any) -> None:
    """A function that is run by voiceloop. The result that Pipecat wants here is nobody's."""
    await params.result_callback(None)


class PipecatTTS(TTS):
    """A voice that is a Pipecat `TTSService`.

    A service speaks one answer at a time. So a function is wanted that makes one: as many are made as answers are
    spoken at the same time, and used again and again, with their connections.

    Args:
        source: a function without arguments that makes a service; or a service, which then speaks one after another.
        options: limits.
    """

    def __init__(self, source: Callable[[], Any] | Any, options: PipecatOptions | None = None) -> None:
        self._pool = Pool(source, _TTS_BASE, "PipecatTTS", options or PipecatOptions())

    async def warm(self) -> None:
        """Make a service and connect it."""
        await self._pool.warm()

    async def aclose(self) -> None:
        """Close all services and their connections."""
        await self._pool.aclose()

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        """Speak. The service gathers sentences, as it is set to, and its audio is made mu-law at 8000 Hz.

        Raises:
            ServiceFailed: the service reported an error, or left off in the middle.
        """
        begun = await _begun(text)
        if not begun:
            return
        async with self._pool.lent() as island:
            from voiceloop.bridges.pipecat_feed import Feed
            from voiceloop.bridges.pipecat_island import ServiceFailed
            from voiceloop.bridges.pipecat_speech import SpeechReader

            island.clock.begin()
            reader = SpeechReader(island.clock)
            feed = Feed(island, text, self._pool.options.pause)
            await feed.begin(begun)
            try:
                while (frame := await island.next()) is not feed.last:
                    if speech := reader.read(frame):
                        yield speech
            finally:
                await feed.close()
            if not reader.whole:
                raise ServiceFailed(f"{island.name} left off before everything was spoken")
            if speech := reader.end():
                yield speech


async def _begun(text: AsyncIterator[str]) -> str:
    """The text up to the first word; empty when there is none."""
    begun = ""
    async for piece in text:
        begun += piece
        if begun.strip():
            return begun
    return ""


class PipecatProcessor(Processor):
    """A stage of one call with a Pipecat service of its own, which is started and ended with the call.

    What it is depends on the service: with an `LLMService` it is an `LLMAggregator` and takes its arguments, with a
    `TTSService` a `TTSProcessor`. Build the service inside ``bot(call)``. For services that calls share, and their
    connections with them, put a `PipecatLLM` or a `PipecatTTS` where you would put any other model or voice.

    Args:
        service: the service, used nowhere else.
        arguments: of `LLMAggregator` (`instructions`, `tools` …) or of `TTSProcessor`.

    Raises:
        TypeError: it is no service of these kinds.
        MissingExtra: pipecat-ai is not installed.
    """

    def __new__(cls, service: Any, **arguments: Any) -> PipecatProcessor:
        """The stage for this kind of service."""
        return super().__new__(_stage_for(service) if cls is PipecatProcessor else cls)

    def __init__(self, service: Any, **arguments: Any) -> None:
        raise NotImplementedError

    _own: PipecatLLM | PipecatTTS
    _service: str

    @property
    def name(self) -> str:
        """How reports and errors call it."""
        return f"PipecatProcessor({self._service})"

    async def stop(self) -> None:
        """End the service."""
        await super().stop()
        warming = self.call.runtime.forget(self._own)
        await self._own.aclose()
        if warming is not None and not warming.done():
            warming.cancel()
            await asyncio.wait([warming])


class _Model(PipecatProcessor, LLMAggregator):
    """A model."""

    def __init__(self, service: Any, **arguments: Any) -> None:
        self._own, self._service = PipecatLLM(service), type(service).__name__
        LLMAggregator.__init__(self, self._own, **arguments)


class _Voice(PipecatProcessor, TTSProcessor):
    """A voice."""

    def __init__(self, service: Any, **arguments: Any) -> None:
        self._own, self._service = PipecatTTS(service), type(service).__name__
        TTSProcessor.__init__(self, self._own, **arguments)


def _stage_for(service: Any) -> type[PipecatProcessor]:
    for (module, name), stage in ((_LLM_BASE, _Model), (_TTS_BASE, _Voice)):
        if isinstance(service, getattr(require(module, "pipecat", "PipecatProcessor"), name)):
            return stage
    what = "class" if isinstance(service, type) else type(service).__name__
    hint = f" Did you mean {service.__name__}(…)?" if isinstance(service, type) else ""
    raise TypeError(f"PipecatProcessor takes a Pipecat LLMService or TTSService, got a {what}.{hint}")

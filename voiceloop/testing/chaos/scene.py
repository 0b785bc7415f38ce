"""What the items of a plan come to, ready to be run: providers, line, bot."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.frames import CallStart
from voiceloop.language import Phrases
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.llm.base import LLM
from voiceloop.pipeline import Pipeline, pipeline_of
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import STT
from voiceloop.testing.chaos.bystander import Bystander, TextBystander
from voiceloop.testing.chaos.words import text_of
from voiceloop.testing.faulty import FaultyCode, FaultyLLM, FaultySTT, FaultyTTS, break_bot
from voiceloop.testing.scripted import Calls, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.tts.base import TTS

if TYPE_CHECKING:
    from voiceloop.testing.chaos.bot_items import Timed
    from voiceloop.testing.chaos.model_items import Answers, Asks
    from voiceloop.twilio.media import Bot

__all__ = ["Scene"]


class Scene:
    """Everything of one call that a plan decides.

    Args:
        lexicon: of its artificial voices.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.answers: dict[int, Answers] = {}
        """By the number of the request."""
        self.asks: dict[int, list[Asks]] = {}
        self.speculative = False
        """Whether the model may be asked for what may be thrown away."""
        self.timed: list[Timed] = []
        self.line: dict[str, Any] = {}
        """Of `CarrierOptions`."""
        self.hearing: dict[str, Any] = {}
        """Of `ScriptedSTT`."""
        self.voice: dict[str, Any] = {}
        """Of `ScriptedTTS`."""
        self.line_faults: list[Any] = []
        self.provider_faults: dict[str, list[Any]] = {"stt": [], "llm": [], "tts": []}
        self.code_faults: list[Any] = []

    def ready(self, *, stt: STT | None = None, llm: LLM | None = None, tts: TTS | None = None) -> Scene:
        """All items have joined: make the providers. One that is given fails as the plan says."""
        self.model = ScriptedLLM(self._reply, first=self._first, rate=self._rate, speculative=self.speculative)
        self.stt = FaultySTT(stt or ScriptedSTT(self.lexicon, **self.hearing), self.provider_faults["stt"])
        self.llm = FaultyLLM(llm or self.model, self.provider_faults["llm"])
        # The library's own phrases are spoken first, and the greeting: the bot's answers are counted behind them.
        voice = tts or ScriptedTTS(self.lexicon, **self.voice)
        self.tts = FaultyTTS(voice, self.provider_faults["tts"], skip=len(Phrases().all()) + 1)
        self.code = FaultyCode(self.code_faults)
        return self

    # --- for `dial` -----------------------------------------------------------------------------------------

    @property
    def carrier(self) -> CarrierOptions:
        """How the line behaves."""
        return CarrierOptions(**self.line, faults=tuple(self.line_faults))

    def bot(self, bot: Bot) -> Callable[[Call], Awaitable[Pipeline]]:
        """The bot, with what its own code does, and what goes wrong in it."""

        @functools.wraps(bot)
        async def staged(call: Call) -> Pipeline:
            return await self._staged(bot, call)

        broken, _ = break_bot(staged, self.code)
        return broken

    def observer(self) -> Processor:
        """Lets the bot's own code act when it is time."""
        return _Clockwork(self.timed, self.lexicon)

    @contextmanager
    def letting_go(self) -> Iterator[None]:
        """At the end of the block, end whatever swallows cancellation."""
        try:
            yield
        finally:
            for each in (self.stt, self.llm, self.tts, self.code):
                each.let_go()

    # --- the model ------------------------------------------------------------------------------------------

    def _reply(self, messages: Sequence[Message]) -> Sequence[str | Calls]:
        request = len(self.model.requests) - 1
        answers = self.answers.get(request)
        offered = self.model.offered[-1]
        asked = [calls for asks in self.asks.get(request, ()) if (calls := asks.of(offered)) is not None]
        if answers is not None:
            return [answers.text(), *asked]
        return asked or [text_of("m", request, 2)]

    def _first(self, request: int) -> float:
        answers = self.answers.get(request)
        return answers.first if answers is not None else 0.0

    def _rate(self, request: int) -> float:
        answers = self.answers.get(request)
        return answers.rate if answers is not None else 0.0

    # --- the bot --------------------------------------------------------------------------------------------

    async def _staged(self, bot: Bot, call: Call) -> Pipeline:
        """The bot's pipeline, with somebody in it whose handlers can go wrong."""
        pipeline = await pipeline_of(bot, call)
        wanted = {getattr(fault, "processor", "") for fault in self.code_faults}
        extra = [cls() for cls in (Bystander, TextBystander) if cls.__name__ in wanted]
        if not extra:
            return pipeline
        stages = list(pipeline)
        place = next((n + 1 for n, each in enumerate(stages) if isinstance(each, LLMAggregator)), len(stages) - 1)
        return Pipeline([*stages[:place], *extra, *stages[place:]], language=pipeline.language)


class _Clockwork(Processor):
    """Lets things happen at their times, counted from the begin of the call."""

    def __init__(self, timed: Sequence[Timed], lexicon: Lexicon) -> None:
        self._timed = timed
        self._lexicon = lexicon

    def on_call_start(self, start: CallStart) -> None:
        for item in self._timed:
            self.call.timer(self.call.now + item.at, partial(self._now, item), f"item {item.number}")

    def _now(self, item: Timed) -> None:
        self.call.work(item.happen(self.call, self._lexicon), f"item {item.number}")

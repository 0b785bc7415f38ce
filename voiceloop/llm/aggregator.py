"""The model in a pipeline: the caller's turns in, the text of answers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voiceloop.answer import Answer
from voiceloop.conversation import Message
from voiceloop.frames import UserTurn
from voiceloop.llm.base import LLM, Usage
from voiceloop.processor import Processor
from voiceloop.pull import ProviderFailed, Pull

__all__ = ["LLMAggregator", "LLMOptions"]


@dataclass(frozen=True, slots=True)
class LLMOptions:
    """How long to wait for a model, and how often to ask."""

    first_text: float = 8.0
    """Seconds until the first words of an answer."""
    stall: float = 5.0
    """Seconds between two pieces of an answer."""
    tries: int = 2
    """Requests per answer; another one is made only while nothing was written."""


class LLMAggregator(Processor):
    """Keeps the caller's turns in the conversation, asks the model, and pushes what it writes as it is written.

    Args:
        llm: the model.
        instructions: what the model is told before the conversation: who it is, what it knows, how to speak.
        examples: turns that show how to answer, each what a caller says and what the agent answers. They are sent
            before the conversation, and are what a small model understands best.
        options: limits.
    """

    def __init__(
        self,
        llm: LLM,
        *,
        instructions: str = "",
        examples: Sequence[tuple[str, str]] = (),
        options: LLMOptions | None = None,
    ) -> None:
        if not isinstance(llm, LLM):
            hint = f" Did you mean {llm.__name__}()?" if isinstance(llm, type) else ""
            raise TypeError(f"LLMAggregator takes a model, an instance of LLM; got {llm!r}.{hint}")
        self._named = llm
        self._llm = llm
        self._beginning = [Message("system", instructions)] if instructions else []
        for said, answered in examples:
            self._beginning += [Message("user", said), Message("assistant", answered)]
        self.options = options or LLMOptions()
        self._said: list[Message] = []  # what the caller said in the last turn

    async def start(self) -> None:
        """Warm the model, with what every request of the call begins with."""
        self._llm = self.call.runtime.provider(LLM, self._named)
        await self.call.runtime.warm(self._llm)
        await self._llm.prepare(self._beginning)

    async def on_user_turn(self, turn: UserTurn) -> None:
        """Answer the caller."""
        self._remember(turn)
        if self.call.ending is not None:
            return
        answer = self.begin_answer(turn=turn)
        for attempt in range(1, self.options.tries + 1):
            try:
                await self._answer(answer)
                return
            except ProviderFailed as error:
                if attempt == self.options.tries or answer.text or answer.dead:
                    raise
                self.call.note_fault(f"{type(self._llm).__name__}.failed", f"{error}; asking again", error.detail)

    def messages(self) -> list[Message]:
        """What the model is given: instructions, examples, and the conversation as it was heard."""
        heard = [message for message in self.call.conversation if message.text]
        if heard and self._beginning and heard[0].role == self._beginning[-1].role:
            # Or the greeting would look like part of the last example.
            heard.insert(0, Message("user", self.call.cues.hello))
        return self._beginning + heard

    def _remember(self, turn: UserTurn) -> None:
        """One message for each turn, also for one that went on; but what the agent said in between stays there."""
        conversation = self.call.conversation
        said = self._said if turn.continued else []
        last = said.pop() if said and said[-1] is conversation[-1] else None
        text = turn.text.removeprefix(" ".join(message.text for message in said)).strip()
        if last is not None:
            last.text = text
        elif text:
            last = conversation.add("user", text)
        self._said = said if last is None else [*said, last]

    async def _answer(self, answer: Answer) -> None:
        engine = self._engine
        if engine is None:
            return
        kind = type(self._llm).__name__
        pull: Pull[str | Usage] = Pull(engine, self._llm.respond(self.messages()), "llm", answer)
        try:
            while True:
                item = await pull.next(self.options.stall if answer.text else self.options.first_text)
                if isinstance(item, Usage):
                    self._count(item)
                    continue
                answer.stamp("text", self.call.now)
                self.write(answer, item)
        except StopAsyncIteration:
            if not answer.text.strip():
                raise ProviderFailed(f"{kind} ended without writing anything") from None
        finally:
            pull.close()

    def _count(self, usage: Usage) -> None:
        counts = self.call.usage
        counts["llm.input_tokens"] += usage.input_tokens
        counts["llm.output_tokens"] += usage.output_tokens
        counts["llm.cached_tokens"] += usage.cached_tokens

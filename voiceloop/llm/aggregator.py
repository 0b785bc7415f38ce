"""The model in a pipeline: the caller's turns in, the text of answers out, and tools run in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from voiceloop.answer import Answer
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import VoiceloopError
from voiceloop.frames import UserTurn
from voiceloop.llm.base import LLM, Echo, Item, Usage
from voiceloop.llm.tool_round import ToolRunner
from voiceloop.processor import Processor
from voiceloop.pull import ProviderFailed, ProviderStalled, Pull
from voiceloop.served import Served
from voiceloop.watchdogs import bark

__all__ = ["LLMAggregator", "LLMOptions"]

ENOUGH = "Not run: too many rounds of tools in one turn. Answer the caller now."
CHARACTERS_PER_TOKEN = 4
"""Of English, about: for answers that were cut before the model had counted."""


@dataclass(frozen=True, slots=True)
class LLMOptions:
    """How long to wait for a model, and how often to ask."""

    first_text: float = 5.0
    """Seconds until the first words of an answer."""
    stall: float = 5.0
    """Seconds between two pieces of an answer."""
    tries: int = 2
    """Requests until the model has begun to answer; another one is made only while nothing was written."""
    rounds: int = 8
    """How often in one turn the model may ask for tools."""
    slow: float = 1.5
    """Seconds of silence after which the caller is told that a tool takes its time (`Phrases.one_moment`)."""
    slow_again: float = 8.0
    """Seconds until they are told again."""


class LLMAggregator(Processor):
    """Keeps the caller's turns in the conversation, asks the model, and pushes what it writes as it is written.

    Args:
        llm: the model.
        instructions: what the model is told before the conversation: who it is, what it knows, how to speak.
        examples: turns that show how to answer, each what a caller says and what the agent answers. They are sent
            before the conversation, and are what a small model understands best.
        tools: what the model may ask for: Python functions, or methods of the call such as ``call.hang_up``. See
            `voiceloop.tools`. No interruption ends a tool that runs.
        options: limits.

    Raises:
        BadTool: one of them cannot be offered as a tool; the message says why.
    """

    def __init__(
        self,
        llm: LLM,
        *,
        instructions: str = "",
        examples: Sequence[tuple[str, str]] = (),
        tools: Sequence[Any] = (),
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
        self._tools = ToolRunner(tools, self.options.slow, self.options.slow_again)
        self._said: list[Message] = []  # what the caller said in the last turn

    async def start(self) -> None:
        """Warm the model, with what every request of the call begins with."""
        self._llm = self.call.runtime.provider(LLM, self._named)
        if self._tools.specs and not self._llm.takes_tools:
            names = ", ".join(spec.name for spec in self._tools.specs)
            raise VoiceloopError(
                f"{type(self._llm).__name__} cannot be offered tools ({names}): use a model that can, or none"
            )
        await self.call.awaited(self._warm)

    async def _warm(self) -> None:
        await self.call.runtime.warm(self._llm)
        await self._llm.prepare(self._beginning, self._tools.specs)

    async def on_user_turn(self, turn: UserTurn) -> None:
        """Answer the caller."""
        self._remember(turn)
        if self.call.ending is not None:
            return
        answer = self.begin_answer(turn=turn)
        for number in range(self.options.rounds + 2):
            leaving = self.call.ending is not None
            try:
                calls, echo = await self._ask(answer)
            except ProviderFailed as error:
                if not leaving or answer.dead:
                    raise
                self.call.note_fault(
                    f"{type(self._llm).__name__}.failed", f"{error}, when it had hung up", error.detail
                )
                break
            if not calls:
                break
            if answer.text and not answer.text[-1].isspace():
                self.write(answer, " ")  # the voice need not wait for more of the last word
            made = self.call.note_tools(answer, tuple(calls), echo)
            if number == self.options.rounds:
                made.given.results = tuple(ToolResult(each.id, ENOUGH, True) for each in calls)
            elif number > self.options.rounds:
                raise ProviderFailed(f"{type(self._llm).__name__} asks for tools again and again")
            else:
                await self._tools.run(self.call, answer, calls, made.given, lambda text: self._say(answer, text))
            if self.call.ending is not None and (leaving or answer.text.strip()):
                break  # asked once for a last word, no more than that
        if not answer.text.strip():
            if self.call.ending is None:
                raise ProviderFailed(f"{type(self._llm).__name__} ended without writing anything")
            self._say(answer, self.call.phrases.goodbye)  # it has hung up, and not said a word

    async def _ask(self, answer: Answer) -> tuple[list[ToolCall], Any]:
        """One request, and another one if that came to nothing."""
        for attempt in range(1, self.options.tries + 1):
            before = len(answer.text)
            try:
                return await self._answer(answer)
            except ProviderFailed as error:
                if isinstance(error, ProviderStalled):
                    limit = self.options.stall if len(answer.text) > before else self.options.first_text
                    bark(self.call, "model_silent", limit, limit, answer=answer)
                if attempt == self.options.tries or answer.text[before:].strip() or answer.dead:
                    raise
                self.call.note_fault(f"{type(self._llm).__name__}.failed", f"{error}; asking again", error.detail)
        raise AssertionError  # the loop has returned or raised

    def messages(self, answer: Answer | None = None) -> list[Message]:
        """What the model is given: instructions, examples, and the conversation as it was heard.

        Args:
            answer: the one it is writing; of this all is given that it wrote before it asked for tools.
        """
        heard: list[Message] = []
        for message in self.call.messages_for(answer):
            if message.calls and not message.text:  # of an earlier answer: what it said may have been cut
                text = heard.pop().text if heard and heard[-1].role == "assistant" and not heard[-1].calls else ""
                message = Message("assistant", text, calls=message.calls, echo=message.echo)
            if message.text or message.calls or message.results:
                heard.append(message)
        if heard and self._beginning and heard[0].role == self._beginning[-1].role:
            # Or the greeting would look like part of the last example.
            heard.insert(0, Message("user", self.call.cues.hello))
        return self._beginning + heard

    def _remember(self, turn: UserTurn) -> None:
        """One message for each turn, also for one that went on; but what the agent said in between stays there."""
        conversation = self.call.conversation
        said = self._said if turn.continued else []
        last = said.pop() if said and said[-1] is conversation[-1] else None
        before = " ".join(message.text for message in said)
        went_on = not before or f"{turn.text} ".startswith(f"{before} ")  # else the recogniser has changed its mind
        text = turn.text[len(before) if went_on else 0 :].strip()
        if last is not None:
            last.text = text
        elif text:
            last = conversation.add("user", text)
        self._said = said if last is None else [*said, last]

    async def _answer(self, answer: Answer) -> tuple[list[ToolCall], Any]:
        """One request: writes its text, returns the tools it asks for and the echo to give back with them."""
        engine = self._engine
        if engine is None:
            return [], None
        kind, before = type(self._llm).__name__, len(answer.text)
        messages, specs = self.messages(answer), self._tools.specs
        if self.call.journal is not None:
            self.call.journal.requested("llm", {"messages": messages, "tools": specs})
        items = self._llm.respond(messages, specs) if specs else self._llm.respond(messages)
        pull: Pull[Item] = Pull(engine, items, "llm", answer)
        calls: list[ToolCall] = []
        echo, read_known, written_known = None, False, False
        try:
            while True:
                begun = len(answer.text) > before or calls
                item = await pull.next(self.options.stall if begun else self.options.first_text)
                if isinstance(item, str):
                    self._write(answer, item, before)
                elif isinstance(item, Usage):
                    read_known |= item.input_tokens > 0
                    written_known |= item.output_tokens > 0
                    self._count(item)
                elif isinstance(item, ToolCall):
                    calls.append(item)
                elif isinstance(item, Served):
                    self.call.note_served("llm", item)
                elif isinstance(item, Echo):
                    echo = item.content
                else:
                    self.call.note_fault(f"{kind}.failed", f"it gave {item!r:.100}, which no LLM may; passed over")
        except StopAsyncIteration:
            if not calls and not answer.text.strip() and self.call.ending is None:
                raise ProviderFailed(f"{kind} ended without writing anything") from None
            return calls, echo
        finally:
            pull.close()
            if not written_known and len(answer.text) > before:
                self._estimate([] if read_known else messages, len(answer.text) - before)

    def _write(self, answer: Answer, text: str, before: int) -> None:
        answer.stamp("text", self.call.now)
        if len(answer.text) == before and before and not answer.text[-1].isspace() and not text[:1].isspace():
            text = f" {text}"  # the model does not know what was said before the tools ran
        self.write(answer, text)

    def _say(self, answer: Answer, text: str) -> None:
        """Words of the library's own, as part of the answer."""
        self._write(answer, f"{text} ", len(answer.text))

    def _estimate(self, messages: Sequence[Message], characters: int) -> None:
        """Count a request that was cut before the model had counted: it is paid for all the same."""
        read = sum(len(message.text) for message in messages)
        self._count(Usage(ceil(read / CHARACTERS_PER_TOKEN), ceil(characters / CHARACTERS_PER_TOKEN)))
        self.call.usage["llm.estimated_requests"] += 1

    def _count(self, usage: Usage) -> None:
        counts = self.call.usage
        counts["llm.input_tokens"] += usage.input_tokens
        counts["llm.output_tokens"] += usage.output_tokens
        counts["llm.cached_tokens"] += usage.cached_tokens
        if usage.cache_write_tokens:
            counts["llm.cache_write_tokens"] += usage.cache_write_tokens

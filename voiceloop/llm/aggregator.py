"""The model in a pipeline: the caller's turns in, the text of answers out, and tools run in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from voiceloop.answer import Answer, AnswerState
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.filler import Filler
from voiceloop.frames import AnswerEnded, Speculation, UserTurn
from voiceloop.llm.base import LLM, Echo, Item, Usage
from voiceloop.llm.callers_words import CallersWords
from voiceloop.llm.counting import count, count_dropped, estimate
from voiceloop.llm.history import remembered
from voiceloop.llm.speculating import Guessed
from voiceloop.llm.tool_round import ToolRunner
from voiceloop.processor import Processor
from voiceloop.pull import ProviderFailed, ProviderStalled, Pull
from voiceloop.registry import Work
from voiceloop.served import Served
from voiceloop.watchdogs import bark

__all__ = ["LLMAggregator", "LLMOptions"]

ENOUGH = "Not run: too many rounds of tools in one turn. Answer the caller now."


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
    certain: float = 5.0
    """Seconds after which an answer is dropped that was begun before the caller's turn was over, when nothing has told
    by then whether it is."""


class LLMAggregator(Processor):
    """Keeps the caller's turns in the conversation, asks the model, and pushes what it writes as it is written.

    On a `Speculation` it begins an answer before the turn is over, unless the model is not to be asked for what may be
    thrown away (`LLM.speculative`). Until the turn is certain nothing of it is heard, no tool runs, and the
    conversation stays as it is. When it fails, or never becomes certain, it is dropped without a word.

    Args:
        llm: the model.
        instructions: what the model is told before the conversation: who it is, what it knows, how to speak.
        examples: turns that show how to answer, each what a caller says and what the agent answers. They are sent
            before the conversation, and are what a small model understands best.
        tools: what the model may ask for: Python functions, or methods of the call such as ``call.hang_up``. See
            `voiceloop.tools`. No interruption ends a tool that runs.
        options: limits.
        filler: a soft sound that is heard while tools work, in the silence before "One moment, please." and behind it;
            None for none.

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
        filler: Filler | None = None,
    ) -> None:
        if not isinstance(llm, LLM):
            hint = f" Did you mean {llm.__name__}()?" if isinstance(llm, type) else ""
            raise TypeError(f"LLMAggregator takes a model, an instance of LLM; got {llm!r}.{hint}")
        self._named = llm
        self._llm = llm
        self._beginning = [Message("system", instructions)] if instructions else []
        for said, answered in examples:
            self._beginning += [Message("user", said), Message("assistant", answered)]
        self._options = options or LLMOptions()
        self._tools = ToolRunner(tools, self._options.slow, self._options.slow_again)
        self._tools.filler = filler
        self._words = CallersWords()
        self._guessed: Guessed | None = None  # the last answer that was begun early

    @property
    def options(self) -> LLMOptions:
        """Limits. May be set before the call begins."""
        return self._options

    @options.setter
    def options(self, options: LLMOptions) -> None:
        self._options = options
        self._tools.slow, self._tools.again = options.slow, options.slow_again

    async def start(self) -> None:
        """Warm the model, with what every request of the call begins with."""
        self._llm = self.call.runtime.provider(LLM, self._named)
        if self._tools.specs and not self._llm.takes_tools:
            names = ", ".join(spec.name for spec in self._tools.specs)
            raise VoiceloopError(
                f"{type(self._llm).__name__} cannot be offered tools ({names}): use a model that can, or none"
            )
        await self.call.awaited(self._warm)
        await self._tools.prepare(self.call)

    async def _warm(self) -> None:
        await self.call.runtime.warm(self._llm)
        await self._llm.prepare(self._beginning, self._tools.specs)

    def on_speculation(self, speculation: Speculation) -> None:
        """Begin to answer what looks like a whole turn."""
        engine = self._engine
        if engine is None or not self._llm.speculative or self.call.ending is not None:
            return
        self._drop_guess()
        answer = self.begin_answer(turn=speculation.turn, speculative=True)
        limit = self.call.timer(self.call.now + self.options.certain, partial(self._doubt, answer), "speculation")
        self._guessed = Guessed(answer, limit, self.call.messages_for(None))
        name, done = f"{self.name}.on_speculation", partial(self._speculated, answer)
        engine.spawn(self._speculate(answer), name, answer=answer, origin=self._index, on_done=done)

    async def on_user_turn(self, turn: UserTurn) -> None:
        """Answer the caller; go on with the answer to this very turn that was begun before it was over."""
        before = self.call.messages_for(None)
        self._words.remember(self.call.conversation, turn)
        if self._keep_guess(turn, before):
            return
        self._drop_guess()
        if self.call.ending is None:
            await self._respond(self.begin_answer(turn=turn))

    async def _respond(self, answer: Answer) -> None:
        """The whole of an answer, with what tools do in between."""
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
            if not await self._certain(answer):
                return
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

    # --- before the turn is over ---------------------------------------------------------------------------

    async def _speculate(self, answer: Answer) -> None:
        """Answer a turn that is not certain yet. A failure counts only when it has become so."""
        try:
            await self._respond(answer)
        except Exception as error:
            if answer.state is not AnswerState.SPECULATIVE:
                raise
            line, detail = describe(error)
            kind = f"{type(self._llm).__name__}.failed" if isinstance(error, ProviderFailed) else f"{self.name}.failed"
            self.call.note_fault(kind, f"{line}, for an answer that was not certain yet", detail)
            self.call.discard(answer)

    def _speculated(self, answer: Answer, work: Work) -> None:
        """The work of an answer that was begun early is over."""
        if (engine := self._engine) is not None:
            engine.work_ended(work, answer)
            if work.failure is None and not answer.dead:
                self.finish_answer(answer)

    async def _certain(self, answer: Answer) -> bool:
        """Tools do something: wait until it is certain that the caller is to be answered."""
        if answer.state is AnswerState.SPECULATIVE and not answer.text.strip():
            answer.stamp("asked", self.call.now)
        return await answer.committed()

    def _doubt(self, answer: Answer) -> None:
        """The turn is another one, or nobody has said in time whether it is over."""
        if answer.state is AnswerState.SPECULATIVE:
            self.call.discard(answer)

    def _keep_guess(self, turn: UserTurn, before: Sequence[Message]) -> bool:
        """Let the answer be heard that was begun for this turn, if it can still be given."""
        guessed = self._guessed
        if guessed is None or guessed.answer.turn is not turn or guessed.answer.dead or turn.withdrawn:
            return False
        if guessed.answer.state is AnswerState.SPECULATIVE:
            if self.call.ending is not None or not guessed.knew(before):
                return False
            self.call.commit(guessed.answer)
        self._forget_guess()
        return True

    def _drop_guess(self) -> None:
        if self._guessed is not None:
            self._doubt(self._guessed.answer)
        self._forget_guess()

    def _forget_guess(self) -> None:
        if self._guessed is not None:
            self._guessed.settle()
            self._guessed = None

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        """What was made of an answer that is dropped before it was certain is wasted."""
        if self._guessed is not None and self._guessed.answer is ended.answer and ended.answer.dead:
            self._forget_guess()
        count_dropped(self.call, ended.answer)

    # --- requests ------------------------------------------------------------------------------------------

    async def _ask(self, answer: Answer) -> tuple[list[ToolCall], Any]:
        """One request, and another one if that came to nothing."""
        for attempt in range(1, self.options.tries + 1):
            before = len(answer.text)
            try:
                return await self._answer(answer)
            except ProviderFailed as error:
                if isinstance(error, ProviderStalled) and answer.state is not AnswerState.SPECULATIVE:
                    limit = self.options.stall if len(answer.text) > before else self.options.first_text
                    bark(self.call, "model_silent", limit, limit, answer=answer)
                guess = answer.state is AnswerState.SPECULATIVE  # the turn itself will be asked
                if guess or attempt == self.options.tries or answer.text[before:].strip() or answer.dead:
                    raise
                self.call.note_fault(f"{type(self._llm).__name__}.failed", f"{error}; asking again", error.detail)
        raise AssertionError  # the loop has returned or raised

    def messages(self, answer: Answer | None = None) -> list[Message]:
        """What the model is given: instructions, examples, and the conversation as it was heard.

        Args:
            answer: the one it is writing; of this all is given that it wrote before it asked for tools. With one that
                is speculative, what it answers stands at the end.
        """
        heard: list[Message] = []
        given = self.call.messages_for(answer)
        if answer is not None and answer.turn is not None and answer.state is AnswerState.SPECULATIVE:
            given = self._words.foreseen(given, self.call.conversation, answer.turn)
        for message in remembered(given):
            if message.calls and not message.text:  # of an earlier answer: what it said may have been cut
                text = heard.pop().text if heard and heard[-1].role == "assistant" and not heard[-1].calls else ""
                message = Message("assistant", text, calls=message.calls, echo=message.echo)
            if message.text or message.calls or message.results:
                heard.append(message)
        if heard and self._beginning and heard[0].role == self._beginning[-1].role:
            # Or the greeting would look like part of the last example.
            heard.insert(0, Message("user", self.call.cues.hello))
        return self._beginning + heard

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
                    count(self.call, answer, item)
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
            if not written_known and (len(answer.text) > before or (answer.provisional and not read_known)):
                estimate(self.call, answer, [] if read_known else messages, len(answer.text) - before)

    def _write(self, answer: Answer, text: str, before: int) -> None:
        answer.stamp("text", self.call.now)
        if len(answer.text) == before and before and not answer.text[-1].isspace() and not text[:1].isspace():
            text = f" {text}"  # the model does not know what was said before the tools ran
        self.write(answer, text)

    def _say(self, answer: Answer, text: str) -> None:
        """Words of the library's own, as part of the answer."""
        self._write(answer, f"{text} ", len(answer.text))

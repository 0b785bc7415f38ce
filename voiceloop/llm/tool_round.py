"""A round of tools in the middle of an answer: they run, and the caller is told when it takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from voiceloop.answer import Answer
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.filler import Filler
from voiceloop.frames import Filling
from voiceloop.keypad import TOOL_WORDS

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.llm.base import ToolSpec
    from voiceloop.tools import Toolbox

__all__ = ["ToolRunner"]

NOT_YET = "It is still running; its result is not known yet."
AUDIBLE = 0.2
"""Seconds of an answer that are still to be played, above which the caller is not waiting."""


class ToolRunner:
    """Runs the tools of one call's model.

    Args:
        tools: functions, or `voiceloop.tools.Tool`s.
        slow: seconds of silence until the caller is told to wait.
        again: seconds until they are told again.
    """

    def __init__(self, tools: Sequence[Any], slow: float, again: float) -> None:
        self._toolbox: Toolbox | None = None
        if tools:
            from voiceloop.tools import Toolbox

            self._toolbox = Toolbox(tools)
        self.slow = slow
        self.again = again
        self.filler: Filler | None = None
        self._sound = b""

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """What the model is told of them."""
        return self._toolbox.specs if self._toolbox is not None else ()

    async def prepare(self, call: Call) -> None:
        """Make the sound that is heard while tools work, if there is to be one."""
        if self.filler is not None:
            self._sound = call.waiting_sound = await call.filler_sound(self.filler)

    async def run(
        self, call: Call, answer: Answer, asked: Sequence[ToolCall], given: Message, write: Callable[[str], None]
    ) -> None:
        """Run what the model asked for, all at once; returns when all is done.

        No interruption ends the work, only the waiting for it: what comes later is still written into `given`.

        Args:
            asked: the calls.
            given: the message of the conversation that holds the results.
            write: adds words to the answer.
        """
        given.results = tuple(ToolResult(each.id, NOT_YET) for each in asked)
        call.conversation.changed()
        work = [call.work(self._one(call, each, given), f"tool {each.name}") for each in asked]
        answer.working += 1
        sound = Filling(0)
        if self._sound and self.filler is not None:
            number = call.fill(self._sound, self.filler.after, answer)
            sound = Filling(number, self._sound, self.filler.after, answer, last=True)
        before = call.entrances.get(TOOL_WORDS)
        call.entrances[TOOL_WORDS] = write
        try:
            await self._wait(call, answer, work, self._words(asked) or call.phrases.one_moment, write)
        finally:
            answer.working -= 1
            if sound.number and call._engine is not None:
                call.broadcast(sound)  # until the first words: the model has still to write them
            if call.entrances.get(TOOL_WORDS) is write:
                call.entrances.pop(TOOL_WORDS)
                if before is not None:
                    call.entrances[TOOL_WORDS] = before

    async def _one(self, call: Call, asked: ToolCall, given: Message) -> None:
        if self._toolbox is None:
            raise VoiceloopError(f"the model asked for the tool {asked.name!r} and was offered none")
        try:
            run = partial(self._toolbox.run, asked, call)
            outcome = await (run() if call.journal is None else call.journal.tool(run))
            result, fault = outcome.result, outcome.fault
        except Exception as error:
            line, detail = describe(error)
            result, fault = ToolResult(asked.id, f"It failed: {line}", True), (f"tool.{asked.name}", line, detail)
        given.results = tuple(result if each.id == asked.id else each for each in given.results)
        call.conversation.changed()
        if fault is not None:
            call.note_fault(*fault)

    def _words(self, asked: Sequence[ToolCall]) -> str | None:
        """What the first of these tools that has words of its own says when it is slow."""
        tools = [self._toolbox.get(each.name) for each in asked] if self._toolbox is not None else []
        return next((tool.options.slow for tool in tools if tool is not None and tool.options.slow), None)

    async def _wait(
        self,
        call: Call,
        answer: Answer,
        work: Sequence[asyncio.Future[None]],
        phrase: str,
        write: Callable[[str], None],
    ) -> None:
        """Until all is done; whenever the caller has heard nothing for a while, say a word."""
        pending: set[asyncio.Future[None]] = set(work)
        patience = self.slow
        while pending:
            silent = max(0.0, answer.buffered - AUDIBLE)
            _, pending = await asyncio.wait(pending, timeout=patience + silent)
            if not pending or answer.buffered > AUDIBLE or call.keypad.waiting:  # the caller is busy with the keys
                continue
            if call.ending is None:
                write(phrase)
                patience, phrase = self.again, call.phrases.still_working
            elif not answer.text.strip():  # it has hung up without a word, and something else takes its time
                write(call.phrases.goodbye)

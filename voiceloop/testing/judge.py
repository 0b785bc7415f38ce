"""A judge for what cannot be asserted exactly: a question about a call, put to a language model.

::

    with judge(AnthropicLLM("claude-haiku-5-5")) as referee:
        verdict = await referee.asks("Was the caller treated politely?", caller)
        assert verdict

Any `LLM` will do. It runs on an event loop of its own, in a thread and in real time: a call in virtual time stands
still meanwhile, so a service on the network can judge it.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from voiceloop.conversation import Message
from voiceloop.errors import quoted
from voiceloop.faults import describe
from voiceloop.llm.base import LLM
from voiceloop.testing.judge_bench import Bench, JudgeError
from voiceloop.testing.judge_prompt import ANSWER, Vote, again, messages_for, read_vote
from voiceloop.testing.judge_record import Record, transcript_of

__all__ = ["Judge", "JudgeError", "JudgeOptions", "Record", "Verdict", "judge", "transcript_of"]

MAX_RECORD: Final = 200_000
"""Characters of a record that is judged."""
MAX_QUESTION: Final = 2000
"""Characters of a question."""
MAX_ANSWER: Final = 20_000
"""Characters of an answer; what the model writes beyond that is not read."""
MAX_VOTES: Final = 99


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a judge is asked."""

    votes: int = 1
    """How often each question is asked; the majority decides. An odd number, so that there is one. A question is
    decided when a majority is reached, so three votes mostly cost two answers."""
    tries: int = 2
    """How often each vote is asked for until the answer can be read."""
    timeout: float = 60.0
    """Seconds of real time that an answer may take; the first one, and the loading of a model, five times that."""

    def __post_init__(self) -> None:
        if not (1 <= self.votes <= MAX_VOTES and self.votes % 2):
            raise ValueError(f"expected an odd number of votes from 1 to {MAX_VOTES}, got {self.votes}")
        if self.tries < 1 or self.timeout <= 0:
            raise ValueError(f"expected tries >= 1 and timeout > 0, got {self.tries} and {self.timeout}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge has decided. It is true when the answer is yes: ``assert verdict``."""

    passed: bool
    """Whether the answer to the question is yes, or the statement holds."""
    reason: str
    """In the words of the judge."""
    question: str
    votes: tuple[Vote, ...]
    """All that were given, in order."""

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        agree = sum(vote.yes == self.passed for vote in self.votes)
        counted = f" ({agree} of {len(self.votes)} votes)" if len(self.votes) > 1 else ""
        return f"<Verdict: {'yes' if self.passed else 'no'}{counted} to {self.question!r}: {self.reason}>"


class Judge:
    """Puts questions about calls to a language model. Made by `judge`.

    It is closed at the end of a ``with`` block, by `close`, or when nothing refers to it any more.
    """

    def __init__(self, llm: LLM, options: JudgeOptions | None = None) -> None:
        if not isinstance(llm, LLM):
            raise TypeError(f"judge(…) takes a language model, an instance of LLM; got {llm!r}")
        self.llm = llm
        self.options = options or JudgeOptions()
        self._bench: Bench | None = None
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        return f"judge({self.llm!r})"

    async def asks(self, question: str, about: Any, *, votes: int | None = None) -> Verdict:
        """Ask a question about a call or a text, or whether a statement holds.

        Args:
            question: one that can be answered by yes or no, or a statement.
            about: a call (`Dialled`), its report, a conversation, messages, a reply, or a text.
            votes: another number than the options say.

        Raises:
            JudgeError: no verdict: the model failed, or gave no answer that can be read.
            ValueError: the question or the record is empty or too long.
        """
        if not question.strip() or len(question) > MAX_QUESTION:
            raise ValueError(f"expected a question of 1 to {MAX_QUESTION} characters, got {len(question.strip())}")
        record = transcript_of(about)
        if not record or len(record) > MAX_RECORD:
            raise ValueError(
                f"expected a record of 1 to {MAX_RECORD} characters to judge, got {len(record)}; nothing was said yet?"
            )
        options = self.options if votes is None else JudgeOptions(votes, self.options.tries, self.options.timeout)
        return await self._opened().run(_decide(self.llm, " ".join(question.split()), record, options))

    def close(self) -> None:
        """Close the model. The next question opens it again."""
        with self._opening:
            bench, self._bench = self._bench, None
        if bench is not None:
            bench.close()

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> Bench:
        with self._opening:
            if self._bench is None:
                self._bench = Bench(self.llm, self.options.timeout)
                weakref.finalize(self, self._bench.close)
            return self._bench


def judge(llm: LLM, options: JudgeOptions | None = None) -> Judge:
    """A judge that asks this model.

    Args:
        llm: any language model of voiceloop; not one that a bot of the same test uses, for it runs on another loop.
        options: votes, tries, and how long it may take.
    """
    return Judge(llm, options)


# --- asking -------------------------------------------------------------------------------------------------


async def _decide(llm: LLM, question: str, record: str, options: JudgeOptions) -> Verdict:
    """Ask until a majority is reached."""
    votes: list[Vote] = []
    majority = options.votes // 2 + 1
    while not any(sum(vote.yes is yes for vote in votes) >= majority for yes in (True, False)):
        votes.append(await _vote(llm, question, record, options))
    yes = sum(vote.yes for vote in votes) >= majority
    reason = next(vote.reason for vote in reversed(votes) if vote.yes is yes)
    return Verdict(yes, reason, question, tuple(votes))


async def _vote(llm: LLM, question: str, record: str, options: JudgeOptions) -> Vote:
    instructions, asked = messages_for(question, record)
    messages = [Message("system", instructions), Message("user", asked)]
    answer = ""
    for _ in range(options.tries):
        answer = await _answer(llm, messages, options.timeout)
        if (vote := read_vote(answer)) is not None:
            return vote
        messages += [Message("assistant", answer or "…"), Message("user", again())]
    came = quoted(answer) or "an empty answer"
    raise JudgeError(
        f"the judge gave no verdict on {question!r}: expected {ANSWER}, asked for it "
        f"{options.tries} times, and got {came!r}. A larger model may keep to the form"
    )


async def _answer(llm: LLM, messages: list[Message], timeout: float) -> str:
    text = ""
    try:
        async with asyncio.timeout(timeout):
            items = llm.respond(messages)
            try:
                async for item in items:
                    if isinstance(item, str):
                        text += item
                    if len(text) > MAX_ANSWER:
                        break
            finally:
                await items.aclose()
    except TimeoutError:
        raise JudgeError(f"the judge has not answered within {timeout:g} s: {llm!r}") from None
    except Exception as error:
        raise JudgeError(f"the judge cannot be asked: {describe(error)[0]}") from error
    return text

"""The contract of language models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from voiceloop.conversation import Message
from voiceloop.llm.base import LLM, Item, Usage
from voiceloop.testing.conformance_base import Request
from voiceloop.testing.conformance_common import CommonConformance
from voiceloop.testing.conformance_run import require

__all__ = ["LLMConformance"]



def _text(got: Sequence[Item]) -> str:
    return "".join(item for item in got if isinstance(item, str))


class LLMConformance(CommonConformance[LLM, Item]):
    """Tests of a language model."""

    kind = LLM
    request = "respond"
    instructions: ClassVar[str] = "You answer the phone. Answer in one short sentence."
    questions: ClassVar[tuple[tuple[str, str], tuple[str, str]]] = (
        ("What is the capital of France?", "Paris"),
        ("What is the capital of Japan?", "Tokyo"),
    )
    """Two questions, each with a word that only its own answer holds."""
    long_question: ClassVar[str] = "Name three colours, and say in one sentence each what has them."
    """One whose answer has several sentences."""

    def ask(self, provider: LLM, which: int = 0) -> Request[Item]:
        """One of the two questions."""
        return Request(provider.respond(self._messages(self.questions[which][0])), which)

    def ask_on(self, provider: LLM) -> Request[Item]:
        """The question with the long answer."""
        return Request(provider.respond(self._messages(self.long_question)))

    def _messages(self, question: str) -> list[Message]:
        return [Message("system", self.instructions), Message("user", question)]

    def content(self, got: Sequence[Item]) -> object:
        """The text."""
        return _text(got)

    def check(self, request: Request[Item], got: Sequence[Item]) -> None:
        """Text and counts."""
        self._check_items(got)

    def check_own(self, request: Request[Item], got: Sequence[Item]) -> None:
        """It answers this question and no other."""
        (_, own), (_, other) = (self.questions[request.which], self.questions[1 - request.which])
        text = _text(got)
        require(
            own.lower() in text.lower() and other.lower() not in text.lower(),
            f"the answer to {self.questions[request.which][0]!r} holds {own!r} and not {other!r}",
            f"{text!r}",
            "keep what belongs to a request in local variables, and send the messages you are given, all of them; "
            "`questions` of the test class are for a model that knows other things",
        )

    def _check_items(self, got: Sequence[Item]) -> None:
        for item in got:
            require(
                isinstance(item, str | Usage),
                "`respond` yields text as `str`, and `Usage`",
                f"{item!r:.100}",
                "yield the text of the model's message, not the message",
            )
            if isinstance(item, Usage):
                counts = (item.input_tokens, item.output_tokens, item.cached_tokens)
                require(
                    all(isinstance(count, int) and count >= 0 for count in counts),
                    "`Usage` counts tokens; several are added up",
                    f"{item}",
                    "put 0 where the model does not tell",
                )
        require(
            _text(got).strip(),
            "a question is answered",
            "no text",
            "if the model has refused, raise an error that says why",
        )

    async def test_a_long_answer_comes_in_pieces(self) -> None:
        async with self.opened() as provider:
            got = await self.whole(self.ask_on(provider))
            self._check_items(got)
            pieces = [item for item in got if isinstance(item, str) and item.strip()]
            require(
                len(pieces) > 1,
                "text is yielded as it is written, so that the voice can begin with the first words",
                f"{len(_text(got))} characters at once",
                "ask for a streamed answer, and yield each piece when it comes",
            )

    async def test_the_messages_stay_as_they_are(self) -> None:
        async with self.opened() as provider:
            messages = self._messages(self.questions[0][0])
            before = [str(message) for message in messages]
            await self.whole(Request(provider.respond(messages)))
            require(
                [str(message) for message in messages] == before,
                "the messages are the library's: the conversation as it was heard",
                f"they became {[str(message) for message in messages]}",
                "work on a copy",
            )

    async def test_every_conversation_of_a_call_is_answered(self) -> None:
        question = Message("user", self.questions[0][0])
        system, hello = Message("system", self.instructions), Message("assistant", "Corner Coffee, hi!")
        conversations = [
            [question],  # without instructions
            [system, hello, question],  # begun by the agent
            [system, Message("user", "Hello?"), hello, hello, question, question],  # two in a row
        ]
        async with self.opened() as provider:
            for messages in conversations:
                self._check_items(await self.whole(Request(provider.respond(messages))))

    async def test_an_empty_conversation_does_not_hang(self) -> None:
        async with self.opened() as provider:
            request: Request[Item] = Request(provider.respond([]))
            await self.finish(self.consume(request), request)  # an error is as good as an answer
            await self.used(provider)

    async def test_preparing_changes_no_answer(self) -> None:
        async with self.opened() as provider:
            await provider.prepare([])
            for _ in range(2):
                await provider.prepare([Message("system", self.instructions)])
            for which in (0, 1):
                request = self.ask(provider, which)
                self.check_own(request, await self.whole(request))

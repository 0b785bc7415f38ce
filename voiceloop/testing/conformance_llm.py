"""The contract of language models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

import pytest

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.base import LLM, Echo, Item, Served, ToolSpec, Usage
from voiceloop.testing.conformance_base import Request
from voiceloop.testing.conformance_common import CommonConformance
from voiceloop.testing.conformance_run import require

__all__ = ["LLMConformance"]

PRICE = ToolSpec(
    "price",
    "Tells what a drink costs, in dollars. The prices change every day: always ask.",
    {
        "type": "object",
        "properties": {"drink": {"type": "string", "description": "Its name."}},
        "required": ["drink"],
        "additionalProperties": False,
    },
)


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
    tool_question: ClassVar[str] = "What does a latte cost?"
    """One for which the model must ask for the tool ``price`` with ``drink``. It is told that it costs 41 dollars."""
    tool_answer: ClassVar[str] = "41"
    """What its answer then holds."""

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
        self._check_kinds(got)
        require(
            _text(got).strip(),
            "a question is answered",
            "no text",
            "if the model has refused, raise an error that says why",
        )

    def _check_kinds(self, got: Sequence[Item], offered: Sequence[str] = ()) -> None:
        for item in got:
            require(
                isinstance(item, str | Usage | ToolCall | Echo | Served),
                "`respond` yields text as `str`, `ToolCall`, `Usage`, `Echo` and `Served`",
                f"{item!r:.100}",
                "yield the text of the model's message, not the message",
            )
            require(
                not isinstance(item, ToolCall) or item.name in offered,
                "a `ToolCall` asks for a tool that was offered",
                f"{item}; offered were {', '.join(offered) or 'none'}",
                "yield no calls where `tools` is empty",
            )
            if isinstance(item, Usage):
                counts = (item.input_tokens, item.output_tokens, item.cached_tokens)
                require(
                    all(isinstance(count, int) and count >= 0 for count in counts),
                    "`Usage` counts tokens; several are added up",
                    f"{item}",
                    "put 0 where the model does not tell",
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

    # --- tools ------------------------------------------------------------------------------------------------------

    def _offered(self, provider: LLM, messages: Sequence[Message]) -> Request[Item]:
        """A request that offers a tool, to a model that takes tools."""
        return Request(provider.respond(messages, [PRICE]) if provider.takes_tools else provider.respond(messages))

    async def test_tools_are_asked_for_and_their_results_are_used(self) -> None:
        async with self.opened() as provider:
            if not provider.takes_tools:
                pytest.skip(f"{type(provider).__name__} takes no tools: `takes_tools` is False")
            messages = self._messages(self.tool_question)
            got = await self.whole(self._offered(provider, messages))
            asked = self._asked(got)
            echo = next((item.content for item in got if isinstance(item, Echo)), None)
            results = tuple(ToolResult(each.id, '{"dollars": 41}') for each in asked)
            messages.append(Message("assistant", _text(got), calls=asked, echo=echo))
            messages.append(Message("tool", "", results=results))
            answer = await self.whole(self._offered(provider, messages))
            self._check_kinds(answer, [PRICE.name])
            require(
                self.tool_answer in _text(answer),
                f"the answer to the results of its tools holds {self.tool_answer!r}, which they tell",
                f"{_text(answer)!r}",
                "send `Message.calls` and `Message.results` in the form in which the model has them",
            )

    def _asked(self, got: Sequence[Item]) -> tuple[ToolCall, ...]:
        """The calls of an answer, which must be whole."""
        self._check_kinds(got, [PRICE.name])
        asked = tuple(item for item in got if isinstance(item, ToolCall))
        require(
            asked,
            f"a model that takes tools asks for the tool `price` when it is asked {self.tool_question!r}",
            f"{_text(got)!r}, and no `ToolCall`",
            "yield `ToolCall`; set `tool_question` of the test class to one that makes this model ask for it",
        )
        ids = [each.id for each in asked]
        require(
            all(ids) and len(set(ids)) == len(ids),
            "each `ToolCall` has an identifier of its own",
            f"{ids}",
            "pass on that of the service, or make one",
        )
        for each in asked:
            require(
                "drink" in _object(each.arguments),
                "`ToolCall.arguments` is the JSON of an object, once it is whole",
                f"{each.arguments!r:.200}",
                "put the pieces together, and yield the call when its last one is there",
            )
        return asked

    async def test_every_way_in_which_tools_ended_leaves_a_conversation_that_goes_on(self) -> None:
        one, two, cut = (ToolCall(f"made_{n}", PRICE.name, '{"drink": "mocha"}') for n in (1, 2, 3))
        before = [
            Message("user", "Hello, what are a mocha and a tea?"),
            Message("assistant", "Let me see.", calls=(one, two)),
            Message("tool", "", results=(ToolResult(two.id, "sold out", True), ToolResult(one.id, "5"))),
            Message("assistant", "Five dollars, and we have no", "tea today.", interrupted=True),
            Message("user", "And a latte?"),
            Message("assistant", "", calls=(cut,)),
            Message("tool", "", results=(ToolResult(cut.id, "It is still running."),)),
        ]
        async with self.opened() as provider:
            system, question = self._messages(self.questions[0][0])
            got = await self.whole(self._offered(provider, [system, *before, question]))
            self._check_kinds(got, [PRICE.name])
            require(
                _text(got).strip() or any(isinstance(item, ToolCall) for item in got),
                "a conversation in which tools were used goes on, whatever became of them",
                "neither text nor a call",
                "send each call with its result; a model that takes no tools leaves both out",
            )


def _object(arguments: str) -> dict[str, object]:
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

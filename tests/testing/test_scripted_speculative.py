"""A scripted model that may be asked in vain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.fallback import Fallback
from voiceloop.llm.base import LLM
from voiceloop.testing import Failing, ScriptedLLM, calls, script
from voiceloop.testing.faulty_llm import FaultyLLM


def said(*texts: str) -> list[Message]:
    """A conversation that the caller begins."""
    return [Message("assistant" if number % 2 else "user", text) for number, text in enumerate(texts)]


async def asked(llm: LLM, messages: Sequence[Message], *, most: int = 100) -> str:
    """What it answers; it is left after so many items."""
    text, items = "", llm.respond(messages)
    async for item in items:
        text += item if isinstance(item, str) else ""
        most -= 1
        if not most:
            break
    await items.aclose()
    return text


def test_it_is_not_to_be_asked_in_vain_unless_it_is_told_so() -> None:
    assert [llm.speculative for llm in (ScriptedLLM(["a"]), script("a"))] == [False, False]
    assert [llm.speculative for llm in (ScriptedLLM(["a"], speculative=True), script("a", speculative=True))] == [
        True,
        True,
    ]


@pytest.mark.parametrize("most", [1, 100])
async def test_an_answer_that_nobody_heard_is_given_again(most: int) -> None:
    llm = script("One two.", "Three four.", speculative=True)
    await asked(llm, said("hello"), most=most)
    assert await asked(llm, said("hello there")) == "One two."
    assert await asked(llm, said("hello there", "One two.", "and")) == "Three four."
    assert len(llm.requests) == 3


async def test_without_it_every_request_takes_the_next_reply() -> None:
    llm = script("One two.", "Three four.")
    assert [await asked(llm, said(text)) for text in ("hello", "hello there")] == ["One two.", "Three four."]


async def test_a_request_that_failed_has_used_its_reply_up() -> None:
    llm = script(ConnectionError("no"), "One.", speculative=True)
    with pytest.raises(ConnectionError, match="no"):
        await asked(llm, said("hello"))
    assert await asked(llm, said("hello")) == "One."
    broken = script("One two.", "Three.", speculative=True, failing=Failing("raise", after=1, requests={0}))
    with pytest.raises(ConnectionError):
        await asked(broken, said("hello"))
    assert await asked(broken, said("hello")) == "Three."


async def test_results_of_tools_are_answered_by_the_next_reply() -> None:
    llm = script(calls("price"), "Four.", speculative=True)
    messages = said("how much")
    await asked(llm, messages)
    messages += [Message("assistant", ""), Message("tool", "")]
    assert await asked(llm, messages) == "Four."


def test_wrappers_are_asked_in_vain_as_their_models_are() -> None:
    yes: Any = ScriptedLLM(["a"], speculative=True)
    no: Any = ScriptedLLM(["a"])
    assert [FaultyLLM(yes).speculative, FaultyLLM(no).speculative] == [True, False]
    assert [Fallback([yes, FaultyLLM(yes)]).speculative, Fallback([yes, no]).speculative] == [True, False]

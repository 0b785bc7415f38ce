"""A call outlives its line: the redirect brings it back, and the agent goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.server.shop import SORRY, shop
from voiceloop import Call
from voiceloop.sim.twilio import TwilioOptions
from voiceloop.testing import ScriptedLLM, script
from voiceloop.testing import calls as asks

GREETING = "Tea room, hello. What can I do for you?"
LONG = "We have green tea, black tea and mint tea. A cup is four dollars. Which one would you like?"


def kept(folder: Path, llm: ScriptedLLM, *, sim: TwilioOptions | None = None, **options: Any) -> Any:
    """A shop whose calls outlive their process."""
    return shop(sim, llm=llm, greeting=GREETING, folder=folder, **options)


def lines(call: Call) -> list[str]:
    return [str(message) for message in call.conversation]


async def test_the_agents_question_is_asked_again_when_the_caller_had_not_spoken(tmp_path: Path) -> None:
    async with kept(tmp_path, script("One tea.")) as here:
        line = await here.rings()
        assert await here.hears(line) == GREETING
        assert await here.lost(line) == f"{SORRY} What can I do for you?"
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea."
        await line.hangs_up()
        await line.ended()
    assert lines(here.calls[1]) == [
        f"assistant: {GREETING}",
        f"assistant: {SORRY}",
        "assistant: What can I do for you?",
        "user: a tea please",
        "assistant: One tea.",
    ]
    assert here.sim.debugger == []


async def test_the_callers_last_words_are_answered_when_they_were_not(tmp_path: Path) -> None:
    llm = ScriptedLLM(["One tea."], first=3.0)
    async with kept(tmp_path, llm) as here:
        line = await here.rings()
        await here.hears(line)
        await line.caller.says("a tea please")
        await line.caller.waits(2.0)
        assert await here.lost(line) == SORRY
        assert await here.hears(line) == "One tea."
        await line.hangs_up()
        await line.ended()
    assert lines(here.calls[1]) == [
        f"assistant: {GREETING}",
        "user: a tea please",
        f"assistant: {SORRY}",
        "assistant: One tea.",
    ]
    assert [turn.caller for turn in here.calls[1].turns if turn.heard] == ["a tea please"]
    assert [message.text for message in llm.requests[-1]][-1] == "a tea please"


async def test_the_sentence_that_was_cut_is_said_again_and_what_follows_it(tmp_path: Path) -> None:
    llm = script(LONG, "Mint tea it is.")
    async with kept(tmp_path, llm) as here:
        line = await here.rings()
        await here.hears(line)
        await line.caller.says("what do you have")
        await line.caller.waits(3.6)
        heard = here.calls[0].conversation[-1].text
        assert heard.startswith("We have green tea, black tea and mint tea. A")
        assert "dollars" not in heard
        again = await here.lost(line)
        assert again == f"{SORRY} A cup is four dollars. Which one would you like?"
        await line.caller.says("mint tea")
        assert await here.hears(line) == "Mint tea it is."
        await line.hangs_up()
        await line.ended()
    cut = next(message for message in llm.requests[-1] if message.text.startswith("We have"))
    assert cut.text.endswith("—")  # what models are told of an answer that was cut
    turns = here.calls[1].turns
    assert [(turn.number, turn.caller) for turn in turns] == [(1, "what do you have"), (2, "mint tea")]


async def test_what_a_tool_gave_is_not_asked_for_again(tmp_path: Path) -> None:
    booked: list[str] = []

    def book(what: str) -> str:
        """Book something."""
        booked.append(what)
        return f"booked: {what}"

    llm = ScriptedLLM([asks("book", what="tea"), "It is booked."], first=1.0)
    async with kept(tmp_path, llm, tools=lambda call: [book]) as here:
        line = await here.rings()
        await here.hears(line)
        await line.caller.says("book a tea")
        while not booked:
            await line.caller.waits(0.1)
        await line.caller.waits(0.2)
        assert await here.lost(line) == f"{SORRY} It is booked."
        await line.hangs_up()
        await line.ended()
    assert booked == ["tea"]


async def test_a_call_that_is_over_is_hung_up_when_it_asks_again(tmp_path: Path) -> None:
    async with kept(tmp_path, script("One tea.")) as here:
        line = await here.rings()
        await here.hears(line)
        here.calls[0].hang_up()
        await line.ended()
        assert [verb for verb, _ in line.did][-2:] == ["redirect", "hang up"]
        assert len(line.streams) == 1
        assert here.database.get(line.sid).reason == "completed"  # type: ignore[union-attr]
    assert len(here.calls) == 1


@pytest.mark.parametrize("twice", [False, True])
async def test_a_call_on_three_lines_is_one_record(tmp_path: Path, twice: bool) -> None:
    async with kept(tmp_path, script("One tea.", "Five minutes."), sim=TwilioOptions(webhooks_twice=twice)) as here:
        line = await here.rings()
        await here.hears(line)
        await line.caller.says("a tea please")
        await here.hears(line)
        assert await here.lost(line) == f"{SORRY} One tea."
        await line.caller.says("how long")
        assert await here.hears(line) == "Five minutes."
        assert await here.lost(line) == f"{SORRY} Five minutes."
        await line.hangs_up()
        await line.ended()
        await line.streams[0].wait_ended()
    with here.database:
        record = here.database.get(line.sid)
        assert here.database.count() == 1
    assert record is not None
    assert (record.streams, record.reason) == (3, "caller hung up")
    assert [turn["caller"] for turn in record.turns] == ["a tea please", "how long"]
    assert [message["text"] for message in record.conversation if message["role"] == "user"] == [
        "a tea please",
        "how long",
    ]


async def test_a_caller_who_says_hello_into_the_apology_does_not_stop_it(tmp_path: Path) -> None:
    async with kept(tmp_path, script("One tea.")) as here:
        line = await here.rings()
        await here.hears(line)
        await line.streams[-1].cut()
        caller = await line.connected(streams=2)
        await caller.waits(0.4)
        await caller.says("hello")
        await caller.waits(6.0)
        assert here.lexicon.text(bytes(line.streams[1].heard)) == f"{SORRY} What can I do for you?"
        await line.hangs_up()
        await line.ended()

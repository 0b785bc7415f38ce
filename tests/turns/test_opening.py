"""How an agent goes on when the line was lost: what a person would say."""

from __future__ import annotations

import pytest

from voiceloop.conversation import Conversation, Message, ToolCall, ToolResult
from voiceloop.turns.opening import Next, resume

SORRY = "Sorry, we were cut off."
ASKED = Message("assistant", "Corner Coffee, hi! What can I get you?")
TEA = Message("user", "a tea please")


def agent(heard: str, unheard: str = "", interrupted: bool = False) -> Message:
    return Message("assistant", heard, unheard, interrupted)


def conversation_of(*messages: Message) -> Conversation:
    conversation = Conversation()
    for message in messages:
        conversation.append(message)
    return conversation


@pytest.mark.parametrize(
    ("messages", "then", "text"),
    [
        ([], Next.GREET, ""),
        ([Message("system", "Be brief.")], Next.GREET, ""),
        ([agent("Sorry, we", "were cut off.")], Next.GREET, ""),
        # The caller had spoken.
        ([ASKED, TEA], Next.ANSWER, "a tea please"),
        ([ASKED, TEA, agent("Sorry, we were cut", "off.", True)], Next.ANSWER, "a tea please"),
        ([ASKED, TEA, Message("user", "with milk")], Next.ANSWER, "a tea please with milk"),
        ([ASKED, TEA, Message("user", "mhm", aside=True)], Next.ANSWER, "a tea please"),
        # The agent had asked.
        ([ASKED], Next.SAY, "What can I get you?"),
        ([ASKED, Message("user", "mhm", aside=True)], Next.SAY, "What can I get you?"),
        ([agent("Anything else? Take your time.")], Next.SAY, "Anything else? Take your time."),
        ([agent("Where to? We deliver. Until nine.")], Next.SAY, "Until nine."),
        ([agent("Certainly")], Next.SAY, "Certainly"),
        ([agent('She said "why?"')], Next.SAY, 'She said "why?"'),
        ([agent("It is $4.50 a cup.")], Next.SAY, "It is $4.50 a cup."),
        ([TEA, agent("Five minutes.", ".", True)], Next.SAY, "Five minutes."),
        # The agent was in the middle of it.
        (
            [TEA, agent("One tea. That is", "four dollars. Anything else?")],
            Next.SAY,
            "That is four dollars. Anything else?",
        ),
        ([TEA, agent("One tea.", "That is four dollars.")], Next.SAY, "That is four dollars."),
        ([TEA, agent("One tea. That is", "four dollars. Would you")], Next.SAY, "That is four dollars."),
        ([TEA, agent("One", "tea. That will")], Next.SAY, "One tea."),
        ([TEA, agent("One tea. That is", "four")], Next.ASK, ""),
        # A tool ran.
        ([TEA, Message("assistant", "", calls=(ToolCall("1", "price"),)), Message("tool", "")], Next.GO_ON, ""),
        (
            [TEA, agent("Let me see."), Message("tool", "", results=(ToolResult("1", "4"),)), agent(SORRY)],
            Next.GO_ON,
            "",
        ),
    ],
)
def test_how_it_goes_on(messages: list[Message], then: Next, text: str) -> None:
    resumed = resume(conversation_of(*messages), (SORRY, "Are you still there?"))
    assert (resumed.then, resumed.text) == (then, text)
    assert resumed.unanswered == tuple(
        message for message in messages if then is Next.ANSWER and message.role == "user" and not message.aside
    )

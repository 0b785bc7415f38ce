"""A bot with everything: tools of all kinds, processors of its own between the library's. For seeded calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from voiceloop import (
    AudioStreamer,
    Call,
    EnergyVAD,
    LLMAggregator,
    Pipeline,
    Processor,
    SpokenText,
    Stream,
    TurnTaking,
    transforms,
    watch,
)
from voiceloop.frames import AnswerEnded, Digit, Text, Transcript, UserTurn
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.tools import ToolError, tool

LEXICON = Lexicon()
"""Of providers that are replaced in every call."""


@dataclass
class Guest:
    """Somebody at a table."""

    name: str
    age: int


async def look(word: str) -> str:
    """Look something up."""
    await asyncio.sleep(0.3)
    return f"result {word}"


@tool(side_effects=False, slow="Bear with me.", timeout=4.0)
async def search(word: str, deep: bool = False) -> dict[str, Any]:
    """Search for long."""
    await asyncio.sleep(6.0 if deep else 2.5)
    return {"found": [word, None, 1.5]}


def reserve(guests: list[Guest], day: Literal["Monday", "Sunday"]) -> str:
    """Reserve a table."""
    if len(guests) > 2:
        raise ToolError("too many guests")
    return f"{len(guests)} on {day}"


async def fail(word: str) -> str:
    """Fail."""
    await asyncio.sleep(0.1)
    raise KeyError(word)


class Spelling(Processor):
    """Replaces a signal by an equal one."""

    @transforms
    def on_transcript(self, transcript: Transcript) -> Transcript:
        transcript.text = transcript.text.strip()
        return transcript


class Notes(Processor):
    """Writes turns down, in the time that takes, and answers keys."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.outcomes: list[str | None] = []

    async def on_user_turn(self, turn: UserTurn) -> None:
        await self.call.work(self._note(turn.text), "note")

    async def _note(self, text: str) -> None:
        await asyncio.sleep(0.8)
        self.turns.append(text)

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        self.outcomes.append(ended.answer.outcome)

    def on_digit(self, digit: Digit) -> None:
        if digit.digit == "0":
            self.call.say("Nobody is at the desk.")


class Whole(Processor):
    """Reads an answer as it is written, and passes it on."""

    async def on_text(self, text: Stream[Text]) -> None:
        async for piece in text:
            self.push(piece)


class Written(Processor):
    """Looks at what is written."""

    def __init__(self) -> None:
        self.letters = 0

    @watch
    def on_text(self, text: Text) -> None:
        self.letters += len(text.text)


def bot(call: Call) -> Pipeline:
    """One call."""

    async def book(word: str) -> str:
        """Book, and say so."""
        call.say("One moment.")
        await asyncio.sleep(1.0)
        return f"booked {word}"

    model = LLMAggregator(
        ScriptedLLM(["Nobody asks me."]),
        instructions="Be kind.",
        tools=[look, search, reserve, fail, book, call.send_digits, call.hang_up, call.transfer],
    )
    hearing = Pipeline([EnergyVAD(), ScriptedSTT(LEXICON), Spelling(), TurnTaking(greeting="The inn, good day!")])
    speaking = [Written(), SpokenText(), Whole(), ScriptedTTS(LEXICON), AudioStreamer()]
    return Pipeline([call.transport, hearing, Notes(), model, *speaking])

"""What the caller of the demo does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

from voiceloop.errors import VoiceloopError
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.sim.caller import Caller
from voiceloop.tts.base import TTS

__all__ = ["Failed", "OrderScript", "PlayScript", "Script"]

ANSWER_LIMIT = 20.0
"""Seconds the caller waits for an answer."""
SIZES = ("small", "large")
DRINKS = ("coffee", "latte", "cappuccino", "mocha")
MILKS = ("milk", "oat milk", "soy milk")


class Failed(VoiceloopError):
    """The conversation did not go as a conversation should."""


class Script(Protocol):
    """A caller's plan."""

    async def voice(self, module: ModuleType, runtime: Runtime) -> TTS | None:
        """Who speaks the caller's words, if they are text."""
        ...

    async def play(self, caller: Caller) -> None:
        """Have the conversation, then hang up."""
        ...

    def judge(self, report: CallReport) -> str | None:
        """Why the conversation failed; None when it did not."""
        ...


class PlayScript:
    """Plays recordings, and says texts in the embedded voice, each when the agent has finished."""

    def __init__(self, lines: Sequence[Path | str]) -> None:
        self._lines = lines

    async def voice(self, module: ModuleType, runtime: Runtime) -> TTS | None:
        """None for recordings alone: they speak for themselves."""
        return await _voice(runtime) if any(isinstance(line, str) for line in self._lines) else None

    async def play(self, caller: Caller) -> None:
        """Have the conversation, then hang up."""
        await caller.hears(timeout=ANSWER_LIMIT)
        for line in self._lines:
            await caller.says(line)
            await caller.hears(timeout=ANSWER_LIMIT)
        await caller.hangs_up()

    def judge(self, report: CallReport) -> str | None:
        """Every recording must have been understood as something, and answered."""
        if not report.turns:
            return "nothing of what the caller said was recognised"
        return _unanswered(report)


class OrderScript:
    """Asks what there is, interrupts the answer with an order, asks for it back, and says goodbye.

    Args:
        seed: chooses what is ordered.
    """

    def __init__(self, seed: int) -> None:
        choose = random.Random(seed)
        self.order = f"{choose.choice(SIZES)} {choose.choice(DRINKS)} with {choose.choice(MILKS)}"

    async def voice(self, module: ModuleType, runtime: Runtime) -> TTS | None:
        """The caller borrows the embedded voice."""
        return await _voice(runtime)

    async def play(self, caller: Caller) -> None:
        """Have the conversation, then hang up."""
        await caller.hears(timeout=ANSWER_LIMIT)
        await caller.says("Hello. Which drinks do you have today?")
        await caller.interrupts(f"I would like a {self.order}, please.", after=1.2, timeout=ANSWER_LIMIT)
        await caller.hears(timeout=ANSWER_LIMIT)
        await caller.says("How long will that take?")
        await caller.hears(timeout=ANSWER_LIMIT)
        await caller.says("And what did I order?")
        await caller.hears(timeout=ANSWER_LIMIT)
        await caller.says("Thank you very much. Goodbye.")
        await caller.hears(timeout=ANSWER_LIMIT)
        await caller.hangs_up()

    def judge(self, report: CallReport) -> str | None:
        """Four turns, one of them interrupted, each with an answer."""
        if len(report.turns) < 4:
            return f"expected at least four turns, got {len(report.turns)}"
        if not any(turn.interrupted for turn in report.turns):
            return "the caller interrupted, and the agent did not notice"
        return _unanswered(report)


async def _voice(runtime: Runtime) -> TTS:
    from voiceloop.tts.hibari import Hibari, HibariOptions

    voice = Hibari(HibariOptions(speed=1.05))
    await runtime.warm(voice)
    return voice


def _unanswered(report: CallReport) -> str | None:
    for turn in report.turns:
        if not turn.heard and not turn.interrupted:
            return f"the caller heard no answer to {turn.caller!r}"
    if report.reason not in ("caller hung up", "completed"):
        return f"the call ended with {report.reason!r}"
    return None

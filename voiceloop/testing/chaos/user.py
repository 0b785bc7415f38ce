"""Seeded faults around a test of the user's own: what its fixture ``chaos`` is."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from os import PathLike
from types import ModuleType
from typing import Any

from voiceloop.llm.base import LLM
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded, GaveUp
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import STT
from voiceloop.testing.book import tests_folder
from voiceloop.testing.chaos.plan import Plan
from voiceloop.testing.chaos.scene import Scene
from voiceloop.testing.dial import dial
from voiceloop.testing.dial_bot import bot_of
from voiceloop.testing.dialled import Dialled
from voiceloop.tts.base import TTS
from voiceloop.twilio.media import Bot

__all__ = ["Chaos"]

DEADLY = frozenset({"cut to server", "cut from server", "closed", "half-open", "rubbish"})
"""Faults of a line that may end a call."""


class Chaos:
    """What one seed makes of a test's calls.

    Args:
        plan: what goes wrong, and what the caller does in `talks`.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        """What was drawn from the seed."""
        self._scene: Scene | None = None

    @property
    def seed(self) -> int:
        """Of everything that is drawn; for what the test itself draws, too."""
        return self.plan.seed

    @asynccontextmanager
    async def dial(
        self,
        bot: Bot | ModuleType | str | PathLike[str],
        *,
        stt: STT | None = None,
        llm: LLM | None = None,
        tts: TTS | None = None,
        lexicon: Lexicon | None = None,
        carrier: CarrierOptions | None = None,
        observers: Iterable[Processor] = (),
        **more: Any,
    ) -> AsyncIterator[Dialled]:
        """As `voiceloop.testing.dial`, with what the seed makes go wrong.

        Providers that are given are made to fail as the plan says; without one, the plan says what the model answers
        and how long recogniser and voice take. Where a fault has ended the line, the block ends without an error when
        its caller finds nobody there.

        Raises:
            BrokenInvariants: something that must hold of every call did not.
        """
        scene = self._scene = self.plan.scene(lexicon or Lexicon(), stt=stt, llm=llm, tts=tts)
        answer, _ = bot_of(bot, tests_folder())
        line = scene.carrier
        if carrier is not None:
            line = dataclasses.replace(carrier, faults=(*carrier.faults, *line.faults))
        given: dict[str, Any] = {"stt": scene.stt, "llm": scene.llm, "tts": scene.tts, "lexicon": scene.lexicon}
        with scene.letting_go():
            calling = dial(scene.bot(answer), **given, carrier=line, observers=[*observers, scene.observer()], **more)
            async with calling as caller:
                try:
                    yield caller
                except (CallEnded, GaveUp):
                    if not any(fault.kind in DEADLY for _, fault in caller.carrier.injected):
                        raise
                finally:
                    caller.injected += scene.code.injected

    async def talks(self, caller: Dialled) -> None:
        """Have the caller do what was drawn: speak, listen, interrupt, hum, press keys, hang up in mid-word.

        Returns when all is done, or the call is over.
        """
        await self.plan.perform(caller)

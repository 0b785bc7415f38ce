"""Services for the doctor to look at, in virtual time, and an environment that knows of nothing else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.services import Services, simulated_services

Open = Callable[..., AbstractAsyncContextManager[Services]]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of a service is set."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC", "CARTESIA", "GOOGLE", "OPENAI", "TWILIO", "VOICELOOP_PUBLIC")):
            monkeypatch.delenv(name)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Open:
    """``async with services() as all_of_them:`` are simulators that the environment leads to."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Services]:
        lexicon = options.pop("lexicon", None) or Lexicon()
        async with simulated_services(lambda messages: "Hello.", lexicon=lexicon, **options) as all_of_them:
            for name, value in all_of_them.environment.items():
                monkeypatch.setenv(name, value)
            yield all_of_them

    return opened

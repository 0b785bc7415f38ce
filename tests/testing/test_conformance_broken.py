"""The conformance suites find what is wrong with a provider of any kind: each here breaks the contract in one way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.loop import LeftBehind
from voiceloop.testing import (
    Failing,
    ScriptedTTS,
    TTSConformance,
)
from voiceloop.testing.conformance_run import run
from voiceloop.tts.base import TTS, Speech

LEXICON = Lexicon()
Verdict = Callable[..., str | None]
ERROR, STALL = "test_an_error_comes_out_of_the_request", "test_a_stalled_request_ends_when_it_is_cancelled"
ALL = "a_cancelled a_closed a_request a_second closing how it_speaks no_text nothing two_requests warming"


class Voice(ScriptedTTS):
    def __init__(self) -> None:
        super().__init__(LEXICON)


class ReadsAKey(Voice):
    def __init__(self) -> None:
        super().__init__()
        self.key = os.environ.get("MY_VOICE_API_KEY")


class OpensAFile(Voice):
    def __init__(self) -> None:
        super().__init__()
        Path(__file__).read_bytes()


class StartsAThread(Voice):
    def __init__(self) -> None:
        super().__init__()
        thread = threading.Thread(target=str)
        thread.start()
        thread.join()


class WantsALoop(Voice):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()


class WarmsOnce(Voice):
    def __init__(self) -> None:
        super().__init__()
        self.warmed = 0

    async def warm(self) -> None:
        self.warmed += 1
        if self.warmed > 1:
            raise RuntimeError("warmed already")


class ClosesOnce(Voice):
    def __init__(self) -> None:
        super().__init__()
        self.open = False

    async def warm(self) -> None:
        self.open = True

    async def aclose(self) -> None:
        if not self.open:
            raise RuntimeError("not open")
        self.open = False


class NeverCloses(Voice):
    async def aclose(self) -> None:
        await asyncio.sleep(1000)


class KeepsATask(Voice):
    async def warm(self) -> None:
        self.task = asyncio.create_task(asyncio.sleep(1000))


class NoGenerator(TTS):
    async def generate(self, text: AsyncIterator[str]) -> Any:  # type: ignore[override]
        return [Speech(b"\xff")]


class KeepsARequestTask(Voice):
    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        self.task = asyncio.create_task(asyncio.sleep(1000))
        async for speech in super().generate(text):
            yield speech
        self.task.cancel()


class EndsWhenCancelled(Voice):
    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        with contextlib.suppress(asyncio.CancelledError):
            async for speech in super().generate(text):
                yield speech


class SlowToCleanUp(Voice):
    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        try:
            async for speech in super().generate(text):
                yield speech
        finally:
            await asyncio.sleep(5)


class BreaksForGood(Voice):
    """A cancelled request spoils the provider."""

    broken = False

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        if self.broken:
            raise ConnectionError("the connection was cut in the middle of a message")
        try:
            async for speech in super().generate(text):
                yield speech
        except (asyncio.CancelledError, GeneratorExit):
            self.broken = True
            raise


class Lossy(Voice):
    """What is not taken in time is dropped."""

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        queue: asyncio.Queue[Speech | None] = asyncio.Queue()

        async def fill() -> None:
            async for speech in super(Lossy, self).generate(text):
                queue.put_nowait(speech)
                if queue.qsize() > 3:
                    queue.get_nowait()
            queue.put_nowait(None)

        task = asyncio.create_task(fill())
        try:
            while (speech := await queue.get()) is not None:
                yield speech
        finally:
            task.cancel()


class Hangs(Voice):
    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        async for speech in super().generate(text):
            yield speech
        await asyncio.Event().wait()


class Deaf(TTS):
    """Says nothing and swallows every cancellation, for a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.seconds
        while loop.time() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(end - loop.time())
        yield Speech()


CASES: list[tuple[type[Any], str, str]] = [
    # The provider, the tests that find it (by their beginnings, without "test_"), what the first of them says.
    (ReadsAKey, "building", "came: it read the environment variable MY_VOICE_API_KEY\n"),
    (OpensAFile, "building", "came: it opened the file '.*test_conformance_broken.py'"),
    (StartsAThread, "building", "came: it started a thread"),
    (WantsALoop, "building", "came: it wanted a running event loop: no running"),
    (WarmsOnce, "closing_twice warming", "can be warmed again.*came: RuntimeError: warmed already"),
    (ClosesOnce, "closing_twice", "came: RuntimeError: not open"),
    (NeverCloses, ALL, "`aclose` returns within 10 s"),
    (KeepsATask, ALL, "when the provider is closed\n  what came: 'Task-"),
    (NoGenerator, ALL, "`generate` is one async generator\n  what came: coroutine"),
    (KeepsARequestTask, "a_cancelled a_closed two_requests", "when its request was cancelled\n  what came: 'Task-"),
    (EndsWhenCancelled, "a_cancelled", "came: it ended as if complete"),
    (SlowToCleanUp, "a_cancelled a_closed", "ends within 1 s\n  what came: it still runs"),
    (BreaksForGood, "a_cancelled a_closed", "came: ConnectionError: the connection was cut"),
    (Lossy, "how_the_text nothing_is_lost", "came: '.*'"),
    (Hangs, ALL, "came: nothing for 10 s, after 11 items"),
]


@pytest.mark.parametrize(("provider", "found_by", "says"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_is_wrong_is_found_by_its_test_and_no_other(
    findings: Callable[..., None], provider: type[Any], found_by: str, says: str
) -> None:
    findings(TTSConformance, provider, found_by, says)


@pytest.mark.parametrize(("realtime", "seconds"), [(False, 30.0), (True, 1.0)], ids=["virtual", "real"])
def test_one_that_swallows_cancellation_does_not_hold_the_suite_up(
    verdict: Verdict, realtime: bool, seconds: float
) -> None:
    hooks: dict[str, Any] = {"stalled_provider": lambda self: Deaf(seconds), "realtime": realtime, "limit": 0.1}
    said = verdict(TTSConformance, None, STALL, **hooks)
    assert said is not None
    assert "ends within 0.1 s\n  what came: it still runs" in said


@pytest.mark.parametrize(("how", "came"), [("empty", "as if complete"), ("stall", "nothing for 10 s")])
def test_an_error_that_is_kept_silent_is_found(verdict: Verdict, how: Any, came: str) -> None:
    quiet = ScriptedTTS(LEXICON, failing=Failing(how, after=2))
    assert came in str(verdict(TTSConformance, None, ERROR, failing_provider=lambda self: quiet))


def test_one_that_does_not_stall_is_no_stalled_provider(verdict: Verdict) -> None:
    said = verdict(TTSConformance, None, STALL, stalled_provider=lambda self: ScriptedTTS(LEXICON))
    assert "what came: it ended, as if complete" in str(said)


def test_without_a_failing_provider_its_test_is_skipped_with_a_reason(verdict: Verdict) -> None:
    for name, hook in ((ERROR, "failing_provider"), (STALL, "stalled_provider")):
        with pytest.raises(pytest.skip.Exception, match=rf"no {hook}\(\) is given"):
            verdict(TTSConformance, None, name)


def test_tasks_left_on_an_ordinary_loop_are_named() -> None:
    async def forget() -> None:
        forgotten.append(asyncio.ensure_future(asyncio.sleep(60)))

    forgotten: list[Any] = []
    with pytest.raises(LeftBehind, match=r"sleep"):
        run(forget(), realtime=True)
    assert forgotten[0].cancelled()

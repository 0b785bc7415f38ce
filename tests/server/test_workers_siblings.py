"""Workers ask one another: what Twilio says of a call reaches the worker that has it, and a call finds its memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from voiceloop.carried import Carried
from voiceloop.conversation import Message
from voiceloop.report import Turn
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.server.siblings import Siblings
from voiceloop.server.webhook import AnsweredBy, CallStatus
from voiceloop.sim.twilio import TOKEN

CALL = "CA" + "1" * 32
OTHER = "CA" + "2" * 32

pytestmark = pytest.mark.realtime


class Live:
    """The calls of a worker, as far as a relay asks."""

    def __init__(self, *sids: str) -> None:
        self.sids = sids

    def __contains__(self, sid: str) -> bool:
        return sid in self.sids


class Memory:
    """A keeper that knows what it is told."""

    def __init__(self, fate: str = "unknown", carried: Carried | None = None) -> None:
        self.known = fate
        self.carried = carried

    async def fate(self, sid: str) -> str:
        return self.known

    async def take_up(self, sid: str) -> Carried | None:
        carried, self.carried = self.carried, None
        return carried


class Worker:
    """A worker, and what its hooks were told."""

    def __init__(self, folder: Path, name: str, *live: str, memory: Memory | None = None) -> None:
        self.told: list[str] = []
        options = PhoneOptions(
            public_url="https://a.b",
            auth_token=TOKEN,
            on_status=lambda status: self.told.append(status.status),
            on_answered_by=lambda answered: self.told.append(answered.who),
        )
        self.phone = Phone(cast("Any", None), cast("Any", None), options)
        self.phone.manager = cast("Any", Live(*live))
        self.phone.keeper = cast("Any", memory or Memory())
        self.siblings = Siblings(folder, name)

    async def says(self, news: CallStatus | AnsweredBy) -> None:
        """A webhook reaches this worker."""
        hooks = self.phone.on_status if isinstance(news, CallStatus) else self.phone.on_answered_by
        for hook in hooks:
            result = hook(cast("Any", news))
            if asyncio.iscoroutine(result):
                await result


@asynccontextmanager
async def joined(*workers: Worker) -> AsyncIterator[None]:
    if not workers:
        yield
        return
    async with workers[0].siblings.join(workers[0].phone), joined(*workers[1:]):
        yield


def status(sid: str = CALL, what: str = "completed", sequence: int = 3) -> CallStatus:
    form = [("CallSid", sid), ("CallStatus", what), ("SequenceNumber", str(sequence)), ("Direction", "outbound-api")]
    return CallStatus.of(form)


async def test_a_status_reaches_the_worker_that_has_the_call(tmp_path: Path) -> None:
    a, b, c = (Worker(tmp_path, name, *live) for name, live in (("1", ()), ("2", (CALL,)), ("3", ())))
    async with joined(a, b, c):
        await a.says(status())
    assert (a.told, b.told, c.told) == ([], ["completed"], [])


async def test_who_answered_reaches_the_worker_that_has_the_call(tmp_path: Path) -> None:
    a, b = Worker(tmp_path, "1"), Worker(tmp_path, "2", CALL)
    async with joined(a, b):
        await a.says(AnsweredBy.of([("CallSid", CALL), ("AnsweredBy", "machine_end_beep")]))
    assert (a.told, b.told) == ([], ["machine"])


async def test_a_status_of_a_call_that_nobody_has_stays_where_it_came(tmp_path: Path) -> None:
    a, b = Worker(tmp_path, "1"), Worker(tmp_path, "2", OTHER)
    async with joined(a, b):
        await a.says(status())
    assert (a.told, b.told) == (["completed"], [])


async def test_a_status_of_an_own_call_is_asked_of_nobody(tmp_path: Path) -> None:
    a, b = Worker(tmp_path, "1", CALL), Worker(tmp_path, "2", CALL)
    async with joined(a, b):
        await a.says(status())
    assert (a.told, b.told) == (["completed"], [])


async def test_a_status_that_came_before_by_another_way_is_told_once(tmp_path: Path) -> None:
    a, b = Worker(tmp_path, "1"), Worker(tmp_path, "2", CALL)
    async with joined(a, b):
        await a.says(status(what="in-progress", sequence=2))
        await a.says(status(what="completed", sequence=3))
        await a.says(status(what="completed", sequence=3))
    assert (a.told, b.told) == ([], ["in-progress", "completed"])


async def test_who_waits_for_a_status_of_a_call_it_has_ordered_hears_it_on_any_worker(tmp_path: Path) -> None:
    a, b = Worker(tmp_path, "1"), Worker(tmp_path, "2")
    heard: list[str] = []
    async with joined(a, b):
        b.phone.on_status.append(lambda status: heard.append(f"{status.call_sid[:3]} {status.status}"))
        await a.says(status(what="busy"))
    assert heard == ["CA1 busy"]
    assert (a.told, b.told) == (["busy"], [])


@pytest.mark.parametrize("fate", ["ended", "lost", "unknown"])
async def test_what_became_of_a_call_is_known_by_whoever_had_it(tmp_path: Path, fate: str) -> None:
    a, b, c = Worker(tmp_path, "1"), Worker(tmp_path, "2", memory=Memory(fate)), Worker(tmp_path, "3")
    async with joined(a, b, c):
        assert await a.phone.fate(CALL) == fate


async def test_a_call_that_comes_back_to_another_worker_has_its_memory(tmp_path: Path) -> None:
    said = [Message("assistant", "Hello.", unheard="How are you?", interrupted=True), Message("user", "One tea.")]
    turn = Turn(1, "One tea.", "Here it is.")
    memory = Memory(carried=Carried(said, [turn], {"llm.tokens": 7}, [], 12.5, 2, {"LLM": {"a": 1}}))
    a, b = Worker(tmp_path, "1"), Worker(tmp_path, "2", memory=memory)
    async with joined(a, b):
        carried = await a.phone.take_up(CALL)
        assert await a.phone.take_up(CALL) is None
    assert carried is not None
    assert carried == Carried(said, [turn], {"llm.tokens": 7}, [], 12.5, 2, {"LLM": {"a": 1}})


async def test_a_keeper_that_knows_beyond_its_process_is_left_as_it_is(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "1")
    keeper = worker.phone.keeper
    worker.siblings = Siblings(tmp_path, "1", keeps_records=True)
    async with joined(worker):
        assert worker.phone.keeper is keeper


async def test_a_sibling_that_was_killed_or_hangs_is_not_waited_for(tmp_path: Path) -> None:
    a = Worker(tmp_path, "1")
    (tmp_path / "8.sock").touch()  # what a killed one has left
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_unix_server(lambda reader, writer: writers.append(writer), tmp_path / "9.sock")
    async with joined(a), silent:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await a.siblings.ask("fate", {"call": CALL}, limit=0.2) == {}
        assert 0.15 < loop.time() - began < 1.0
        for writer in writers:
            writer.close()


async def test_rubbish_and_unknown_questions_harm_nobody(tmp_path: Path) -> None:
    a = Worker(tmp_path, "1")
    async with joined(a):
        answers = []
        for line in (b"\n", b"nonsense\n", b"[]\n", b'{"ask": "fate"}\n', b'{"ask": "money", "what": {}}\n'):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "1.sock")
            writer.write(line)
            answers.append(await reader.read())
            writer.close()
    assert [json.loads(answer) if answer else None for answer in answers] == [None, None, None, None, {}]


async def test_any_question_can_be_added(tmp_path: Path) -> None:
    a, b, c = Worker(tmp_path, "1"), Worker(tmp_path, "2"), Worker(tmp_path, "3")

    async def count(what: dict[str, Any]) -> dict[str, Any]:
        return {"count": what["times"] * 2}

    b.siblings.answers["count"] = c.siblings.answers["count"] = count
    async with joined(a, b, c):
        assert await a.siblings.ask("count", {"times": 4}) == {"2": {"count": 8}, "3": {"count": 8}}

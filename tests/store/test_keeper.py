"""The keeper: one record of each call, whatever way it ends, and none lost while the database is down."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.carried import carry
from voiceloop.record.wav_recorder import record_call
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.serving import serving
from voiceloop.store.database import Database
from voiceloop.store.keeper import CallKeeper
from voiceloop.store.keeper_options import KeeperOptions
from voiceloop.store.record import CallRecord
from voiceloop.store.rows import Deleted, LiveRow
from voiceloop.store.store_errors import RecordRefused, StoreError
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.twilio.media import media_app

SID = "CA" + 8 * "5e1f"
GREETING = "Tea room, hello."
ANSWERS = ("One tea. Do you want milk in it?", "Five minutes.")


@dataclass
class Memory:
    """A database that may be down."""

    records: dict[str, CallRecord] = field(default_factory=dict)
    live: dict[str, LiveRow] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    down: bool = False
    refuses: str = ""
    closed: bool = False
    asked: int = 0

    def _up(self) -> None:
        self.asked += 1
        if self.down:
            raise StoreError("it is down")

    def write(self, records: Iterable[CallRecord]) -> list[CallRecord]:
        self._up()
        records = list(records)
        if any(record.id == self.refuses for record in records):
            raise RecordRefused("not that one")
        for record in records:
            known = self.records.get(record.id)
            if known is None or record.ended > known.ended:
                self.records[record.id] = record
            self.written.append(record.id)
        return []

    def get(self, id: str) -> CallRecord | None:
        self._up()
        return self.records.get(id)

    def get_all(self, ids: Sequence[str]) -> list[CallRecord]:
        self._up()
        return [self.records[id] for id in ids if id in self.records]

    def put_live(self, rows: Iterable[LiveRow]) -> None:
        self._up()
        for row in rows:
            if row.call_id not in self.live or row.seq > self.live[row.call_id].seq:
                self.live[row.call_id] = row

    def take_live(self, call_id: str) -> LiveRow | None:
        self._up()
        return self.live.pop(call_id, None)

    def drop_live(self, ids: Iterable[str]) -> None:
        self._up()
        for id in ids:
            self.live.pop(id, None)

    def stale_live(self, before: float, limit: int = 1000) -> list[LiveRow]:
        self._up()
        return [row for row in self.live.values() if row.updated < before]

    def delete_number(self, number: str) -> Deleted:
        self._up()
        gone = [id for id, record in self.records.items() if record.party == number]
        for id in gone:
            del self.records[id]
        return Deleted(len(gone))

    def close(self) -> None:
        self.closed = True


@dataclass
class Line:
    """A call on the line with the bot."""

    carrier: Carrier
    caller: Caller
    call: Call
    lexicon: Lexicon

    async def hears(self) -> str:
        return self.lexicon.text((await self.caller.hears()).audio)

    async def says(self, text: str) -> str:
        await self.caller.says(text)
        return await self.hears()

    async def cut(self) -> None:
        """The socket dies; the call's report is there when this returns."""
        await self.carrier.cut()
        await asyncio.sleep(0.1)

    async def ends(self) -> None:
        await self.carrier.hang_up()
        await asyncio.sleep(0.1)


@dataclass
class Shop:
    """One worker's bot, and what keeps its calls."""

    keeper: CallKeeper
    lexicon: Lexicon = field(default_factory=Lexicon)
    answers: tuple[str, ...] = ANSWERS
    recordings: Path | None = None

    @asynccontextmanager
    async def line(self, sid: str = SID, *, again: bool = False, known: bool = True) -> AsyncIterator[Line]:
        """A stream of a call; `again`: as the server opens it for one that comes back."""
        calls: list[Call] = []
        began = asyncio.Event()
        carried = await self.keeper.take_up(sid) if again else None
        assert not again or not known or carried is not None

        def begin(call: Call) -> None:
            call.caller, call.number = "+15550002222", "+15550001111"
            if carried is not None:
                carry(call, carried)
            self.keeper.began(call)
            calls.append(call)
            began.set()

        async with (
            Runtime() as runtime,
            serving(media_app(self._bot, runtime, on_call=begin)) as (url, connector),
            Carrier(url, connector=connector, call_sid=sid, parameters={"caller": "+15550002222"}) as carrier,
        ):
            caller = Caller(carrier, ScriptedTTS(self.lexicon), silence=0.6)
            await began.wait()
            yield Line(carrier, caller, calls[0], self.lexicon)
        await asyncio.sleep(0.1)

    def _bot(self, call: Call) -> Pipeline:
        if self.recordings is not None:
            record_call(call, self.recordings)
        stt, tts = ScriptedSTT(self.lexicon), ScriptedTTS(self.lexicon)
        ears = [call.transport, EnergyVAD(), stt, TurnTaking(GREETING)]
        return Pipeline([*ears, LLMAggregator(script(*self.answers)), tts, AudioStreamer()])


def keeper_of(folder: Path, database: Any, **options: Any) -> CallKeeper:
    return CallKeeper(folder=folder / "spool", database=database, options=KeeperOptions(**options))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.jsonl"))


def dies(keeper: CallKeeper) -> None:
    """What a kill does to a process: nothing more is done, and its lock is free."""
    assert keeper._task is not None
    keeper._task.cancel()
    for following in keeper._live.values():
        following.let_go()
    os.close(keeper._spool._lock)
    keeper._spool._lock, keeper._spool._own = -1, None


def texts(record: CallRecord) -> list[tuple[str, str]]:
    return [(message["role"], message["text"]) for message in record.conversation]


# --- one record, whatever way it ends -------------------------------------------------------------------------


async def test_a_call_is_one_record_and_nothing_of_it_stays_in_the_spool(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/calls.db") as database:
        async with keeper_of(tmp_path, database) as keeper, Shop(keeper).line() as line:
            await line.hears()
            await line.says("a tea please")
            assert files(tmp_path) == [f"{SID}.jsonl"]
            await line.ends()
            await asyncio.sleep(1.0)
            record = database.get(SID)
            assert files(tmp_path) == []
        assert list((tmp_path / "spool").iterdir()) == []
    assert record is not None
    assert texts(record) == [("assistant", GREETING), ("user", "a tea please"), ("assistant", ANSWERS[0])]
    assert [turn["caller"] for turn in record.turns] == ["a tea please"]
    assert (record.reason, record.streams, record.party) == ("caller hung up", 1, "+15550002222")
    assert record.duration == pytest.approx(record.ended - record.started, abs=0.2)
    assert record.turns[0]["latency_ms"]["total"] > 0


async def hang_up(line: Line) -> None:
    line.call.hang_up()
    await asyncio.sleep(2.0)


async def fail(line: Line) -> None:
    line.call.end("failed")
    await asyncio.sleep(1.0)


ENDS: dict[str, tuple[Any, str, float]] = {
    "the caller hangs up": (Line.ends, "caller hung up", 1.0),
    "the agent hangs up": (hang_up, "completed", 1.0),
    "it is given up": (fail, "failed", 1.0),
    "its socket dies and it never comes back": (Line.cut, "disconnected", 62.0),
}


@pytest.mark.parametrize("how", ENDS)
async def test_each_way_to_end_is_one_record(tmp_path: Path, how: str) -> None:
    end, reason, waits = ENDS[how]
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper, Shop(keeper).line() as line:
        await line.hears()
        await end(line)
        if waits > 2:
            assert memory.written == []
            assert await keeper.fate(SID) == "lost"
        await asyncio.sleep(waits)
        assert await keeper.fate(SID) == "ended"
        assert await keeper.take_up(SID) is None
    assert memory.written == [SID]
    assert memory.records[SID].reason == reason
    assert texts(memory.records[SID]) == [("assistant", GREETING)]
    assert memory.closed


async def test_a_bot_that_cannot_be_made_leaves_a_record_and_a_rehearsal_or_a_nameless_call_none(
    tmp_path: Path,
) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper:
        shop = Shop(keeper)

        def broken(call: Call) -> Pipeline:
            raise RuntimeError("no bot today")

        shop._bot = broken  # type: ignore[method-assign]
        async with shop.line() as line:
            await line.carrier.wait_ended()
        for sid in ("", "rehearsal"):
            keeper.began(Call(line.call.transport, id=sid))
        await asyncio.sleep(1.0)
    assert memory.written == [SID]
    assert files(tmp_path) == []
    assert memory.records[SID].reason == "failed"
    assert memory.records[SID].faults[0]["message"] == "RuntimeError: no bot today"


async def test_the_status_callback_closes_the_record_of_a_lost_line_at_once(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper, Shop(keeper).line() as line:
        await line.hears()
        await line.cut()
        keeper.over(SID)
        await asyncio.sleep(0.5)
        assert memory.written == [SID]
        assert await keeper.take_up(SID) is None


async def test_the_status_callback_may_come_before_the_socket_is_known_to_be_dead(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper, Shop(keeper).line() as line:
        await line.hears()
        keeper.over(SID)
        await asyncio.sleep(0.5)
        assert memory.written == []
        await line.cut()
        await asyncio.sleep(0.5)
        assert memory.written == [SID]


async def test_a_call_that_is_redirected_to_a_new_stream_is_still_one_record(tmp_path: Path) -> None:
    """Its first stream ended as if the caller had hung up, and its record is in the database already."""
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper:
        shop = Shop(keeper)
        for wait in (0.0, 1.0):
            async with shop.line() as line:
                await line.hears()
                await line.says("a tea please")
                await line.ends()
            await asyncio.sleep(wait)
        assert memory.records[SID].streams == 2
        async with shop.line() as line:
            await line.hears()
            await line.ends()
    record = memory.records[SID]
    one = [("assistant", GREETING), ("user", "a tea please"), ("assistant", ANSWERS[0])]
    assert texts(record) == [*one, *one, ("assistant", GREETING)]
    assert [turn["number"] for turn in record.turns] == [1, 2]
    assert record.streams == 3
    assert record.duration == pytest.approx(record.ended - record.started, abs=2.5)


# --- calls that come back -------------------------------------------------------------------------------------


async def test_a_call_that_comes_back_goes_on_and_is_one_record(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper:
        shop = Shop(keeper)
        async with shop.line() as line:
            await line.hears()
            await line.says("a tea please")
            first = line.call
            before = [str(message) for message in first.conversation]
            turn = first.turns[0].line()
            await line.cut()
        assert await keeper.fate(SID) == "lost"
        async with shop.line(again=True) as line:
            assert [str(message) for message in line.call.conversation] == before
            assert [each.line() for each in line.call.turns] == [turn]
            assert line.call.usage["llm.requests"] == first.usage["llm.requests"]
            assert await line.hears() == "Sorry, we were cut off. Do you want milk in it?"
            await line.says("yes please")
            await line.ends()
        await asyncio.sleep(1.0)
    assert memory.written == [SID]
    record = memory.records[SID]
    assert [turn["caller"] for turn in record.turns] == ["a tea please", "yes please"]
    assert [turn["number"] for turn in record.turns] == [1, 2]
    assert (record.streams, record.reason) == (2, "caller hung up")
    assert record.duration == pytest.approx(record.ended - record.started, abs=1.0)
    assert texts(record)[-1] == ("assistant", ANSWERS[0])


async def test_memory_after_the_process_died_equals_its_ledger_to_the_word_wherever_it_was_cut(tmp_path: Path) -> None:
    for number, after in enumerate((0.3, 0.9, 1.7, 2.4, 3.1, 4.6)):
        memory, folder = Memory(), tmp_path / str(number)
        one = keeper_of(folder, memory)
        await one.start()
        async with Shop(one).line() as line:
            await line.hears()
            await line.caller.says("a tea please")
            await line.caller.waits(after)
            ledger = [replace(message) for message in line.call.conversation]
            dies(one)
            async with keeper_of(folder, memory) as two:
                carried = await two.take_up(SID)
        assert carried is not None
        assert carried.messages == ledger
        assert memory.written == []


async def test_what_a_dead_process_left_becomes_one_lost_record_after_the_grace_time(tmp_path: Path) -> None:
    memory = Memory()
    one = keeper_of(tmp_path, memory)
    await one.start()
    async with keeper_of(tmp_path, memory) as two, Shop(one).line() as line:
        await line.hears()
        dies(one)
        await asyncio.sleep(30.0)
        assert await two.fate(SID) == "lost"
        assert memory.written == []
        await asyncio.sleep(45.0)
        assert await two.fate(SID) == "ended"
        assert files(tmp_path) == []
    assert memory.written == [SID]
    assert (memory.records[SID].reason, texts(memory.records[SID])) == ("lost", [("assistant", GREETING)])


async def test_a_finished_record_that_a_dead_process_left_is_written_at_once_and_once(tmp_path: Path) -> None:
    memory = Memory(down=True)
    one = keeper_of(tmp_path, memory)
    await one.start()
    async with Shop(one).line() as line:
        await line.hears()
        await line.ends()
    dies(one)
    memory.down = False
    async with keeper_of(tmp_path, memory) as two, keeper_of(tmp_path, memory) as three:
        await asyncio.sleep(20.0)
        assert await two.fate(SID) == await three.fate(SID) == "ended"
    assert memory.written == [SID]
    assert memory.records[SID].reason == "caller hung up"


async def test_two_workers_that_are_asked_give_the_call_to_whoever_began_it_last(tmp_path: Path) -> None:
    """The webhook is answered by one worker, the stream taken by another."""
    memory = Memory()
    async with keeper_of(tmp_path, memory) as one, keeper_of(tmp_path, memory) as two:
        async with Shop(one).line() as line:
            await line.hears()
            await line.cut()
        assert await two.fate(SID) == "lost"
        assert (await two.take_up(SID)) is not None
        async with Shop(one).line(again=True) as line:
            await line.hears()
            await line.ends()
        await asyncio.sleep(70.0)
    assert memory.written == [SID]
    assert memory.records[SID].streams == 2


async def test_a_line_that_hangs_is_ended_when_the_call_is_taken_up_here(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper:
        shop = Shop(keeper)
        async with shop.line() as zombie:
            await zombie.hears()
            async with shop.line(again=True) as line:
                assert zombie.call.ending == "replaced"
                assert (await line.hears()) == f"Sorry, we were cut off. {GREETING}"
                assert await keeper.fate(SID) == "lost", "it is followed, though its older line has ended"
                keeper.over(SID)
                await line.ends()
        await asyncio.sleep(70.0)
    assert memory.written == [SID]
    assert memory.records[SID].streams == 2
    assert texts(memory.records[SID]) == [
        ("assistant", GREETING),
        ("assistant", "Sorry, we were cut off."),
        ("assistant", GREETING),
    ]


async def test_a_line_that_hangs_in_another_worker_is_ended_there(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as one, keeper_of(tmp_path, memory) as two:
        async with Shop(one).line() as zombie:
            await zombie.hears()
            async with Shop(two).line(again=True) as line:
                await line.hears()
                assert zombie.call.ending == "replaced"
                await line.ends()
        await asyncio.sleep(70.0)
    assert memory.written == [SID]
    assert memory.records[SID].streams == 2


async def test_a_second_stream_without_a_word_takes_the_record_along(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper:
        shop = Shop(keeper)
        async with shop.line() as first:
            await first.hears()
            async with shop.line() as second:
                assert first.call.ending == "replaced"
                assert await second.hears() == GREETING
                assert [following.sid for following in keeper._live.values()] == [SID], (
                    "the call on the line is followed"
                )
                await second.ends()
        await asyncio.sleep(1.0)
    assert memory.written == [SID]
    assert texts(memory.records[SID]) == [("assistant", GREETING)] * 2


async def test_nothing_known_is_none_and_unknown(tmp_path: Path) -> None:
    async with keeper_of(tmp_path, Memory()) as keeper:
        assert await keeper.fate(SID) == "unknown"
        assert await keeper.take_up(SID) is None


async def test_a_call_that_comes_back_late_goes_on_from_its_record(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as one, Shop(one).line() as line:
        await line.hears()
        await line.cut()
    async with keeper_of(tmp_path, memory) as one:
        await asyncio.sleep(70.0)
    assert memory.written == [SID]
    async with keeper_of(tmp_path, memory) as two:
        assert await two.fate(SID) == "lost"
        async with Shop(two).line(again=True) as line:
            await line.hears()
            await line.ends()
    assert memory.records[SID].streams == 2
    assert memory.records[SID].reason == "caller hung up"


# --- other machines -------------------------------------------------------------------------------------------


async def test_another_machine_takes_the_call_up_from_the_database(tmp_path: Path) -> None:
    memory = Memory()
    one = keeper_of(tmp_path / "one", memory, mirrors=True)
    await one.start()
    async with keeper_of(tmp_path / "two", memory, mirrors=True) as two, Shop(one).line() as line:
        await line.hears()
        await line.says("a tea please")
        await asyncio.sleep(0.5)
        ledger = [replace(message) for message in line.call.conversation]
        dies(one)
        carried = await two.take_up(SID)
        assert carried is not None
        assert carried.messages == ledger
        async with Shop(two).line(again=True) as back:
            await back.hears()
            await back.ends()
        async with keeper_of(tmp_path / "one", memory, mirrors=True):  # the first machine is up again
            await asyncio.sleep(100.0)
    assert memory.records[SID].streams == 2
    assert memory.records[SID].reason == "caller hung up"
    assert memory.live == {}


async def test_a_call_of_a_machine_that_is_gone_becomes_a_lost_record(tmp_path: Path) -> None:
    memory = Memory()
    one = keeper_of(tmp_path / "one", memory, mirrors=True)
    await one.start()
    async with keeper_of(tmp_path / "two", memory, mirrors=True), Shop(one).line() as line:
        await line.hears()
        await asyncio.sleep(0.5)
        dies(one)
        assert [row.call_id for row in memory.live.values()] == [SID]
        await asyncio.sleep(200.0)
    assert memory.written == [SID]
    assert memory.records[SID].reason == "lost"
    assert memory.live == {}


async def test_a_live_calls_state_is_in_the_database_soon_and_not_with_every_word(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory, mirrors=True) as keeper, Shop(keeper).line() as line:
        await line.hears()
        await line.caller.says("a tea please")
        asked = memory.asked
        await line.caller.waits(2.0)
        assert 1 <= memory.asked - asked <= 10
        assert [message.text for message in line.call.conversation][1] in memory.live[SID].body
        await line.ends()
        await asyncio.sleep(1.0)
        assert memory.live == {}


# --- the sound of calls ---------------------------------------------------------------------------------------


def sounds(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*.wav"))


@pytest.mark.parametrize("mirrors", [False, True])
async def test_the_record_of_a_lost_call_names_its_recording(tmp_path: Path, mirrors: bool) -> None:
    memory = Memory()
    apart = "two" if mirrors else ""  # another machine, which has only the database
    one = keeper_of(tmp_path, memory, mirrors=mirrors)
    await one.start()
    shop = Shop(one, recordings=tmp_path / "sound")
    async with keeper_of(tmp_path / apart, memory, mirrors=mirrors), shop.line() as line:
        await line.hears()
        await asyncio.sleep(8.0)
        dies(one)
        (file,) = sounds(tmp_path)
        if mirrors:
            assert file in memory.live[SID].body
        await asyncio.sleep(200.0)
    assert (memory.records[SID].reason, memory.records[SID].recordings) == ("lost", [file])


async def test_a_recording_is_named_before_it_is_made(tmp_path: Path) -> None:
    memory = Memory()
    one = keeper_of(tmp_path, memory)
    await one.start()
    async with keeper_of(tmp_path, memory), Shop(one, recordings=tmp_path / "sound").line():
        await asyncio.sleep(0.5)
        assert sounds(tmp_path) == []
        dies(one)
        await asyncio.sleep(100.0)
    (file,) = memory.records[SID].recordings
    assert sounds(tmp_path) == [file]  # here the line went on without its keeper


async def test_a_call_that_was_taken_up_names_the_recordings_of_both_lines_in_order(tmp_path: Path) -> None:
    memory = Memory()
    one = keeper_of(tmp_path, memory)
    await one.start()
    async with keeper_of(tmp_path, memory) as two:
        async with Shop(one, recordings=tmp_path / "sound").line() as line:
            await line.hears()
            dies(one)
            async with Shop(two, recordings=tmp_path / "sound").line(again=True) as back:
                await back.hears()
                await asyncio.sleep(8.0)
                assert len(sounds(tmp_path)) == 2
                await back.ends()
        await asyncio.sleep(1.0)
    record = memory.records[SID]
    assert (record.streams, record.recordings) == (2, sounds(tmp_path))
    assert [Path(file).name for file in record.recordings] == [f"{SID}-1.wav", f"{SID}-2.wav"]


# --- a database that is down ----------------------------------------------------------------------------------


async def test_records_wait_while_the_database_is_down_and_are_written_later_once_each(tmp_path: Path) -> None:
    memory = Memory(down=True)
    async with keeper_of(tmp_path, memory) as keeper:
        shop = Shop(keeper)
        for number in range(3):
            async with shop.line(f"CA{number}") as line:
                await line.hears()
                await line.ends()
        assert await keeper.fate("CA1") == "ended"
        before = memory.asked
        await asyncio.sleep(300.0)
        assert 8 <= memory.asked - before <= 15  # tried again ever more seldom
        assert files(tmp_path) == ["CA0.jsonl", "CA1.jsonl", "CA2.jsonl"]
        memory.down = False
        await asyncio.sleep(31.0)
        assert sorted(memory.written) == ["CA0", "CA1", "CA2"]
        assert files(tmp_path) == []
        assert keeper.counts["written"] == 3
        assert keeper.counts["failed"] >= 8


async def test_records_that_wait_outlive_the_server_that_is_stopped_without_a_database(tmp_path: Path) -> None:
    memory = Memory(down=True)
    async with keeper_of(tmp_path, memory) as keeper, Shop(keeper).line() as line:
        await line.hears()
        await line.ends()
    assert files(tmp_path) == [f"{SID}.jsonl"]
    memory.down = False
    async with keeper_of(tmp_path, memory):
        await asyncio.sleep(1.0)
    assert memory.written == [SID]
    assert files(tmp_path) == []


async def test_a_keeper_closes_as_soon_as_the_last_record_is_written(tmp_path: Path) -> None:
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper, Shop(keeper).line() as line:
        await line.hears()
        line.call.end("completed")
        await line.carrier.wait_ended()
        began = asyncio.get_running_loop().time()
        await keeper.aclose()
        assert asyncio.get_running_loop().time() - began < 0.1
    assert memory.written == [SID]


async def test_more_records_than_are_kept_in_memory_wait_on_disk(tmp_path: Path) -> None:
    memory = Memory(down=True)
    async with keeper_of(tmp_path, memory, most_waiting=1, at_once=2) as keeper:
        shop = Shop(keeper)
        for number in range(4):
            async with shop.line(f"CA{number}") as line:
                await line.hears()
                await line.ends()
        assert sum(due.record is not None for due in keeper._shelf._due.values()) == 1
        memory.down = False
        await asyncio.sleep(31.0)
    assert sorted(memory.written) == ["CA0", "CA1", "CA2", "CA3"]
    assert all(texts(record) == [("assistant", GREETING)] for record in memory.records.values())


async def test_a_record_that_the_database_refuses_holds_no_other_up_and_is_kept(tmp_path: Path) -> None:
    memory = Memory(refuses="CA1", down=True)
    async with keeper_of(tmp_path, memory) as keeper:
        for number in range(3):
            async with Shop(keeper).line(f"CA{number}") as line:
                await line.hears()
                await line.ends()
        memory.down = False
        await asyncio.sleep(31.0)
        assert sorted(memory.records) == ["CA0", "CA2"]
        assert keeper.counts["refused"] == 1
    assert files(tmp_path) == ["CA1.refused.jsonl"]


async def test_a_spool_that_cannot_be_written_harms_no_call_and_no_record(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    memory = Memory()
    async with keeper_of(tmp_path, memory) as keeper:
        shop = Shop(keeper)
        async with shop.line() as line:
            await line.hears()
            await line.cut()
        async with shop.line(again=True) as line:
            assert await line.hears() == f"Sorry, we were cut off. {GREETING}"
            await line.ends()
        await asyncio.sleep(1.0)
    assert memory.written == [SID]
    assert memory.records[SID].streams == 2


async def test_deletion_by_number_reaches_what_waits(tmp_path: Path) -> None:
    memory = Memory(down=True)
    async with keeper_of(tmp_path, memory) as keeper:
        async with Shop(keeper, recordings=tmp_path / "sound").line("CA1") as line:
            await line.hears()
            await line.cut()
        (sound,) = sounds(tmp_path)
        async with Shop(keeper).line("CA2") as line:
            await line.hears()
            await line.ends()
        memory.down = False
        deleted, found = await keeper.delete_number("+1 555 000 2222")
        assert (deleted, found.files) == (2, (sound,))
        assert files(tmp_path) == []
        await asyncio.sleep(100.0)
    assert memory.written == []


async def test_a_sibling_knows_that_a_call_has_ended_before_its_line_is_closed(tmp_path: Path) -> None:
    """The redirect behind the stream is asked for as soon as that is closed, and any worker may answer it."""
    memory = Memory()
    async with keeper_of(tmp_path, memory) as one, keeper_of(tmp_path, memory) as two:
        async with Shop(one).line() as line:
            await line.hears()
            assert await two.fate(SID) == "lost"
            told: list[Any] = []
            close = line.call.transport.stop

            async def stop() -> None:
                told.extend([await two.fate(SID), await two.take_up(SID)])
                await close()

            line.call.transport.stop = stop  # type: ignore[method-assign]
            line.call.hang_up()
            await line.carrier.wait_ended()
        assert told == ["ended", None]

"""The database of calls does the same in SQLite and in PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from voiceloop import wallclock
from voiceloop.store import CallRecord, CallSummary, Deleted, LiveRow, RecordError
from voiceloop.store.call_state import CallState
from voiceloop.store.database import REMEMBERED, Database

T = TypeVar("T")
ANN, BOB = "+15550001111", "+15550002222"


def record(id: str, started: float = 1000.0, caller: str = ANN, **more: Any) -> CallRecord:
    more.setdefault("ended", started + 60)
    more.setdefault("conversation", [{"role": "user", "text": "a latte — большой ☕", "unheard": ""}])
    return CallRecord(id=id, started=started, caller=caller, number="+15559990000", **more)


def ids(rows: list[CallSummary]) -> list[str]:
    return [row.id for row in rows]


def at_once(url: str, how_many: int, work: Callable[[Database, int], T]) -> list[T]:
    """Run it in so many threads at the same moment, each with a database of its own."""
    barrier = threading.Barrier(how_many, timeout=20)

    def run(index: int) -> T:
        with Database(url) as mine:
            barrier.wait()
            return work(mine, index)

    with ThreadPoolExecutor(how_many) as pool:
        return list(pool.map(run, range(how_many)))


# --- records ------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_whole(database: Database) -> None:
    written = record("CA1", reason="caller hung up", turns=[{"number": 1}], cost={"total": 0.1}, params={"a": "b"})
    assert database.write([written]) == []
    assert database.get("CA1") == written
    assert database.get("CA2") is None


def test_writing_a_record_again_leaves_one(database: Database) -> None:
    for _ in range(3):
        database.write([record("CA1"), record("CA1")])
    assert database.count() == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_records_of_a_call_the_one_stays_that_ended_later(database: Database, order: tuple[int, int]) -> None:
    both = [record("CA1", ended=1010.0, reason="lost"), record("CA1", ended=1090.0, reason="caller hung up")]
    for index in order:
        database.write([both[index]])
    found = database.get("CA1")
    assert found is not None
    assert (found.reason, found.ended) == ("caller hung up", 1090.0)
    assert [row.reason for row in database.latest()] == ["caller hung up"]


def test_of_two_records_of_a_call_in_one_write_the_one_stays_that_ended_later(database: Database) -> None:
    database.write([record("CA1", ended=1090.0, reason="b"), record("CA1", ended=1010.0, reason="a")])
    assert [row.reason for row in database.latest()] == ["b"]


def test_the_list_holds_what_a_reader_needs_and_no_conversation(database: Database) -> None:
    database.write([record("CA1", duration=59.5, reason="x", turns=[{}, {}], caller="+1 (555) 000-1111")])
    expected = CallSummary(
        "CA1", 1000.0, 1060.0, 59.5, ANN, "+1 (555) 000-1111", "+15559990000", "inbound", "x", turns=2
    )
    assert database.latest() == [expected]


def test_calls_are_listed_latest_first_and_page_by_page(database: Database) -> None:
    database.write(record(f"CA{index}", started=1000.0 + index // 2) for index in range(10))  # two of each second
    first = database.latest(limit=3)
    assert ids(first) == ["CA9", "CA8", "CA7"]
    second = database.latest(limit=3, before=first[-1])
    assert ids(second) == ["CA6", "CA5", "CA4"]
    assert ids(database.latest(before=1001.0)) == ["CA1", "CA0"]


def test_several_records_are_read_in_the_order_asked_for(database: Database) -> None:
    database.write(record(f"CA{index}") for index in range(700))
    asked = [f"CA{index}" for index in range(699, -1, -1)]
    assert [found.id for found in database.get_all([*asked, "CA7", "none"])] == asked


@pytest.mark.parametrize(
    "written", [ANN, "+1 (555) 000-1111", "001 555 000 1111", "15550001111", "tel:+1-555-000-1111"]
)
def test_calls_of_a_number_are_found_however_it_is_written(database: Database, written: str) -> None:
    database.write([record("CA1", caller=ANN), record("CA2", started=1001.0, caller="+1 555 000 1111")])
    database.write([record("CA3", caller=BOB), record("CA4", caller="")])
    assert ids(database.of_number(written)) == ["CA2", "CA1"]
    assert ids(database.of_number(written, limit=1)) == ["CA2"]


def test_a_call_that_we_made_is_of_the_number_that_we_dialled(database: Database) -> None:
    database.write([CallRecord(id="CA1", started=1.0, ended=2.0, caller=BOB, number=ANN, direction="outbound")])
    assert ids(database.of_number(ANN)) == ["CA1"]
    assert database.of_number(BOB) == []


def test_a_call_of_nobody_known_is_kept(database: Database) -> None:
    database.write([record("CA1", caller="anonymous"), record("CA2", caller="")])
    assert ids(database.of_number("anonymous")) == ["CA1"]
    assert [row.party for row in database.latest()] == ["", "anonymous"]


@pytest.mark.parametrize("text", ["nul \0 within", "half a pair \ud83d", "'; DROP TABLE calls; --", "x" * 100_000])
def test_no_text_from_outside_keeps_a_record_out(database: Database, text: str) -> None:
    strange = record(text, caller=text, reason=text, params={text: text}, recordings=[text])
    database.write([strange])
    assert database.get(text) == strange
    assert database.count() == 1
    assert database.delete_number(text).files == (text,)


def test_a_record_with_numbers_that_are_not_finite_is_kept(database: Database) -> None:
    database.write([record("CA1", usage={"a": float("nan"), "b": 2.0})])
    found = database.get("CA1")
    assert found is not None
    assert found.usage == {"b": 2.0}


def test_a_row_that_was_spoilt_is_told_without_what_was_said(database: Database) -> None:
    database.write([record("CA1")])
    with database._transaction(writes=True) as connection:
        connection.exec_driver_sql("UPDATE calls SET body = '{\"secret\": 1'")
    with pytest.raises(RecordError, match="expected the JSON of a call's record, got 12 characters") as raised:
        database.get("CA1")
    assert "secret" not in str(raised.value)


# --- deletion -----------------------------------------------------------------------------------------------


def test_deleting_a_number_leaves_nothing_of_it_and_all_of_others(database: Database) -> None:
    database.write([record("CA1", recordings=["a.wav", "b.wav"]), record("CA2", recordings=["b.wav"])])
    database.write([record("CA3", caller=BOB, recordings=["c.wav"])])
    database.put_live([LiveRow("CA4", "w", 1, 5.0, "{}", "001 555 000 1111"), LiveRow("CA5", "w", 1, 5.0, "{}", BOB)])
    deleted = database.delete_number("+1 555 000 1111")
    assert (deleted.records, sorted(deleted.files), deleted.live) == (2, ["a.wav", "b.wav"], 1)
    assert ids(database.latest()) == ["CA3"]
    assert [row.call_id for row in database.stale_live(9.0)] == ["CA5"]
    assert database.delete_number(ANN) == Deleted(0)


def test_the_recordings_of_a_call_that_was_going_on_are_told_when_its_state_is_deleted(database: Database) -> None:
    """Its worker is gone: nobody else knows of them."""
    began = [record(f"CA{index}", recordings=[f"{index}.wav", "b.wav"]) for index in range(3)]
    states = [CallState(each, began=1.0).as_json() for each in began]
    database.write([record("CA9", recordings=["b.wav"])])
    database.put_live(LiveRow(f"CA{index}", "w", 1, 5.0, body, ANN) for index, body in enumerate(states[:2]))
    database.put_live([LiveRow("CA2", "w", 1, 5.0, states[2], BOB), LiveRow("CA4", "w", 1, 5.0, "no state", ANN)])
    deleted = database.delete_number(ANN)
    assert (sorted(deleted.files), deleted.live) == (["0.wav", "1.wav", "b.wav"], 3)
    assert database.delete_before(9.0) == Deleted(0, ("2.wav", "b.wav"), 1)


def test_the_beginning_of_ids_is_as_it_is_written(database: Database) -> None:
    database.write([record("CA1"), record("CA12"), record("ca13"), record("C%1"), record("CB1")])
    assert database.ids("CA1", 9) == ["CA1", "CA12"]
    assert database.ids("CA1", 1) == ["CA1"]
    assert database.ids("C%", 9) == ["C%1"]


def test_a_number_with_many_calls_is_deleted_whole(database: Database) -> None:
    database.write(record(f"CA{index}", recordings=[f"{index}.wav"]) for index in range(1203))
    deleted = database.delete_number(ANN)
    assert (deleted.records, len(deleted.files), database.count()) == (1203, 1203, 0)


def test_a_record_that_comes_late_is_not_kept_when_its_number_was_deleted(database: Database) -> None:
    database.delete_number(ANN)
    now = wallclock.unix()
    late, other, new = record("CA1", started=now - 60), record("CA2", caller=BOB), record("CA3", started=now + 60)
    assert database.write([late, other, new]) == [late]
    assert ids(database.latest()) == ["CA3", "CA2"]


def test_the_number_itself_is_not_kept_when_it_was_deleted(database: Database) -> None:
    database.delete_number(ANN)
    with database._transaction() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM deleted_numbers").all()
    assert len(kept) == 1
    assert "5550001111" not in str(kept)


def test_a_deletion_is_remembered_for_ninety_days(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = wallclock.unix()
    database.delete_number(ANN)
    monkeypatch.setattr(wallclock, "unix", lambda: now + REMEMBERED - 60)
    database.delete_before(0.0)
    assert database.write([record("CA1")]) != []
    monkeypatch.setattr(wallclock, "unix", lambda: now + REMEMBERED + 60)
    database.delete_before(0.0)
    assert database.write([record("CA1")]) == []


def test_the_oldest_are_deleted_portion_by_portion(database: Database) -> None:
    database.write(record(f"CA{index}", started=float(index), recordings=[f"{index}.wav"]) for index in range(10))
    database.put_live([LiveRow("L1", "w", 1, 3.0, "{}"), LiveRow("L2", "w", 1, 8.0, "{}")])
    portions = [database.delete_before(7.0, limit=4) for _ in range(3)]
    assert [(each.records, each.live) for each in portions] == [(4, 1), (3, 0), (0, 0)]
    assert [file for each in portions for file in each.files] == [f"{index}.wav" for index in range(7)]
    assert ids(database.latest()) == ["CA9", "CA8", "CA7"]


def test_what_was_deleted_is_nowhere_in_the_file(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/calls.db") as database:
        said = "Ann lives in Peascod Street"
        database.write(record(f"CA{index}", reason=said, params={"x": "y" * 5000}) for index in range(50))
        assert said.encode() in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        database.delete_number(ANN)
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert said.encode() not in left
    assert b"5550001111" not in left


@pytest.mark.parametrize("number", ["", "  "])
def test_nobody_deletes_the_calls_of_no_number(database: Database, number: str) -> None:
    database.write([record("CA1", caller="")])
    with pytest.raises(ValueError, match="expected a telephone number"):
        database.delete_number(number)
    with pytest.raises(ValueError, match="expected a telephone number"):
        database.of_number(number)
    assert database.count() == 1


# --- calls that are going on --------------------------------------------------------------------------------


def test_the_state_of_a_call_is_taken_once(database: Database) -> None:
    row = LiveRow("CA1", "worker 1", 3, 5.5, '{"a": 1}', ANN)
    database.put_live([row, LiveRow("CA2", "worker 1", 1, 6.0, "{}")])
    assert database.take_live("CA1") == row
    assert database.take_live("CA1") is None
    assert [each.call_id for each in database.stale_live(100.0)] == ["CA2"]


def test_an_older_state_never_replaces_a_newer_one(database: Database) -> None:
    for seq in (2, 3, 1):
        database.put_live([LiveRow("CA1", "w", seq, float(seq), f"state {seq}")])
    database.put_live([LiveRow("CA1", "w", 5, 5.0, "state 5"), LiveRow("CA1", "w", 4, 4.0, "state 4")])
    taken = database.take_live("CA1")
    assert taken is not None
    assert (taken.seq, taken.body) == (5, "state 5")


def test_states_are_dropped_and_the_stale_ones_listed_oldest_first(database: Database) -> None:
    database.put_live(LiveRow(f"CA{index}", "w", 1, 10.0 - index, "{}") for index in range(5))
    database.drop_live(["CA3", "none"])
    database.drop_live([])
    assert [row.call_id for row in database.stale_live(9.5)] == ["CA4", "CA2", "CA1"]
    assert [row.call_id for row in database.stale_live(9.5, limit=1)] == ["CA4"]


def test_of_many_who_take_a_call_one_gets_it(url: str) -> None:
    together = threading.Barrier(4, timeout=20)

    def take(mine: Database, _: int) -> list[bool]:
        taken = []
        for index in range(20):
            together.wait()  # all go for the same call at the same moment
            taken.append(mine.take_live(f"CA{index}") is not None)
        return taken

    with Database(url) as database:
        database.put_live(LiveRow(f"CA{index}", "w", 1, 1.0, "{}") for index in range(20))
    assert [sum(column) for column in zip(*at_once(url, 4, take), strict=True)] == [1] * 20


# --- tokens -------------------------------------------------------------------------------------------------


def test_of_many_who_claim_a_token_one_gets_it(url: str) -> None:
    until = wallclock.unix() + 60
    claimed = at_once(url, 6, lambda mine, _: [mine.claim_token(f"token {index}", until) for index in range(10)])
    assert [sum(column) for column in zip(*claimed, strict=True)] == [1] * 10


def test_a_token_is_forgotten_an_hour_after_it_expired(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = wallclock.unix()

    def tokens() -> int:
        with database._transaction() as connection:
            return len(connection.exec_driver_sql("SELECT * FROM used_tokens").all())

    assert database.claim_token("a", now + 60)
    monkeypatch.setattr(wallclock, "unix", lambda: now + 60 + 3599)
    assert not database.claim_token("a", now + 60)
    assert tokens() == 1
    monkeypatch.setattr(wallclock, "unix", lambda: now + 60 + 3661)
    assert database.claim_token("b", now + 9000)
    assert tokens() == 1


def test_the_token_itself_is_not_kept(database: Database) -> None:
    database.claim_token("the-token", 1e12)
    with database._transaction() as connection:
        assert "the-token" not in str(connection.exec_driver_sql("SELECT * FROM used_tokens").all())


# --- many at once -------------------------------------------------------------------------------------------


def test_many_open_a_new_database_at_once_and_write_into_it(url: str) -> None:
    def work(mine: Database, index: int) -> None:
        for each in range(10):
            mine.write([record(f"CA{index}-{each}"), record("CA-shared", ended=2000.0 + index)])
            mine.put_live([LiveRow(f"L{index}", "w", each, 1.0, "{}"), LiveRow("L-shared", "w", each, 1.0, "{}")])

    at_once(url, 8, work)
    with Database(url) as database:
        assert database.count() == 81
        shared = database.get("CA-shared")
        assert shared is not None
        assert shared.ended == 2007.0
        assert len(database.stale_live(2.0)) == 9


PROCESS = """
import sys
from voiceloop.store import CallRecord
from voiceloop.store.database import Database

with Database(sys.argv[1]) as database:
    sys.stdin.readline()
    for index in range(20):
        database.write([CallRecord(id=f"{sys.argv[2]}-{index}", started=1.0, ended=2.0)])
"""


@pytest.mark.long
def test_several_processes_make_one_database(url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", PROCESS, url]
    processes = [
        subprocess.Popen([*command, str(index)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for index in range(6)
    ]
    said = [process.communicate("\n", timeout=60)[1] for process in processes]
    assert said == [""] * 6
    with Database(url) as database:
        assert database.count() == 120


def test_a_deletion_and_a_late_record_at_the_same_moment_leave_nothing(url: str) -> None:
    def work(mine: Database, index: int) -> None:
        if index:
            mine.write(record(f"CA{index}-{each}", started=5.0) for each in range(50))
        else:
            mine.delete_number(ANN)

    at_once(url, 4, work)
    with Database(url) as database:
        assert database.of_number(ANN) == []

"""``voiceloop calls``: what was kept, on the console."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from voiceloop.cli.main import main
from voiceloop.store import CallRecord
from voiceloop.store.call_state import CallState, encode
from voiceloop.store.database import Database
from voiceloop.store.spool import Spool

ANN = "+15550001111"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in a folder of its own; gives its status and what it said."""
    monkeypatch.chdir(tmp_path)
    for name in ("VOICELOOP_STORE", "VOICELOOP_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def command(*words: str) -> tuple[int, str, str]:
        status = main(["calls", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


@pytest.fixture
def kept(run: Run, tmp_path: Path) -> list[CallRecord]:
    """Three calls, in the database that is taken when none is named."""
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    waits = {"total": 900.0, "endpoint": 500.0, "stt": 0.0, "llm": 300.0, "tts": 80.0, "output": 10.0, "carrier": 10.0}
    records = [
        CallRecord(
            id="CA1",
            started=1_700_000_000.0,
            ended=1_700_000_065.0,
            duration=65.0,
            caller=ANN,
            number="+15559990000",
            reason="caller hung up",
            conversation=[
                {"role": "user", "text": "a latte please"},
                {"role": "assistant", "text": "One latte,", "unheard": "with milk?", "interrupted": True},
            ],
            turns=[{"number": 1, "caller": "a latte please", "heard": "One latte,", "latency_ms": waits}],
            faults=[{"kind": "llm", "message": "slow \x1b[31m", "detail": "", "at": 4.25}],
            usage={"tts.characters": 20},
            params={"table": "5"},
            recordings=["a.wav", "gone.wav"],
        ),
        CallRecord(id="CA2", started=1_700_000_100.0, ended=1_700_000_110.0, duration=9.6, caller="", reason="failed"),
        CallRecord(
            id="CA3", started=1_700_000_200.0, ended=1_700_000_210.0, number=ANN, direction="outbound", streams=2
        ),
    ]
    with Database("sqlite:///voiceloop-calls.db") as database:
        database.write(records)
    return records


@pytest.mark.usefixtures("kept")
def test_the_latest_calls_are_listed(run: Run) -> None:
    status, out, _ = run()
    assert status == 0
    assert out.splitlines() == [
        "began (UTC)               with              lasted  turns  ended           id",
        "2023-11-14 22:16:40  out  +15550001111        0:00      0                  CA3",
        "2023-11-14 22:15:00  in   unknown             0:10      0  failed          CA2",
        "2023-11-14 22:13:20  in   +15550001111        1:05      1  caller hung up  CA1",
    ]
    assert [row["id"] for row in json.loads(run("--json", "--limit", "2")[1])] == ["CA3", "CA2"]


@pytest.mark.usefixtures("kept")
def test_the_calls_of_a_number_are_listed(run: Run) -> None:
    assert [row["id"] for row in json.loads(run("of", "+1 555 000 1111", "--json")[1])] == ["CA3", "CA1"]
    assert run("of", "+15550009999")[1] == "No calls.\n"


def test_one_call_is_shown(run: Run, kept: list[CallRecord]) -> None:
    status, out, _ = run("show", "CA1")
    assert status == 0
    assert out.splitlines() == [
        "Call CA1 from +15550001111 to +15559990000",
        "2023-11-14 22:13:20 UTC, 1:05, caller hung up",
        "",
        "user: a latte please",
        "assistant: One latte, [cut: with milk?]",
        "",
        "End of speech to first sound, in milliseconds, and its parts:",
        "",
        "  turn    total endpoint      stt      llm      tts   output  carrier  caller said",
        "     1      900      500        0      300       80       10       10  a latte please",
        "",
        "Faults:",
        "  4.2 s  llm: slow  [31m",
        "",
        "Used:",
        "  tts.characters: 20",
        "",
        "Parameters:",
        "  table: 5",
        "",
        "Recordings:",
        "  a.wav",
        "  gone.wav",
    ]
    assert CallRecord.of_dict(json.loads(run("show", "CA1", "--json")[1])) == kept[0]
    assert "on 2 lines, one after the other" in run("show", "CA3")[1]


def test_the_calls_of_a_number_are_deleted_with_their_recordings(
    run: Run, kept: list[CallRecord], tmp_path: Path
) -> None:
    status, out, _ = run("delete", ANN, "--yes")
    assert (status, out.splitlines()) == (
        0,
        [
            "Deleted for good: 2 records and 1 recording of +15550001111.",
            "  was not here, perhaps it is on another machine: gone.wav",
        ],
    )
    assert not (tmp_path / "a.wav").exists()
    assert [row["id"] for row in json.loads(run("--json")[1])] == ["CA2"]
    outcome = json.loads(run("delete", ANN, "--yes", "--json")[1])
    assert outcome == {
        "records": 0,
        "live": 0,
        "waiting": 0,
        "recordings": {"removed": [], "missing": [], "kept": {}},
    }


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("answer", "left"), [("y\n", 1), ("n\n", 3), ("\n", 3), ("", 3)])
def test_nothing_is_deleted_without_a_yes(run: Run, monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    status, out, error = run("delete", ANN)
    assert "Delete 2 records of +15550001111 and their recordings, for good? [y/N]" in out
    assert (status, "nothing was deleted" in error) == ((0, False) if left == 1 else (1, True))
    assert len(json.loads(run("--json")[1])) == left


@pytest.mark.usefixtures("kept")
def test_a_script_must_say_yes(run: Run) -> None:
    status, _, error = run("delete", ANN)
    assert (status, error) == (1, "voiceloop: this would delete 2 records of +15550001111, for good: say --yes\n")
    assert len(json.loads(run("--json")[1])) == 3


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "CA9"], "there is no call CA9 in sqlite:///voiceloop-calls.db: see voiceloop calls"),
        (["show", "CA"], "there is no call CA in sqlite:///voiceloop-calls.db: see voiceloop calls"),
        (["of", "12"], "expected a telephone number such as +15550001111, got '12'"),
        (["delete", "hello", "--yes"], "expected a telephone number such as +15550001111, got 'hello'"),
        (["of", ""], "expected a telephone number such as +15550001111, got an empty text"),
        (["delete", " ", "--yes"], "expected a telephone number such as +15550001111, got an empty text"),
        (["--store", "sqlite:///other.db"], "there are no records of calls in sqlite:///other.db"),
        (["--store", "sqlite:///other.db", "show", "CA1"], "there are no records of calls in sqlite:///other.db"),
        (["show", "CA1", "--store", "calls.db"], "expected sqlite:///file.db"),
    ],
)
def test_what_cannot_be_done_is_told(run: Run, words: list[str], said: str, tmp_path: Path) -> None:
    status, out, error = run(*words)
    assert (status, out) == (1, "")
    assert said in error
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize("limit", ["0", "-3", "many"])
def test_a_list_of_no_calls_is_refused(run: Run, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(f"--limit={limit}")
    assert f"expected a whole number of at least 1, got {limit}" in capsys.readouterr().err


def test_the_beginning_of_an_id_will_do_when_it_is_one_calls_alone(run: Run) -> None:
    ids = ["CA12345a", "CA12345b", "CA1234%c", "ca12345a"]
    with Database("sqlite:///voiceloop-calls.db") as database:
        database.write([CallRecord(id=id, started=1.0, ended=2.0) for id in ids])
    assert run("show", "CA1234%")[1].startswith("Call CA1234%c from")
    assert run("show", "ca1234")[1].startswith("Call ca12345a from")
    assert "several calls begin with CA1234: give more of the id" in run("show", "CA1234")[2]
    assert "there is no call CA1234_ in" in run("show", "CA1234_")[2]
    assert "there is no call ca123 in" in run("show", "ca123")[2]  # too short


def test_a_caller_with_a_name_of_the_trunks_own_can_be_asked_for(run: Run) -> None:
    with Database("sqlite:///voiceloop-calls.db") as database:
        database.write([CallRecord(id="CA1", started=1.0, ended=2.0, caller="Reception")])
    assert [row["id"] for row in json.loads(run("of", "Reception", "--json")[1])] == ["CA1"]


def test_recordings_of_a_call_that_waits_in_the_spool_are_deleted(
    run: Run, kept: list[CallRecord], tmp_path: Path
) -> None:
    """The worker was killed in the middle of the call, and nobody has closed its record yet."""
    recording = tmp_path / "CA7-1.wav"
    recording.write_bytes(b"RIFF")
    spool = Spool(tmp_path / "voiceloop-spool")
    spool.open()
    file = spool.create(CallState(CallRecord(id="CA7", started=1.0, ended=1.0, caller=ANN), began=1.0))
    assert file is not None
    file.write(encode({"k": "r", "at": 1.0, "v": [str(recording)]}), CallState(kept[0], began=1.0))
    file.close()
    os.close(spool._lock)  # as a kill does
    spool._lock = -1
    said = run("delete", ANN, "--yes")[1]
    assert said.startswith("Deleted for good: 3 records and 2 recordings of +15550001111.\n")  # two are in the database
    assert not recording.exists()
    assert list(tmp_path.rglob("*.jsonl")) == []


@pytest.mark.usefixtures("kept")
def test_the_database_is_named_by_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICELOOP_STORE", "sqlite:///elsewhere.db")
    assert "sqlite:///elsewhere.db" in run()[2]

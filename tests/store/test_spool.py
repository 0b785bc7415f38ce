"""The spool: what is written survives the writer, comes to one state, and is taken by one at most."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.tool_round import NOT_YET
from voiceloop.report import Turn
from voiceloop.store.call_state import CallState, encode, lines_of, read_state
from voiceloop.store.record import CallRecord, RecordError, message_dict, turn_dict
from voiceloop.store.rows import Deleted
from voiceloop.store.spool import Spool, SpoolError, SpoolLimits, delete_number

SID = "CA" + 8 * "5e1f"


def state_of(sid: str = SID, **fields: Any) -> CallState:
    return CallState(CallRecord(id=sid, started=1000.0, ended=1000.0, caller="+15550002222", **fields), began=1000.0)


def said(text: str, role: Any = "user") -> dict[str, Any]:
    return message_dict(Message(role, text))


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[Any]:
    """``spools()`` is the part of one more process in one spool."""
    made: list[Spool] = []

    def make(**limits: int) -> Spool:
        complaints: list[str] = []
        spool = Spool(tmp_path / "spool", SpoolLimits(**limits), complaints.append)
        spool.open()
        spool.told = complaints  # type: ignore[attr-defined]
        made.append(spool)
        return spool

    yield make
    for spool in made:
        spool.close()


def dies(spool: Spool) -> None:
    """What a kill does: the lock is free, the folder stays."""
    os.close(spool._lock)
    spool._lock, spool._own = -1, None


def write(spool: Spool, state: CallState, *lines: dict[str, Any], open: bool = False) -> Any:
    file = spool.create(state)
    assert file is not None
    for line in lines:
        state.apply(line)
        file.write(encode(line), state)
    if not open:
        file.close()
    return file


# --- lines and states -----------------------------------------------------------------------------------------

texts = st.text(max_size=20)
messages = st.builds(
    Message,
    st.sampled_from(["user", "assistant", "tool"]),
    texts,
    texts,
    st.booleans(),
    st.lists(st.builds(ToolCall, texts, texts, texts), max_size=2).map(tuple),
    st.lists(st.builds(ToolResult, texts, texts, st.booleans()), max_size=2).map(tuple),
    aside=st.booleans(),
    bound=st.integers(0, 3),
)


@st.composite
def changes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Changes of a call, as they come: messages enter at the end, or one that is there advances."""
    lines: list[dict[str, Any]] = []
    known, turns, at = 0, 0, 0.0
    for kind in draw(st.lists(st.sampled_from("mmmmtuf"), max_size=30)):
        at += draw(st.floats(0, 5))
        line: dict[str, Any] = {"k": kind, "at": at}
        if kind == "m":
            line["n"] = draw(st.integers(max(0, known - 3), known))
            line["v"] = message_dict(draw(messages))
            known = max(known, line["n"] + 1)
        elif kind == "t":
            line |= {"n": turns, "v": turn_dict(Turn(turns + 1, draw(texts)))}
            turns += 1
        elif kind == "f":
            line |= {"n": 0, "v": {"kind": draw(texts), "message": "", "detail": "", "at": 1.0}}
        else:
            line["v"] = draw(st.dictionaries(texts, st.floats(0, 1e6), max_size=3))
        lines.append(line)
    if draw(st.booleans()):
        lines.append({"k": "ending", "at": at, "v": draw(st.sampled_from(["completed", "disconnected"]))})
    return lines


@given(changes(), st.data())
def test_what_was_written_comes_to_the_state_wherever_the_last_line_breaks_off(
    lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = [lines_of(state_of()), *((encode(line) + "\n").encode("ascii") for line in lines)]
    text = b"".join(whole)
    cut = data.draw(st.integers(len(whole[0]), len(text)))
    expected, size = state_of(), len(whole[0])
    for line, written in zip(lines, whole[1:], strict=True):
        size += len(written)
        if size <= cut:
            expected.apply(line)
    found = read_state(text[:cut].splitlines(keepends=True))
    assert found == expected
    assert CallState.of_json(found.as_json()) == expected
    assert [message_dict(message) for message in found.carried().messages] == expected.record.conversation or any(
        result["text"] == NOT_YET for each in expected.record.conversation for result in each["results"]
    )


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{}",
        '{"k":"m"}',
        '{"k":"m","n":5,"v":{}}',
        '{"k":"m","n":-1,"v":{}}',
        '{"k":"end","v":{"ended":"x"}}',
        "nul",
    ],
)
def test_a_line_that_fits_nothing_ends_what_is_believed_of_a_file(line: str) -> None:
    good = encode({"k": "m", "n": 0, "at": 1.0, "v": said("one")}) + "\n"
    bad = f"{line}\n" if line != "{}" else '{"k":"t","n":9,"v":{}}\n'
    found = read_state([lines_of(state_of()), good.encode(), bad.encode(), good.replace("one", "two").encode()])
    assert [each["text"] for each in found.record.conversation] == ["one"]


def test_a_file_that_does_not_begin_with_a_call_is_none() -> None:
    for lines in ([], [b"\n"], [b'{"k":"m","n":0,"v":{}}\n'], [lines_of(state_of())[:-5]]):
        with pytest.raises(RecordError):
            read_state(lines)


def test_a_tool_that_ran_when_the_process_died_is_told_to_the_model_as_cut_off() -> None:
    state = state_of()
    state.record.conversation = [
        message_dict(Message("tool", "", results=(ToolResult("1", NOT_YET), ToolResult("2", "done"))))
    ]
    results = state.carried().messages[0].results
    assert [(result.id, result.error) for result in results] == [("1", True), ("2", False)]
    assert "not known" in results[0].text


def test_a_call_whose_process_died_is_lost_and_one_with_a_reason_keeps_it() -> None:
    state = state_of()
    state.apply({"k": "m", "n": 0, "at": 12.5, "v": said("hello")})
    record = state.settle()
    assert (record.reason, record.duration, record.ended) == ("lost", 12.5, 1012.5)
    state.apply({"k": "ending", "at": 13.0, "v": "disconnected"})
    assert (state.settle().reason, state.over) == ("disconnected", False)
    state.apply({"k": "ending", "at": 13.0, "v": "caller hung up"})
    assert (state.settle().reason, state.over) == ("caller hung up", True)


# --- files --------------------------------------------------------------------------------------------------


def test_what_a_process_wrote_is_there_while_it_writes_and_when_it_has_died(spools: Any) -> None:
    one, other = spools(), spools()
    state = state_of()
    file = write(one, state, {"k": "m", "n": 0, "at": 1.0, "v": said("half pair \ud800, and ü")}, open=True)
    assert other.look(SID) == state
    assert other.adopt() == []  # its writer lives
    dies(one)
    assert other.adopt() == [state]
    assert other.read(SID) == state
    assert [path.name for path in other.root.iterdir()] == [other.worker]
    file.close()


def test_of_several_who_want_a_call_one_gets_it_and_its_writer_learns_of_it_once(spools: Any) -> None:
    one, two, three = spools(), spools(), spools()
    state = state_of()
    file = write(one, state, open=True)
    assert two.take(SID) == state
    assert three.look(SID) == state
    assert (one.taken(SID), one.taken(SID), one.has(SID)) == (True, False, False)
    state.apply({"k": "m", "n": 0, "at": 1.0, "v": said("a zombie's")})
    file.write(encode({"k": "m", "n": 0, "at": 1.0, "v": said("a zombie's")}), state)  # into its old file: the same one
    file.close()
    assert three.take(SID) is not None
    assert two.take("CAother") is None


def test_a_call_that_is_over_for_good_is_not_taken(spools: Any) -> None:
    one, two = spools(), spools()
    write(one, state_of(), {"k": "ending", "at": 1.0, "v": "completed"})
    assert two.take(SID) is None
    assert one.has(SID)
    assert two.look(SID).over


def test_of_two_files_of_one_call_the_newer_line_counts(spools: Any) -> None:
    old, new, taker = spools(), spools(), spools()
    write(old, state_of(streams=1), {"k": "m", "n": 0, "at": 100.0, "v": said("old")})
    write(new, state_of(streams=2), {"k": "m", "n": 0, "at": 1.0, "v": said("new")})
    taken = taker.take(SID)
    assert taken.record.conversation[0]["text"] == "new"
    assert taker.read(SID) == taken
    assert (old.has(SID), new.has(SID)) == (False, False)


def test_an_ended_line_is_taken_from_a_live_process_and_a_live_one_only_from_a_dead(spools: Any) -> None:
    one, two = spools(), spools()
    write(one, state_of("CA1"), {"k": "ending", "at": 1.0, "v": "disconnected"})
    write(one, state_of("CA2"))
    assert two.take_ended("CA1") is not None
    assert two.take_ended("CA2") is None
    dies(one)
    assert two.take_ended("CA2") is not None


def test_a_file_that_has_become_too_large_is_written_anew_with_the_same_state(spools: Any) -> None:
    spool = spools(file=4000)
    state = state_of()
    file = write(spool, state, open=True)
    for count in range(400):
        line = {"k": "m", "n": 0, "at": float(count), "v": said("word " * (count % 50))}
        state.apply(line)
        file.write(encode(line), state)
        assert file.path.stat().st_size <= 4000
    assert spool.read(SID) == state
    assert file.whole
    assert spool._bytes == file.path.stat().st_size
    for count in range(1, 40):
        line = {"k": "m", "n": count, "at": float(count), "v": said("more " * 20)}
        state.apply(line)
        file.write(encode(line), state)
    assert not file.whole
    assert len(spool.told) == 1
    assert spool.read(SID).record.conversation == state.record.conversation[: len(spool.read(SID).record.conversation)]


def test_a_full_spool_keeps_what_it_has_and_takes_no_more_until_there_is_room(spools: Any) -> None:
    spool = spools(files=2)
    for sid in ("CA1", "CA2"):
        write(spool, state_of(sid))
    assert spool.create(state_of("CA3")) is None
    assert spool.create(state_of("CA4")) is None
    assert len(spool.told) == 1
    assert "is full" in spool.told[0]
    spool.remove("CA1")
    write(spool, state_of("CA3"))
    assert (spool.has("CA2"), spool.has("CA3")) == (True, True)


def test_a_disk_that_is_full_is_noted_once_and_the_file_read_up_to_there(spools: Any, monkeypatch: Any) -> None:
    spool = spools()
    state = state_of()
    file = write(spool, state, {"k": "m", "n": 0, "at": 1.0, "v": said("before")}, open=True)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
    for _ in range(3):
        file.write(encode({"k": "m", "n": 1, "at": 2.0, "v": said("after")}), state)
    monkeypatch.undo()
    assert len(spool.told) == 1
    assert [each["text"] for each in spool.read(SID).record.conversation] == ["before"]
    monkeypatch.setattr(os, "write", lambda fd, data: 0)
    assert spool.create(state_of("CA2")) is None
    assert not spool.has("CA2")


def test_a_folder_that_cannot_be_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file")
    with pytest.raises(SpoolError, match="VOICELOOP_SPOOL"):
        spool.open()
    assert spool.create(state_of()) is None
    assert (spool.take(SID), spool.adopt(), spool.has(SID)) == (None, [], False)
    spool.close()


def test_a_process_that_leaves_nothing_takes_its_folder_along(spools: Any) -> None:
    one, two = spools(), spools()
    write(two, state_of())
    one.close()
    two.close()
    assert [path.name for path in two.root.iterdir()] == [f"{os.getpid()}-1"]


@pytest.mark.parametrize("sid", ["../../etc/passwd", "a/b", "", "x" * 500, "CA\udc80\n"])
def test_no_id_leads_out_of_the_folder(spools: Any, sid: str) -> None:
    spool = spools()
    write(spool, state_of(sid))
    assert [path.parent.name for path in spool.root.rglob("*.jsonl")] == [spool.worker]
    assert spool.read(sid) == state_of(sid)


def test_a_file_of_somebody_elses_is_left_aside(spools: Any) -> None:
    one, two = spools(), spools()
    (one.root / one.worker / f"{SID}.jsonl").write_text("what is this\n")
    dies(one)
    assert two.adopt() == []
    assert (two.root / f"{SID}.unreadable").read_text() == "what is this\n"
    assert len(two.told) == 1


def test_deletion_by_number_reaches_all_that_is_not_on_the_line(spools: Any) -> None:
    live, dead = spools(), spools()
    write(live, state_of("CA1"))
    write(live, state_of("CA2", recordings=["/kept/CA2-1.wav"]), {"k": "ending", "at": 1.0, "v": "completed"})
    write(dead, state_of("CA3"), {"k": "r", "at": 1.0, "v": ["/kept/CA3-1.wav"]})
    write(dead, CallState(CallRecord(id="CA4", started=1.0, ended=1.0, caller="+15559"), began=1.0))
    dies(dead)
    assert delete_number(live.root, "+1 (555) 000-2222") == Deleted(2, ("/kept/CA2-1.wav", "/kept/CA3-1.wav"))
    assert sorted(path.stem for path in live.root.rglob("*.jsonl")) == ["CA1", "CA4"]


def test_files_are_for_their_owner_alone(spools: Any) -> None:
    spool = spools()
    file = write(spool, state_of())
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700

"""What a keeper has in memory: each call once, waiting for its caller or for the database."""

from __future__ import annotations

import pytest

from voiceloop.store.call_state import CallState
from voiceloop.store.record import CallRecord
from voiceloop.store.shelf import Shelf, Waiting

SID = "CA1"
ONE = CallRecord(id=SID, started=1.0, ended=2.0, reason="disconnected")


def waiting() -> Waiting:
    return Waiting(CallState(ONE, 2.0, ending="disconnected"), until=60.0, filed=True)


def test_a_call_that_goes_on_is_neither_waited_for_nor_written() -> None:
    for goes in ("waiting", "due"):
        shelf = Shelf(10)
        shelf.wait(waiting()) if goes == "waiting" else shelf.put(ONE, filed=True)
        state = shelf.pop(SID)
        assert state is not None
        assert state.record is ONE
        assert (shelf.due, shelf.waiting(SID), shelf.filed()) == (0, None, [])
        assert shelf.some_due(10) == ({}, set())
        assert shelf.expired(1000.0) == []
        assert shelf.pop(SID) is None


def test_a_call_is_on_the_shelf_once() -> None:
    shelf = Shelf(10)
    shelf.wait(waiting())
    shelf.put(ONE, filed=True)
    assert (shelf.due, shelf.waiting(SID)) == (1, None)
    shelf.wait(waiting())
    assert (shelf.due, shelf.expired(59.0)) == (0, [])
    assert [state.sid for state in shelf.expired(60.0)] == [SID]
    assert shelf.filed() == []


@pytest.mark.parametrize(("filed", "held"), [(True, None), (False, ONE)])
def test_beyond_its_size_only_what_is_nowhere_else_is_kept(filed: bool, held: CallRecord | None) -> None:
    shelf = Shelf(0)
    shelf.put(ONE, filed=filed)
    assert shelf.some_due(10) == ({SID: held}, set())

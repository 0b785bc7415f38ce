"""Whoever reads what a server says can stop reading: nothing waits for that but the lines themselves."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from voiceloop.server.outlet import Outlet, _Unheld, unheld_output


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: where it is read, where it is written."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for each in ends:
            os.close(each)


@contextmanager
def printing_into(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> Iterator[IO[str]]:
    """Both standard streams of this process lead there."""
    with open(descriptor, "w", closefd=False, encoding="utf-8") as stream, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        patched.setattr(sys, "stderr", stream)
        yield stream


def drained(descriptor: int) -> bytes:
    """All that can be read without waiting."""
    os.set_blocking(descriptor, False)
    found = bytearray()
    try:
        while piece := os.read(descriptor, 65536):
            found += piece
    except BlockingIOError:
        pass
    return bytes(found)


def test_lines_keep_their_order_and_nothing_is_lost_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe() as (reader, writer):
        with printing_into(monkeypatch, writer) as stream:
            with unheld_output():
                for number in range(500):
                    print(number, file=sys.stderr if number % 2 else sys.stdout, flush=True)
                print("no end of line", end="")
            assert sys.stdout is stream
            assert sys.stderr is stream
        assert drained(reader).decode() == "".join(f"{number}\n" for number in range(500)) + "no end of line\n"


def test_the_beginning_of_a_line_is_written_when_somebody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe() as (reader, writer), printing_into(monkeypatch, writer), unheld_output():
        print("Loading", end=" ", flush=True)
        assert os.read(reader, 100) == b"Loading "


def test_each_line_has_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe() as (reader, writer), printing_into(monkeypatch, writer):
        with unheld_output("[2] "):
            print("one\ntwo\n\nthr", end="", flush=True)
            print("ee")
            sys.stderr.write("half")
        assert drained(reader) == b"[2] one\n[2] two\n\n[2] three\n[2] half\n"


def test_loggers_write_there_too_and_get_their_stream_back(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("voiceloop.test_outlet")
    log.propagate = False
    with pipe() as (reader, writer), printing_into(monkeypatch, writer) as stream:
        handler = logging.StreamHandler(stream)
        log.addHandler(handler)
        try:
            with unheld_output("[1] "):
                log.warning("careful")
                assert handler.stream is not stream
            assert handler.stream is stream
        finally:
            log.removeHandler(handler)
        assert drained(reader) == b"[1] careful\n"


def test_streams_without_a_file_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(sys, "stderr", None)
    with unheld_output():
        assert sys.stdout is written
        assert sys.stderr is None


@pytest.mark.realtime
async def test_a_pipe_that_nobody_reads_does_not_hold_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe() as (reader, writer), printing_into(monkeypatch, writer):
        monkeypatch.setattr("voiceloop.server.outlet.FLUSH", 0.05)
        beats = 0
        with unheld_output():
            for _ in range(20):
                print("x" * 9_999)  # in all three times what a pipe takes
                await asyncio.sleep(0)
                beats += 1
        assert beats == 20  # with a stream as usual the seventh would be the last
        drained(reader)  # lets the thread go


def test_what_is_too_much_is_left_out_and_counted() -> None:
    with pipe() as (reader, writer):
        outlet = Outlet(writer, most=200_000)
        for number in range(300):
            outlet.put(b"%04d" % number + b"." * 995 + b"\n")
        os.set_blocking(reader, True)
        found = bytearray()
        while b"left out" not in found:
            found += os.read(reader, 65536)
        outlet.put(b"again\n")
        assert outlet.close(10)
        found += drained(reader)
    lines = found.decode().splitlines()
    kept = [int(line[:4]) for line in lines[:-2]]
    assert kept == list(range(len(kept)))
    assert 200 <= len(kept) < 300
    assert lines[-2:] == [f"({300 - len(kept)} lines were left out here: they were not read in time)", "again"]


def test_a_reader_that_is_gone_harms_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        outlet = Outlet(writer)
        outlet.put(b"lost\n")
        assert outlet.close(10)
    finally:
        os.close(writer)


def test_the_end_waits_for_a_stuck_reader_no_longer_than_it_is_told() -> None:
    with pipe() as (reader, writer):
        outlet = Outlet(writer)
        outlet.put(b"x" * 200_000)
        assert not outlet.close(0.05)
        while not outlet.close(0):
            drained(reader)


class Talkative(str):
    """Says something where it is put behind another text: as what the garbage collector frees may do anywhere."""

    stream: _Unheld

    def __radd__(self, other: str) -> str:
        self.stream.write("meanwhile\n")
        return other + str(self)


class Bytes(bytes):
    """The same, where somebody asks for its length."""

    outlet: Outlet

    def __len__(self) -> int:
        self.outlet.put(b"meanwhile\n")
        return super().__len__()


def ends(target: Callable[[], object]) -> bool:
    """Whether a thread that does this ends."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(5)
    return not thread.is_alive()


def test_what_is_said_while_something_is_being_said_holds_nobody() -> None:
    with pipe() as (reader, writer), open(writer, "w", closefd=False, encoding="utf-8") as file:
        outlet = Outlet(writer)
        line, piece = Talkative("a line\n"), Bytes(b"a piece\n")
        line.stream, piece.outlet = _Unheld(file, outlet, ""), outlet
        assert ends(lambda: line.stream.write(line))
        assert ends(lambda: outlet.put(piece))
        assert outlet.close(5)
        assert set(drained(reader).decode().splitlines()) == {"meanwhile", "a line", "a piece"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_that_is_forked_writes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe() as (reader, writer):
        with printing_into(monkeypatch, writer), unheld_output():
            print("of the parent", end="")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # there are threads: that is what this is about
                child = os.fork()
            if not child:
                print("of the child", flush=True)
                os._exit(0)
            assert os.waitpid(child, 0) == (child, 0)
            assert drained(reader) == b"of the child\n"
        assert drained(reader) == b"of the parent\n"


def test_a_bot_may_set_the_encoding_of_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe() as (reader, writer):
        with printing_into(monkeypatch, writer), unheld_output():
            sys.stdout.reconfigure(encoding="latin-1", line_buffering=True)  # type: ignore[union-attr]
            print("Grüße")
        assert drained(reader) == "Grüße\n".encode("latin-1")

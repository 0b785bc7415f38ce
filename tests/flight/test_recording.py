"""What a flight recording holds, and what happens to it when things go wrong."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop import Runtime
from voiceloop.errors import VoiceloopError
from voiceloop.flight import BadFlight, FlightOptions, read_flight
from voiceloop.flight.entries import Kind
from voiceloop.flight.items import decode_item, encode_item
from voiceloop.flight.writer import BLOCK_HEAD, MAGIC, FlightWriter
from voiceloop.frames import Transcript, Word
from voiceloop.llm.base import Echo, ToolCall, Usage
from voiceloop.served import Served
from voiceloop.stt.base import Flush
from voiceloop.testing import ScriptedLLM, script
from voiceloop.tts.base import Speech

Record = Callable[..., Path]


async def orders(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await orders_on(caller)


async def orders_on(caller: Any) -> None:
    await caller.says("a large mocha please")
    await caller.hears()
    await caller.hangs_up()


def test_the_recording_holds_the_call_from_its_first_message_to_its_report(record: Record) -> None:
    flight = read_flight(record(orders))
    assert flight.whole
    assert flight.torn == 0
    assert flight.header["line"]["kind"] == "TwilioTransport"
    assert flight.header["providers"]["stt"]["name"] == "ScriptedSTT"
    heard = b"".join(entry.content for entry in flight.entries if entry.kind is Kind.MEDIA_IN)
    sent = b"".join(entry.content for entry in flight.entries if entry.kind is Kind.MEDIA_OUT)
    assert len(heard) > 3 * 8000
    assert len(sent) > 2 * 8000
    report = flight.report
    assert report is not None
    assert [(turn["caller"], turn["heard"]) for turn in report["turns"]] == [("a large mocha please", "Yes.")]
    times = [entry.at for entry in flight.entries]
    assert times == sorted(times)


def test_every_call_gets_a_file_of_its_own_in_a_folder(record: Record, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    record(orders, record=folder)
    record(orders, record=folder)
    files = sorted(path.name for path in folder.iterdir())
    assert len(files) == 2
    assert all(name.startswith("CA") and name.endswith(".vlog") for name in files)


def test_a_recording_cut_anywhere_is_read_up_to_its_last_whole_block(record: Record, tmp_path: Path) -> None:
    data = record(orders).read_bytes()
    whole = read_flight(tmp_path / "call.vlog").entries
    ends = [len(MAGIC)]
    while ends[-1] < len(data):
        ends.append(ends[-1] + BLOCK_HEAD.size + BLOCK_HEAD.unpack_from(data, ends[-1])[0])

    @settings(max_examples=60, deadline=None)
    @given(st.integers(ends[1], len(data)))
    def check(size: int) -> None:
        path = tmp_path / "torn.vlog"
        path.write_bytes(data[:size])
        flight = read_flight(path)
        assert flight.torn == size - max(end for end in ends if end <= size)
        assert flight.entries == whole[: len(flight.entries)]
        assert flight.whole == (size == len(data))

    check()


def test_a_killed_process_leaves_what_happened_until_shortly_before(tmp_path: Path) -> None:
    path = tmp_path / "killed.vlog"
    program = f"""
import asyncio
from tests.flight.conftest import shop, STT, LLM, TTS, LEXICON
from voiceloop import Runtime
from voiceloop.testing import dial
async def main():
    async with Runtime(record={str(path)!r}) as runtime:
        async with dial(shop(), runtime=runtime, stt=STT, llm=LLM, tts=TTS, lexicon=LEXICON, invariants=None) as caller:
            await caller.says("a large mocha please")
            print("said", flush=True)
            await asyncio.sleep(60)
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"said\n"
        time.sleep(0.5)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    flight = read_flight(path)
    assert not flight.whole
    assert flight.report is None
    spoken = [entry for entry in flight.entries if entry.kind is Kind.MEDIA_IN]
    assert spoken[-1].at - flight.header["at"] > 0.7


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"RIFF" + data, "is no flight recording"),
        (lambda data: data[: len(MAGIC)], "holds nothing but its first bytes"),
        (lambda data: data[:3000] + b"\x00\x01" + data[3002:], "is damaged"),
    ],
)
def test_what_is_no_recording_is_refused_in_words(record: Record, damage: Any, message: str) -> None:
    path = record(orders)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadFlight, match=message):
        read_flight(path)


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadFlight, match="there is no file"):
        read_flight(tmp_path / "none.vlog")


def test_what_is_to_be_left_out_is_nowhere_in_the_file(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "call.vlog"

    async def talk(caller: Any) -> None:
        await caller.hears("Corner Coffee")
        await caller.presses("4")
        caller.call.say("By the way, we close at five.")
        caller.call.play(b"\x55" * 1600, text="music")
        await caller.hears()
        await orders_on(caller)

    class Wordy(ScriptedLLM):
        async def respond(self, messages: Any, tools: Any = ()) -> Any:
            if not self.requests:
                self.requests.append([])
                raise ConnectionError("cannot answer mocha")
            async for item in super().respond(messages, tools):
                yield item

    record(talk, record=FlightOptions(path, redact=["audio", "text"]), llm=Wordy(["Yes."]))
    data = path.read_bytes()
    for secret in (
        b"mocha",
        b"Corner Coffee",
        b"You sell coffee",
        b"Yes.",
        b"close at five",
        b'"4"',
        b"keys: 4",
        b"\x55" * 16,
    ):
        assert secret not in data
    assert base64.b64encode(b"\x55" * 30) not in data
    flight = read_flight(path)
    assert flight.redacted == ("audio", "text")
    media = [entry.content for entry in flight.entries if entry.kind in (Kind.MEDIA_IN, Kind.MEDIA_OUT)]
    assert media
    assert all(set(audio) == {0xFF} for audio in media)
    assert flight.report is not None
    assert [turn["caller"] for turn in flight.report["turns"]] == ["[xxxx: x]", "x xxxxx xxxxx xxxxxx"]


def test_nothing_else_can_be_left_out() -> None:
    with pytest.raises(VoiceloopError, match="audio and text, got"):
        FlightOptions("calls", redact=["names"])


def test_a_full_recording_stops_and_the_call_goes_on(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "call.vlog"
    record(orders, record=FlightOptions(path, most=20_000))
    assert path.stat().st_size < 60_000
    assert not read_flight(path).whole


async def test_a_call_that_cannot_be_recorded_is_held_all_the_same(tmp_path: Path, dial: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    async with (
        Runtime(record=tmp_path / "file" / "calls") as runtime,
        dial("examples/coffee_bot.py", llm=script("Yes."), runtime=runtime, invariants=None) as caller,
    ):
        await caller.hears()
        await caller.says("a mocha please")
        await caller.hears("Yes.")
        report = await caller.hangs_up()
    assert [fault.kind for fault in report.faults] == ["flight"]
    assert "not recorded" in report.faults[0].message


def test_a_disk_that_fails_ends_the_recording_only(tmp_path: Path) -> None:
    writer = FlightWriter(tmp_path / "x.vlog", 10**9, threaded=False)
    assert writer._file is not None
    writer._file.close()
    writer._file = open("/dev/full", "wb", buffering=0) if os.path.exists("/dev/full") else writer._file  # noqa: SIM115
    try:
        writer.put(b"x" * 100)
    except ValueError:  # a closed file, where there is no /dev/full
        pytest.skip("this system has no /dev/full")
    assert writer._file is None
    writer.put(b"more")
    writer.close()


def test_items_come_back_as_they_were() -> None:
    items = [
        "a piece of text \ud800",
        Transcript("hello", True, 2, words=(Word("hello", 0.1, 0.4),)),
        Speech(b"\x00\xff" * 80, (Word("hi", 0.0, 0.25),)),
        Speech(b"", ()),
        ToolCall("1", "price", '{"drink":"latte"}'),
        Usage(10, 5, 3, 1),
        Echo([{"type": "thinking"}]),
        Served("Hibari", "CartesiaTTS", "it failed"),
    ]
    back = [decode_item(encode_item(item)) for item in items]
    assert [repr(each) for each in back] == [repr(item) for item in items]
    assert int(decode_item(encode_item(Flush(3)))) == 3
    assert repr(decode_item(encode_item(object()))) == "<object, not kept>"
    assert repr(decode_item(encode_item(Echo(object())))) == "<Echo, not kept>"

"""Keys that are kept out of every log: two calls that differ in nothing but the PIN leave the same behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flight.conftest import LEXICON, STT, TTS
from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Runtime, TurnTaking, wallclock
from voiceloop.audio.dtmf import tones
from voiceloop.flight.entries import Kind
from voiceloop.flight.reader import read_flight
from voiceloop.flight.timeline import timeline_of
from voiceloop.frames import Digit
from voiceloop.keypad import Keyed, KeyOptions
from voiceloop.processor import Processor
from voiceloop.record.live import LiveEvents
from voiceloop.record.picture import picture_html
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.replay import replay
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import Dialled, calls, dial, script
from voiceloop.testing.failure_files import event_lines
from voiceloop.tools import Tool
from voiceloop.twilio.messages import ProtocolError

PIN, OTHER = "9753187654", "1464720035"
GREETING = "Corner Coffee."


class Kept:
    """A bot that is given a PIN, in one of three ways, and what it knows at the end."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.got: list[Keyed] = []
        self.pressed: list[Digit] = []

    def bot(self, call: Call) -> Pipeline:
        kept = self

        async def check(call: Call) -> str:
            """Check the PIN."""
            kept.got.append(await call.collect_digits(secret=True, prompt="Please enter your pin."))
            return "right"

        async def hush(call: Call) -> str:
            """Keep keys secret for a while."""
            with call.secret_keys():
                await asyncio.sleep(8.0)
            return "right"

        class Sees(Processor):
            def on_digit(self, digit: Digit) -> None:
                kept.pressed.append(digit)

        keys = KeyOptions(secret=self.way == "always")
        tools = [Tool({"collected": check, "window": hush}.get(self.way, check))]
        model = LLMAggregator(self.model(), tools=tools)
        return Pipeline(
            [call.transport, EnergyVAD(), STT, TurnTaking(GREETING, keys=keys), model, TTS, Sees(), AudioStreamer()]
        )

    def model(self) -> Any:
        return {
            "collected": script((calls("check")), "That is right."),
            "window": script((calls("hush")), "That is right.", "That is right."),
            "always": script("That is right."),
        }[self.way]


async def enter(caller: Dialled, pin: str, way: str) -> None:
    await caller.hears("Corner Coffee")
    if way != "always":
        await caller.says("check my pin")
        await caller.waits(3.0)
    await caller.presses(f"{pin}#")
    await caller.waits(2.5)
    await caller.hangs_up()


def everything(
    way: str, pin: str, path: Path, monkeypatch: pytest.MonkeyPatch, talk: Callable[..., Any] = enter
) -> tuple[Kept, dict[str, Any]]:
    """Have a call, and all that was written of it."""
    monkeypatch.setattr(wallclock, "now_iso", lambda: "2000-01-01T00:00:00Z")
    kept, live, written = Kept(way), list[Any](), dict[str, Any]()

    async def run() -> None:
        recorder = TimelineRecorder()
        async with (
            Runtime(record=path, log_events=True) as runtime,
            dial(
                kept.bot,
                runtime=runtime,
                stt=STT,
                llm=kept.model(),
                tts=TTS,
                lexicon=LEXICON,
                observers=[recorder, LiveEvents(live.append)],
                invariants=None,
            ) as caller,
        ):
            await talk(caller, pin, way)
            report = await caller.report()
            assert caller.call.log is not None
            written["log"] = list(caller.call.log.events)
            written["timeline"] = recorder.timeline(report)
            written["picture"] = picture_html(recorder.timeline(report))
            written["report"] = repr(report)
            written["conversation"] = [repr(message) for message in caller.call.conversation]
            written["frames"] = [repr(frame) for frame in kept.pressed]
            written["failure"] = [line for line in event_lines(caller) if '"side": "agent"' in line]

    run_virtual(run(), strict=True)
    written["live"] = live
    written["flight"] = read_flight(path).entries
    written["inspected"] = repr(timeline_of(read_flight(path)))
    return kept, written


@pytest.mark.parametrize("way", ["collected", "window", "always"])
def test_a_secret_leaves_no_trace_in_anything_that_is_written(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kept, one = everything(way, PIN, tmp_path / "one.vlog", monkeypatch)
    logged = [record.getMessage() for record in caplog.records]
    caplog.clear()
    _, other = everything(way, OTHER, tmp_path / "two.vlog", monkeypatch)
    assert [record.getMessage() for record in caplog.records] == logged
    assert {name for name in one if one[name] != other[name]} <= {"flight"}
    assert [(e.kind, e.content) for e in one["flight"]] == [(e.kind, e.content) for e in other["flight"]]
    # … though the bot got the real keys, and something was written:
    assert "".join(digit.digit for digit in kept.pressed) == f"{PIN}#"
    assert all(digit.secret for digit in kept.pressed)
    assert [keyed.digits for keyed in kept.got] == ([PIN] if way == "collected" else [])
    assert any('"secret"' in detail and '"dtmf"' in detail for _, _, detail in one["log"])
    if way != "collected":
        assert any("[10 keys]" in message for message in one["conversation"])


def test_keys_that_are_not_secret_are_written() -> None:
    assert repr(Digit("7", 1.0)) == "Digit('7', 1.0)"
    assert repr(Digit("7", 1.0, True)) == "Digit('x', 1.0, secret=True)"


@pytest.mark.parametrize("way", ["collected", "window", "always"])
def test_a_call_with_secret_keys_replays_to_the_same_course(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(way, PIN, tmp_path / "call.vlog", monkeypatch)
    again = Kept(way)
    replayed = replay(tmp_path / "call.vlog", again.bot)
    assert replayed.equal, str(replayed)
    assert "".join(digit.digit for digit in again.pressed) == "0" * len(PIN) + "#"


@pytest.mark.parametrize("way", ["collected", "always"])
def test_the_tones_are_left_out_of_recordings_too(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(caller: Dialled, pin: str, way: str) -> None:
        await caller.hears("Corner Coffee")
        if way == "collected":
            await caller.says("check my pin")
            await caller.waits(3.0)
        for key in f"{pin}#":
            caller.carrier.say(tones(key))
            await caller.waits(0.2)  # how long after the tone's begin a carrier tells of the key, none of them says
            await caller.presses(key)
            await caller.waits(0.3)
        await caller.waits(2.5)
        await caller.hangs_up()

    _, written = everything(way, PIN, tmp_path / "call.vlog", monkeypatch, talk)
    zero, events = written["flight"][0].at, written["timeline"].events
    keys = [event.at for event in events if event.kind == "digit"]
    audio = [e.content for e in written["flight"] if e.kind is Kind.MEDIA_IN and keys[0] - 0.4 < e.at - zero < keys[-1]]
    assert len(audio) > 200
    assert set(b"".join(audio)) == set(b"\xff")
    first, last = (round(at * 8000) for at in (keys[0] - 0.4, keys[-1] + 0.4))
    assert set(written["timeline"].caller_audio[first:last]) == set(b"\xff")


def test_a_refused_message_is_not_shown_while_keys_are_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(caller: Dialled, pin: str, way: str) -> None:
        await caller.hears("Corner Coffee")
        for wrong in (
            f'{{"event":"dtmf","dtmf":{{"digit":"{pin}"}}}}',
            f'{{"event":"dtmf","digit":"{pin}"',
            f'["{pin}"]',
        ):
            transport: Any = caller.call.transport
            transport.receive(wrong)
            with pytest.raises(ProtocolError, match="it is not shown"):
                transport.parse(wrong)
        await caller.hangs_up()

    _, written = everything("always", PIN, tmp_path / "call.vlog", monkeypatch, talk)
    assert "not shown, for keys are secret" in written["report"]
    assert PIN not in repr(written)

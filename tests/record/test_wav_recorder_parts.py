"""What a recording is made of: the agent's voice as heard, the caller's audio on the axis of time, the file."""

from __future__ import annotations

import os
import threading
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.audio.wav import read_wav
from voiceloop.record import stereo_file
from voiceloop.record.as_heard import AsHeard
from voiceloop.record.rolling import Rolling
from voiceloop.record.stereo_file import HEADER, StereoFile

TRIP = 0.1  # there and back


def said(milliseconds: int, code: int = 0x10) -> bytes:
    return bytes([code]) * (8 * milliseconds)


def spans(audio: bytes | bytearray) -> list[tuple[int, int]]:
    """Where there is sound, milliseconds."""
    loud = np.frombuffer(bytes(audio), np.uint8) != 0xFF
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False))
    return [(int(a) // 8, int(b) // 8) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def heard(voice: AsHeard, until: float = 10.0) -> list[tuple[int, int]]:
    return spans(voice.take(0, round(until * 8000)))


# --- the agent as heard -------------------------------------------------------------------------------------


def test_a_voice_is_where_the_echo_of_its_first_mark_says() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(400), 0.5)  # the guess of the round trip is far off
    voice.sent(1.4, said(200), 0.5)
    voice.echoed("s:1", 1, 1.0 + TRIP)
    assert heard(voice) == [(1100, 1700)]


def test_the_fastest_echo_of_a_stretch_of_sound_tells_best_where_it_is() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(400), 0.5)
    voice.marked("w:1:1", 1.0)
    voice.echoed("s:1", 1, 1.16)  # its way back was slow
    voice.echoed("w:1:1", 20, 1.4 + TRIP)
    assert heard(voice) == [(1100, 1500)]


def test_audio_that_came_too_late_is_heard_after_a_hole() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(100), TRIP)
    voice.echoed("s:1", 1, 1.1)
    voice.sent(1.5, said(100), TRIP)
    assert heard(voice) == [(1100, 1200), (1600, 1700)]


def test_a_clear_cuts_where_the_clock_says_when_the_marks_agree() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(640), TRIP)
    voice.marked("w:1:1", 1.0)
    voice.echoed("s:1", 1, 1.1)
    voice.cleared(1.3)
    voice.marked("f:1", 1.3)
    voice.echoed("w:1:1", 20, 1.4)
    voice.echoed("f:1", 21, 1.4)
    assert heard(voice) == [(1100, 1410)]  # and half a frame


def test_a_clear_that_was_slow_takes_back_less_as_marks_show() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(200), TRIP)
    voice.marked("w:1:1", 1.0)
    voice.sent(1.2, said(200), TRIP)
    voice.marked("w:1:2", 1.0)
    voice.sent(1.4, said(200), TRIP)
    voice.marked("w:1:3", 1.0)
    voice.echoed("s:1", 1, 1.1)
    voice.cleared(1.15)
    voice.marked("f:1", 1.15)
    voice.echoed("w:1:1", 11, 1.3)  # both in their own time: they were played
    voice.echoed("w:1:2", 22, 1.5)
    voice.echoed("w:1:3", 30, 1.6)
    voice.echoed("f:1", 31, 1.6)
    assert heard(voice) == [(1100, 1600)]  # until the clear came there: its fence says when


def test_news_that_was_slow_gives_nothing_back_that_was_flushed() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(200), TRIP)
    voice.marked("w:1:1", 1.0)
    voice.sent(1.2, said(400), TRIP)
    voice.marked("end:1", 1.0)
    voice.echoed("s:1", 1, 1.1)
    voice.cleared(1.1)
    voice.marked("f:1", 1.1)
    voice.echoed("w:1:1", 30, 2.0)
    voice.echoed("end:1", 31, 2.0)
    voice.echoed("f:1", 32, 2.0)
    assert heard(voice) == [(1100, 1210)]


def test_what_is_sent_behind_a_clear_is_placed_by_its_own_marks() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(600), TRIP)
    voice.echoed("s:1", 1, 1.1)
    voice.cleared(1.2)
    voice.marked("f:1", 1.2)
    voice.marked("s:2", 1.2)
    voice.sent(1.2, said(100, 0x20), TRIP)
    voice.echoed("f:1", 8, 1.3)
    voice.echoed("s:2", 10, 1.34)
    assert heard(voice) == [(1100, 1310), (1340, 1440)]


def test_a_fence_that_never_comes_leaves_it_to_the_clock() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(600), TRIP)
    voice.echoed("s:1", 1, 1.1)
    voice.cleared(1.2)
    voice.marked("f:1", 1.2)
    assert heard(voice) == [(1100, 1310)]


def test_echoes_that_come_before_their_audio_can_have_been_played_are_not_believed() -> None:
    voice = AsHeard()
    voice.marked("s:1", 1.0)
    voice.sent(1.0, said(600), TRIP)
    voice.marked("end:1", 1.0)
    voice.echoed("s:1", 1, 1.1)
    voice.echoed("end:1", 2, 1.1)
    assert heard(voice) == [(1100, 1700)]


def test_pieces_are_taken_in_turn_without_a_seam_and_are_gone_then() -> None:
    voice = AsHeard()
    rng = np.random.default_rng(1)
    audio = rng.integers(0, 0x60, 8000, dtype=np.uint8).tobytes()
    for start in range(0, 8000, 800):
        voice.sent(1.0 + start / 8000, audio[start : start + 800], TRIP)
    taken = b"".join(bytes(voice.take(at, at + 1234)) for at in range(8000, 8000 + 1234 * 9, 1234))
    assert taken[800:8800] == audio
    assert sum(len(spurt.audio) for spurt in voice._spurts) == 0
    assert voice._marks == []


def test_blanked_samples_are_silence_and_all_else_stays_where_it_is() -> None:
    voice = AsHeard()
    voice.sent(1.0, said(600), TRIP)
    voice.blank(round(1.2 * 8000), round(1.3 * 8000))
    assert heard(voice) == [(1100, 1200), (1300, 1700)]


# --- the caller ---------------------------------------------------------------------------------------------


def test_what_was_lost_is_silence_and_jitter_is_not() -> None:
    caller = Rolling(8000)
    for at in (8000, 8160 + 60, 8320 - 50, 8640):  # the fourth of five was lost
        caller.put(at, said(20))
    assert caller.end == 8640 + 160
    assert spans(caller.take(8800)) == [(0, 60), (80, 100)]


def test_silence_stands_for_what_did_not_come_and_what_was_before_the_beginning_is_not_kept() -> None:
    caller = Rolling(8000)
    caller.put(7000, said(20))
    assert caller.end == 8000
    caller.put(8160, said(20))
    assert spans(caller.take(8240)) == [(20, 30)]
    assert spans(caller.take(8480)) == [(0, 10)]
    caller.put(8480, said(20))
    caller.blank(0, 8560)
    assert spans(caller.take(8640)) == [(10, 20)]


# --- the file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pcm", [False, True])
def test_what_a_killed_process_leaves_is_a_whole_file(tmp_path: Path, pcm: bool) -> None:
    file = StereoFile(tmp_path, "CA1", pcm=pcm, threaded=False)
    file.put(said(100), said(100, 0x20))
    file.silence(800)
    file.put(said(50), said(50, 0x20))  # and it is not closed
    audio = read_wav(tmp_path / "CA1-1.wav")
    assert (audio.rate, audio.seconds) == (8000, 0.25)
    assert spans(np.where(audio.samples == 0, 0xFF, 0).astype(np.uint8).tobytes()) == [(0, 100), (200, 250)]
    left, right = mulaw.decode(b"\x10\x20") / 32768
    assert audio.samples[0] == pytest.approx((left + right) / 2)


def test_other_programs_read_the_linear_form(tmp_path: Path) -> None:
    file = StereoFile(tmp_path, "CA1", pcm=True, threaded=False)
    file.put(said(100), said(100, 0x20))
    file.close()
    with wave.open(str(tmp_path / "CA1-1.wav")) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate(), read.getnframes()) == (2, 2, 8000, 800)
        assert read.readframes(1) == mulaw.decode(b"\x10\x20").astype("<i2").tobytes()


def test_silence_at_the_end_is_not_written(tmp_path: Path) -> None:
    file = StereoFile(tmp_path, "CA1", pcm=False, threaded=False)
    file.put(said(100), said(100))
    file.silence(3600 * 8000)
    file.close()
    assert (tmp_path / "CA1-1.wav").stat().st_size == HEADER + 1600


def test_no_file_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("CA1-1.wav", "CA1-3.wav"):
        (tmp_path / name).write_text("another")
    for _ in range(2):
        file = StereoFile(tmp_path, "CA1", pcm=False, threaded=False)
        file.put(said(20), said(20))
        file.close()
    assert sorted(path.name for path in tmp_path.iterdir() if path.stat().st_size > 10) == ["CA1-2.wav", "CA1-4.wav"]


@pytest.mark.realtime
async def test_a_thread_writes_on_an_ordinary_loop_and_a_slow_disk_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    slow, threads, write = threading.Event(), set[str](), os.pwrite

    def wait(handle: int, data: Any, offset: int) -> int:
        threads.add(threading.current_thread().name)
        slow.wait(10)
        return write(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", wait)
    monkeypatch.setattr(stereo_file, "BEHIND", 3)
    file = StereoFile(tmp_path, "CA1", pcm=False, threaded=True)
    for _ in range(5):
        file.put(said(20), said(20))
    assert "too slow: 3 writes" in file.failure
    slow.set()
    closing = file.close()
    assert closing is not None
    await asyncio.wrap_future(closing)
    assert all(name.startswith("voiceloop-record") for name in threads)
    assert read_wav(tmp_path / "CA1-1.wav").seconds == pytest.approx(0.06)  # what was taken is there
    assert file._handle is None

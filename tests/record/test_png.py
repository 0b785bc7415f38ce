"""The picture of a call as an image: rows that break where it hurts least, both voices, and no limit overrun."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.errors import MissingExtra
from voiceloop.record.timeline import AnswerLine, PlacedWord, Span, Timeline, TimelineEvent, TurnLine

pytest.importorskip("PIL", reason="no Pillow: pip install 'voiceloop[picture]'")

from PIL import Image

from voiceloop.record.png import DARK, LIGHT, ROWS_LIMIT, picture_png
from voiceloop.record.rows import row_breaks
from voiceloop.record.sheet import Sheet

LATENCY = {"total": 900.0, "endpoint": 500.0, "stt": 0.0, "llm": 300.0, "tts": 100.0, "output": 0.0, "carrier": 0.0}


def voice(seconds: float, tone: float) -> bytes:
    time = np.arange(round(seconds * 8000)) / 8000
    return mulaw.encode((9000 * np.sin(2 * np.pi * tone * time)).astype(np.int16))


def a_call(turns: int = 2, every: float = 7.0) -> Timeline:
    """Turns of one second, each answered after 0.9 s for two seconds; the second answer is interrupted."""
    call = Timeline(duration=turns * every, reason="completed", began="2026-11-23T09:36:24+00:00")
    quiet = mulaw.encode(np.zeros(8000, np.int16))
    for number in range(turns):
        at, answer = number * every + 1.0, number + 1
        call.turns.append(TurnLine(answer, "Which drinks?", at, at + 1, at + 1.5, at + 1.5, False, answer, LATENCY))
        call.speech.append(Span(at, at + 1))
        sounds = [Span(at + 1.9, at + 3.9)]
        cut = at + 3.9 if number == 1 else None
        call.answers.append(AnswerLine(answer, "We have tea.", at, "We have", "tea." if cut else "", "", sounds, cut))
        call.words += [PlacedWord("We", at + 2, at + 2.4, answer), PlacedWord("have", at + 2.5, at + 3, answer)]
        call.caller_audio += quiet + voice(1, 300) + quiet * int(every - 2)
        call.agent_audio += quiet * 2 + quiet[:7200] + voice(2, 500) + quiet * 3
        call.agent_audio = call.agent_audio[: round((number + 1) * every * 8000)]
    call.events = [TimelineEvent(0.5, "fault", "Voice.failed: it broke"), TimelineEvent(0.6, "digit", "5")]
    return call


def colours(path: Path) -> dict[str, int]:
    """How many pixels of each colour an image has."""
    with Image.open(path) as image:
        found: Any = image.getcolors(maxcolors=1 << 24)
        return {"#{:02x}{:02x}{:02x}".format(*colour): count for count, colour in found}


@pytest.mark.parametrize(("dark", "palette"), [(False, LIGHT), (True, DARK)])
def test_it_shows_both_voices_the_wait_the_cut_and_the_fault(
    tmp_path: Path, dark: bool, palette: dict[str, str]
) -> None:
    picture_png(a_call(), tmp_path / "call.png", dark=dark)
    seen = colours(tmp_path / "call.png")
    assert max(seen, key=lambda colour: seen[colour]) == palette["page"]
    for name in ("caller", "agent", "caller-soft", "agent-soft", "endpoint", "llm", "tts", "cut", "warn", "ink"):
        assert seen.get(palette[name], 0) > 100, name


def test_the_parts_of_a_wait_have_the_width_of_their_time(tmp_path: Path) -> None:
    call = a_call(turns=1)
    picture_png(call, tmp_path / "with.png", scale=1)
    call.turns[0].latency_ms = None
    picture_png(call, tmp_path / "without.png", scale=1)
    with_wait, without = colours(tmp_path / "with.png"), colours(tmp_path / "without.png")
    areas = {name: with_wait[LIGHT[name]] - without.get(LIGHT[name], 0) for name in ("endpoint", "llm", "tts")}
    assert areas["llm"] / areas["tts"] == pytest.approx(3, rel=0.35)  # less the numbers written in them
    assert areas["endpoint"] > areas["llm"]


def test_its_size_is_the_width_times_the_scale(tmp_path: Path) -> None:
    picture_png(a_call(), tmp_path / "a.png", width=700, scale=1.5)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] == 1050


def test_rows_break_outside_of_turns_waits_and_words() -> None:
    call = a_call(turns=10)
    edges = row_breaks(call, 0.0, call.duration, 9.0)
    assert edges[0] == 0.0
    assert edges[-1] == 70.0
    assert all(0 < stop - start <= 9.0 * 1.12 for start, stop in pairwise(edges))
    for edge in edges[1:-1]:
        assert not any(turn.started < edge < turn.ended + 0.9 for turn in call.turns)
        assert not any(word.start < edge < word.end for word in call.words)


def test_speech_without_a_gap_is_broken_all_the_same() -> None:
    call = Timeline(duration=60.0, answers=[AnswerLine(1, "", 0.0, "la la", sounds=[Span(0.0, 60.0)])])
    edges = row_breaks(call, 0.0, 60.0, 9.0)
    assert edges == pytest.approx([0.0, 9.0, 18.0, 27.0, 36.0, 45.0, 54.0, 60.0])


@pytest.mark.parametrize("turns", [40, pytest.param(260, marks=pytest.mark.long)])
def test_a_long_call_has_no_more_rows_than_the_limit(tmp_path: Path, turns: int) -> None:
    picture_png(a_call(turns), tmp_path / "long.png", scale=1)
    with Image.open(tmp_path / "long.png") as image:
        assert image.size[1] < 150 + ROWS_LIMIT * 290


def test_a_part_of_the_call_can_be_drawn(tmp_path: Path) -> None:
    call = a_call(turns=10)
    picture_png(call, tmp_path / "whole.png", scale=1)
    picture_png(call, tmp_path / "part.png", scale=1, start=7.0, end=14.0)
    with Image.open(tmp_path / "whole.png") as whole, Image.open(tmp_path / "part.png") as part:
        assert part.size[1] < whole.size[1] / 3
    assert colours(tmp_path / "part.png")[LIGHT["cut"]] > 100
    assert LIGHT["warn"] not in colours(tmp_path / "part.png")


def test_a_call_in_which_nothing_happened_has_an_image(tmp_path: Path) -> None:
    picture_png(Timeline(), tmp_path / "empty.png")
    assert colours(tmp_path / "empty.png")[LIGHT["page"]] > 100_000


def test_texts_of_any_script_and_length_are_written_or_bounded(tmp_path: Path) -> None:
    call = a_call()
    call.turns[0].text = "Grüß Gott, أريد قهوة, 你好, 😀 \ud83d" + "x" * 5000
    call.words[0].text = "“ja”…" + "y" * 500
    call.reason = call.caller = call.events[0].text = "long " * 10_000
    picture_png(call, tmp_path / "texts.png")
    with Image.open(tmp_path / "texts.png") as image:
        assert image.size[0] == 1800


@pytest.mark.parametrize(("width", "scale"), [(100, 2.0), (5000, 2.0), (900, 0.5), (900, 9.0)])
def test_a_size_that_cannot_be_meant_is_refused(tmp_path: Path, width: int, scale: float) -> None:
    with pytest.raises(ValueError, match="expected a width of 320 to 4000 and a scale of 1 to 4"):
        picture_png(a_call(), tmp_path / "a.png", width=width, scale=scale)


def test_without_pillow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from voiceloop.record import sheet

    sheet._font.cache_clear()
    monkeypatch.setattr("voiceloop.errors.find_spec", lambda package: None)
    with pytest.raises(MissingExtra, match=r"needs the package PIL: pip install 'voiceloop\[picture\]'"):
        picture_png(a_call(), tmp_path / "a.png")


# --- text ---------------------------------------------------------------------------------------------------


def test_a_text_is_cut_to_its_place_with_an_ellipsis() -> None:
    sheet = Sheet(100, 100, 1, "#ffffff")
    whole = "I would like a large mocha"
    assert sheet.fitted(whole, 1000) == whole
    cut = sheet.fitted(whole, 80)
    assert cut.endswith("…")
    assert whole.startswith(cut[:-1])
    assert sheet.width(cut) <= 80 < sheet.width(whole)
    assert sheet.fitted(whole, 2) == ""


def test_a_text_is_wrapped_between_words_and_its_last_line_cut() -> None:
    sheet = Sheet(100, 100, 1, "#ffffff")
    lines = sheet.wrapped("I would like a large mocha with oat milk please", 100, 2)
    assert len(lines) == 2
    assert lines[0].split() == ["I", "would", "like", "a", "large", "mocha"][: len(lines[0].split())]
    assert lines[1].endswith("…")
    assert all(sheet.width(line) <= 100 for line in lines)
    assert sheet.wrapped("", 100, 2) == []


def test_a_letter_no_font_has_is_replaced_by_a_simpler_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from voiceloop.record import sheet

    monkeypatch.setattr(sheet, "OTHER_FONTS", ())
    sheet._written.cache_clear()
    assert sheet._written("é", "") == ("", "e")
    assert sheet._written("“plain”", "") == ("", "“plain”")  # Pillow's own font has these
    sheet._written.cache_clear()


def test_a_font_file_can_be_named(tmp_path: Path) -> None:
    assert Sheet(10, 10, 1, "#ffffff", "no such font.ttf").width("tea") == Sheet(10, 10, 1, "#ffffff").width("tea")

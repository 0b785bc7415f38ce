"""Reading a folder: what is taken, what is passed over and why."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voiceloop.audio.wav import write_wav
from voiceloop.tune import folder as reading
from voiceloop.tune.folder import TuneError, read_folder

Folder = Callable[..., Path]
CLIP = (0.5, "a latte", 0.4, "please", 0.5)


def passed_over(path: Path) -> dict[str, str]:
    return dict(read_folder(path).passed_over)


def test_a_manifest_says_what_is_said_in_each_file(folder: Folder) -> None:
    path = folder(one=CLIP, two=CLIP)
    (path / "manifest.tsv").write_text("speaker\tfile\ttranscript\nann\tone.wav\tA latte,  please.\n")
    found = read_folder(path)
    assert [(clip.name, clip.turns[0].text) for clip in found.clips] == [
        ("one", "A latte, please."),
        ("two", "a latte please"),  # from two.txt
    ]
    assert found.seconds == pytest.approx(sum(clip.seconds for clip in found.clips))
    assert found.passed_over == ()


def test_a_recording_without_words_is_taken_with_none(folder: Folder) -> None:
    path = folder(one=CLIP)
    (path / "one.txt").unlink()
    (clip,) = read_folder(path).clips
    assert clip.turns[0].text == ""
    assert not clip.written


def test_a_table_divides_a_long_recording_and_its_turns_end_with_their_last_sound(folder: Folder) -> None:
    path = folder(call=(0.5, "latte", 1.0, "thank", 1.0))
    (path / "call.tsv").write_text("start\tend\ttext\n# by ann\n0.4\t1.2\ta latte\n1.3\t2.9\tthank you\n", "utf-8")
    (clip,) = read_folder(path).clips
    assert [(turn.text, turn.started, turn.ended) for turn in clip.turns] == [
        ("a latte", 0.5, 0.75),
        ("thank you", 1.75, 2.0),
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            "0.4\t1.2\ta\n1.0\t2\tb\n",
            "call.tsv, line 2: expected start, end (seconds, in order, within the recording of",
        ),
        ("0.4\tnan\ta\n", "call.tsv, line 1: expected start, end"),
        ("0.4\n", "got '0.4'"),
        ("0.4\t9\ta\n", "within the recording of 3.0 s)"),
        ("0\t0.3\ta\n", "call.tsv, line 1: nothing is to be heard from 0 to 0.3 s"),
    ],
)
def test_a_wrong_table_says_which_line_and_what_was_expected(folder: Folder, table: str, said: str) -> None:
    path = folder(call=(0.5, "latte", 1.0, "thank", 1.0), other=CLIP)
    (path / "call.tsv").write_text(table)
    assert said in passed_over(path)["call.wav"]


def test_what_cannot_be_used_is_passed_over_with_a_reason(folder: Folder) -> None:
    path = folder(good=CLIP, silent=(1.0,))
    (path / "broken.wav").write_bytes(b"RIFF")
    (path / "song.mp3").write_bytes(b"ID3")
    (path / "call.vlog").write_bytes(b"nothing")
    write_wav(path / "both.wav", np.zeros((800, 2), np.int16), 8000)
    (path / "manifest.tsv").write_text("file\ttranscript\ngone.wav\thello\n")
    found = passed_over(path)
    assert {name: why.split(";")[0].split(":")[0] for name, why in found.items()} == {
        "both.wav": "it has 2 channels",
        "broken.wav": f"{path / 'broken.wav'} is not a WAV file",
        "call.vlog": f"{path / 'call.vlog'} is no flight recording",
        "gone.wav": "it stands in manifest.tsv and is not there",
        "silent.wav": "nothing is to be heard in it",
        "song.mp3": "MP3 is not read",
    }


def test_a_manifest_without_its_columns_is_told_and_the_rest_is_read(folder: Folder) -> None:
    path = folder(one=CLIP)
    (path / "manifest.tsv").write_text("name\ttext\none.wav\thello\n")
    assert passed_over(path)["manifest.tsv"].startswith("expected a table with a line of names, two of them 'file'")
    assert read_folder(path).clips[0].turns[0].text == "a latte please"


def test_text_that_is_not_utf8_is_told(folder: Folder) -> None:
    path = folder(one=CLIP, two=CLIP)
    (path / "one.txt").write_bytes(b"caf\xe9 au lait")
    assert passed_over(path) == {"one.wav": "one.txt is not UTF-8: invalid continuation byte at byte 3"}


def test_a_folder_that_is_none_or_holds_nothing_is_an_error(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(TuneError, match=r"expected a folder of recordings, but there is no folder .*nowhere"):
        read_folder(tmp_path / "nowhere")
    path = folder(silent=(1.0,))
    with pytest.raises(TuneError, match=r"expected a folder of recordings, but .*silent\.wav is a file"):
        read_folder(path / "silent.wav")
    with pytest.raises(TuneError, match=r"holds no recording that can be used, such as silent\.wav: nothing is to be"):
        read_folder(path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(
        TuneError, match=r"empty holds no recording that can be used\. Expected WAV files with manifest"
    ):
        read_folder(empty)


def test_no_more_files_and_hours_are_read_than_stated(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder(one=CLIP, two=CLIP, three=CLIP)
    monkeypatch.setattr(reading, "MOST_SECONDS", 3.0)
    assert [clip.name for clip in read_folder(path).clips] == ["one", "three"]
    assert passed_over(path)["two.wav"].startswith("there are 0 hours of audio before it")
    monkeypatch.setattr(reading, "LARGEST", 1 << 20)
    with (path / "one.wav").open("ab") as file:
        os.truncate(file.fileno(), 2 << 20)
    assert passed_over(path)["one.wav"] == "it has 2 MB, and at most 1 are read: split it"
    monkeypatch.setattr(reading, "MOST_FILES", 2)
    with pytest.raises(TuneError, match="holds 3 recordings, and at most 2 are taken: split it"):
        read_folder(path)

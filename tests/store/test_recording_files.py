"""Files of deleted calls go, and nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from voiceloop.store import unlink_recordings


def test_files_go_and_what_is_no_file_stays(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "other.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.wav").symlink_to(tmp_path / "other.wav")
    names = ["a.wav", "b.wav", "a.wav", "gone.wav", "folder", "pipe", "link.wav"]
    outcome = unlink_recordings([str(tmp_path / name) for name in names] + ["nul\0"])
    assert [Path(file).name for file in outcome.removed] == ["a.wav", "b.wav", "link.wav"]
    assert [Path(file).name for file in outcome.missing] == ["gone.wav"]
    kept = {Path(file).name: why for file, why in outcome.kept.items()}
    assert kept == {"folder": "is no file", "pipe": "is no file", "nul\0": "embedded null byte"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "other.wav", "pipe"]


@pytest.mark.parametrize("elsewhere", ["../secret.wav", "../calls-of-others/x.wav", "in/../../secret.wav"])
def test_a_file_outside_of_the_folder_stays(tmp_path: Path, elsewhere: str) -> None:
    calls = tmp_path / "calls"
    for path in (calls / "in" / "a.wav", calls / "b.wav", tmp_path / "secret.wav", tmp_path / "calls-of-others/x.wav"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")
    given = [str(calls / "b.wav"), str(calls / "in" / "a.wav"), str(calls / elsewhere)]
    outcome = unlink_recordings(given, folder=calls)
    assert outcome.removed == given[:2]
    assert outcome.kept == {given[2]: f"is not in {calls}"}
    assert (calls / elsewhere).exists()

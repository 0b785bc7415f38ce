"""What cannot be kept is told before anything is loaded; a database server that is down keeps nobody from answering."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from voiceloop.errors import VoiceloopError
from voiceloop.server.keeping import can_keep

pytest.importorskip("sqlalchemy")


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("hello", "got 'hello', which is no URL: did you mean sqlite:///hello?"),
        ("/srv/calls.db", "did you mean sqlite:////srv/calls.db?"),
        ("agent:planted@host", "expected sqlite:///file.db .*, got no URL"),
        ("mysql://host/base", "got a URL of mysql"),
        ("sqlite:///{folder}/none/calls.db", "there is no folder"),
        ("sqlite:///{folder}", "calls"),
    ],
)
async def test_a_store_that_can_never_be_used_is_an_error(tmp_path: Path, store: str, said: str) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    with pytest.raises(VoiceloopError, match=said):
        await can_keep(store.format(folder=folder))


async def test_a_server_that_is_down_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "voiceloop.store"):
        await can_keep("postgresql://agent:planted-password@127.0.0.1:1/calls")
    (told,) = [record.getMessage() for record in caplog.records if record.name == "voiceloop.store"]
    assert told.startswith("calls are answered, and their records wait on the disk until the database takes them: ")
    assert "127.0.0.1" in told
    assert "planted-password" not in told


async def test_a_server_need_not_be_asked(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "voiceloop.store"):
        await can_keep("postgresql://agent@127.0.0.1:1/calls", ask_server=False)
    assert [record for record in caplog.records if record.name == "voiceloop.store"] == []


async def test_recordings_need_a_folder_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VoiceloopError, match=r"recordings cannot be kept in .*file: it is not a folder"):
        await can_keep(recordings=tmp_path / "file")
    with pytest.raises(VoiceloopError, match=r"recordings cannot be kept in .*sounds: "):
        await can_keep(recordings=tmp_path / "file" / "sounds")
    await can_keep(recordings=tmp_path / "new" / "sounds")
    assert list((tmp_path / "new" / "sounds").iterdir()) == []

"""The token of a run: who may find it, and when it is gone."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from voiceloop.errors import VoiceloopError
from voiceloop.server.local import find_access, local_access


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of this user, with another cache."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("VOICELOOP_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080/voice", "http://[::1]:8080/"])
def test_a_caller_of_this_machine_finds_the_token_while_the_server_runs(url: str) -> None:
    assert find_access(url) is None
    with local_access(8080) as access:
        assert find_access(url) == access
        assert access.base == "http://127.0.0.1:8080"
    assert find_access(url) is None


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8081", "http://agent.example.com:8080", "http://127.0.0.1", "http://[", "", "8080"]
)
def test_another_address_finds_nothing(url: str) -> None:
    with local_access(8080):
        assert find_access(url) is None


def test_every_run_has_a_token_of_its_own_which_no_log_shows() -> None:
    with local_access(8080) as first:
        pass
    with local_access(8080) as second:
        assert first.token != second.token
        assert len(second.token) == 32
        assert second.token not in repr(second)


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "VOICELOOP_CACHE"])
def test_only_this_user_can_read_it(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable == "VOICELOOP_CACHE":
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    before = os.umask(0)
    try:
        with local_access(8080):
            (file,) = tmp_path.rglob("8080.json")
            modes = [stat.S_IMODE(each.stat().st_mode) for each in (file.parent, file)]
            left = [each.name for each in file.parent.iterdir()]
    finally:
        os.umask(before)
    assert modes == [0o700, 0o600]
    assert left == ["8080.json"]


def test_a_folder_that_others_could_read_is_closed(runtime_dir: Path) -> None:
    (runtime_dir / "voiceloop").mkdir(mode=0o755)
    (runtime_dir / "voiceloop").chmod(0o755)
    with local_access(8080):
        assert stat.S_IMODE((runtime_dir / "voiceloop").stat().st_mode) == 0o700


def test_a_folder_that_leads_elsewhere_is_refused(runtime_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (runtime_dir / "voiceloop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VoiceloopError, match=r"cannot be left in .*: it belongs to somebody else"), local_access(8080):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_terminal_without_the_runtime_folder_finds_what_lies_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other:
        other.delenv("XDG_RUNTIME_DIR")
        with local_access(8080) as access:
            other.undo()
            assert find_access(access.base) == access


def test_what_a_killed_server_has_left_is_not_found_and_overwritten(runtime_dir: Path) -> None:
    code = """import os; from voiceloop.server.local import local_access
held = local_access(8080); held.__enter__(); os._exit(9)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    left = runtime_dir / "voiceloop" / "8080.json"
    token = json.loads(left.read_text())["token"]
    assert find_access("http://127.0.0.1:8080") is None
    with local_access(8080) as access:
        assert access.token != token
        assert find_access(access.base) == access
    assert not left.exists()


def test_a_server_that_ends_late_leaves_the_token_of_the_next_one() -> None:
    with local_access(8080):
        second = local_access(8080)
        access = second.__enter__()
    assert find_access(access.base) == access
    second.__exit__(None, None, None)
    assert find_access(access.base) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "nonsense", '{"pid": 1e400}', '{"pid": 99999999999999999999}', "[" * 4096]
)
def test_a_file_that_holds_something_else_is_none(text: str, runtime_dir: Path) -> None:
    (runtime_dir / "voiceloop").mkdir(mode=0o700)
    (runtime_dir / "voiceloop" / "8080.json").write_text(text)
    assert find_access("http://127.0.0.1:8080") is None


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_not_known_is_refused(port: int) -> None:
    with pytest.raises(VoiceloopError, match="expected the port that the server listens on"), local_access(port):
        pass


def test_a_place_that_cannot_be_written_is_told_with_what_to_do(runtime_dir: Path) -> None:
    (runtime_dir / "voiceloop").write_text("a file")
    with pytest.raises(VoiceloopError, match="Set XDG_RUNTIME_DIR or VOICELOOP_CACHE"), local_access(8080):
        pass

"""The server for tests starts where it can, says why where it cannot, and is gone afterwards."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from voiceloop.testing import postgres
from voiceloop.testing.postgres import NoPostgres, postgres_programs, postgres_server


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the server."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(postgres, "_ELSEWHERE", ())
    monkeypatch.setattr(postgres, "find_spec", lambda _: None)


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_it_says_where_it_looked() -> None:
    with pytest.raises(NoPostgres, match="looked for initdb and postgres on PATH"):
        postgres_programs()


@pytest.mark.usefixtures("nowhere")
def test_the_newest_of_several_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version, programs in {"9": ("initdb", "postgres"), "15": ("initdb", "postgres"), "16": ("initdb",)}.items():
        (tmp_path / version / "bin").mkdir(parents=True)
        for program in programs:
            (tmp_path / version / "bin" / program).touch(mode=0o755)
    monkeypatch.setattr(postgres, "_ELSEWHERE", (f"{tmp_path}/*/bin",))
    assert postgres_programs() == tmp_path / "15" / "bin"


@pytest.fixture
def installed() -> None:
    """A machine with the server."""
    try:
        postgres_programs()
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("installed")
def test_a_server_leaves_nothing_behind_even_when_it_was_stopped() -> None:
    with postgres_server() as server:
        assert (server.folder / "data").is_dir()
        os.kill(server.process.pid, signal.SIGSTOP)
    assert server.process.returncode is not None
    assert not server.folder.exists()


@pytest.mark.usefixtures("installed")
def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_FAST", ("max_connections=none",))
    with pytest.raises(NoPostgres, match=r"did not start: .*max_connections"), postgres_server():
        pass


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: a child learns of its parent's death")
@pytest.mark.usefixtures("installed")
def test_a_server_ends_with_the_process_that_started_it() -> None:
    code = "from voiceloop.testing.postgres import postgres_server as s; import signal\n"
    code += "with s() as server: print(server.process.pid, server.folder, flush=True); signal.pause()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid, folder = parent.stdout.readline().split()
        watch = os.pidfd_open(int(pid))
        try:
            parent.kill()
            parent.wait(10)
            assert select.select([watch], [], [], 10)[0], "the server is still there"
        finally:
            os.close(watch)
    shutil.rmtree(folder)

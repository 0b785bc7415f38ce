"""``voiceloop talk`` at the command line: its options, the port, its end."""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from voiceloop.cli import talk as command
from voiceloop.cli.talk import add_talk, talk
from voiceloop.errors import VoiceloopError


def options(*arguments: object) -> argparse.Namespace:
    top = argparse.ArgumentParser()
    add_talk(top.add_subparsers())
    return top.parse_args(["talk", *map(str, arguments)])


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        yield busy.getsockname()[1]


@pytest.mark.realtime
async def test_a_port_in_use_is_told_with_what_to_do(bot_path: Path, taken: int) -> None:
    with pytest.raises(
        VoiceloopError, match=f"port {taken} is in use: end what uses it, or choose another with --port"
    ):
        await talk(options(bot_path, "--port", taken, "--no-browser"))


@pytest.mark.parametrize("port", ["-1", "65536", "http", "٣"])
def test_a_port_that_is_none_is_wrong_usage(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options(f"--port={port}")
    assert ended.value.code == 2
    assert "expected a port from 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("localhost", "http://localhost:80/"),
        ("0.0.0.0", "http://127.0.0.1:80/"),
        ("::1", "http://[::1]:80/"),
        ("192.168.1.7", "http://192.168.1.7:80/"),
    ],
)
def test_the_address_is_one_that_browsers_open(host: str, url: str) -> None:
    assert command._url(host, 80) == url


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a screen")
def test_no_browser_is_opened_where_there_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert not command._has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert command._has_display()


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_page_is_there_at_once_and_a_signal_ends_all(bot_path: Path, how: int, status: int) -> None:
    line = [sys.executable, "-m", "voiceloop.cli.main", "talk", str(bot_path), "--port", "0", "--no-browser"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("Talk to tea.py: http://127.0.0.1:")
            with urllib.request.urlopen(said.split()[-1], timeout=5) as page:
                assert b"<title>Talk to your agent" in page.read()
            process.send_signal(how)
            _, errors = process.communicate(timeout=5)
        finally:
            process.kill()
    assert process.returncode == status
    assert "Traceback" not in errors

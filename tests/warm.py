"""``python -m MODULE …`` or ``python SCRIPT …`` in a process of its own, quickly.

Most of the time of a short process goes by while it imports. Those of `python` are forked from one that has imported
pytest and voiceloop already; each has its own folder, environment, files, signals and end, as any other.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_started: list[subprocess.Popen[bytes]] = []


def python(
    program: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a module, or the script at a path, and return what came of it. It finds the sources of this checkout.

    Raises `subprocess.TimeoutExpired` when it has not ended after `timeout` seconds; it is killed then.
    """
    environment = dict(os.environ if env is None else env)
    paths = [str(ROOT), *environment.get("PYTHONPATH", "").split(os.pathsep)]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    line = [program, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        out.touch()
        err.touch()
        asked = {"program": program, "arguments": arguments, "cwd": str(cwd), "env": environment}
        try:
            status = _ended(json.dumps(asked | {"out": str(out), "err": str(err)}), timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(line, timeout, out.read_bytes(), err.read_bytes()) from None
        return subprocess.CompletedProcess(line, status, out.read_text(), err.read_text())


def _ended(asked: str, timeout: float) -> int:
    process = _process()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(asked.encode() + b"\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    late = not select.select([process.stdout], [], [], timeout)[0]
    if late:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    status = int(process.stdout.readline())
    if late:
        raise TimeoutError
    return status


def _process() -> subprocess.Popen[bytes]:
    """The process that forks: one for each process of tests."""
    if not _started:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OPENBLAS_NUM_THREADS": "1",  # a process with threads cannot be forked safely
        }
        made = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm_process.py"))],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        _started.append(made)
        atexit.register(_stop)
    return _started[0]


def _stop() -> None:
    for process in _started:
        process.communicate()

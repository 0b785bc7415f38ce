"""Runs of ``calls.py``: a server in one process on one core, its callers in another on another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["Cores", "Result", "Server", "run"]

HERE: Final = Path(__file__).parent
READY: Final = 120.0
"""Seconds for a server to start."""
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where; None: wherever."""

    server: int | None = 0
    callers: int | None = 1

    @classmethod
    def here(cls) -> Cores:
        """The first two cores of this machine."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(*cores[:2]) if len(cores) > 1 else cls(None, None)


class Server:
    """A server's process. Commands and what they print are described in ``calls_server.py``."""

    def __init__(self, command: Sequence[str], cores: Cores, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        if cores.server is not None:
            os.sched_setaffinity(self._process.pid, {cores.server})
        line = self._read()
        if not line:
            raise RuntimeError(f"{' '.join(command)} did not start")
        ready = json.loads(line)
        self.port: int = ready["port"]
        self.about: dict[str, Any] = ready["about"]
        self.pid: int = ready["pid"]

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stats(self) -> dict[str, Any]:
        """What only the server itself can count."""
        assert self._process.stdin is not None
        self._process.stdin.write("stats\n")
        self._process.stdin.flush()
        stats: dict[str, Any] = json.loads(self._read())
        return stats

    def cpu(self) -> float:
        """Seconds of CPU so far, of all threads."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory(self) -> float:
        """Resident, MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def freeze(self, seconds: float) -> None:
        """Nothing of it runs for a while."""
        os.kill(self.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@dataclass(slots=True)
class Result:
    """One run, in the units that its names say."""

    who: str
    calls: int
    cpu_percent: float = 0.0
    idle_percent: float | None = None
    """Of the server's core."""
    memory_mb: float = 0.0
    memory_per_call_mb: float = 0.0
    tasks_per_call: float = 0.0
    threads: int = 0
    seen: dict[str, Any] = field(default_factory=dict)
    """The callers' notes, as in ``calls_caller.Notes``."""
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def waits(self) -> dict[str, float]:
        """From end of speech to first sound, ms."""
        return spread(self.seen["waits"])

    @property
    def torn(self) -> float:
        """Share of the answers with a hole, or without an end."""
        answers = self.seen["answers"]
        return (self.seen["torn"] + self.seen["incomplete"]) / answers if answers else 0.0

    def summary(self) -> dict[str, Any]:
        """For a table, or as JSON."""
        seen = self.seen
        fields = asdict(self)
        del fields["seen"], fields["about"]
        holes = seen["holes"]
        return {
            **{name: round(value, 3) if isinstance(value, float) else value for name, value in fields.items()},
            "cpu_percent_per_call": round(self.cpu_percent / max(1, seen["on_line"]), 3),
            "wait_ms": self.waits,
            "answers": seen["answers"],
            "torn_percent": round(100 * self.torn, 1),
            "holes": len(holes),
            "longest_hole_ms": round(1000 * max(holes, default=0.0)),
            "least_ahead_ms": round(1000 * min(seen["margins"], default=0.0)),
            "missed_turns": seen["missed"],
            "greeting_ms": spread(seen["greetings"]),
            "clear_ms": spread(seen["clears"]),
            "talked_over": seen["talked_over"],
            "calls_begun": seen["calls"],
            "refused": seen["refused"],
            "lost": seen["lost"],
            "on_line": seen["on_line"],
            "messages_in": seen["sent"],
            "messages_out": seen["received"],
            "callers_late_ms": seen["lateness"],
            **({"burst": burst_summary(seen["burst"])} if "burst" in seen else {}),
        }


def burst_summary(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Of the calls that began all at once."""
    return {
        "calls": notes["calls"],
        "greeting_ms": spread(notes["greetings"]),
        "refused": notes["refused"],
        "torn": notes["torn"],
        "missed_turns": notes["missed"],
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles, ms."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    places = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]) for name, share in places.items()
    }


def run(
    who: str,
    server: Server,
    scenario: Mapping[str, Any],
    cores: Cores,
    *,
    freeze: tuple[float, float] | None = None,
) -> Result:
    """Have callers call a server.

    Args:
        scenario: as ``calls_load.Scenario``, without the port and the core.
        freeze: stop the server every so many seconds for so many.
    """
    before = server.memory()
    given = {**scenario, "port": server.port, "core": cores.callers}
    result = Result(who, scenario["calls"], about=server.about)
    load = subprocess.Popen(
        [sys.executable, str(HERE / "calls_load.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdin.write(json.dumps(given) + "\n")
        load.stdin.flush()
        began: tuple[float, float, float] | None = None
        for line in load.stdout:
            said = json.loads(line)
            if said["phase"] == "measuring":
                began = time.monotonic(), server.cpu(), idle(cores.server)
                if freeze is not None:
                    _freeze_now_and_then(server, scenario["seconds"], *freeze)
            elif said["phase"] == "done":
                assert began is not None
                seconds = time.monotonic() - began[0]
                result.cpu_percent = 100 * (server.cpu() - began[1]) / seconds
                if cores.server is not None:
                    result.idle_percent = 100 * (idle(cores.server) - began[2]) / seconds
                result.memory_mb = server.memory()
                stats = server.stats()
                result.seen = said
                live = max(1, stats["calls"])
                result.memory_per_call_mb = (result.memory_mb - before) / live
                result.tasks_per_call = stats["tasks"] / live
                result.threads = stats["threads"]
                load.stdin.close()
    if not result.seen:
        raise RuntimeError(f"the callers of {who} failed")
    return result


def _freeze_now_and_then(server: Server, seconds: float, every: float, length: float) -> None:
    end = time.monotonic() + seconds - 2 * every
    while time.monotonic() < end:
        time.sleep(every)
        server.freeze(length)


def idle(core: int | None) -> float:
    """Seconds that a core had nothing to do."""
    if core is None:
        return 0.0
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            fields = line.split()
            return (int(fields[4]) + int(fields[5])) * _TICK
    return 0.0

"""How many calls one core holds, and how well: ``python benchmarks/calls.py [--peer pipecat] [--json]``.

Simulated callers in a process of their own, on a core of their own, call a server on another core: real sockets, real
voice activity detection (Silero), and a recogniser, a model and a voice that answer after fixed times. The number of
calls grows until quality falls. With ``--peer pipecat`` the same callers call a Pipecat server in turn, in an
environment of its own, which is made with pip the first time.

Clean is a run in which at most 2 % of the answers have a hole of 10 ms or more (or no end), no turn is missed, and the
99th percentile of the wait for an answer is at most 100 ms above that of calls so few that they do not meet.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import calls_speech
from calls_mocks import described
from calls_report import picture, table
from calls_run import HERE, Cores, Result, Server, run

CLEAN: Final = 0.02
"""Share of answers that may have a hole."""
SLOWER: Final = 100.0
"""Milliseconds that the 99th percentile may be above that of one call."""
STEPS: Final = (4, 100, 200, 300, 350, 400, 450, 500, 550, 600, 700, 800)
"""Calls at a time. The first are so few that they do not meet: their waits are those of one call."""
PEER_STEPS: Final = {
    "default": (4, 8, 12, 15, 18, 20, 25),
    "timeout": (4, 12, 15, 18, 20, 25, 30),
    "fast": (4, 12, 15, 18, 20, 25, 30),
    "best": (4, 25, 30, 35, 40, 45, 50, 60),
    "custom": (4, 40, 50, 60, 70, 80, 100),
    "energy": (4, 40, 60, 80, 100),
}
PEERS: Final = {"pipecat": ("pipecat-ai[websocket,silero]==1.14.0", "fastapi", "uvicorn", "uvloop")}
SCENARIOS: Final = ("barge-in", "burst", "stall", "redial", "overload")


class Bench:
    """What the runs of one benchmark share."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.cores = Cores.here()
        self.speech = folder / "speech.npz"
        recordings = options.speech if options.speech.is_dir() else None
        self.spoken = calls_speech.make(self.speech, recordings, options.noise)
        self._ours = [sys.executable, str(HERE / "calls_server.py")]
        if options.no_speculation:
            self._ours.append("--no-speculation")
        if options.min_silence is not None:
            self._ours += ["--min-silence", str(options.min_silence)]

    def ours(self, *more: str) -> Server:
        """A voiceloop server."""
        return Server([*self._ours, *more], self.cores)

    def peer(self, configuration: str) -> Server:
        """A Pipecat server."""
        command = [str(self.options.peer_python), str(HERE / "calls_peer.py"), "--configuration", configuration]
        return Server(command, self.cores)

    def run(self, who: str, server: Server, calls: int, **scenario: Any) -> Result:
        """One run; a line about it goes to standard error."""
        freeze = scenario.pop("freeze", None)
        given = {"calls": calls, "speech": str(self.speech), "seconds": self.options.seconds, **scenario}
        result = run(who, server, given, self.cores, freeze=freeze)
        waits, seen = result.waits, result.seen
        print(
            f"{who}: {calls} calls, {result.cpu_percent:.1f} % CPU, wait {waits.get('p50', 0):.0f} ms p50 "
            f"{waits.get('p99', 0):.0f} ms p99, {100 * result.torn:.1f} % of {seen['answers']} answers torn, "
            f"{seen['missed']} turns missed, callers late {seen['lateness'].get('p99', 0):.1f} ms p99",
            file=sys.stderr,
        )
        return result

    # --- the sweep ----------------------------------------------------------------------------------------------

    def sweep(self, who: str, steps: Sequence[int], configuration: str | None = None) -> Iterator[Result]:
        """Ever more calls, until two runs in a row are not clean."""
        alone: float | None = None
        bad = 0
        for calls in steps:
            with self.ours() if configuration is None else self.peer(configuration) as server:
                result = self.run(who, server, calls)
            yield result
            if alone is None:
                alone = result.waits.get("p99", 0.0)
            bad = 0 if clean(result, alone) else bad + 1
            if bad == 2:
                return

    def sweeps(self) -> dict[str, list[Result]]:
        """Both sides in turn, so that whatever else the machine does meets both."""
        options = self.options
        found: dict[str, list[Result]] = {"voiceloop": []}
        running = {"voiceloop": self.sweep("voiceloop", options.calls)}
        for configuration in options.configurations if options.peer else ():
            name = f"{options.peer} ({configuration})"
            found[name] = []
            running[name] = self.sweep(name, options.peer_calls or PEER_STEPS[configuration], configuration)
        while running:
            for name, results in list(running.items()):
                result = next(results, None)
                if result is None:
                    del running[name]
                else:
                    found[name].append(result)
        return found

    # --- what else happens to a server --------------------------------------------------------------------------

    def scenarios(self, clean_calls: int) -> dict[str, Any]:
        """Runs at one load, each with something else."""
        options, found = self.options, {}
        calls, seconds = options.load, options.seconds
        for name in options.scenarios:
            with self.ours(*(["--admission"] if name == "overload" else [])) as server:
                if name == "barge-in":
                    found[name] = self.run(name, server, calls, barge_in=0.3).summary()
                elif name == "burst":
                    found[name] = self.run(name, server, calls, burst=max(2, calls // 4)).summary()
                elif name == "stall":
                    found[name] = self.run(name, server, calls // 2, freeze=(3.0, 0.5)).summary()
                elif name == "overload":  # twice as many as the sweep found to be clean
                    found[name] = self.run(name, server, 2 * clean_calls, webhook=True, rate=10.0).summary()
                elif name == "redial":
                    found[name] = self._redial(server, calls // 2, seconds)
        return found

    def _redial(self, server: Server, lines: int, seconds: float) -> dict[str, Any]:
        """Lines that dial again as soon as they have hung up: how memory grows over four parts of the time."""
        total = max(seconds, self.options.soak)
        memory, calls = [], 0
        for part in range(4):
            result = self.run(f"redial, part {part + 1}", server, lines, length=6.0, seconds=total / 4, settle=7.0)
            memory.append(round(result.memory_mb, 1))
            calls += result.seen["calls"]
        growth = round(100 * (memory[-1] / memory[0] - 1), 2)
        return {**result.summary(), "calls_begun": calls, "memory_mb": memory, "memory_growth_percent": growth}


def clean(result: Result, alone: float) -> bool:
    """Whether nobody hears that others are on the line."""
    slower = result.waits.get("p99", float("inf")) - alone
    return result.torn <= CLEAN and not result.seen["missed"] and slower <= SLOWER and not result.seen["lost"]


def most(results: Sequence[Result]) -> int:
    """The most calls of a clean run; quality had fallen in the last two."""
    alone = results[0].waits.get("p99", 0.0)
    return max((result.calls for result in results if clean(result, alone)), default=0)


def environment_of(peer: str) -> Path:
    """Python with the peer's packages; made if it is not there."""
    folder = HERE.parent / "build" / f"peer-{peer}"
    python = folder / "bin" / "python"
    wanted = "\n".join(PEERS[peer])
    made_for = folder / "made-for"
    if not made_for.exists() or made_for.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS[peer]], check=True)
        made_for.write_text(wanted)
    return python


def machine() -> dict[str, Any]:
    """What all of it ran on."""
    processor = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {"processor": processor, "cores": os.cpu_count(), "system": platform.platform(terse=True)}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for."""
    if options.peer and options.peer_python is None:
        options.peer_python = environment_of(options.peer)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        found = bench.sweeps()
        scenarios = bench.scenarios(most(found["voiceloop"]))
    ours = most(found["voiceloop"])
    result: dict[str, Any] = {
        "machine": machine(),
        "mocks": described(),
        "callers": bench.spoken,
        "about": {who: results[0].about for who, results in found.items()},
        "clean_calls": {who: most(results) for who, results in found.items()},
        "runs": {who: [each.summary() for each in results] for who, results in found.items()},
        "scenarios": scenarios,
    }
    peers = {who: calls for who, calls in result["clean_calls"].items() if who != "voiceloop"}
    if peers:
        result["times_the_peer"] = {who: round(ours / max(1, calls), 1) for who, calls in peers.items()}
    return result


def arguments() -> argparse.Namespace:
    """What is measured."""

    def numbers(text: str) -> list[int]:
        return [int(each) for each in text.split(",")]

    def names(text: str) -> list[str]:
        return [each for each in text.split(",") if each]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=numbers, default=list(STEPS), help="how many at a time, ever more")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each run that count")
    parser.add_argument("--peer", choices=sorted(PEERS))
    parser.add_argument("--peer-calls", type=numbers, help="instead of what suits each configuration")
    parser.add_argument("--peer-python", type=Path, help="of an environment that has the peer's packages")
    parser.add_argument(
        "--configurations", type=names, default=["default", "timeout", "best", "custom"], help="of the peer"
    )
    parser.add_argument("--scenarios", type=names, default=list(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--load", type=int, default=200, help="calls in the scenarios")
    parser.add_argument("--soak", type=float, default=180.0, help="seconds of redialling lines")
    parser.add_argument("--noise", type=float, default=-60.0, help="of the line, dBFS")
    parser.add_argument("--speech", type=Path, default=HERE.parent.parent / "shared" / "speech")
    parser.add_argument("--no-speculation", action="store_true", help="no answer is begun before the turn is over")
    parser.add_argument("--min-silence", type=float, help="`VADOptions.min_silence`: answers are begun from then on")
    parser.add_argument("--picture", type=Path, help="an SVG of the sweep")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="a few calls for a few seconds: does it work?")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.seconds, options.load, options.soak = [4], 12.0, 8, 24.0
        options.scenarios = ["barge-in"]
    return options


def main() -> None:
    """Measure and print."""
    options = arguments()
    result = measure(options)
    if options.picture:
        options.picture.write_text(picture(result), encoding="utf-8")
    print(json.dumps(result, indent=2) if options.json else table(result))


if __name__ == "__main__":
    main()

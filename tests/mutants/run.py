"""Tests the tests: plants the bugs of ``planted.toml``, one at a time, in a copy of the checkout, and has them hunted.

Each is hunted by pytest, its own tests first and then all, and by ``voiceloop fuzz``. What is found must be found
again by the command that was printed, and must not be there without the bug.

    python tests/mutants/run.py
    python tests/mutants/run.py --only "no clear" --only "a task leaked"
    python tests/mutants/run.py --first 3 --calls 100

Exit status 0 when enough of them were found (all but one), and all that was found was found again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from planted import ROOT, Bug, bugs

BOT = "examples/coffee_bot.py"
LIMIT = 1200.0
"""Seconds after which a command is given up."""
LEFT_OUT = (".git", ".venv", ".*_cache", ".hypothesis", ".voiceloop", "__pycache__", "build", "dist", "site")
UNFOUND = 1
"""Bugs that may survive."""
FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+(?:\[.*?\])?)(?: - (.*))?$", re.MULTILINE)


@dataclass(slots=True)
class Found:
    """What a hunt found."""

    by: str
    """A test, or what does not hold of a call."""
    said: str
    command: list[str]
    """Shows it again."""
    seconds: float
    size: str = ""
    """Of the shortest call."""
    again: bool = False
    """Whether the command fails with the bug, and does not without."""

    @property
    def line(self) -> str:
        again = "found again, and not without the bug" if self.again else "NOT FOUND AGAIN by the command"
        said = f": {self.said[:140]}" if self.said else ""
        return (
            f"{self.by}{self.size}, {self.seconds:.0f} s{said}\n          {shlex.join(self.command)}\n          {again}"
        )


@dataclass(slots=True)
class Hunt:
    """What came of one bug."""

    bug: str
    pytest: Found | None = None
    fuzz: Found | None = None
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def by(self) -> list[str]:
        """What has really found it."""
        hunts = (("pytest", self.pytest), ("fuzz", self.fuzz))
        return [name for name, found in hunts if found is not None and found.again]

    @property
    def sound(self) -> bool:
        """Whether everything that was found is found again."""
        return not self.problems and all(each.again for each in (self.pytest, self.fuzz) if each is not None)

    def __str__(self) -> str:
        lines = [f"{'found' if self.by else 'SURVIVED'}: {self.bug}, {self.seconds:.0f} s"]
        for name, found in (("pytest", self.pytest), ("fuzz", self.fuzz)):
            lines.append(f"  {name:6}  {found.line if found is not None else '-'}")
        return "\n".join(lines + [f"  {problem}" for problem in self.problems])


class Tree:
    """A copy of the checkout, with a bug or without."""

    def __init__(self, folder: Path, bug: Bug | None = None, source: Path = ROOT) -> None:
        self.folder = folder
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
        if bug is not None:
            bug.plant(folder)
        code = "import voiceloop; print(voiceloop.__file__)"
        imported = self.run([sys.executable, "-c", code]).stdout.strip()
        if Path(imported).resolve().parent != (folder / "voiceloop").resolve():
            raise RuntimeError(f"expected the copy in {folder} to be imported, came {imported!r}")

    def run(self, command: Sequence[str], limit: float = LIMIT) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        try:
            return subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(list(command), 124, "", f"nothing after {limit:g} s")


def pytest_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]


def hunt_by_tests(bug: Bug, tree: Tree, *, all_tests: bool) -> Found | None:
    """The first test that fails: of its own, then of all."""
    began = time.monotonic()
    rounds = [list(bug.tests), *([["--ignore=tests/mutants"]] if all_tests else [])]
    for tests in rounds:
        done = tree.run(pytest_command(*tests))
        if failed := FAILED.search(done.stdout):
            return Found(failed[1], failed[2] or "", pytest_command(failed[1]), time.monotonic() - began)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()[-1:]
            return Found("pytest itself", " ".join(said), pytest_command(*tests), time.monotonic() - began)
    return None


def fuzz_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "voiceloop.cli.main", "fuzz", BOT, *arguments]


def hunt_by_calls(tree: Tree, sound: Tree | None, calls: int, seed: int) -> Found | None:
    """The first thing that does not hold of a call; of several, one that holds without the bug."""
    began = time.monotonic()
    arguments = ["--calls", str(calls), "--seed", str(seed), "--jobs", "1", "--max-failures", "2", "--json"]
    done = tree.run(fuzz_command(*arguments))
    if not done.returncode:
        return None
    found = []
    try:
        for failure in json.loads(done.stdout)["failures"]:
            size = ", not made shorter"
            if (shortest := failure["shortest"]) is not None:
                size = f", seed {failure['seed']}, {len(shortest['items'])} of {shortest['drawn_items']} items"
            command = fuzz_command(*shlex.split(failure["rerun"])[3:])
            found.append(Found(failure["invariant"], failure["message"], command, time.monotonic() - began, size))
    except (ValueError, LookupError):
        said = done.stderr.strip().splitlines()[-1:]
        found.append(Found("fuzz itself", " ".join(said), fuzz_command(*arguments), time.monotonic() - began))
    for each in found:
        if sound is not None and shows(each, tree, sound):
            return each
    return found[0]


def shows(found: Found, tree: Tree, sound: Tree) -> bool:
    """Whether the command fails with the bug, and does not without."""
    found.again = bool(tree.run(found.command).returncode) and not sound.run(found.command).returncode
    return found.again


def hunt(bug: Bug, sound: Tree, folder: Path, options: argparse.Namespace) -> Hunt:
    """Plant a bug and look for it."""
    began = time.monotonic()
    result = Hunt(bug.name)
    try:
        tree = Tree(folder / re.sub(r"\W+", "-", bug.name), bug, sound.folder)
        result.fuzz = hunt_by_calls(tree, sound, options.calls, options.seed)
        everything = not options.quick and "fuzz" not in result.by
        result.pytest = hunt_by_tests(bug, tree, all_tests=everything)
        if result.pytest is not None:
            shows(result.pytest, tree, sound)
        shutil.rmtree(tree.folder, ignore_errors=True)
    except Exception as error:
        result.problems.append(f"{type(error).__name__}: {error}")
    result.seconds = time.monotonic() - began
    print(result, flush=True)
    return result


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Plant bugs, and see which of them the tests find.")
    parser.add_argument("--only", action="append", metavar="NAME", help="this bug; may be given several times")
    parser.add_argument("--first", type=int, metavar="N", help="the first N bugs alone")
    parser.add_argument("--calls", type=int, default=500, help="calls to fuzz (default: 500)")
    parser.add_argument("--seed", type=int, default=1, help="of the first of them (default: 1)")
    parser.add_argument("--jobs", type=int, default=2, help="bugs at a time (default: 2)")
    parser.add_argument("--quick", action="store_true", help="no test beyond those that the file names for a bug")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what came of each, as JSON")
    options = parser.parse_args()
    names = [bug.name for bug in bugs()]
    if unknown := set(options.only or ()) - set(names):
        parser.error(f"no bug {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    return options


def main() -> int:
    options = arguments()
    chosen = [bug for bug in bugs() if not options.only or bug.name in options.only][: options.first]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="voiceloop-mutants-") as made:
        folder = Path(made)
        sound = Tree(folder / "sound")
        with ThreadPoolExecutor(options.jobs) as pool:
            without = pool.submit(hunt_by_calls, sound, None, options.calls, options.seed)
            results = list(pool.map(partial(hunt, sound=sound, folder=folder, options=options), chosen))
        false = without.result()
    if false is not None:
        print(f"WITHOUT ANY BUG fuzz finds {false.by}{false.size}: {false.said}\n          {shlex.join(false.command)}")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n", encoding="utf-8")
    found = sum(bool(result.by) for result in results)
    by = {name: sum(name in result.by for result in results) for name in ("pytest", "fuzz")}
    print(
        f"{found} of {len(results)} bugs were found, {by['pytest']} by pytest, {by['fuzz']} by fuzz, "
        f"in {time.monotonic() - began:.0f} s"
    )
    sound_all = false is None and all(result.sound for result in results)
    return 0 if sound_all and found >= len(results) - UNFOUND else 1


if __name__ == "__main__":
    sys.exit(main())

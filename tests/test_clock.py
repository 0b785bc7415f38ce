"""The event loop's clock is the only clock, and randomness has a seed: no module may read another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "voiceloop"

# Modules that may read a clock. One, on purpose: see its docstring.
CLOCK_ALLOWED = frozenset({"wallclock.py"})
# Modules that may draw unpredictable bytes, for secrets that an outsider must not guess. Never for behaviour.
# A secret must not be guessed: the key of the server that llama.cpp opens on loopback.
ENTROPY_ALLOWED: frozenset[str] = frozenset({"llm/llamacpp_server.py", "server/local.py"})

_CLOCKS = {
    *(f"time.{name}" for name in ("asctime", "ctime", "gmtime", "localtime", "sleep", "strftime")),
    *(
        f"time.{name}{unit}"
        for name in ("clock_gettime", "monotonic", "perf_counter", "process_time", "thread_time", "time")
        for unit in ("", "_ns")
    ),
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "os.times",
    "threading.Timer",
}
_ENTROPY = {"os.getrandom", "os.urandom", "random.SystemRandom", "uuid.uuid1", "uuid.uuid4"}
# Generators that take a seed: allowed with an argument.
_SEEDED = {"random.Random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.SeedSequence"}
_SEEDED |= {f"numpy.random.{name}" for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")}
_TYPES = {"numpy.random.Generator", "numpy.random.BitGenerator"}


def complaint(name: str) -> str | None:
    """Why the dotted name must not be used: "clock", "entropy" or "seed"; None when it may."""
    if name in _CLOCKS or name == "time.*":
        return "clock"
    if name in _ENTROPY or name.startswith("secrets."):
        return "entropy"
    if name.startswith(("random.", "numpy.random.")) and name not in _SEEDED | _TYPES:
        return "seed"
    return None


def imported_names(tree: ast.AST) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """What each imported name stands for, and every (line, dotted name) of a `from … import …`."""
    meaning: dict[str, str] = {}
    taken: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                meaning[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                taken.append((node.lineno, f"{node.module}.{alias.name}"))
    return meaning, taken


def dotted(node: ast.expr, meaning: dict[str, str]) -> str | None:
    """The dotted name an expression stands for when it starts at an imported name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in meaning:
        return None
    return ".".join([meaning[node.id], *reversed(parts)])


def violations(source: str) -> Iterator[tuple[int, str, str]]:
    """Every (line, kind, what) in the source, in the order of lines."""
    tree = ast.parse(source)
    meaning, taken = imported_names(tree)
    found = {(line, kind, name) for line, name in taken if (kind := complaint(name))}
    unseeded = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and not node.keywords and (not node.args or _is_none(node.args[0]))
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Name):
            continue
        name = dotted(node, meaning)
        if name is None:
            continue
        if kind := complaint(name):
            found.add((node.lineno, kind, name))
        elif name in _SEEDED and id(node) in unseeded:
            found.add((node.lineno, "seed", f"{name}()"))
    yield from sorted(found)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def check_package(package: Path) -> list[str]:
    """One `file:line` complaint for each violation in a package's files."""
    lines = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package).as_posix()
        for line, kind, name in violations(path.read_text(encoding="utf-8")):
            if inside in {"clock": CLOCK_ALLOWED, "entropy": ENTROPY_ALLOWED, "seed": frozenset()}[kind]:
                continue
            advice = {
                "clock": "take the time from the event loop: loop.time(), asyncio.sleep(), asyncio.timeout()",
                "entropy": "unpredictable; pass a seeded generator in, or extend ENTROPY_ALLOWED if it is a secret",
                "seed": "unseeded randomness; pass a seeded generator in",
            }[kind]
            lines.append(f"{package.name}/{inside}:{line}: {name}: {advice}")
    return lines


def test_package_reads_no_clock_and_draws_no_unseeded_randomness() -> None:
    found = check_package(PACKAGE)
    assert not found, "\n" + "\n".join(found)


def test_allowed_modules_exist() -> None:
    assert [name for name in sorted(CLOCK_ALLOWED | ENTROPY_ALLOWED) if not (PACKAGE / name).is_file()] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time\ntime.monotonic()", [(2, "clock", "time.monotonic")]),
        ("import time as t\nx = t.time", [(2, "clock", "time.time")]),
        ("def f():\n    import time\n    time.sleep(1)", [(3, "clock", "time.sleep")]),
        ("from time import *", [(1, "clock", "time.*")]),
        ("import datetime\ndatetime.datetime.now()", [(2, "clock", "datetime.datetime.now")]),
        ("import datetime as dt\ndt.date.today()", [(2, "clock", "datetime.date.today")]),
        ("from datetime import datetime as D\nD.utcnow()", [(2, "clock", "datetime.datetime.utcnow")]),
        ("from threading import Timer", [(1, "clock", "threading.Timer")]),
        ("import random\nrandom.choice([1])", [(2, "seed", "random.choice")]),
        ("from random import shuffle", [(1, "seed", "random.shuffle")]),
        ("import random\nrandom.Random()", [(2, "seed", "random.Random()")]),
        ("from random import Random\nRandom(None)", [(2, "seed", "random.Random()")]),
        ("import numpy as np\nnp.random.rand(3)", [(2, "seed", "numpy.random.rand")]),
        ("import numpy as np\nnp.random.default_rng()", [(2, "seed", "numpy.random.default_rng()")]),
        ("import uuid\nuuid.uuid4()", [(2, "entropy", "uuid.uuid4")]),
        ("import secrets\nsecrets.token_hex()", [(2, "entropy", "secrets.token_hex")]),
        ("from os import urandom", [(1, "entropy", "os.urandom")]),
        ("import random\nrandom.SystemRandom()", [(2, "entropy", "random.SystemRandom")]),
    ],
)
def test_checker_finds_planted_violation(source: str, expected: list[tuple[int, str, str]]) -> None:
    assert list(violations(source)) == expected


def test_checker_finds_name_taken_from_clock_where_it_is_imported_and_used() -> None:
    assert list(violations("from time import monotonic as now\n\nnow()")) == [
        (1, "clock", "time.monotonic"),
        (3, "clock", "time.monotonic"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "loop.time()",
        "import asyncio\nasyncio.sleep(1)",
        "import random\nrng = random.Random(7)\nrng.choice([1])",
        "import random\ndef f(rng: random.Random) -> None: ...",
        "import numpy as np\nnp.random.default_rng(seed=7)",
        "import datetime\ndatetime.datetime.fromtimestamp(0, datetime.UTC)",
        "from . import time\ntime.time()",
        "import threading\nthreading.Lock()",
        "import uuid\nuuid.UUID(int=1)",
    ],
)
def test_checker_accepts_what_is_fine(source: str) -> None:
    assert list(violations(source)) == []


def test_complaint_names_file_and_line_and_spares_only_allowed_module(tmp_path: Path) -> None:
    package = tmp_path / "pkg"
    (package / "sub").mkdir(parents=True)
    planted = "import time\n\ntime.time()\n"
    (package / "wallclock.py").write_text(planted)
    (package / "sub" / "wallclock.py").write_text(planted)
    (package / "other.py").write_text(planted)
    found = check_package(package)
    assert [line.split(": ")[0] for line in found] == ["pkg/other.py:3", "pkg/sub/wallclock.py:3"]

"""A million records of calls: how long the last 50, one by id and all of one number take, in SQLite and PostgreSQL.

The records are of 4 to 10 messages and 2 to 5 turns with waits, 1 to 2 kB each; 20,000 numbers have 50 calls each,
strewn over the whole time, so that the calls of one are never beside each other. Times are on the wall, by the methods
of `Database`, each for 200 different questions; "first" is the first question to a database that was just opened. Also
how long it takes to write. Exit status 1 when a figure misses its floor (never with ``--smoke``).
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from voiceloop.store import CallRecord, LiveRow
from voiceloop.store.database import Database
from voiceloop.store.rows import row_of
from voiceloop.store.tables import calls
from voiceloop.testing.postgres import NoPostgres, postgres_server

RECORDS = 1_000_000
CALLS_EACH = 50
"""Calls of one number."""
QUESTIONS = 200
FLOOR = 50.0
"""Milliseconds, at the median and at the 95th percentile."""
BEGAN = 1_700_000_000.0
SAID = (
    "Hello, this is the coffee bar, what can I get you?",
    "I'd like a large latte with oat milk please",
    "A large latte with oat milk. Anything else with that?",
    "and a slice of the lemon cake if you still have it",
    "We have two left, I put one aside for you. To stay or to take away?",
    "to take away, I'll be there in twenty minutes",
)
COLUMNS = tuple(calls.columns.keys())


def record(index: int, count: int, draw: random.Random) -> CallRecord:
    """A plausible call."""
    turns = draw.randint(2, 5)
    started = BEGAN + 31.0 * index
    waits = {"total": 812.3, "endpoint": 420.0, "stt": 31.2, "llm": 210.1, "tts": 90.0, "output": 1.0, "carrier": 60.0}
    return CallRecord(
        id=f"CA{index:032x}",
        started=started,
        ended=started + 20.0 * turns,
        duration=20.0 * turns,
        caller=number_of(index, count),
        number="+15559990000",
        reason="caller hung up",
        conversation=[
            {"role": "user" if each % 2 else "assistant", "text": draw.choice(SAID), "interrupted": False}
            for each in range(2 * turns)
        ],
        turns=[
            {"number": each, "caller": draw.choice(SAID), "heard": draw.choice(SAID), "latency_ms": waits}
            for each in range(turns)
        ],
        usage={"llm.input_tokens": 1400, "llm.output_tokens": 180, "tts.characters": 600, "stt.seconds": 48.0},
    )


def number_of(index: int, count: int) -> str:
    """Of the calls ``0 … count - 1`` each number has 50, strewn."""
    return f"+1555{index % max(1, count // CALLS_EACH):07d}"


def rows(count: int) -> Iterator[tuple[Any, ...]]:
    """Rows of the table ``calls``. A thousand bodies are used again and again: making a million takes minutes."""
    draw = random.Random("records")
    models = [record(index, count, draw) for index in range(1000)]
    for index in range(count):
        model = models[index % 1000]
        model.id, model.caller = f"CA{index:032x}", number_of(index, count)
        model.started = BEGAN + 31.0 * index
        model.ended = model.started + model.duration
        row = row_of(model)
        yield tuple(row[name] for name in COLUMNS)


def fill(database: Database, url: str, count: int) -> None:
    """Put them there by the shortest way."""
    database.open()
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            marks = ", ".join("?" * len(COLUMNS))
            connection.executemany(f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({marks})", rows(count))
        connection.close()
        return
    with database._connections.transaction(writes=True) as transaction:
        transaction.exec_driver_sql("SET LOCAL statement_timeout = 0")
        cursor: Any = transaction.connection.cursor()
        lines = ("\t".join(str(value).replace("\\", "\\\\") for value in row) + "\n" for row in rows(count))
        cursor._c._usock.settimeout(None)
        cursor.execute(f"COPY calls ({', '.join(COLUMNS)}) FROM STDIN", stream=lines)
        cursor.execute("ANALYZE calls")


@dataclass(frozen=True, slots=True)
class Figure:
    """How long one thing takes, in milliseconds."""

    database: str
    name: str
    first: float
    median: float
    p95: float
    worst: float
    floor: float | None

    @property
    def met(self) -> bool:
        """Whether it is within its floor."""
        return self.floor is None or max(self.median, self.p95) <= self.floor

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        names = ("database", "name", "first", "median", "p95", "worst", "floor", "met")
        return {name: getattr(self, name) for name in names}


def measure(kind: str, url: str, count: int) -> list[Figure]:
    """Ask, then write."""
    draw = random.Random("questions")
    made = random.Random("written")
    some = [draw.randrange(count) for _ in range(QUESTIONS)]
    fresh = iter(range(count, 2 * count + 100_000))
    now = time.time()

    def one() -> CallRecord:
        return record(next(fresh), count, made)

    def whole(database: Database, index: int) -> object:
        return database.get_all([row.id for row in database.of_number(number_of(index, count))])

    asked: list[tuple[str, Callable[[Database, int], object], float | None]] = [
        ("the last 50", lambda database, _: database.latest(50), FLOOR),
        ("50 from the middle", lambda database, index: database.latest(50, before=BEGAN + 31.0 * index), FLOOR),
        ("one by id", lambda database, index: database.get(f"CA{index:032x}"), FLOOR),
        ("all 50 of a number", lambda database, index: database.of_number(number_of(index, count)), FLOOR),
        ("the same, whole", whole, FLOOR),
        ("write one", lambda database, _: database.write([one()]), None),
        ("write 100", lambda database, _: database.write([one() for _ in range(100)]), None),
        ("states of 40 calls", lambda database, at: database.put_live(_states(at)), None),
        ("claim a token", lambda database, index: database.claim_token(f"{index} {next(fresh)}", now + 60), None),
        ("delete a number", lambda database, index: database.delete_number(number_of(index, count)), None),
    ]
    return [_figure(kind, url, name, ask, some, floor) for name, ask, floor in asked]


def _states(at: int) -> list[LiveRow]:
    return [LiveRow(f"CA{call}", "worker", at, float(at), "x" * 2000, f"+1555{call:07d}") for call in range(40)]


def _figure(
    kind: str,
    url: str,
    name: str,
    ask: Callable[[Database, int], object],
    some: Sequence[int],
    floor: float | None,
) -> Figure:
    times = []
    with Database(url) as database:
        for index in some if floor else some[: QUESTIONS // 4]:
            before = time.perf_counter()
            ask(database, index)
            times.append(1000 * (time.perf_counter() - before))
    rest = sorted(times[1:])
    p95 = rest[int(0.95 * len(rest))]
    first, middle, late, worst = (round(each, 2) for each in (times[0], median(rest), p95, rest[-1]))
    return Figure(kind, name, first, middle, late, worst, floor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit status whether every floor was reached."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--smoke", action="store_true", help="few records")
    options.add_argument("--records", type=int, default=RECORDS)
    options.add_argument("--only", choices=("sqlite", "postgresql"), help="one of the two databases")
    chosen = options.parse_args(arguments)
    count = 5_000 if chosen.smoke else chosen.records
    figures: list[Figure] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'calls.db'}"}
        try:
            if chosen.only != "sqlite":
                urls["postgresql"] = stack.enter_context(postgres_server()).url()
        except NoPostgres as missing:
            print(f"without PostgreSQL: {missing}", file=sys.stderr)
        for kind, url in urls.items():
            if chosen.only in (None, kind):
                before = time.perf_counter()
                with Database(url) as database:
                    fill(database, url, count)
                print(f"{kind}: {count} records, filled in {time.perf_counter() - before:.0f} s", file=sys.stderr)
                figures += measure(kind, url, count)
    if chosen.json:
        print(json.dumps({"records": count, "figures": [figure.as_dict() for figure in figures]}))
    else:
        print(f"{count:,} records; milliseconds         first   median      p95    worst")
        for each in figures:
            bound = f"  (at most {each.floor:g}){'' if each.met else '  MISSED'}" if each.floor else ""
            numbers = "".join(f"{value:9.2f}" for value in (each.first, each.median, each.p95, each.worst))
            print(f"{each.database:11} {each.name:20}{numbers}{bound}")
    return 0 if chosen.smoke or all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

"""``voiceloop calls``: lists the calls that were kept, shows one, deletes those of a number."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from voiceloop.cli.table import turn_table
from voiceloop.errors import VoiceloopError
from voiceloop.record.scene import plain
from voiceloop.store import DEFAULT_STORE, STORE_VARIABLE, CallRecord, CallSummary, same_number, unlink_recordings
from voiceloop.store.keeper_options import spool_folder
from voiceloop.store.record import message_of, turn_of
from voiceloop.store.spool import delete_number

if TYPE_CHECKING:
    from voiceloop.store.database import Database

__all__ = ["add_calls", "call_table", "calls"]

_MOST: Final = 1000
"""Calls of one list."""
_PREFIX: Final = 6
"""Characters of an id from which on its beginning will do."""
_PARTY: Final = re.compile(r"\+?\d{3,15}|.*[:@].*|anonymous|private|restricted|unavailable|unknown", re.IGNORECASE)
"""What an outside person is called, as `same_number` writes it."""
_SHORT: Final = 40
_WIDTH: Final = 110


def add_calls(commands: Any) -> None:
    """Add the command to those of ``voiceloop``."""
    command = commands.add_parser(
        "calls",
        help="list the calls that were kept, show one, delete those of a number",
        description="Without more words: the last 50 calls.",
    )
    _common(command, None)
    command.add_argument("--limit", type=_at_least_one, default=50, metavar="N", help=f"so many calls, at most {_MOST}")
    kinds = command.add_subparsers(dest="what", metavar="show | of | delete", required=False)
    show = kinds.add_parser("show", help="one call: what was said and heard, waits, faults")
    show.add_argument("id", help=f"the call's id, CA…, or how it begins, {_PREFIX} characters or more")
    of = kinds.add_parser("of", help="all calls with an outside person")
    of.add_argument("number", help="+1555…: who called, or who was called")
    delete = kinds.add_parser("delete", help="delete all that is kept of the calls with an outside person")
    delete.add_argument("number", help="+1555…: who called, or who was called")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    for each in (show, of, delete):
        _common(each, argparse.SUPPRESS)  # given before the word, they hold behind it


def _common(command: argparse.ArgumentParser, default: str | None) -> None:
    where = f"the database: sqlite:///file.db or postgresql://… (default: {STORE_VARIABLE}, or {DEFAULT_STORE})"
    flag = False if default is None else default
    command.add_argument("--store", metavar="URL", default=default, help=where)
    command.add_argument("--json", action="store_true", default=flag, help="print JSON and nothing else")
    command.add_argument("--verbose", action="store_true", default=flag, help="log what happens inside")


async def calls(options: argparse.Namespace) -> int:
    """List, show or delete; returns the exit status."""
    return await asyncio.to_thread(_calls, options)  # it reads, and asks


def _calls(options: argparse.Namespace) -> int:
    from voiceloop.store.database import Database  # needs SQLAlchemy

    url = options.store if options.store is not None else os.environ.get(STORE_VARIABLE, "").strip() or DEFAULT_STORE
    with Database(url, create=False) as database:
        if options.what == "show":
            return _show(database, options)
        if options.what == "delete":
            return _delete(database, options)
        if options.what == "of":
            found = database.of_number(_number(database, options), _MOST)
        else:
            found = database.latest(min(options.limit, _MOST))
    if options.json:
        print(json.dumps([asdict(each) for each in found]))
    else:
        print(call_table(found))
    return 0


def _number(database: Database, options: argparse.Namespace) -> str:
    number: str = options.number
    same = same_number(number)
    if not same:
        raise VoiceloopError("expected a telephone number such as +15550001111, got an empty text")
    if not _PARTY.fullmatch(same) and not database.of_number(number, 1):  # a trunk may give callers any name
        raise VoiceloopError(f"expected a telephone number such as +15550001111, got {plain(number, 100)!r}")
    return number


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {plain(text, 20)}")
    return int(text)


def _show(database: Database, options: argparse.Namespace) -> int:
    record = database.get(options.id)
    if record is None and len(options.id) >= _PREFIX:
        found = database.ids(options.id, 2)
        if len(found) > 1:
            raise VoiceloopError(f"several calls begin with {plain(options.id, 100)}: give more of the id")
        record = database.get(found[0]) if found else None
    if record is None:
        raise VoiceloopError(f"there is no call {plain(options.id, 100)} in {database.name}: see voiceloop calls")
    print(json.dumps(record.as_dict()) if options.json else "\n".join(_told(record)))
    return 0


def _delete(database: Database, options: argparse.Namespace) -> int:
    number = same_number(_number(database, options))
    if not options.yes:
        _ask(database, number)
    deleted = database.delete_number(number)
    waiting = delete_number(spool_folder(None, database.file), number)
    files = unlink_recordings([*deleted.files, *waiting.files])
    if options.json:
        counts = {"records": deleted.records, "live": deleted.live, "waiting": waiting.records}
        print(json.dumps({**counts, "recordings": asdict(files)}))
    else:
        records = deleted.records + waiting.records
        count = f"{_many(records, 'record')} and {_many(len(files.removed), 'recording')}"
        print(f"Deleted for good: {count} of {plain(number, 100)}.")
        for file in files.missing:
            print(f"  was not here, perhaps it is on another machine: {plain(file, 300)}")
        for file, why in files.kept.items():
            print(f"  could not be deleted: {plain(file, 300)}: {why}")
    return 1 if files.kept else 0


def _ask(database: Database, number: str) -> None:
    found = database.of_number(number, _MOST)
    many = f"{'at least ' if len(found) == _MOST else ''}{_many(len(found), 'record')}"
    if not sys.stdin.isatty():
        raise VoiceloopError(f"this would delete {many} of {plain(number, 100)}, for good: say --yes")
    print(f"Delete {many} of {plain(number, 100)} and their recordings, for good? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise VoiceloopError("nothing was deleted")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


# --- in words -----------------------------------------------------------------------------------------------


def call_table(found: Sequence[CallSummary]) -> str:
    """Calls as a table, one a row."""
    if not found:
        return "No calls."
    parties = [plain(each.party or "unknown", _SHORT) for each in found]
    reasons = [plain(each.reason, _SHORT) for each in found]
    wide, long = max(15, *map(len, parties)), max(12, *map(len, reasons))
    rows = [f"{'began (UTC)':19}  {'':3}  {'with':{wide}}  {'lasted':>7}  turns  {'ended':{long}}  id"]
    for each, party, reason in zip(found, parties, reasons, strict=True):
        way = "out" if each.direction.startswith("outbound") else "in"
        rows.append(
            f"{_when(each.started)}  {way:3}  {party:{wide}}  {_lasted(each.duration):>7}  {each.turns:>5}  "
            f"{reason:{long}}  {plain(each.id, 100)}"
        )
    return "\n".join(rows)


def _when(unix: float) -> str:
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # no time of this world: somebody wrote it by hand
        return f"{unix:.0f}"[:19].ljust(19)


def _lasted(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def _told(record: CallRecord) -> Iterator[str]:
    yield f"Call {plain(record.id, 100)} from {_party(record.caller)} to {_party(record.number)}"
    facts = [f"{_when(record.started)} UTC", _lasted(record.duration), plain(record.reason, 200)]
    facts += [f"answered by {plain(record.answered_by, 50)}"] if record.answered_by else []
    facts += [f"on {record.streams} lines, one after the other"] if record.streams > 1 else []
    yield ", ".join(facts)
    if record.conversation:
        yield ""
    for message in record.conversation:
        line = plain(str(message_of(message)), 10_000)
        yield textwrap.fill(line, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    if record.turns:
        yield ""
        yield _plain_lines(turn_table([turn_of(turn) for turn in record.turns]))
    for heading, lines in _sections(record):
        if lines:
            yield ""
            yield heading
            yield from (f"  {plain(line, 500)}" for line in lines)


def _plain_lines(text: str) -> str:
    """Lines, each fit to be shown."""
    return "\n".join(plain(line, 300) for line in text.splitlines())


def _sections(record: CallRecord) -> Iterator[tuple[str, list[str]]]:
    yield "Faults:", [f"{each.get('at', 0):.1f} s  {each.get('kind')}: {each.get('message')}" for each in record.faults]
    yield "Waited for in vain:", [f"{kind}: {count}" for kind, count in record.watchdogs.items()]
    served = {kind: counts for kind, counts in record.served.items() if len(counts) > 1}
    yield "Served by:", [f"{kind}: {name} {count}" for kind, counts in served.items() for name, count in counts.items()]
    yield "Used:", [f"{name}: {count:g}" for name, count in sorted(record.usage.items())]
    yield "Cost:", [f"{name}: {price:g}" for name, price in (record.cost or {}).items()]
    yield "Parameters:", [f"{name}: {value}" for name, value in record.params.items()]
    yield "Recordings:", list(record.recordings)


def _party(number: str) -> str:
    return plain(number or "unknown", 100)

"""Reads a flight recording, also one whose process was killed in the middle of the call."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from voiceloop.errors import VoiceloopError
from voiceloop.flight.entries import Entry, Kind, entries_of
from voiceloop.flight.items import from_json
from voiceloop.flight.writer import BLOCK_HEAD, MAGIC

__all__ = ["BadFlight", "Flight", "read_flight"]

LARGEST = 4 * 1024 * 1024 * 1024
"""Bytes of a file that is read."""


class BadFlight(VoiceloopError):
    """A file that is no flight recording, or none that can be used."""


@dataclass(slots=True)
class Flight:
    """What a recording holds."""

    path: Path
    header: dict[str, Any]
    entries: list[Entry] = field(repr=False)
    """All but the header, in the order in which things happened."""
    torn: int = 0
    """Bytes at the end that are no whole block: the process was killed, or the file was cut."""

    @property
    def report(self) -> dict[str, Any] | None:
        """The call's report; None when the recording ends before the call does."""
        last = self.entries[-1] if self.entries else None
        return from_json(last.content) if last is not None and last.kind is Kind.REPORT else None

    @property
    def whole(self) -> bool:
        """Whether the call is in it to its end."""
        return bool(self.entries) and self.entries[-1].kind is Kind.REPORT

    @property
    def redacted(self) -> tuple[str, ...]:
        """What was left out."""
        return tuple(self.header.get("redacted", ()))


def read_flight(path: str | PathLike[str]) -> Flight:
    """Read a recording up to its last whole block.

    Raises:
        BadFlight: it is none, or damaged before its end.
        OSError: the file cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise BadFlight(f"expected a flight recording, a file that ends in .vlog, but {path} is a folder")
    if not path.exists():
        raise BadFlight(f"expected a flight recording, but there is no file {path}")
    if path.stat().st_size > LARGEST:
        raise BadFlight(f"{path} has {path.stat().st_size} bytes, more than any recording")
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise BadFlight(f"{path} is no flight recording: expected {MAGIC!r} at its beginning, found {data[:19]!r}")
    entries, place = _entries(path, data)
    if not entries or entries[0].kind is not Kind.HEADER:
        raise BadFlight(f"{path} holds nothing but its first bytes: the process ended before the call began")
    try:
        header = from_json(entries[0].content)
    except ValueError as error:
        raise BadFlight(f"{path}: its header cannot be read: {error}") from None
    return Flight(path, header, entries[1:], torn=len(data) - place)


def _entries(path: Path, data: bytes) -> tuple[list[Entry], int]:
    """All entries of whole blocks, and where those end."""
    entries: list[Entry] = []
    place = len(MAGIC)
    while place + BLOCK_HEAD.size <= len(data):
        size, checksum = BLOCK_HEAD.unpack_from(data, place)
        start = place + BLOCK_HEAD.size
        block = data[start : start + size]
        if len(block) < size:
            break  # torn
        if zlib.crc32(block) != checksum:
            raise BadFlight(f"{path} is damaged: the block at byte {place} does not agree with its checksum")
        try:
            entries += entries_of(block)
        except ValueError as error:
            raise BadFlight(
                f"{path} cannot be read at byte {place} ({error}): was it written by a newer version?"
            ) from None
        place = start + size
    return entries, place

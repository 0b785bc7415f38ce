"""A folder of recordings as clips: WAV files with what is said in them, and flight recordings of calls.

What is said stands in ``manifest.tsv`` (a table with the columns ``file`` and ``transcript``), or for ``NAME.wav`` in
``NAME.txt``. Then the file holds one turn. One that holds several has a table ``NAME.tsv``: for each turn its start and
end in seconds, and its words. Tables are in UTF-8, their columns divided by tabs.
"""

from __future__ import annotations

import csv
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from voiceloop.audio import mulaw
from voiceloop.audio.resample import resample, to_int16
from voiceloop.audio.wav import read_wav
from voiceloop.errors import VoiceloopError, quoted
from voiceloop.tune.clips import Clip, TrueTurn
from voiceloop.tune.recordings import read_call
from voiceloop.tune.sound import RATE, voiced

__all__ = ["Folder", "TuneError", "read_folder", "read_utterances"]

MOST_FILES: Final = 5000
MOST_SECONDS: Final = 6 * 3600.0
"""Of all audio together."""
LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a recording: a WAV of two hours at 16 kHz."""
LARGEST_TEXT: Final = 4 * 1024 * 1024
MOST_TURNS: Final = 2000
"""In one file."""
LONGEST_TEXT: Final = 5000
"""Characters of one turn."""
_LATE: Final = 0.5
"""Seconds by which a table may go beyond the end of its recording."""


class TuneError(VoiceloopError):
    """A folder, or a file in it, cannot be used."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds."""

    path: Path
    clips: tuple[Clip, ...]
    """By name."""
    passed_over: tuple[tuple[str, str], ...] = field(default=())
    """Files that cannot be used: name, and why."""

    @property
    def seconds(self) -> float:
        """Of all audio."""
        return sum(clip.seconds for clip in self.clips)


def read_folder(path: Path | str) -> Folder:
    """Read all recordings that lie in a folder itself.

    Raises:
        TuneError: there is no such folder, or no recording in it can be used.
    """
    path = Path(path)
    if not path.is_dir():
        what = f"{path} is a file" if path.exists() else f"there is no folder {path}"
        raise TuneError(f"expected a folder of recordings, but {what}")
    files = sorted(each for each in path.iterdir() if each.suffix.lower() in (".wav", ".mp3", ".vlog"))
    if len(files) > MOST_FILES:
        raise TuneError(f"{path} holds {len(files)} recordings, and at most {MOST_FILES} are taken: split it")
    clips: list[Clip] = []
    passed_over: list[tuple[str, str]] = []
    manifest = _manifest(path / "manifest.tsv", passed_over)
    seconds = 0.0
    for file in files:
        try:
            if seconds > MOST_SECONDS:
                raise TuneError(f"there are {MOST_SECONDS / 3600:.0f} hours of audio before it, and no more are taken")
            clips.append(_clip(file, manifest.get(file.name)))
            seconds += clips[-1].seconds
        except (VoiceloopError, OSError, ValueError) as error:
            passed_over.append((file.name, str(error)))
    missing = sorted(set(manifest) - {file.name for file in files})
    passed_over += [(quoted(name), "it stands in manifest.tsv and is not there") for name in missing]
    if not clips:
        why = f", such as {passed_over[0][0]}: {passed_over[0][1]}" if passed_over else ""
        raise TuneError(
            f"{path} holds no recording that can be used{why}. Expected WAV files with manifest.tsv, NAME.txt or "
            "NAME.tsv beside them, or flight recordings (.vlog)"
        )
    return Folder(path, tuple(clips), tuple(passed_over))


def _clip(file: Path, transcript: str | None) -> Clip:
    if file.suffix.lower() == ".mp3":
        raise TuneError("MP3 is not read; convert it with: ffmpeg -i IN.mp3 -ac 1 -c:a pcm_s16le OUT.wav")
    size = file.stat().st_size
    if size > LARGEST:
        raise TuneError(f"it has {size >> 20} MB, and at most {LARGEST >> 20} are read: split it")
    return read_call(file) if file.suffix.lower() == ".vlog" else _utterances(file, transcript)


def _utterances(file: Path, transcript: str | None) -> Clip:
    table, text = file.with_suffix(".tsv"), file.with_suffix(".txt")
    if table.is_file() and table.name != "manifest.tsv":
        return read_utterances(file, table=table)
    if transcript is None and text.is_file():
        transcript = _read(text)
    return read_utterances(file, transcript or "")


def read_utterances(wav: Path, transcript: str = "", *, table: Path | None = None) -> Clip:
    """A WAV file as a clip.

    Args:
        wav: any rate, one channel.
        transcript: what is said in it, one turn from its first sound to its last; empty when nobody wrote it down.
        table: ``NAME.tsv`` of a file that holds several turns.

    Raises:
        TuneError: nothing sounds in it, it has two channels, or the table is wrong.
        WavError: it is no WAV file.
    """
    if (channels := _channels(wav)) > 1:
        raise TuneError(
            f"it has {channels} channels; keep the caller's alone: ffmpeg -i IN.wav -af 'pan=mono|c0=c0' OUT.wav"
        )
    sound = read_wav(wav)
    audio = mulaw.encode(to_int16(resample(sound.samples, sound.rate, RATE)))
    spans = voiced(audio)
    if not spans:
        raise TuneError("nothing is to be heard in it")
    if table is None:
        return Clip(wav.stem, audio, (TrueTurn(_plain(transcript), spans[0][0], spans[-1][1]),))
    return Clip(wav.stem, audio, tuple(_turns(table, spans, len(audio) / RATE)))


def _channels(wav: Path) -> int:
    with wav.open("rb") as file:
        head = file.read(4096)
    at = head.find(b"fmt ")
    return int(struct.unpack_from("<H", head, at + 10)[0]) if 0 <= at <= len(head) - 12 else 1


def _turns(table: Path, spans: list[tuple[float, float]], seconds: float) -> Iterator[TrueTurn]:
    """The turns of a table, each from its first sound to its last."""
    before = 0.0
    for number, row in enumerate(_rows(table), 1):
        if number == 1 and row[:2] == ["start", "end"]:
            continue
        try:
            start, end = float(row[0]), float(row[1])
        except (ValueError, IndexError):
            start = end = math.nan
        if not (before <= start < end <= seconds + _LATE) or number > MOST_TURNS:
            raise TuneError(
                f"{table.name}, line {number}: expected start, end (seconds, in order, within the recording of "
                f"{seconds:.1f} s) and the words, divided by tabs, on at most {MOST_TURNS} lines; got "
                f"{quoted(' '.join(row))!r}"
            )
        before = end
        own = [(max(start, a), min(end, b)) for a, b in spans if a < end and b > start]
        if not own:
            raise TuneError(f"{table.name}, line {number}: nothing is to be heard from {start:g} to {end:g} s")
        yield TrueTurn(_plain(" ".join(row[2:])), own[0][0], own[-1][1])


def _manifest(path: Path, passed_over: list[tuple[str, str]]) -> dict[str, str]:
    """Transcripts by file name."""
    if not path.is_file():
        return {}
    try:
        rows = list(_rows(path))
        header = rows[0] if rows else []
        file, transcript = header.index("file"), header.index("transcript")
    except ValueError:
        passed_over.append((path.name, "expected a table with a line of names, two of them 'file' and 'transcript'"))
        return {}
    except (TuneError, OSError) as error:
        passed_over.append((path.name, str(error)))
        return {}
    return {row[file]: _plain(row[transcript]) for row in rows[1:] if len(row) > max(file, transcript)}


def _rows(path: Path) -> Iterator[list[str]]:
    rows = csv.reader(_read(path).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        yield from (row for row in rows if row and not row[0].startswith("#"))
    except csv.Error as error:
        raise TuneError(f"{path.name} cannot be read: {error}") from None


def _read(path: Path) -> str:
    size = path.stat().st_size
    if size > LARGEST_TEXT:
        raise TuneError(f"{path.name} has {size >> 20} MB, and at most {LARGEST_TEXT >> 20} are read")
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TuneError(f"{path.name} is not UTF-8: {error.reason} at byte {error.start}") from None


def _plain(text: str) -> str:
    """On one line."""
    return " ".join(text[:LONGEST_TEXT].split())

"""Writes a call down: every wake-up in the order it was processed, and all that came in with it."""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeVar

from voiceloop.answer import Answer
from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.flight.entries import HEAD, PROBABILITY, PROVIDERS, SENT_PLACE, Kind, failure_text
from voiceloop.flight.header import header_of
from voiceloop.flight.items import encode_canned, encode_item, hashed, parts_of, plain, to_json
from voiceloop.flight.notes import FlightNotes
from voiceloop.flight.options import SUFFIX, FlightOptions
from voiceloop.flight.redact import Redaction
from voiceloop.flight.report import report_values
from voiceloop.flight.steps import RecordedSteps
from voiceloop.flight.writer import FlightWriter
from voiceloop.frames import Word
from voiceloop.journal import Judged
from voiceloop.keypad import HUSHED, Keypad
from voiceloop.processor import Processor
from voiceloop.registry import Handle
from voiceloop.rehearsal import REHEARSAL
from voiceloop.report import CallReport
from voiceloop.runtime import Canned
from voiceloop.tts.base import Speech
from voiceloop.twilio.messages import Dtmf, Media

__all__ = ["FlightRecorder", "open_recorder"]

log = logging.getLogger("voiceloop.flight")

R = TypeVar("R")
T = TypeVar("T")

BLOCK: Final = 32 * 1024
"""Bytes after which what was gathered is written."""
DELAY: Final = 0.5
"""Seconds after which it is written anyway, with the next thing that happens."""
# What happens most often is written without the call of `_add`, and with kinds that are plain numbers.
_HEAD: Final = HEAD.pack
_STEP: Final = int(Kind.STEP)
_JUDGED: Final = int(Kind.JUDGED)
_MEDIA_IN: Final = int(Kind.MEDIA_IN)
_QUIET: Final = b"\xff"
_NUMBER: Final = {kind: number for number, kind in enumerate(PROVIDERS)}
_NAME: Final = re.compile(r"[^\w.-]+")


def open_recorder(where: FlightOptions | str | PathLike[str], call: Call) -> FlightRecorder | None:
    """Begin the recording of a call; None for a rehearsal, and when no file can be made: the call goes on without."""
    if call.id == REHEARSAL:
        return None
    options = where if isinstance(where, FlightOptions) else FlightOptions(where)
    threaded = not getattr(asyncio.get_running_loop(), "virtual_time", False)
    try:
        return FlightRecorder(FlightWriter(_free_path(options, call), options.most, threaded=threaded), options)
    except OSError as error:
        call.note_fault("flight", f"the call is not recorded: {error}")
        return None


def _free_path(options: FlightOptions, call: Call) -> Path:
    path = Path(options.path)
    if path.suffix == SUFFIX:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path
    path.mkdir(parents=True, exist_ok=True)
    name = _NAME.sub("_", call.id)[:64].strip("._") or "call"
    for number in range(1000):
        made = path / f"{name}{f'-{number}' if number else ''}{SUFFIX}"
        if not made.exists():
            return made
    raise OSError(f"{path} holds 1000 recordings of {name} already")


class FlightRecorder:
    """The journal of one call that is written to a file. Made by `Runtime` for every call when it has ``record=``."""

    def __init__(self, writer: FlightWriter, options: FlightOptions) -> None:
        self.path = writer.path
        self.inside = False
        self._writer: FlightWriter | None = writer
        self._redaction = Redaction(audio="audio" in options.redact, text="text" in options.redact)
        self._entries: list[bytes] = []
        self._size = 0
        self._time = asyncio.get_running_loop().time
        self._call_at = asyncio.get_running_loop().call_at
        self._at = self._time()
        self._put_at = self._at
        self._numbers: dict[str, int] = {}
        self._parts: set[bytes] = set()
        self._digests: dict[tuple[Any, ...], bytes] = {}
        self._canned: set[str] = set()
        self._judged = array("d")
        self._keypad = Keypad()
        self._notes = FlightNotes(self._note, self._note_sent)

    # --- entries ---

    def _add(self, kind: Kind, number: int = 0, content: bytes = b"") -> None:
        self._entries.append(_HEAD(kind, number, self._at, len(content)) + content)
        self._size += len(content)

    def _turn(self, kind: Kind, number: int = 0, content: bytes = b"") -> None:
        """Control comes into the call."""
        self._at = self._time()
        self._add(kind, number, content)
        self.inside = True

    def _put(self, since: float = math.inf) -> None:
        """Write what was gathered; what came since a time may still change, and waits."""
        self._put_at = self._at
        if self._judged:
            self._add(Kind.VAD, 0, self._judged.tobytes())
            del self._judged[:]
        entries = self._entries
        until = len(entries) if since == math.inf else bisect_left(entries, since, key=_at)
        if self._writer is not None:
            self._writer.put(b"".join(entries[:until]))
        del entries[:until]
        self._size = sum(map(len, entries))

    def _hush(self, since: float) -> None:
        """A secret key was pressed: its tone may be in the audio that came since then. That is left out."""
        entries = self._entries
        for place in range(bisect_left(entries, since, key=_at), len(entries)):
            kind, number, at, size = HEAD.unpack_from(entries[place])
            if kind == _MEDIA_IN:
                entries[place] = _HEAD(kind, number, at, size) + _QUIET * size

    def _within(self, act: Callable[[], R]) -> R:
        try:
            return act()
        finally:
            self.inside = False

    # --- the call ---

    def observers(self) -> Sequence[Processor]:
        """What notes what passes."""
        return (self._notes,)

    def began(self, call: Call, processors: Sequence[Processor]) -> None:
        """Write the header."""
        self._keypad = call.keypad
        self._add(Kind.HEADER, 0, to_json(header_of(call, processors, self._at, self._redaction)))
        self._put()

    def now(self) -> float:
        """The time of the last entry, while the call's own code runs."""
        return self._at if self.inside else self._time()

    def number(self, kind: str) -> int:
        """The next of its kind."""
        number = self._numbers.get(kind, 0)
        self._numbers[kind] = number + 1
        return number

    def close(self, report: CallReport) -> None:
        """Write the report, and no more."""
        writer = self._writer
        if writer is not None:
            self._at = self._time()
            self._put()
            self._add(Kind.REPORT, 0, to_json(self._redaction.value(report_values(report))))
            self._put()
            self._writer = None
            writer.close()

    # --- what comes in ---

    def item(self, kind: str, item: object) -> None:
        """A provider gives something."""
        self._at = self._time()
        self._add(Kind.ITEM, _NUMBER[kind], encode_item(self._redacted(item)))

    def _redacted(self, item: Any) -> Any:
        redaction = self._redaction
        if not redaction.parts:
            return item
        if isinstance(item, str):
            return redaction.text(item)
        if isinstance(item, Speech):
            return Speech(redaction.audio(item.audio), self._redacted_words(item.words))
        return plain(redaction.value(plain(item))) if "text" in redaction.parts else item

    def _redacted_words(self, words: Sequence[Word]) -> tuple[Word, ...]:
        return tuple(Word(self._redaction.text(word.text), word.start, word.end) for word in words)

    def message(self, message: str | bytes, take: Callable[[str | bytes], None]) -> None:
        """A message of the carrier."""
        self._at = at = self._time()
        if self._size >= BLOCK or at - self._put_at >= DELAY:
            self._put(at - HUSHED if self._keypad.secret else math.inf)
        self.inside = True
        try:
            take(message)
        finally:
            self.inside = False

    def inbound(self, message: str | bytes, event: object) -> None:
        """What it says: of audio the time and the bytes, of anything else all of it. Keys that are secret are masked
        already, and where their tones may be in the audio there is silence."""
        if type(event) is Media:
            payload = self._redaction.audio(event.payload)
            if self._keypad.hushed(self._at):
                payload = _QUIET * len(payload)
            self._entries.append(_HEAD(_MEDIA_IN, event.timestamp_ms, self._at, len(payload)) + payload)
            self._size += len(payload)
        else:
            text = message if isinstance(message, str) else message.decode("utf-8", "replace")
            if type(event) is Dtmf:
                if self._keypad.secret:
                    self._hush(self._at - HUSHED)
                text = self._redaction.text(text)
            self._add(Kind.OTHER_IN, 0, text[:65536].encode("utf-8", "surrogatepass"))

    def ended(self, kind: str, failure: tuple[str, str] | None) -> None:
        """A provider has given all, or failed."""
        self._add(Kind.ENDED, _NUMBER[kind], self._failure(failure))

    def sent(self, kind: str, detail: str | bytes) -> None:
        """A message for the carrier."""
        if isinstance(detail, bytes):
            self._add(Kind.MEDIA_OUT, 0, self._redaction.audio(detail))
        else:
            self._add(Kind.MARK_OUT if kind == "mark" else Kind.CLEAR_OUT, 0, detail.encode())

    def requested(self, kind: str, request: Mapping[str, Any]) -> None:
        """The hashes of a request; its parts, when they are new."""
        hashes = [self._part(name, part) for name, part in parts_of(request)]
        self._add(Kind.REQUEST, _NUMBER[kind], b"".join(hashes))

    def _part(self, name: str, part: Any) -> bytes:
        """The hash of a part; most were in the request before."""
        known = (part.role, part.text, part.calls, part.results) if type(part) is Message else None
        if known is not None and (digest := self._digests.get(known)) is not None:
            return digest
        digest, content = hashed(name, part)
        if known is not None:
            self._digests[known] = digest
        if digest not in self._parts:
            self._parts.add(digest)
            if "text" not in self._redaction.parts:
                self._add(Kind.PART, 0, digest + content)
        return digest

    async def asked(self, number: int) -> None:
        """A voice asks for text: at its own pace, often in a task of its own."""
        self._add(Kind.ASK, number)

    async def took(self, number: int) -> None:
        """It got some."""
        self._add(Kind.TOOK, number)

    def canned(self, text: str, found: Canned | None) -> Canned | None:
        """Whether a text was there; its audio once."""
        words, audio = None, b""
        if found is not None and text not in self._canned:
            self._canned.add(text)
            words, audio = self._redacted_words(found.words), self._redaction.audio(found.audio)
        content = encode_canned(self._redaction.text(text), words, audio)
        self._add(Kind.CANNED, int(found is not None), content)
        return found

    def probability(self, value: Callable[[bytes], float], window: bytes) -> float:
        """What the model says."""
        probability = float(value(window))
        self._judged.append(probability)
        return probability

    def judging(self, take: Judged) -> Judged:
        """What it says later."""
        number = self.number("vad")

        def judged(probability: float, error: Exception | None) -> None:
            content = PROBABILITY.pack(probability)
            if error is not None:
                content += self._failure((type(error).__name__, str(error)))
            self._at = at = self._time()
            self._entries.append(_HEAD(_JUDGED, number, at, len(content)) + content)
            self._size += len(content)
            self.inside = True
            try:
                take(probability, error)
            finally:
                self.inside = False

        return judged

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """That it came, or how it failed."""
        failure: tuple[str, str] | None = None
        try:
            return await work()
        except BaseException as error:
            failure = type(error).__name__, str(error)
            raise
        finally:
            if self.inside:
                self._add(Kind.AWAITED, 1, self._failure(failure))

    async def tool(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """What a tool gave."""
        outcome = await run()
        self._add(Kind.TOOL, 0, to_json(self._redaction.value(plain(outcome))))
        return outcome

    async def hand_over(self, step: Callable[[], Awaitable[None]]) -> None:
        """Whether the carrier took the call."""
        try:
            await step()
        except Exception as error:
            self._add(Kind.HAND_OVER, 0, self._failure((type(error).__name__, str(error))))
            raise
        self._add(Kind.HAND_OVER)

    # --- what runs ---

    def steps(self, coroutine: Coroutine[Any, Any, Any], name: str) -> tuple[Coroutine[Any, Any, Any], int]:
        """A task."""
        number = self.number("task")
        self._add(Kind.SPAWN, number, name.encode())
        return RecordedSteps(coroutine, number, self), number

    def step(self, number: int) -> None:
        """A task goes on."""
        self._at = at = self._time()
        self._entries.append(_HEAD(_STEP, number, at, 0))
        self.inside = True

    def finished(self, number: int, failure: BaseException | None, act: Callable[[], None]) -> None:
        """Its end."""
        self._turn(
            Kind.DONE, number, self._failure(None if failure is None else (type(failure).__name__, str(failure)))
        )
        self._within(act)

    def timer(self, when: float, name: str, act: Callable[[], None]) -> Handle:
        """A timer."""
        number = self.number("timer")

        def fire() -> None:
            self._turn(Kind.TIMER, number, name.encode())
            self._within(act)

        return self._call_at(when, fire)

    async def moment(self, name: str, act: Callable[[], T]) -> T:
        """The life of the call goes on."""
        self._turn(Kind.MOMENT, 0, name.encode())
        return self._within(act)

    def outside(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any], act: Callable[[], R]) -> R:
        """Somebody does something to the call."""
        given = [_argument([*arguments], self._redaction), _argument(options, self._redaction)]
        self._turn(Kind.API, 0, to_json([name, *self._redaction.value(given)]))
        return self._within(act)

    def _failure(self, failure: tuple[str, str] | None) -> bytes:
        return failure_text(None if failure is None else (failure[0], self._redaction.text(failure[1])))

    # --- notes ---

    def _note(self, note: dict[str, Any]) -> None:
        self._add(Kind.NOTE, 0, to_json(self._redaction.value(note)))

    def _note_sent(self, answer: int, at: float, position: int) -> None:
        self._add(Kind.SENT, answer, SENT_PLACE.pack(at, position))


def _at(entry: bytes) -> float:
    """When an entry was."""
    at: float = HEAD.unpack_from(entry)[2]
    return at


def _argument(value: Any, redaction: Redaction) -> Any:
    """An argument of a call's method as JSON can hold it; `voiceloop.replay.outside` reads it."""
    if isinstance(value, Answer):
        return {"answer": value.id}
    if isinstance(value, bytes | bytearray):
        return {"audio": base64.b64encode(redaction.audio(bytes(value))).decode()}
    if isinstance(value, Word):
        return {"word": list(asdict(value).values())}
    if isinstance(value, dict):
        return {"options": {key: _argument(each, redaction) for key, each in value.items()}}
    if isinstance(value, list | tuple):
        return [_argument(each, redaction) for each in value]
    return plain(value)

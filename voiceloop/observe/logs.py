"""Logs for machines and people: one line a record, with the id of the call it is about.

Callers choose what stands in some messages: a name on the caller's side, a header, words. So no message can begin a
line of its own, steer a terminal, or be longer than a bound.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import IO, Any, Final, Literal

from voiceloop.log_context import CALL
from voiceloop.observe.lines import field, masked, one_line

__all__ = ["CALLS", "WORDS", "JsonLines", "Level", "TextLines", "configure_logging", "is_json"]

CALLS: Final = "voiceloop.calls"
"""The logger of how calls go; see `voiceloop.observe.call_log`."""
WORDS: Final = "voiceloop.turns"
"""The logger of what was said: a line a turn."""
MESSAGE: Final = 2000
"""Characters of a message."""
TRACE: Final = 8000
"""Characters of a traceback: its end."""
FIELDS: Final = 30
"""Fields of one record beyond those that each has."""
_OWN: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class _Lines(logging.Formatter):
    """What both forms have in common."""

    def __init__(self, *, worker: str = "", mask: bool = True) -> None:
        super().__init__()
        self._worker = one_line(worker, 40)
        self._mask = mask

    def _message(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception as error:  # a wrong format must not lose the line
            text = f"{record.msg} (not formatted: {type(error).__name__})"
        text = one_line(text, MESSAGE)
        return masked(text) if self._mask else text

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        extra = [(name, value) for name, value in vars(record).items() if name not in _OWN and name != "call"]
        return {one_line(str(name), 60): field(value, mask=self._mask) for name, value in extra[:FIELDS]}

    def _call(self, record: logging.LogRecord) -> str:
        return one_line(str(getattr(record, "call", None) or CALL.get()), 80)

    def _trace(self, record: logging.LogRecord) -> str:
        if not record.exc_info or record.exc_info[0] is None:
            return ""
        text = "".join(traceback.format_exception(*record.exc_info))[-TRACE:]
        lines = "\n".join(one_line(line, TRACE) for line in text.split("\n")).strip()
        return masked(lines) if self._mask else lines


class JsonLines(_Lines):
    """A JSON object a line: ``time``, ``level``, ``logger``, ``message``, and where there is one ``call``, ``worker``,
    ``trace``, and the fields that the record was given by ``extra=``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self._message(record),
        }
        for name, value in (("call", self._call(record)), ("worker", self._worker), ("trace", self._trace(record))):
            if value:
                line[name] = value
        for name, value in self._fields(record).items():
            line.setdefault(name, value)
        return json.dumps(line, ensure_ascii=False)


class TextLines(_Lines):
    """The same for people: time, level, logger, call, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        head = [_time(record), f"{record.levelname:<7}", record.name]
        head += [f"[{self._worker}]"] if self._worker else []
        head += [call] if (call := self._call(record)) else []
        fields = "".join(
            f" {name}={value!s}" for name, value in self._fields(record).items() if value not in (None, "")
        )
        trace = self._trace(record).replace("\n", " | ")
        return f"{' '.join(head)}: {self._message(record)}{fields}{f' | {trace}' if trace else ''}"


def configure_logging(
    format: Literal["text", "json"] = "text",
    level: Level = "INFO",
    *,
    worker: str = "",
    mask_numbers: bool = True,
    words: bool = False,
    stream: IO[str] | None = None,
) -> logging.Handler:
    """Have everything that is logged in this process written as lines. Takes the place of what it was set to before.

    Args:
        format: ``json`` for machines, ``text`` for people.
        level: from which on records of the library are written; those of others from WARNING on.
        worker: which process this is, where there are several.
        mask_numbers: write telephone numbers as ``+1555…22``, wherever they stand.
        words: whether what callers and agents say is written: a line a turn.
        stream: where to; standard error when not given.

    Returns: the handler, to be taken away with ``logging.getLogger().removeHandler``.

    Raises:
        ValueError: there is no such form or level.
    """
    if format not in _FORMS:
        raise ValueError(f"format is 'text' or 'json', got {format!r:.40}")
    numbers = logging.getLevelNamesMapping()
    if level not in numbers:
        raise ValueError(f"level is one of DEBUG, INFO, WARNING, ERROR, CRITICAL; got {level!r:.40}")
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(_FORMS[format](worker=worker, mask=mask_numbers))
    if not words:
        handler.addFilter(_without_words)
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(numbers[level], logging.WARNING))
    logging.getLogger("voiceloop").setLevel(numbers[level])
    return handler


def is_json() -> bool:
    """Whether this process logs as JSON by `configure_logging`: then nothing else should stand between the lines."""
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger().handlers)


class _Handler(logging.StreamHandler[IO[str]]):
    """That a line cannot be written harms nobody, and is not told: where to?"""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing."""


def _without_words(record: logging.LogRecord) -> bool:
    return record.name != WORDS


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


_FORMS: Final[dict[str, type[_Lines]]] = {"text": TextLines, "json": JsonLines}

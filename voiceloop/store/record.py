"""The record of one call, and its form as JSON.

A message of the agent holds what the caller heard of it (`text`) apart from what was cut off (`unheard`), as in the
`Conversation` it was made from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from voiceloop.conversation import Message, Role, ToolCall, ToolResult
from voiceloop.errors import VoiceloopError, quoted
from voiceloop.latency import Latency
from voiceloop.report import FaultRecord, Turn

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.report import CallReport

__all__ = [
    "VERSION",
    "CallRecord",
    "RecordError",
    "fault_of",
    "message_dict",
    "message_of",
    "record_of",
    "turn_dict",
    "turn_of",
]

VERSION: Final = 1
"""Of the JSON form. One that only gains fields keeps its number: readers leave out what they do not know."""

_ROLES: Final[tuple[Role, ...]] = ("system", "user", "assistant", "tool")
_PARTS: Final = ("endpoint", "stt", "llm", "tts", "output", "carrier")


class RecordError(VoiceloopError, ValueError):
    """What was read is no record of a call."""


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """Who called, when, what was said and heard, how it ended, what it took."""

    id: str
    """The carrier's id of the call, `CallSid`. There is one record for each."""
    started: float
    """Unix seconds, wall clock."""
    ended: float
    """Unix seconds, wall clock."""
    duration: float = 0.0
    """Seconds of conversation; `ended` less `started` also holds the time between two lines of a call that was cut
    off and went on."""
    caller: str = ""
    """Who dialled, as the carrier says: mostly E.164, else ``anonymous``, ``client:name``, ``sip:…``."""
    number: str = ""
    """What was dialled."""
    direction: str = "inbound"
    """``inbound`` or ``outbound``."""
    reason: str = ""
    """How it ended, as in `CallReport.reason`."""
    conversation: list[dict[str, Any]] = field(default_factory=list)
    """Messages, oldest first, as `message_dict` makes them: ``text`` is what was heard, ``unheard`` what was cut."""
    turns: list[dict[str, Any]] = field(default_factory=list)
    """Turns of the caller with their waits, as `turn_dict` makes them."""
    usage: dict[str, float] = field(default_factory=dict)
    """Counts of what the providers used, as in `CallReport.usage`; with those of ``speculation.…``."""
    faults: list[dict[str, Any]] = field(default_factory=list)
    """``kind``, ``message``, ``detail`` (a traceback or nothing), ``at`` (seconds since the call began)."""
    watchdogs: dict[str, int] = field(default_factory=dict)
    """What was waited for in vain, by kind, and how often."""
    served: dict[str, dict[str, int]] = field(default_factory=dict)
    """Requests by kind of provider and by who served them."""
    cost: dict[str, float] | None = None
    """As `Cost.as_dict`; None without prices."""
    params: dict[str, str] = field(default_factory=dict)
    """``call.params``."""
    recordings: list[str] = field(default_factory=list)
    """Paths of the files that hold its sound."""
    answered_by: str = ""
    """As ``call.answered_by``."""
    streams: int = 1
    """Lines that it was on: more than 1 when it was cut off and went on."""
    bot: str = ""
    """Name of the function or object that made its pipeline."""
    version: int = VERSION

    @property
    def party(self) -> str:
        """The outside person's number: who called us, or whom we called."""
        return self.number if self.direction.startswith("outbound") else self.caller

    def as_dict(self) -> dict[str, Any]:
        """Its fields. The values are not copied."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def as_json(self) -> str:
        """One line of JSON, in UTF-8 as it is. A number that is not finite becomes null, for JSON has none."""
        values = self.as_dict()
        try:
            text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except ValueError:
            text = json.dumps(_finite(values), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if text.isascii() or _encodable(text):
            return text
        return json.dumps(_finite(values), separators=(",", ":"))  # half of a surrogate pair is in no UTF-8

    @classmethod
    def of_json(cls, text: str | bytes) -> CallRecord:
        """The record that `as_json` has written, by this version of the library or a later one.

        Raises:
            RecordError: it is none.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"expected the JSON of a call's record, got {_shown(text)}: {error}") from None
        return cls.of_dict(values)

    @classmethod
    def of_dict(cls, values: object) -> CallRecord:
        """The record of such values as `as_dict` gives.

        Raises:
            RecordError: a field is missing or of another kind.
        """
        if not isinstance(values, dict):
            raise RecordError(f"expected an object with the fields of a call's record, got {_shown(values)}")
        known = {each.name: values[each.name] for each in fields(cls) if each.name in values}
        for name in ("id", "started", "ended"):
            if name not in known:
                raise RecordError(f"expected the field {name!r} in a call's record, got {_shown(sorted(values))}")
        for name, value in known.items():
            if not _fits(value, _KINDS[name]):
                raise RecordError(f"expected {_KINDS[name]} as {name!r} of a call's record, got {_shown(value)}")
        usage = {name: count for name, count in known.get("usage", {}).items() if count is not None}
        return cls(**{**known, "usage": usage})


_KINDS: Final[dict[str, str]] = {each.name: str(each.type) for each in fields(CallRecord)}
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {"str": str, "int": int, "float": (int, float)}


def _fits(value: object, kind: str) -> bool:
    """Whether a value read from JSON is of the kind of a field, by the field's own annotation."""
    if kind.endswith(" | None"):
        return value is None or _fits(value, kind.removesuffix(" | None"))
    if kind.startswith("list["):
        return isinstance(value, list) and all(_fits(each, kind[5:-1]) for each in value)
    if kind.startswith("dict[str, "):
        inner = kind[10:-1]
        return isinstance(value, dict) and (inner == "Any" or all(_fits_in(each, inner) for each in value.values()))
    return isinstance(value, _TYPES[kind]) and not isinstance(value, bool)


def _fits_in(value: object, kind: str) -> bool:
    return _fits(value, kind) or (kind == "float" and value is None)  # it was not finite


def record_of(call: Call, report: CallReport, *, started: float, ended: float) -> CallRecord:
    """The record of a call that is over. To be made while the call still knows its bot and its recording: in
    ``call.on_end``, not later.

    Args:
        call: the call.
        report: what `Pipeline.run` returned, or ``on_end`` was called with.
        started: when it began, unix seconds.
        ended: when it was over, unix seconds.
    """
    speculation = {f"speculation.{name}": count for name, count in asdict(report.speculation).items() if count}
    speculation.pop("speculation.tokens", None)  # is llm.output_tokens
    return CallRecord(
        id=call.id or report.call_id,
        started=started,
        ended=ended,
        duration=report.duration,
        caller=call.caller,
        number=call.number,
        direction=call.direction,
        reason=report.reason,
        conversation=[message_dict(message) for message in report.conversation],
        turns=[turn_dict(turn) for turn in report.turns],
        usage={name: _number(count) for name, count in {**report.usage, **speculation}.items()},
        faults=[asdict(fault) for fault in report.faults],
        watchdogs=dict(report.watchdogs),
        served={kind: dict(counts) for kind, counts in report.served.items()},
        cost=report.cost.as_dict() if report.cost is not None else None,
        params={str(name): str(value) for name, value in call.params.items()},
        recordings=[str(file) for file in call.recording.files] if call.recording is not None else [],
        answered_by=call.answered_by,
        streams=1 if call.carried is None else call.carried.streams + 1,
        bot=_name_of(call.made_by),
    )


# --- parts --------------------------------------------------------------------------------------------------


def message_dict(message: Message) -> dict[str, Any]:
    """A message as plain values.

    All but `Message.echo`: that is an object of one provider's, which only the request that is being written needs. A
    model that goes on from the record is told of its tools by ``calls`` and ``results``.
    """
    return {
        "role": message.role,
        "text": message.text,
        "unheard": message.unheard,
        "interrupted": message.interrupted,
        "aside": message.aside,
        "bound": message.bound,
        "calls": [asdict(call) for call in message.calls],
        "results": [asdict(result) for result in message.results],
    }


def message_of(values: Mapping[str, Any]) -> Message:
    """The message that `message_dict` has made values of.

    Raises:
        RecordError: it has no such role, or a part of a tool's request or result is missing.
    """
    if values.get("role") not in _ROLES:
        raise RecordError(f"expected one of {', '.join(_ROLES)} as the role of a message, got {_shown(values)}")
    try:
        return Message(
            role=values["role"],
            text=str(values.get("text", "")),
            unheard=str(values.get("unheard", "")),
            interrupted=bool(values.get("interrupted", False)),
            aside=bool(values.get("aside", False)),
            bound=int(values.get("bound", 0)),
            calls=tuple(ToolCall(c["id"], c["name"], c.get("arguments", "")) for c in values.get("calls", ())),
            results=tuple(ToolResult(r["id"], r["text"], r.get("error", False)) for r in values.get("results", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"expected a message as message_dict makes it, got {_shown(values)}") from error


def turn_dict(turn: Turn) -> dict[str, Any]:
    """A turn as plain values: those of `Turn.as_dict`, and what is needed to make it again."""
    return {**turn.as_dict(), "number": turn.number, "answer": turn.answer, "heard_bound": turn.heard_bound}


def turn_of(values: Mapping[str, Any]) -> Turn:
    """The turn that `turn_dict` has made values of; times to a tenth of a millisecond, as they are kept.

    Raises:
        RecordError: it is none.
    """
    try:
        parts = values.get("latency_ms")
        return Turn(
            number=int(values["number"]),
            caller=str(values["caller"]),
            heard=str(values.get("heard", "")),
            unheard=str(values.get("unheard", "")),
            interrupted=bool(values.get("interrupted", False)),
            latency=None if parts is None else Latency(*(float(parts[name]) / 1000 for name in _PARTS)),
            answer=int(values.get("answer", 0)),
            heard_bound=int(values.get("heard_bound", 0)),
            gained=float(values.get("gained_ms", 0.0)) / 1000,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"expected a turn as turn_dict makes it, got {_shown(values)}") from error


def fault_of(values: Mapping[str, Any]) -> FaultRecord:
    """The fault that stands in a record as these values.

    Raises:
        RecordError: it is none.
    """
    try:
        kind, message, detail = (str(values[name]) for name in ("kind", "message", "detail"))
        return FaultRecord(kind, message, detail, float(values["at"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"expected kind, message, detail and at of a fault, got {_shown(values)}") from error


# --- little helpers -----------------------------------------------------------------------------------------


def _name_of(bot: object) -> str:
    if bot is None:
        return ""
    named = bot if hasattr(bot, "__qualname__") else type(bot)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}".strip(".")


def _number(count: float) -> float:
    return count if type(count) in (int, float) else float(count)  # of another kind: one of numpy's


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    """What came instead, without its contents: a record holds what people said."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return quoted(repr(value))
    if isinstance(value, (str, bytes)):
        return f"{len(value)} {'bytes' if isinstance(value, bytes) else 'characters'}"
    return f"fields {quoted(repr(sorted(map(str, value))))}" if isinstance(value, Mapping) else type(value).__name__

"""Writes a call down while it goes on: each change of its record becomes a line in the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from voiceloop.store.call_state import CallState, encode
from voiceloop.store.joining import joined
from voiceloop.store.record import CallRecord, message_dict, record_of, turn_dict

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.conversation import Message
    from voiceloop.report import CallReport
    from voiceloop.store.spool import SpoolFile

__all__ = ["Following"]

_TAIL: Final = 8
"""Messages at the end that are looked at after each change; all of them, now and then."""
_LISTS: Final = ("conversation", "turns", "faults")

News = Callable[["Following"], None]


class Following:
    """Keeps the state of one live call, and its file.

    Args:
        call: the call, which is about to begin.
        base: the state that it goes on from, when something of it is known here.
        news: told after each change.
        wall: gives unix seconds.
    """

    def __init__(self, call: Call, base: CallState | None, news: News, wall: Callable[[], float]) -> None:
        self.call: Call | None = call
        self.sid = call.id
        self.file: SpoolFile | None = None
        self.dirty = True
        """Whether it has changed since it was last mirrored."""
        self.seq = 0
        """Counts what was mirrored."""
        self.settled = asyncio.Event()
        """Set when the line is over, and what was heard on it is known."""
        self._news = news
        self._wall = wall
        self._seen: list[tuple[Any, ...]] = []
        self._usage: dict[str, float] = {}
        self._files: tuple[str, ...] = ()
        self._turns = 0
        self._faults = 0
        now = wall()
        self._base = None if base is None else base.settle("replaced")
        carried = call.carried
        self._carries = carried is not None and (bool(carried.messages) or self._base is None)
        self.state = CallState(record=self._first(call, now), began=now)
        # One that does not carry what was before speaks of this line only; what was before stands in front of that.
        before = self._base if not self._carries else None
        self._before = {name: list(getattr(before, name)) if before else [] for name in _LISTS}
        for name in _LISTS:
            getattr(self.state.record, name).extend(self._before[name])
        self.state.before = self._base.duration if self._base else carried.duration if carried else 0.0
        self._look(0, write=False)
        call._record.follow(self)

    def _first(self, call: Call, now: float) -> CallRecord:
        base, carried = self._base, call.carried
        streams = 1 + (base.streams if base else carried.streams if carried else 0)
        return CallRecord(
            id=call.id,
            started=now if base is None else base.started,
            ended=now,
            caller=call.caller or (base.caller if base else ""),
            number=call.number or (base.number if base else ""),
            direction=call.direction,
            usage=dict(base.usage) if base is not None and not self._carries else {},
            params={str(name): str(value) for name, value in call.params.items()},
            recordings=list(base.recordings) if base is not None else [],
            answered_by=call.answered_by or (base.answered_by if base else ""),
            streams=streams,
            bot=_bot_of(call),
        )

    # --- what the call's record tells ------------------------------------------------------------------------

    def changed(self) -> None:
        """Something is new, or another."""
        call = self.call
        if call is not None and self._look(max(0, min(len(call.conversation) - _TAIL, len(self._seen)))):
            self.dirty = True
            self._news(self)

    def ending(self, reason: str) -> None:
        """The line is about to be closed, and all that was heard is settled."""
        if self.call is not None:
            self._look(0)
            self._write("ending", reason)
            self.settled.set()
            self.dirty = True
            self._news(self)

    def look(self) -> bool:
        """See whether anything has changed that nobody told of."""
        if self.call is not None and self._look(0):
            self.dirty = True
        return self.dirty

    def _look(self, since: int, *, write: bool = True) -> bool:
        """Write what is new from this message on. Returns whether anything was."""
        call = self.call
        assert call is not None
        found, seen, offset = False, self._seen, len(self._before["conversation"])
        messages = call.conversation._messages
        for place in range(since, len(messages)):
            message = messages[place]
            shown = _shown(message)
            if place < len(seen):
                if seen[place] == shown:
                    continue
                seen[place] = shown
            else:
                seen.append(shown)
            self._put("m", "conversation", offset + place, message_dict(message), write)
            found = True
        found |= self._look_at_recording(call, write)
        found |= self._look_at_turns(call, write)
        return found

    def _look_at_recording(self, call: Call, write: bool) -> bool:
        """Files are named before they are made: whatever becomes of the process, they go when the number is deleted."""
        files = () if call.recording is None else call.recording.files
        if files == self._files:
            return False
        self._files = files
        before = self._base.recordings if self._base is not None else []
        self.state.record.recordings = _together(before, [str(file) for file in files])
        if write:
            self._write("r", self.state.record.recordings)
        return True

    def _look_at_turns(self, call: Call, write: bool) -> bool:
        found = False
        while self._turns < len(call.turns):
            place = len(self._before["turns"]) + self._turns
            self._put("t", "turns", place, turn_dict(call.turns[self._turns]), write)
            self._turns += 1
            found = True
        while self._faults < len(call.faults):
            place = len(self._before["faults"]) + self._faults
            self._put("f", "faults", place, asdict(call.faults[self._faults]), write)
            self._faults += 1
            found = True
        if found or not write:  # counts change with every piece of audio: they are written with what they led to
            usage = {name: float(count) for name, count in call.usage.items()}
            if usage != self._usage:
                self._usage = usage
                self.state.record.usage = self._all_usage(usage)
                if write:
                    self._write("u", self.state.record.usage)
        return found

    def _all_usage(self, usage: dict[str, float]) -> dict[str, float]:
        if self._base is None or self._carries:
            return usage
        before = self._base.usage
        return {name: before.get(name, 0.0) + usage.get(name, 0.0) for name in {**before, **usage}}

    def _put(self, kind: str, name: str, place: int, value: dict[str, Any], write: bool) -> None:
        getattr(self.state.record, name)[place : place + 1] = [value]
        if write:
            self._write(kind, value, place)

    def _write(self, kind: str, value: Any, place: int | None = None) -> None:
        state = self.state
        state.at = max(state.at, round(self._wall() - state.began, 3))
        if kind == "ending":
            state.ending = value
        if self.file is not None:
            line = {"k": kind, "at": state.at, "v": value}
            if place is not None:
                line["n"] = place
            self.file.write(encode(line), state)

    # --- the end --------------------------------------------------------------------------------------------

    def finish(self, report: CallReport) -> None:
        """The report is there: the state is the whole record now."""
        call = self.call
        if call is None:
            return
        self._look(0)
        now = max(self._wall(), self.state.began + self.state.at)
        record = record_of(call, report, started=self.state.record.started, ended=now)
        base, state = self._base, self.state
        if base is not None and not self._carries:
            record = joined(base, replace(record, streams=1))
        elif base is not None:
            record = replace(record, recordings=_together(base.recordings, record.recordings))
        record = replace(
            record,
            streams=state.record.streams,
            caller=state.record.caller,
            number=state.record.number,
            answered_by=record.answered_by or state.record.answered_by,
        )
        rest = {name: value for name, value in record.as_dict().items() if name not in (*_LISTS, "id")}
        for place, turn in enumerate(record.turns):  # what was understood of a turn may have been put right
            if place < len(state.record.turns) and state.record.turns[place] != turn:
                self._put("t", "turns", place, turn, True)
        state.at = max(state.at, now - state.began)
        if self.file is not None:
            self.file.write(encode({"k": "end", "at": state.at, "v": rest}), self._closed(record))
        self.state = self._closed(record)
        self.let_go()

    def _closed(self, record: CallRecord) -> CallState:
        return replace(self.state, record=record, ending=record.reason, finished=True)

    def let_go(self) -> None:
        """Follow it no more. The file stays."""
        call, self.call = self.call, None
        if call is not None:
            call._record.follow(None)
        if self.file is not None:
            self.file.close()


def _shown(message: Message) -> tuple[Any, ...]:
    return (
        message.role,
        message.text,
        message.unheard,
        message.interrupted,
        message.aside,
        message.bound,
        message.calls,
        message.results,
    )


def _together(before: list[str], after: list[str]) -> list[str]:
    return list(dict.fromkeys([*before, *after]))


def _bot_of(call: Call) -> str:
    bot = call.made_by
    if bot is None:
        return ""
    named = bot if hasattr(bot, "__qualname__") else type(bot)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}".strip(".")

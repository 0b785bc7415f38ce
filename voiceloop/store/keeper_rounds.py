"""What a keeper of calls does in the background: it looks after its calls, and writes to the database."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from voiceloop.errors import quoted
from voiceloop.store.books import Kept
from voiceloop.store.call_state import CallState
from voiceloop.store.desk import DeskBusy
from voiceloop.store.keeper_returns import TakingUp
from voiceloop.store.recording_files import unlink_recordings
from voiceloop.store.spool import Spool

if TYPE_CHECKING:
    from voiceloop.store.record import CallRecord

__all__ = ["Rounds"]

log = logging.getLogger("voiceloop.store")

_SHARE: Final = 4.0
"""The database rests from live calls for so many times as long as it took to take their states."""
_MIRRORED: Final = 500
"""Live calls whose states are written together."""


class Rounds(TakingUp):
    """The part of a keeper that works by itself."""

    async def _run(self) -> None:
        loop, options = self._loop, self.options
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(options.look):
                    await self._news.wait()
            if not self._urgent:
                await asyncio.sleep(options.mirror)
            self._news.clear()
            self._urgent = False
            now = loop.time()
            if now >= self._look_at:
                self._look_at = now + options.look
                self._look(now)
            if not self._busy:
                self._round()

    def _look(self, now: float) -> None:
        """What nobody tells of: lines that were taken over, calls that do not come back, dead processes."""
        for following in list(self._live.values()):
            following.look()
            if self._spool.taken(following.sid):
                log.warning("call %s goes on in another process: it is ended here", following.sid)
                self._live.pop(following.sid, None)
                self._give_up(following)
        self._forget_deleted()
        for state in self._shelf.expired(now):
            self.counts["lost"] += 1
            self._shelf.put(state.settle(), filed=self._spool.has(state.sid), doubtful=True)
            self._remember(state.sid)
        if now >= self._adopt_at:
            self._adopt()
        if self._mirrors and now >= self._renew_at:
            self._renew_at = now + self.options.renew
            for following in self._live.values():
                following.dirty = True
            self._shelf.mirror_again()
            with suppress(DeskBusy):
                self._base.give(partial(self._books.lost, self._wall() - self.options.grace), self._all_lost)

    def _forget_deleted(self) -> None:
        """What was taken by another process, or deleted with its number, is nothing of ours any more."""
        for sid in self._shelf.filed():
            if not self._spool.has(sid):
                self._spool.taken(sid)
                self._shelf.forget(sid)

    def _adopt(self) -> None:
        self._adopt_at = self._loop.time() + self.options.adopt
        with suppress(DeskBusy):
            self._disk.give(self._spool.adopt, self._adopted)

    def _adopted(self, states: list[CallState]) -> None:
        for state in states:
            if state.sid in self._live:
                continue
            if state.over:
                self._close(state)
            else:
                self._landed(state)

    def _all_lost(self, states: list[CallState]) -> None:
        for state in states:
            self._landed_from_afar(state)

    def _round(self, *, last: bool = False) -> None:
        """Write to the database what is to be written, in its thread."""
        now = self._loop.time()
        if now < self._retry_at:
            return
        due, doubtful = self._shelf.some_due(self.options.at_once)
        states: list[tuple[CallState, int]] = []
        if self._mirrors and not last and now >= self._mirror_at:
            states = self._to_mirror()
        if not due and not states:
            return
        wall, spool, books = self._wall(), self._spool, self._books

        def work() -> Kept:
            records = [found for sid, record in due.items() if (found := record or _read(spool, sid)) is not None]
            kept = books.keep(records, doubtful) if records else Kept()
            kept.done += due.keys() - {record.id for record in records}
            if states:
                books.mirror(states, wall)
            return kept

        self._busy = True
        try:
            job = self._base.give(work, self._kept)
        except DeskBusy:
            self._busy = False
            return
        job.add_done_callback(partial(self._rounded, now))

    def _to_mirror(self) -> list[tuple[CallState, int]]:
        states: list[tuple[CallState, int]] = []
        for following in self._live.values():
            if following.dirty and len(states) < _MIRRORED:
                following.dirty, following.seq = False, following.seq + 1
                states.append((_copy(following.state), following.seq))
        for waiting in self._shelf.to_mirror(_MIRRORED - len(states)):
            states.append((_copy(waiting.state), 10**8 + waiting.seq))
        return states

    def _kept(self, kept: Kept) -> None:
        for record in kept.deleted:
            self.counts["deleted"] += 1
            unlink_recordings(record.recordings)
        for sid, why in kept.refused.items():
            self.counts["refused"] += 1
            log.error("call %s: its record is not in the database, which refuses it: %s", sid, why)
            self._shelf.forget(sid)
            self._spool.set_aside(sid)
        for sid in kept.done:
            if self._shelf.forget(sid):
                self.counts["written"] += 1
                if sid not in self._live and self._shelf.waiting(sid) is None:
                    self._spool.remove(sid)

    def _rounded(self, began: float, job: asyncio.Future[Kept]) -> None:
        self._busy = False
        now, options = self._loop.time(), self.options
        error = None if job.cancelled() else job.exception()
        if error is None:
            self._delay = 0.0
            self._mirror_at = now + max(options.mirror, _SHARE * (now - began))
        else:
            self.counts["failed"] += 1
            if not self._delay:
                log.error("the database of calls is not to be reached: %s; records wait in the spool", _line(error))
            self._delay = min(options.retry_most, max(options.retry, 2 * self._delay))
            self._retry_at = now + self._delay
            for following in self._live.values():
                following.dirty = True
            self._shelf.mirror_again()
        self._news.set()  # there may be more; and whoever closes the keeper waits for this


def _line(error: BaseException) -> str:
    return quoted(str(error) or type(error).__name__)


def _read(spool: Spool, sid: str) -> CallRecord | None:
    state = spool.read(sid)
    return None if state is None else state.settle()


def _copy(state: CallState) -> CallState:
    """A state that another thread may read while the call goes on: its parts are replaced, never changed."""
    record = state.record
    conversation, turns, faults = list(record.conversation), list(record.turns), list(record.faults)
    return replace(state, record=replace(record, conversation=conversation, turns=turns, faults=faults))

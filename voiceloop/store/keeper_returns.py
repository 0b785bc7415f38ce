"""Calls that come back: what became of a call, and what was said on it so far."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from voiceloop.carried import Carried
from voiceloop.errors import quoted
from voiceloop.store.books import Found
from voiceloop.store.call_state import COMES_BACK, CallState
from voiceloop.store.desk import DeskBusy
from voiceloop.store.following import Following
from voiceloop.store.keeper_core import REMEMBERED, KeeperCore

if TYPE_CHECKING:
    from voiceloop.server.returns import Fate
    from voiceloop.store.record import CallRecord

__all__ = ["TakingUp"]

log = logging.getLogger("voiceloop.store")

_SETTLED: Final = 1.0
"""Seconds that a line which is given up may take to say what was heard on it."""


class TakingUp(KeeperCore):
    """The part of a keeper that the server asks."""

    async def fate(self, call_sid: str) -> Fate:
        """What became of a call that asks what to do again: whether its record says that it is over."""
        if call_sid in self._ended:
            return "ended"
        if (following := self._live.get(call_sid)) is not None:
            call = following.call
            parting = call is not None and call.done and call.ending not in COMES_BACK
            return "ended" if following.state.over or parting else "lost"
        if self._shelf.waiting(call_sid) is not None:
            return "lost"
        with suppress(DeskBusy):
            state = await self._disk.do(partial(self._spool.look, call_sid))
            if state is not None:
                return "ended" if state.over else "lost"
        record = await self._record(call_sid)
        if record is None and self._mirrors and self._retry_at <= self._loop.time():
            await asyncio.sleep(self.options.settle)  # another machine may just be writing it
            record = await self._record(call_sid)
        if record is None:
            return "unknown"
        return "lost" if record.reason in COMES_BACK else "ended"

    async def _record(self, sid: str) -> CallRecord | None:
        try:
            async with asyncio.timeout(self.options.patience):
                return await self._base.do(partial(self._books.record, sid))
        except Exception as error:
            log.warning("call %s: the database does not tell what became of it: %s", sid, quoted(str(error)))
            return None

    async def take_up(self, call_sid: str) -> Carried | None:
        """What was said on a call so far, for it to go on with; None when it is over for good, or nothing is known.

        A line of this process that it is still on is given up. Until `began` is told of it, whoever asks again gets the
        same, here or in another worker.
        """
        if call_sid in self._ended:
            return None
        following = self._live.get(call_sid)
        if following is not None and not await self._take_over(following):
            return None
        with suppress(DeskBusy):
            await self._disk.do(partial(self._spool.take, call_sid), self._landed)
        if (self._mirrors or self._shelf.waiting(call_sid) is None) and self._retry_at <= self._loop.time():
            with suppress(Exception):
                async with asyncio.timeout(self.options.patience):
                    await self._base.do(partial(self._books.take, call_sid), self._found)
        waiting = self._shelf.waiting(call_sid)
        if waiting is None or waiting.state.over:
            return None
        self.counts["taken"] += 1
        return waiting.state.carried()

    async def _take_over(self, following: Following) -> bool:
        """Take a call from a line of this process. False when it has ended there for good."""
        call = following.call
        if call is not None and not following.state.ending:
            call.end("replaced")
            if call._engine is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SETTLED):
                        await following.settled.wait()
        if following.state.over:
            return False
        if self._live.get(following.sid) is following:
            del self._live[following.sid]
            following.let_go()
            self._wait(following.state)
        return True

    def _landed(self, state: CallState | None) -> None:
        """A state has come here from elsewhere: from the spool, or from another machine."""
        if state is None or state.sid in self._live:
            return
        known = self._shelf.waiting(state.sid)
        if known is not None and known.state.age >= state.age:
            return
        self._wait(state, filed=True)

    def _found(self, found: Found) -> None:
        if found.state is not None:
            self._landed_from_afar(found.state)
        elif found.record is not None and found.record.reason in COMES_BACK:  # it comes back after all
            began = found.record.ended
            self._landed_from_afar(CallState(found.record, began, ending=found.record.reason, finished=True))

    def _landed_from_afar(self, state: CallState) -> None:
        known = self._shelf.waiting(state.sid)
        if state.sid in self._live or (known is not None and known.state.age >= state.age):
            return
        if (file := self._spool.create(state)) is not None:
            file.close()
        self._wait(state, filed=file is not None)

    def over(self, call_sid: str) -> None:
        """Twilio says that the call has ended: nothing waits for it any more."""
        waiting = self._shelf.pop(call_sid)
        if waiting is not None:
            self._close(waiting)
        elif call_sid in self._live:
            self._over[call_sid] = None
            while len(self._over) > REMEMBERED:
                self._over.popitem(last=False)
        elif call_sid not in self._ended and self._task is not None:
            with suppress(DeskBusy):
                self._disk.give(partial(self._spool.take_ended, call_sid), self._landed_over)

    def _landed_over(self, state: CallState | None) -> None:
        if state is not None and state.sid not in self._live:
            self._close(state)

"""What the parts of a keeper of calls share: its calls, and what it does them with."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import Final

from voiceloop import wallclock
from voiceloop.store.books import Books, Store
from voiceloop.store.call_state import CallState
from voiceloop.store.desk import Desk
from voiceloop.store.following import Following
from voiceloop.store.keeper_options import KeeperOptions
from voiceloop.store.shelf import Shelf, Waiting
from voiceloop.store.spool import Spool

__all__ = ["REMEMBERED", "KeeperCore"]

REMEMBERED: Final = 10_000
"""Ended calls that are remembered."""


class KeeperCore:
    """Each call is in one place: live, waiting for its return, or due to be written."""

    _loop: asyncio.AbstractEventLoop
    _news: asyncio.Event

    def __init__(self, options: KeeperOptions, spool: Spool, store: Store, *, mirrors: bool) -> None:
        self.options = options
        self.counts: Counter[str] = Counter()
        """How often: ``written``, ``refused`` and ``deleted`` (records), ``taken`` (calls that came back), ``lost``
        (that did not), ``failed`` (tries to reach the database)."""
        self._spool = spool
        self._store = store
        self._mirrors = mirrors
        self._books = Books(store, "", live=mirrors)
        self._disk, self._base = Desk("voiceloop-spool"), Desk("voiceloop-store")
        self._live: dict[str, Following] = {}
        self._shelf = Shelf(options.most_waiting)
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._over: OrderedDict[str, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._drift: float | None = None
        self._urgent = False
        self._busy = False
        self._retry_at, self._delay = 0.0, 0.0
        self._mirror_at = self._look_at = self._adopt_at = self._renew_at = 0.0

    @property
    def waiting(self) -> int:
        """Records that are not in the database yet."""
        return self._shelf.due

    @property
    def reachable(self) -> bool:
        """Whether the database could be reached when it was tried last."""
        return self._delay == 0.0

    def _wall(self) -> float:
        """Unix seconds. In virtual time they pass as the loop's do."""
        return wallclock.unix() if self._drift is None else self._loop.time() + self._drift

    # --- what becomes of calls -----------------------------------------------------------------------------

    def _wait(self, state: CallState, *, filed: bool | None = None) -> None:
        """A call may come back for a while."""
        filed = self._spool.has(state.sid) if filed is None else filed
        self._shelf.wait(Waiting(state, self._loop.time() + self.options.grace, filed))
        self._news.set()

    def _close(self, state: CallState) -> None:
        """A call is over for good."""
        self._shelf.put(state.settle(), filed=self._spool.has(state.sid))
        self._remember(state.sid)
        self._urgent = True
        self._news.set()

    def _remember(self, sid: str) -> None:
        self._ended[sid] = None
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def _give_up(self, following: Following) -> None:
        """A line of this process is not the call's any more."""
        call = following.call
        following.let_go()
        if call is not None:
            call.end("replaced")

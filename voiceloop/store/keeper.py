"""Keeps calls: no record is lost, and a call outlives its process.

Each change of a live call is in the spool at once, and with a database server soon in the database, for other
machines. A finished call's record is written to the database, once, when that takes it; until then it waits in the
spool. A call that lost its line, or its process, may come back within a grace time and goes on as one call with one
record; else its record is closed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from voiceloop import wallclock
from voiceloop.offload import in_virtual_time
from voiceloop.rehearsal import REHEARSAL
from voiceloop.store import DEFAULT_STORE, STORE_VARIABLE
from voiceloop.store.books import Books, Store
from voiceloop.store.following import Following
from voiceloop.store.keeper_options import KeeperOptions, spool_folder
from voiceloop.store.keeper_rounds import Rounds
from voiceloop.store.spool import Spool, SpoolError, delete_number

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.report import CallReport
    from voiceloop.store.rows import Deleted

__all__ = ["CallKeeper", "KeeperOptions"]

log = logging.getLogger("voiceloop.store")


class CallKeeper(Rounds):
    """One for each worker: ``async with CallKeeper(url) as keeper: phone.keeper = keeper``.

    Args:
        url: of the database; None: ``VOICELOOP_STORE``, else the file ``voiceloop-calls.db``.
        folder: of the spool, shared by the workers of a machine; None: ``VOICELOOP_SPOOL``, else ``voiceloop-spool``
            beside an SQLite database, or here.
        options: waits and limits.
        database: in place of what `url` names; closed with the keeper.

    Raises:
        StoreError: the URL names no database that can be used.
        MissingExtra: a package is not installed.
    """

    def __init__(
        self,
        url: str | None = None,
        folder: str | PathLike[str] | None = None,
        options: KeeperOptions | None = None,
        *,
        database: Store | None = None,
    ) -> None:
        options = options or KeeperOptions()
        file: Path | None = None
        server = False
        if database is None:
            database, file, server = _opened(url)
        spool = Spool(spool_folder(folder, file), options.limits)
        mirrors = server if options.mirrors is None else options.mirrors
        super().__init__(options, spool, database, mirrors=mirrors)

    # --- its life ------------------------------------------------------------------------------------------

    async def __aenter__(self) -> CallKeeper:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Open the spool, and begin with what dead processes have left. A spool that cannot be used is only logged."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._news = asyncio.Event()
        self._drift = wallclock.unix() - loop.time() if in_virtual_time() else None
        try:
            self._spool.open()
        except SpoolError as error:
            log.error("%s", error)
        worker = f"{socket.gethostname()}:{self._spool.worker or id(self)}"
        self._books = Books(self._store, worker, live=self._mirrors)
        self._renew_at = loop.time() + self.options.renew
        self._adopt()
        self._task = loop.create_task(self._run(), name="call keeper")

    async def aclose(self) -> None:
        """Write what waits, within a limit; what is not written then stays in the spool, for others or later."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        for following in self._live.values():
            following.let_go()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.options.close):
                while self._busy or (self._shelf.due and self._retry_at <= self._loop.time()):
                    self._news.clear()
                    if not self._busy:
                        self._round(last=True)
                    if self._busy:
                        await self._news.wait()
        if left := self._shelf.due:
            log.warning("%d records were not written: they wait in %s", left, self._spool.root)
        self._disk.close(self._spool.close)
        self._base.close(self._books.close)

    # --- calls ---------------------------------------------------------------------------------------------

    def began(self, call: Call) -> None:
        """A call begins: it is written down from here on. One without an id, and a rehearsal, are not kept."""
        sid = call.id
        if not sid or sid == REHEARSAL or self._task is None:
            return
        base = self._shelf.pop(sid) or self._spool.read(sid)
        before = self._live.pop(sid, None)
        if before is not None:  # two streams of one call: it goes on on the newer
            base = before.state
            self._give_up(before)
        self._ended.pop(sid, None)
        self._over.pop(sid, None)
        following = Following(call, base, self._changed, self._wall)
        following.file = self._spool.create(following.state)
        self._live[sid] = following
        call.on_end(partial(self._on_end, following))
        self._changed(following)

    def _changed(self, following: Following) -> None:
        if self._mirrors:
            self._urgent = self._urgent or following.state.over
            self._news.set()

    def _on_end(self, following: Following, report: CallReport) -> None:
        sid = following.sid
        if self._live.get(sid) is not following:
            return
        del self._live[sid]
        if self._spool.taken(sid):
            following.let_go()
            return
        following.finish(report)
        if following.state.over or sid in self._over:
            self._close(following.state)
        else:
            self._wait(following.state)

    async def delete_number(self, number: str) -> tuple[int, Deleted]:
        """Delete what is kept of an outside person, in the spool and in the database, but for calls on the line: their
        records are not kept when they end.

        Returns: how many records were still in the spool, and what the database held, with the recordings of both,
        which are still there: `unlink_recordings`.
        """
        waiting = await self._disk.do(partial(delete_number, self._spool.root, number))
        self._forget_deleted()
        deleted = await self._base.do(partial(self._books.delete_number, number))
        files = tuple(dict.fromkeys([*waiting.files, *deleted.files]))
        return waiting.records, replace(deleted, files=files)


def _opened(url: str | None) -> tuple[Store, Path | None, bool]:
    """The database of a URL, its file, and whether it is a server."""
    from voiceloop.store.database import Database
    from voiceloop.store.place import place_of

    named = url if url is not None else os.environ.get(STORE_VARIABLE, "").strip()
    place = place_of(named or DEFAULT_STORE)
    return Database(named or DEFAULT_STORE), place.file, place.server

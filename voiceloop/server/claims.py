"""What may be used once, and by one process alone: told between the workers of a machine, and between machines.

The workers of one machine share a folder, machines a database. Neither may harm a call: a folder that cannot be written
or a database that is down leaves the decision to the other, and in the end to what the process itself remembers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe

__all__ = ["WORKERS_VARIABLE", "ClaimStore", "Claims", "FileClaims", "claim_folder"]

WORKERS_VARIABLE: Final = "VOICELOOP_WORKERS_DIR"
"""Names the folder that the workers of one server share."""
_FOLDER: Final = "claims"
_SWEEP: Final = 60.0
"""Seconds between two looks for old files, and that a file is kept beyond its time."""


_AT_ONCE: Final = 2
"""Questions to the store at a time."""


class ClaimStore(Protocol):
    """What machines share: `voiceloop.store.database.Database`."""

    def claim_token(self, code: str, until: float) -> bool:
        """Whether nobody has claimed this code; from then on it is claimed, at least until that time. It may wait: it
        is called in a thread."""


def claim_folder() -> Path | None:
    """The folder of claims that the environment names, if any."""
    given = os.environ.get(WORKERS_VARIABLE, "").strip()
    return Path(given) / _FOLDER if given else None


class FileClaims:
    """Claims as files that only one process can create. Each is as old as its claim is to be forgotten.

    Args:
        folder: made if it is not there, for its owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._swept = float("-inf")

    def claim(self, code: str, until: float, now: float) -> float | None:
        """Claim a code. Returns None when it is ours now, otherwise until when somebody else has claimed it.

        Args:
            code: what makes it unique; the file shows only its hash.
            until: when it may be forgotten, seconds.
            now: the time, on a clock that all who use the folder share.

        Raises:
            OSError: the folder cannot be used.
        """
        if now - self._swept >= _SWEEP:
            self._swept = now
            self.sweep(now)
        path = self.folder / sha256(code.encode(errors="replace")).hexdigest()
        for _ in range(2):
            try:
                file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            except FileExistsError:
                return path.stat().st_mtime
            except FileNotFoundError:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                continue
            try:
                os.utime(file, (until, until))
            finally:
                os.close(file)
            return None
        raise FileNotFoundError(f"the folder of claims is taken away as soon as it is made: {self.folder}")

    def sweep(self, now: float) -> None:
        """Remove what is forgotten."""
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another worker is doing the same
                    if entry.stat().st_mtime + _SWEEP < now:
                        os.unlink(entry.path)


class Claims:
    """Claims of one process, told to the others.

    Args:
        time: a clock that all who share share.
        folder: of this machine's workers; none when there is one.
        store: of all machines; none when there is one machine.
        warn: called with what went wrong; sparing, please, for each request may say it.
        wait: seconds for the store to answer. One that does not is left alone for 10 times as long.
    """

    def __init__(
        self,
        time: Callable[[], float],
        *,
        folder: Path | None = None,
        store: ClaimStore | None = None,
        warn: Callable[[str], object] = lambda text: None,
        wait: float = 1.0,
    ) -> None:
        self.store = store
        self._time = time
        self._files = FileClaims(folder) if folder is not None else None
        self._warn = warn
        self._wait = wait
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._not_before = 0.0

    async def claim(self, code: str, until: float) -> bool:
        """Whether nobody else has claimed this code, as far as that can be found out. It is claimed then."""
        if await self.claimed_until(code, until) is not None:
            return False
        loop = asyncio.get_running_loop()
        if self.store is None or loop.time() < self._not_before:
            return True
        try:
            async with asyncio.timeout(self._wait):
                return await self._ask(self.store, code, until)
        except Exception as error:
            self._not_before = loop.time() + 10 * self._wait
            # The text of an error that is not ours may show the store's password.
            why = describe(error)[0] if isinstance(error, VoiceloopError) else type(error).__name__
            self._warn(f"the tokens of other machines are not known: {why}")
            return True

    async def claimed_until(self, code: str, until: float) -> float | None:
        """Claim a code among the workers of this machine. Returns None when that was the first claim, otherwise until
        when the first one lasts."""
        if self._files is None:
            return None
        try:
            return await asyncio.to_thread(self._files.claim, code, until, self._time())
        except OSError as error:
            self._warn(f"the tokens of other workers are not known: {describe(error)[0]}")
            return None

    async def _ask(self, store: ClaimStore, code: str, until: float) -> bool:
        """In a thread. Not in many: they are the loop's own, and a store that hangs must not take all of them."""
        await self._room.acquire()
        asked = asyncio.get_running_loop().run_in_executor(None, store.claim_token, code, until)
        asked.add_done_callback(self._asked)
        return await asyncio.shield(asked)

    def _asked(self, asked: asyncio.Future[bool]) -> None:
        self._room.release()
        if not asked.cancelled():
            asked.exception()  # of one that nobody waits for any more

"""What a server keeps of its calls: records, and sound."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from voiceloop.errors import VoiceloopError
from voiceloop.offload import offload
from voiceloop.record.recording_options import RecordingOptions
from voiceloop.server.phone import Phone

__all__ = ["Recordings", "can_keep", "keeping"]

log = logging.getLogger("voiceloop.store")

Recordings = str | os.PathLike[str] | RecordingOptions
"""Where the sound of calls is kept: a folder, or all that can be said of it."""
_FILE: Final = re.compile(r"[\w./-]{1,200}")
"""What cannot be a URL with a password that was mistyped."""


async def can_keep(store: str | None = None, recordings: Recordings | None = None, *, ask_server: bool = True) -> None:
    """See before anything is loaded that records and sound can be kept. A database server that is down is only told:
    records wait for it.

    Args:
        store: as of `keeping`; the file and tables are made.
        recordings: as of `keeping`; the folder is made.
        ask_server: whether it is tried to reach a database server; a file is always opened.

    Raises:
        VoiceloopError: they cannot.
    """
    if recordings is not None:
        await offload(_try_folder, Path(_recording(recordings).folder))
    if store is None:
        return
    if _FILE.fullmatch(store.strip()):
        raise VoiceloopError(
            "expected sqlite:///file.db or postgresql://user:password@host/database as the store, got "
            f"{store.strip()!r}, which is no URL: did you mean sqlite:///{store.strip()}?"
        )
    from voiceloop.store.database import Database
    from voiceloop.store.store_errors import StoreError

    with Database(store) as database:
        if database.file is None and not ask_server:
            return
        try:
            await offload(database.open)
        except StoreError as error:
            if database.file is not None:
                raise
            log.warning(
                "calls are answered, and their records wait on the disk until the database takes them: %s", error
            )


def _recording(recordings: Recordings) -> RecordingOptions:
    return recordings if isinstance(recordings, RecordingOptions) else RecordingOptions(folder=recordings)


def _try_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = "it is not a folder" if folder.exists() and not folder.is_dir() else error.strerror or error
        raise VoiceloopError(f"recordings cannot be kept in {folder}: {why}") from error


@asynccontextmanager
async def keeping(phone: Phone, store: str | None = None, recordings: Recordings | None = None) -> AsyncIterator[None]:
    """Keep the calls of a phone until the block is left.

    Args:
        store: URL of the database of records; None keeps none.
        recordings: folder for the sound, or `RecordingOptions`; None keeps none.

    Raises:
        VoiceloopError: the store cannot be used as it is named, or a package is missing.
    """
    async with AsyncExitStack() as stack:
        if store is not None:
            from voiceloop.store.database import Database
            from voiceloop.store.keeper import CallKeeper
            from voiceloop.store.place import place_of

            phone.keeper = await stack.enter_async_context(CallKeeper(store))
            if place_of(store).server:  # machines that share it share the tokens that are used up; one has its folder
                phone.claims.store = stack.enter_context(Database(store))
        if recordings is not None:
            from voiceloop.record.wav_recorder import record_every_call

            phone.on_call.append(record_every_call(_recording(recordings)))
        yield

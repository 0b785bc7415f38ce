"""What a server keeps of its calls: records, and sound."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from voiceloop.server.phone import Phone

__all__ = ["keeping"]


@asynccontextmanager
async def keeping(
    phone: Phone, store: str | None = None, recordings: str | os.PathLike[str] | None = None
) -> AsyncIterator[None]:
    """Keep the calls of a phone until the block is left.

    Args:
        store: URL of the database of records; None keeps none.
        recordings: folder for the sound; None keeps none.

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
            from voiceloop.record.wav_recorder import RecordingOptions, record_every_call

            phone.on_call.append(record_every_call(RecordingOptions(folder=recordings)))
        yield

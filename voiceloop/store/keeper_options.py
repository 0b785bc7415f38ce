"""What a keeper of calls is told, and where its folder is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from voiceloop.store.spool import SpoolLimits

__all__ = ["SPOOL_VARIABLE", "KeeperOptions", "spool_folder"]

SPOOL_VARIABLE: Final = "VOICELOOP_SPOOL"
"""The environment variable that names the spool's folder."""
_FOLDER: Final = "voiceloop-spool"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperOptions:
    """Waits and limits of a `CallKeeper`."""

    grace: float = 60.0
    """Seconds that a call whose line or process is gone may take to come back. Then its record is closed."""
    mirror: float = 0.2
    """Seconds within which a change of a live call is in the database, for other machines. At most a fifth of the time
    is spent on that: with very many calls it takes longer."""
    mirrors: bool | None = None
    """Whether live calls are in the database at all; None: with a database server. With SQLite all workers are on one
    machine, and find them in the spool."""
    renew: float = 15.0
    """Seconds after which a live call's state is renewed there though nothing has changed."""
    look: float = 1.0
    """Seconds between two looks at what nobody tells of."""
    adopt: float = 5.0
    """Seconds between two searches for what dead processes have left."""
    settle: float = 0.3
    """Seconds after which the database is asked again for a record that may just be on its way there."""
    patience: float = 1.5
    """Seconds that the database may take to tell of a call that comes back."""
    retry: float = 0.5
    """Seconds until a database that was down is tried again; doubled each time."""
    retry_most: float = 30.0
    """And no more than this."""
    close: float = 5.0
    """Seconds that the last records may take when the server stops; what is not written then stays in the spool."""
    at_once: int = 100
    """Records that are written together."""
    most_waiting: int = 1000
    """Records that are kept in memory while the database is down; the others are on disk alone."""
    limits: SpoolLimits = field(default_factory=SpoolLimits)
    """Of the spool."""


def spool_folder(given: str | os.PathLike[str] | None, store: Path | None) -> Path:
    """The spool's folder.

    Args:
        given: as it was named.
        store: the file of an SQLite database: the folder stands beside it.
    """
    named = given if given is not None else os.environ.get(SPOOL_VARIABLE, "").strip()
    if named:
        return Path(named)
    return (Path() if store is None else store.parent) / _FOLDER

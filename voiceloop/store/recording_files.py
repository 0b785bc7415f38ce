"""Deletes the files that hold the sound of calls whose records were deleted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Unlinked", "unlink_recordings"]


@dataclass(slots=True)
class Unlinked:
    """What became of the files."""

    removed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Not there: deleted before, or on another machine."""
    kept: dict[str, str] = field(default_factory=dict)
    """Those that are still there, and why."""


def unlink_recordings(files: Iterable[str], *, folder: str | Path | None = None) -> Unlinked:
    """Delete these files, and nothing but files: no folder, no pipe, and of a link only the link.

    Args:
        files: as `Deleted.files`. A name without a folder is looked for in the current one.
        folder: where they must be; None: anywhere. A file elsewhere is kept.
    """
    outcome = Unlinked()
    for file in dict.fromkeys(files):
        try:
            refused = _refused(file, None if folder is None else Path(folder))
            if not refused:
                os.unlink(file)
                outcome.removed.append(file)
        except FileNotFoundError:
            outcome.missing.append(file)
            continue
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            refused = getattr(error, "strerror", None) or str(error)
        if refused:
            outcome.kept[file] = refused
    return outcome


def _refused(file: str, folder: Path | None) -> str:
    """Why it is not deleted; empty when it is."""
    if folder is not None and folder.resolve() not in Path(file).parent.resolve().joinpath("x").parents:
        return f"is not in {folder}"
    mode = os.lstat(file).st_mode
    return "" if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else "is no file"

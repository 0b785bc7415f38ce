"""The directory where model files are kept between runs, and how several processes build one entry of it once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["build_once", "cache_dir"]


def cache_dir() -> Path:
    """The directory for downloaded and derived model files. It may not exist yet.

    ``VOICELOOP_CACHE`` if set, else ``voiceloop`` in the user's cache directory of the platform. Everything in it
    can be deleted at any time while no process uses it.
    """
    named = os.environ.get("VOICELOOP_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "voiceloop"


def build_once(target: Path, make: Callable[[Path], None], complete: Callable[[Path], bool] = Path.is_dir) -> Path:
    """Make sure that the directory `target` exists and is complete; return it.

    `make` fills an empty directory beside it, which gets its name only when `make` has returned. What an
    interrupted run has left is removed by the next one. Another process (or thread) that builds the same target is
    waited for.

    Args:
        target: the directory to have.
        make: fills the directory it is given.
        complete: judges a directory that is there already; what is not complete is built again.
    """
    if target.is_dir() and complete(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(f".{target.name}.lock")):
        if target.is_dir() and complete(target):  # another process was faster
            return target
        for left in target.parent.glob(f".{target.name}.*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        # A name of our own: a killed process may have left a child that still writes into its directory.
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        partial.mkdir(exist_ok=True)
        try:
            make(partial)
            shutil.rmtree(target, ignore_errors=True)
            partial.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that the system releases when the process dies, however it dies."""
    # The file stays: removing it would let a process lock a name that a third one has already made anew.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
                return
            except OSError:  # it gives up after ten tries, a second apart
                continue
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

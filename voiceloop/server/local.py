"""A phone server for this machine only: how `voiceloop sim call` may ring a bot that has no account behind it.

``voiceloop serve bot.py`` without an auth token makes one for the run and leaves it in a file that only this user can
read. Who reads it can sign calls as Twilio does; nobody else can, also not through a tunnel to the port.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from voiceloop.cache import cache_dir
from voiceloop.errors import VoiceloopError
from voiceloop.web_service import is_here

__all__ = ["HOST", "LocalAccess", "find_access", "local_access"]

HOST: Final = "127.0.0.1"
"""The address to listen on."""
_MAX_FILE: Final = 4096
"""Bytes of a file that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAccess:
    """What a server for this machine and its simulated callers share."""

    token: str = field(repr=False)
    """Stands for the auth token: webhooks and streams are signed with it. New in every run."""
    account_sid: str
    """The account that calls are of."""
    base: str
    """Where the server listens, ``http://127.0.0.1:8080``; its public URL, too."""


@contextmanager
def local_access(port: int) -> Iterator[LocalAccess]:
    """Make a token and leave it to be found until the block is left.

    What a killed process has left for the same port is overwritten.

    Args:
        port: where the server listens, on 127.0.0.1 only. One that is known: bind before when a free one is taken.

    Raises:
        VoiceloopError: the file cannot be written, or others could read it.
    """
    if not 1 <= port <= 65535:
        raise VoiceloopError(f"expected the port that the server listens on, 1 to 65535, got {port}")
    access = LocalAccess(
        token=secrets.token_hex(16), account_sid=f"AC{secrets.token_hex(16)}", base=f"http://{HOST}:{port}"
    )
    path = _folders()[0] / f"{port}.json"
    try:
        _own_folder(path.parent)
        _write(path, access)
    except OSError as error:
        raise VoiceloopError(
            f"the token for simulated calls cannot be left in {path.parent}: {error.strerror or error}. Set "
            "XDG_RUNTIME_DIR or VOICELOOP_CACHE to a folder of yours, or TWILIO_AUTH_TOKEN to take real calls"
        ) from None
    try:
        yield access
    finally:
        found = _read(path)
        if found is not None and found.token == access.token:  # not that of a later server at the port
            with suppress(OSError):
                path.unlink()


def find_access(url: str) -> LocalAccess | None:
    """What the server at a URL of this machine has left for simulated callers of the same user; None: nothing.

    Nothing is there when the server checks with an auth token, is another user's, or has ended.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if not host or not is_here(host):
        return None
    found = (_read(folder / f"{port}.json") for folder in _folders())
    return next((access for access in found if access is not None), None)


def _folders() -> list[Path]:
    """Where files are left: in the first one. Searched in all: not every terminal has the same environment."""
    cached = cache_dir() / "serving"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return [Path(runtime) / "voiceloop", cached] if runtime and Path(runtime).is_dir() else [cached]


def _own_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _is_ours(folder.lstat()) or folder.is_symlink():
        raise PermissionError(0, "it belongs to somebody else")
    folder.chmod(0o700)


def _write(path: Path, access: LocalAccess) -> None:
    text = json.dumps(
        {"token": access.token, "account_sid": access.account_sid, "base": access.base, "pid": os.getpid()}
    )
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        new.replace(path)  # in one step: nobody finds half a token
    finally:
        new.unlink(missing_ok=True)


def _read(path: Path) -> LocalAccess | None:
    """What a file holds, if it is ours and its process lives."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not _is_ours(about := os.fstat(descriptor)) or not stat.S_ISREG(about.st_mode):
                return None
            found = json.loads(file.read(_MAX_FILE))
        if not _lives(int(found["pid"])):
            return None
        return LocalAccess(token=str(found["token"]), account_sid=str(found["account_sid"]), base=str(found["base"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


if sys.platform == "win32":

    def _is_ours(about: os.stat_result) -> bool:
        return True  # the user's own folders are closed to others there

    def _lives(pid: int) -> bool:
        return True  # to ask a process would end it there
else:

    def _is_ours(about: os.stat_result) -> bool:
        return about.st_uid == os.geteuid()

    def _lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:  # it lives, and is another's
            return True
        return True

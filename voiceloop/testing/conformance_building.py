"""Watches what happens while a provider is built: nothing that could fail, wait or need a key."""

from __future__ import annotations

import builtins
import io
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["watched"]

_KEY = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)

_WATCHED: tuple[tuple[object, str, str], ...] = (
    (builtins, "open", "opened the file"),
    (io, "open", "opened the file"),
    (socket.socket, "connect", "opened a connection"),
    (socket.socket, "connect_ex", "opened a connection"),
    (socket.socket, "bind", "opened a port"),
    (socket, "getaddrinfo", "looked up the address of"),
    (threading.Thread, "start", "started a thread"),
)


@contextmanager
def watched(kind: type) -> Iterator[list[str]]:
    """Notes what code of objects of `kind` does that must wait for `warm`; what else runs meanwhile may do it."""
    noted: list[str] = []

    def note(what: str) -> None:
        if _within(kind) and what not in noted:
            noted.append(what)

    def watching(original: Callable[..., Any], what: str) -> Callable[..., Any]:
        def watch(*args: Any, **kwargs: Any) -> Any:
            name = next((arg for arg in args if isinstance(arg, str | os.PathLike)), "")
            note(f"{what} {os.fspath(name)!r}" if name else what)
            return original(*args, **kwargs)

        return watch

    environment: Any = type(os.environ)
    read = environment.__getitem__

    def read_variable(self: Any, name: str) -> str:
        if isinstance(name, str) and _KEY.search(name):
            note(f"read the environment variable {name}")
        value: str = read(self, name)
        return value

    with pytest.MonkeyPatch.context() as patch:
        for owner, name, what in _WATCHED:
            patch.setattr(owner, name, watching(getattr(owner, name), what))
        patch.setattr(environment, "__getitem__", read_variable)
        yield noted


def _within(kind: type) -> bool:
    """Whether a method of an object of `kind` is running, and no import on its behalf."""
    frame = sys._getframe(2)
    found = False
    while frame is not None and not found:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return False
        found = isinstance(frame.f_locals.get("self"), kind)
        frame = frame.f_back  # type: ignore[assignment]
    return found

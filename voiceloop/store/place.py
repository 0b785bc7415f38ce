"""Where the records are: reads the URL of a database."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from voiceloop.errors import quoted, require
from voiceloop.store.store_errors import StoreError

__all__ = ["CONNECT_LIMIT", "Place", "place_of"]

CONNECT_LIMIT: Final = 5
"""Seconds that connecting to a server may take, for each address of its name and each step."""
STATEMENT_LIMIT: Final = 10
"""Seconds that a server may take for a statement; it gives it up by itself."""
SOCKET_LIMIT: Final = STATEMENT_LIMIT + 2
"""Seconds of silence after which a server is held to be gone."""
_EXPECTED: Final = (
    "expected sqlite:///file.db (three slashes: in the current folder; four: from the root) or "
    "postgresql://user:password@host/database"
)
_TLS: Final[dict[str, Callable[[], Any]]] = {
    "disable": lambda: False,
    "allow": lambda: None,
    "prefer": lambda: None,
    "require": lambda: True,
    "verify-ca": lambda: _authority_only(),
    "verify-full": ssl.create_default_context,
}
"""``sslmode`` of PostgreSQL's own clients as the driver's ``ssl_context``."""


@dataclass(slots=True, frozen=True)
class Place:
    """A database, as SQLAlchemy takes it."""

    url: URL = field(repr=False)
    name: str
    """For people: without a password."""
    file: Path | None = None
    """Of SQLite, unless it is in memory."""
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the driver is given when it connects."""

    @property
    def server(self) -> bool:
        """Whether it is a PostgreSQL server."""
        return self.url.get_backend_name() == "postgresql"


def place_of(address: str) -> Place:
    """Read the URL of a database. Nothing is opened.

    Raises:
        StoreError: it names none that can be used.
        MissingExtra: its driver is not installed.
    """
    scheme, colon, rest = address.strip().partition("://")
    if not colon:
        raise StoreError(f"{_EXPECTED}, got no URL")
    if scheme == "postgres":
        scheme = "postgresql"
    try:
        url = make_url(f"{scheme}://{rest}")
    except (ArgumentError, ValueError):  # what they say may quote a password
        raise StoreError(
            f"{_EXPECTED}, got a {quoted(scheme)} URL that cannot be read: a port is a number, and "
            "characters such as @ : / # in a password are written as %40 %3A %2F %23"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _sqlite(url)
    if backend == "postgresql":
        return _postgresql(url)
    raise StoreError(f"{_EXPECTED}, got a URL of {quoted(scheme)}")


def _sqlite(url: URL) -> Place:
    if url.drivername not in ("sqlite", "sqlite+pysqlite") or url.host or url.query:
        raise StoreError(f"{_EXPECTED}, got a sqlite URL with a host, a question mark or another driver")
    if url.database in (None, "", ":memory:"):
        return Place(url, "sqlite:// (in memory)", options={"check_same_thread": False})
    path = Path(str(url.database))
    return Place(url, f"sqlite:///{path}", path, {"timeout": CONNECT_LIMIT, "check_same_thread": False})


def _postgresql(url: URL) -> Place:
    if not url.username or not url.database:
        raise StoreError(f"{_EXPECTED}, got a postgresql URL without a {'database' if url.username else 'user'}")
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    where = url.host or url.query.get("host") or "localhost"
    name = f"postgresql://{url.username}@{where}{f':{url.port}' if url.port else ''}/{url.database}"
    if url.drivername != "postgresql+pg8000":
        return Place(url, name, options=_limits_of(url))
    require("pg8000", "postgres", "A store at postgresql://")
    options: dict[str, Any] = {"timeout": CONNECT_LIMIT, "application_name": "voiceloop"}
    query = dict(url.query)
    if folder := query.pop("host", None):  # as PostgreSQL's own clients name a socket
        options |= {"unix_sock": f"{folder}/.s.PGSQL.{url.port or 5432}", "ssl_context": False}
    if mode := query.pop("sslmode", None):
        if mode not in _TLS:
            raise StoreError(f"expected {', '.join(_TLS)} as sslmode, got {quoted(str(mode))}")
        options["ssl_context"] = _TLS[str(mode)]()
    if query:
        raise StoreError(f"expected sslmode or host behind the ? of a postgresql URL, got {quoted(', '.join(query))}")
    return Place(url.set(query={}), name, options=options)


def _limits_of(url: URL) -> dict[str, Any]:
    """Another driver that the user has named."""
    try:
        dialect = url.get_dialect()
    except NoSuchModuleError:
        raise StoreError(f"{_EXPECTED}, got the driver {quoted(url.drivername)}, which is not known") from None
    if getattr(dialect, "is_async", False):
        raise StoreError(f"expected a driver that is not asynchronous, got {quoted(url.drivername)}: leave it out")
    if url.drivername.endswith(("+psycopg", "+psycopg2")):
        return {"connect_timeout": CONNECT_LIMIT, "application_name": "voiceloop"}
    return {}


def _authority_only() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context

"""The tables, and how they come to be. Needs SQLAlchemy."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    text,
)

from voiceloop.store.store_errors import StoreError

__all__ = ["SCHEMA", "calls", "deleted_numbers", "live", "lock", "prepare", "used_tokens"]

SCHEMA: Final = 1
"""Of the tables. A database of another one is not touched."""
_LOCK: Final = 0x766F6963  # "voic"; an advisory lock of PostgreSQL is a number

metadata = MetaData()

schema_version = Table(
    "voiceloop_schema", metadata, Column("name", Text, primary_key=True), Column("version", Integer, nullable=False)
)

calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started", Double, nullable=False),
    Column("ended", Double, nullable=False),
    Column("duration", Double, nullable=False),
    Column("party", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("turns", Integer, nullable=False),
    Column("recordings", Text, nullable=False),
    Column("body", Text, nullable=False),  # last: what stands behind a long text is read through it
    Index("calls_by_start", "started", "id"),
    Index("calls_by_party", "party", "started", "id"),
)

live = Table(
    "live",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("updated", Double, nullable=False),
    Column("party", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("live_by_update", "updated"),
    Index("live_by_party", "party"),
)

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("code", Text, primary_key=True),
    Column("until", Double, nullable=False),
    Index("used_tokens_by_end", "until"),
)

deleted_numbers = Table(
    "deleted_numbers", metadata, Column("fingerprint", Text, primary_key=True), Column("at", Double, nullable=False)
)


def lock(connection: Connection, *, shared: bool = False) -> None:
    """Let others wait until this transaction is over. SQLite has done that already: one writes at a time."""
    if connection.dialect.name == "postgresql":
        kind = "_shared" if shared else ""
        connection.execute(text(f"SELECT pg_advisory_xact_lock{kind}(:key)"), {"key": _LOCK})


def prepare(connection: Connection, name: str, *, create: bool) -> None:
    """See that the tables are there, within a transaction that writes; several processes may do so at once.

    Raises:
        StoreError: they are of another version, or somebody else's, or missing and not to be made.
    """
    if _checked(connection, name):
        return
    if not create:
        raise StoreError(f"there are no records of calls in {name}")
    lock(connection)
    if _checked(connection, name):  # another process was faster
        return
    strange = sorted(metadata.tables.keys() & set(inspect(connection).get_table_names()))
    if strange:
        raise StoreError(
            f"expected a database of its own for records of calls: {name} has tables named {', '.join(strange)} that "
            "are not voiceloop's; name another database, or another schema as the user's search_path"
        )
    metadata.create_all(connection)
    connection.execute(schema_version.insert(), {"name": "version", "version": SCHEMA})


def _checked(connection: Connection, name: str) -> bool:
    """Whether the tables are there, of the right version."""
    if not inspect(connection).has_table(schema_version.name):
        return False
    version = connection.scalar(select(schema_version.c.version).where(schema_version.c.name == "version"))
    if version != SCHEMA:
        raise StoreError(
            f"expected version {SCHEMA} of the tables in {name}, got {version}: "
            "use the version of voiceloop that wrote them, or name another database"
        )
    return True

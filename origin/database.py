"""Engines on the catalog's database, and its migrations."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_MS: Final = 20_000
MIGRATION_LOCK: Final = 0x616D61726F  # PostgreSQL's advisory lock number for us: "amaro"


def sqlite_url(path: Path) -> str:
    """Return the SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path.absolute()}"


def open_engine(catalog_url: str) -> sa.Engine:
    """Return an engine whose transactions take the write lock at once, migrated to the newest.

    SQLite runs in WAL mode with full synchronisation: a commit is on disk. Reads that should not
    queue behind writers use `reading(engine)`.
    """
    url = sa.make_url(catalog_url)
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = sa.create_engine(url, pool_pre_ping=not is_sqlite, pool_size=16, max_overflow=16)
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        _use_wal(engine)
    with _migration_lock(engine) as connection:
        config = Config()
        config.set_main_option("script_location", "origin:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


def reading(engine: sa.Engine) -> sa.Engine:
    """Return a view of the engine whose transactions only read and never wait for writers.

    Each sees the state of one instant.
    """
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine.execution_options(amaro_reads=True)


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; _begin_sqlite does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when another one wrote in
    # between; IMMEDIATE waits for its turn instead.
    reads = connection.get_execution_options().get("amaro_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _use_wal(engine: sa.Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()
    finally:
        raw.close()


@contextmanager
def _migration_lock(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in a transaction that only one process at a time can be in."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        yield connection

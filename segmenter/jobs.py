"""The durable job queue as its clients see it: submit an asset, once, whatever happens."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from sqlalchemy import event

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

QUEUE: Final = "segmenter"
WORKFLOW: Final = "make_watchable"
APPLICATION: Final = "amaro-segmenter"
BUSY_MS: Final = 30_000


class JobQueue:
    """A client of the jobs database. Build one a process; `submit` may be called from any thread.

    `jobs_url` is an SQLAlchemy URL: `sqlite:////path/jobs.sqlite` or `postgresql+psycopg://…`.
    """

    def __init__(self, jobs_url: str) -> None:
        self._engine = jobs_engine(jobs_url)
        logging.getLogger("dbos").setLevel(logging.WARNING)
        DBOS.migrate(jobs_url)
        self._client = DBOSClient(system_database_engine=self._engine, application_name=APPLICATION)

    def submit(self, asset_id: str) -> None:
        """Accept a job for the asset; durable on return. A second call for it changes nothing."""
        self._client.enqueue(
            {"queue_name": QUEUE, "workflow_name": WORKFLOW, "workflow_id": asset_id}, asset_id
        )

    def close(self) -> None:
        """Give the database connections back."""
        self._client.destroy()
        self._engine.dispose()

    def __enter__(self) -> JobQueue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def submit(jobs_url: str, asset_id: str) -> None:
    """Accept one job; for a process that submits many, keep a `JobQueue`."""
    with JobQueue(jobs_url) as queue:
        queue.submit(asset_id)


def jobs_engine(jobs_url: str) -> sa.Engine:
    """Return an engine on the jobs database; SQLite in WAL mode, so that readers never wait."""
    url = sa.make_url(jobs_url)
    engine = sa.create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _prepare_sqlite)
        # WAL is a property of the file: set before the first table, so for every later client too.
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Serialise writers and wait for them; commits stay synchronous, an accepted job is durable."""
    connection.isolation_level = "IMMEDIATE"
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()

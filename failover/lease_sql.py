"""The lease in SQLite or PostgreSQL: one row, changed in transactions of one statement."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from failover.lease import STRAY_MAX, Held, Kept, LeaseStoreError

BUSY_MS: Final = 1_000
ANSWER_S: Final = 2.0
ASKED_MAX: Final = 8  # questions without an answer, each with a thread of its own
_PATIENCE: Final = {  # of PostgreSQL's client: a network that swallows all ends the connection
    "connect_timeout": round(ANSWER_S),
    "keepalives_idle": 2,  # s; then two probes, one a second
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": round(ANSWER_S * 1e3),  # ms in which what was sent is acknowledged
}
_LIMITS: Final = "; ".join(  # ms; of one transaction, so that a pooler in between does no harm
    f"SET LOCAL {name} = {value}"
    for name, value in {
        "statement_timeout": round(ANSWER_S * 1e3),
        "lock_timeout": BUSY_MS,
        "idle_in_transaction_session_timeout": round(2 * ANSWER_S * 1e3),
    }.items()
)

_METADATA: Final = sa.MetaData()
_LEASE: Final = sa.Table(
    "failover_lease",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until_s", sa.Float, nullable=False),  # by the database's clock
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("kept_epoch", sa.BigInteger),
    sa.Column("kept", sa.Text),
)
_NOW_S: Final = {  # seconds since 1970 by the clock that all holders share
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch from clock_timestamp())",
}

T = TypeVar("T")


class SqlLease:
    """A lease in a database."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy has it; nothing is asked yet. Raises LeaseStoreError."""
        try:
            parsed = sa.make_url(url)
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            is_sqlite = parsed.get_backend_name() == "sqlite"
            patience = {key: said for key, said in _PATIENCE.items() if key not in parsed.query}
            self._engine = sa.create_engine(
                parsed,
                pool_size=1,
                max_overflow=1,
                pool_timeout=1,
                connect_args={} if is_sqlite else patience,
            )
        except (SQLAlchemyError, ImportError) as error:
            raise LeaseStoreError(f"the lease's database: {error}") from None
        self._now_s: sa.ColumnElement[float] = sa.literal_column(_NOW_S[self._engine.dialect.name])
        self._shown = parsed.render_as_string(hide_password=True)
        self._is_prepared = False
        self._asking: set[object] = set()  # a mark of each question that has not ended
        if is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine, "begin", _limit_postgresql)

    async def hold(self, who: str, ttl_s: float, *, epoch: int, epoch_min: int) -> Held:
        """As LeaseStore says."""
        wanted = Held(who, epoch)
        return await self._in_transaction(lambda asked: self._take(asked, wanted, ttl_s, epoch_min))

    def _take(self, asked: sa.Connection, wanted: Held, ttl_s: float, epoch_min: int) -> Held:
        columns = _LEASE.c.holder, _LEASE.c.epoch, _LEASE.c.until_s - self._now_s
        row = asked.execute(sa.select(*columns).with_for_update()).one()
        holder, epoch, left_s = row
        who, is_held = wanted.holder, left_s > 0.0
        if is_held and holder != who and left_s <= STRAY_MAX * ttl_s:
            return Held(holder, epoch)
        goes_on = is_held and Held(holder, epoch) == wanted and epoch >= epoch_min
        held = Held(who, epoch if goes_on else max(epoch, epoch_min) + 1)
        asked.execute(
            sa.update(_LEASE).values(
                holder=who, epoch=held.epoch, until_s=self._now_s + sa.literal(ttl_s)
            )
        )
        return held

    async def release(self, held: Held) -> None:
        """As LeaseStore says."""
        ended = sa.update(_LEASE).where(*_is(held)).values(until_s=0.0)
        await self._in_transaction(lambda asked: asked.execute(ended))

    async def keep(self, held: Held, text: str) -> bool:
        """As LeaseStore says."""
        kept = sa.update(_LEASE).where(*_is(held)).values(kept=text, kept_epoch=held.epoch)
        return await self._in_transaction(lambda asked: asked.execute(kept).rowcount == 1)

    async def kept(self) -> Kept | None:
        """As LeaseStore says."""
        columns = sa.select(_LEASE.c.kept_epoch, _LEASE.c.kept)
        row = await self._in_transaction(lambda asked: asked.execute(columns).one())
        return None if row.kept is None else Kept(row.kept_epoch, row.kept)

    async def close(self) -> None:
        """As LeaseStore says."""
        await _in_thread(self._engine.dispose)

    async def _in_transaction(self, work: Callable[[sa.Connection], T]) -> T:
        if len(self._asking) >= ASKED_MAX:
            unanswered = f"{ASKED_MAX} earlier questions are not answered yet"
            raise LeaseStoreError(f"{self._shown}: {unanswered}")
        lines: list[Any] = []  # the driver's connection, from when there is one
        self._asking.add(mark := object())

        def run() -> T:
            try:
                with self._engine.connect() as asked:
                    lines.append(asked.connection.driver_connection)
                    with asked.begin():
                        if not self._is_prepared:
                            self._prepare(asked)
                        return work(asked)
            finally:
                self._asking.discard(mark)

        try:
            async with asyncio.timeout(ANSWER_S):
                found = await _in_thread(run)
        except TimeoutError:
            self._engine.dispose(close=False)  # who hangs keeps its connection; others get new ones
            for line in lines:
                self._hang_up(line)
            raise LeaseStoreError(f"{self._shown}: no answer within {ANSWER_S:g} s") from None
        except SQLAlchemyError as error:
            self._is_prepared = False  # its table may be gone
            said = getattr(error, "orig", None) or error
            raise LeaseStoreError(f"{self._shown}: {str(said).strip()}") from None
        self._is_prepared = True
        return found

    def _hang_up(self, line: Any) -> None:
        """End a connection to a server on which somebody waits, who then meets an error."""
        if self._engine.dialect.name == "postgresql":
            with (
                contextlib.suppress(self._engine.dialect.loaded_dbapi.Error, OSError),  # it ended
                socket.socket(fileno=os.dup(line.fileno())) as its,
            ):
                its.shutdown(socket.SHUT_RDWR)

    def _prepare(self, asked: sa.Connection) -> None:
        """Make the table and its row; two that begin at once make it once."""
        if self._engine.dialect.name == "postgresql":
            asked.execute(sa.select(sa.func.pg_advisory_xact_lock(0x616D61726F)))
        _METADATA.create_all(asked)
        if asked.execute(sa.select(_LEASE.c.id)).first() is None:
            asked.execute(sa.insert(_LEASE).values(id=1, holder="", until_s=0.0, epoch=0))


async def _in_thread(work: Callable[[], T]) -> T:
    """Return what a thread of its own finds, which no process waits for when it ends.

    One that asks a database that was stopped in the middle of an answer hangs until it goes on.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()

    def told(value: T | None, error: SQLAlchemyError | None) -> None:
        if found.done():  # nobody waits any more
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(cast("T", value))

    def run() -> None:
        value, met = None, None
        try:
            value = work()
        except SQLAlchemyError as error:
            met = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(told, value, met)

    threading.Thread(target=run, name="lease", daemon=True).start()
    return await found


def _is(held: Held) -> tuple[sa.ColumnElement[bool], ...]:
    return _LEASE.c.holder == held.holder, _LEASE.c.epoch == held.epoch


def _prepare_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _entry: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    with contextlib.suppress(sqlite3.OperationalError):  # another is just at it; then it is so
        cursor.execute("PRAGMA journal_mode=WAL")
    # a disk that stalls ends no lease. What a loss of power takes back, members know better.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _limit_postgresql(connection: sa.Connection) -> None:
    connection.exec_driver_sql(_LIMITS)

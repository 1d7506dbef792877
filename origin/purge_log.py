"""The log of purges: what edges have to forget, numbered in the order of commits."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from origin.database import reading
from origin.tables import LoggedPurge, PurgeLogName

PAGE_MAX: Final = 1_000
PAGE_MAX_BYTES: Final = 384 * 1024  # of its values: an edge takes 1 MiB, of JSON
VALUE_MAX_BYTES: Final = 4_096
KEPT_S: Final = 30 * 86_400.0  # an edge that was away for longer forgets everything
_LOCK: Final = 0x616D61726F50  # PostgreSQL's advisory lock number for the log: "amaroP"


@unique
class Kind(Enum):
    """What a purge names, by the words of the log."""

    URL = "url"  # one resource with all its variants
    PREFIX = "prefix"  # every URL that begins so
    TAG = "tag"  # everything whose Surrogate-Key holds it
    ALL = "all"  # everything; the value is empty


class Wanted(NamedTuple):
    """A purge that is asked for; URLs and tags are as `cache_policies.purge_values` reads them."""

    kind: Kind
    value: str = ""
    soft: bool = False  # stale from now on, instead of gone


class Logged(NamedTuple):
    """A purge with its number."""

    number: int
    wanted: Wanted

    def to_mapping(self) -> dict[str, object]:
        """Return it as it is served, and as edges are told."""
        kind, value, soft = self.wanted
        return {"number": self.number, "kind": kind.value, "value": value, "soft": soft}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some purges in the order of their numbers."""

    log: str  # a catalog that was made anew has another one
    floor: int  # purges up to this number are not kept any more
    last: int  # the number of the newest purge
    purges: tuple[Logged, ...]

    def to_mapping(self) -> dict[str, object]:
        """Return the page as it is served."""
        return {
            "log": self.log,
            "floor": self.floor,
            "last": self.last,
            "purges": [purge.to_mapping() for purge in self.purges],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """All purges of a log after one number up to another: what somebody is told at once."""

    log: str
    after: int
    purges: tuple[Logged, ...]

    @property
    def number(self) -> int:
        """Return the number of the last of them."""
        return self.purges[-1].number

    @property
    def fits_page(self) -> bool:
        """Say whether it is no longer than a page: an edge may be told it at once."""
        return sum(len(purge.wanted.value.encode()) for purge in self.purges) <= PAGE_MAX_BYTES

    def to_mapping(self) -> dict[str, object]:
        """Return the batch as edges are told."""
        purges = [purge.to_mapping() for purge in self.purges]
        return {"log": self.log, "after": self.after, "number": self.number, "purges": purges}


def append(
    session: Session, wanted: Sequence[Wanted], *, now_wall: float
) -> tuple[int, tuple[Logged, ...]]:
    """Log purges in the caller's transaction; return the number before them, and them.

    Numbers are given in the order of commits. They rise, but need not follow each other:
    PostgreSQL gives none twice, even if its transaction failed.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    before = session.scalar(sa.select(sa.func.max(LoggedPurge.number))) or 0
    numbers = session.scalars(
        sa.insert(LoggedPurge).returning(LoggedPurge.number, sort_by_parameter_order=True),
        [
            {"kind": kind.value, "value": value, "soft": soft, "requested": now_wall}
            for kind, value, soft in wanted
        ],
    ).all()
    return before, tuple(map(Logged, numbers, wanted))


class PurgeLog:
    """Writes and reads the log, and forgets its beginning. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = reading(engine)
        with self._reading.connect() as connection:
            self.name = _name(connection)  # as it was when the log was last asked

    def append(self, wanted: Sequence[Wanted], *, now_wall: float) -> Batch:
        """Log purges, all or none; they are durable on return."""
        with Session(self._engine) as session, session.begin():
            after, purges = append(session, wanted, now_wall=now_wall)
            self.name = name = _name(session)
        return Batch(log=name, after=after, purges=purges)

    def renew(self, name: str) -> None:
        """Give the log another name if this is the one it has: who follows it then starts empty.

        For a catalog that was set back, as by restoring a backup: it gives numbers again that
        edges know as those of other purges.
        """
        new = sa.update(PurgeLogName).where(PurgeLogName.name == name)
        with self._engine.begin() as connection:
            connection.execute(new.values(name=secrets.token_hex(8)))

    def page(self, after: int, *, limit: int = PAGE_MAX) -> Page:
        """Return the purges after a number, as many as fit a page."""
        number = LoggedPurge.number
        columns = (number, LoggedPurge.kind, LoggedPurge.value, LoggedPurge.soft)
        query = sa.select(*columns).where(number > after).order_by(number).limit(limit)
        with self._reading.connect() as connection:
            self.name = name = _name(connection)
            first, last = connection.execute(
                sa.select(sa.func.min(number), sa.func.max(number))
            ).one()
            rows = connection.execute(query).all()
        purges = (
            Logged(row.number, Wanted(Kind(row.kind), row.value, bool(row.soft))) for row in rows
        )
        return Page(
            log=name,
            floor=0 if first is None else first - 1,
            last=last or 0,
            purges=tuple(_fitting(purges)),
        )

    def last(self) -> int:
        """Return the number of the newest purge."""
        with self._reading.connect() as connection:
            return connection.execute(sa.select(sa.func.max(LoggedPurge.number))).scalar() or 0

    def batch_after(self, place: int) -> Batch | None:
        """Return what comes after a place, None when nothing does.

        For a place that the log does not reach back to any more this is all there is to forget.
        """
        page = self.page(place)
        if place < page.floor:
            everything = Logged(page.last, Wanted(Kind.ALL))
            return Batch(log=page.log, after=place, purges=(everything,))
        if not page.purges:
            return None
        return Batch(log=page.log, after=place, purges=page.purges)

    def forget_old(self, *, now_wall: float) -> None:
        """Forget what no edge should need any more, but never the newest: its number is known.

        A clock that was wrong for a while makes no hole: what comes after a purge that is kept is
        kept, too.
        """
        number, requested = LoggedPurge.number, LoggedPurge.requested
        kept = sa.select(sa.func.min(number)).where(requested >= now_wall - KEPT_S)
        with Session(self._engine) as session, session.begin():
            newest = session.scalar(sa.select(sa.func.max(number)))
            first = session.scalar(kept)
            session.execute(sa.delete(LoggedPurge).where(number < (first or newest or 0)))


def _name(asked: sa.Connection | Session) -> str:
    return asked.execute(sa.select(PurgeLogName.name)).scalar_one()


def _fitting(purges: Iterator[Logged]) -> Iterator[Logged]:
    """Yield purges for as long as their values fit a page: at least one."""
    room = PAGE_MAX_BYTES
    for purge in purges:
        yield purge
        room -= len(purge.wanted.value.encode())
        if room <= 0:
            return

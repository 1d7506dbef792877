"""The log of purges: an edge that was away reads in it what it has to forget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from origin.database import reading
from origin.tables import LoggedPurge, PurgeLogName

PAGE_MAX: Final = 1_000
KEPT_S: Final = 30 * 86_400.0  # an edge that was away for longer starts with an empty disk
_LOCK: Final = 0x616D61726F50  # PostgreSQL's advisory lock number for the log: "amaroP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some purges in the order of their numbers."""

    log: str  # a catalog that was made anew has another one
    floor: int  # purges up to this number are not kept any more
    last: int  # the number of the newest purge
    purges: tuple[tuple[int, str], ...]  # numbers and tags

    def to_mapping(self) -> dict[str, object]:
        """Return the page as it is served."""
        return {
            "log": self.log,
            "floor": self.floor,
            "last": self.last,
            "purges": [{"number": number, "tag": tag} for number, tag in self.purges],
        }


def append(session: Session, tags: Iterable[str], *, now_wall: float) -> None:
    """Log tags in the caller's transaction. Numbers are given in the order of commits."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    session.add_all([LoggedPurge(tag=tag, requested=now_wall) for tag in tags])


class PurgeLog:
    """Reads the log, and forgets its beginning. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    def page(self, after: int, *, limit: int = PAGE_MAX) -> Page:
        """Return the purges after a number, as many as fit a page."""
        number = LoggedPurge.number
        query = sa.select(number, LoggedPurge.tag).where(number > after).order_by(number)
        with self._reading.connect() as connection:
            first, last = connection.execute(
                sa.select(sa.func.min(number), sa.func.max(number))
            ).one()
            rows = connection.execute(query.limit(limit)).all()
            name = connection.execute(sa.select(PurgeLogName.name)).scalar_one()
        return Page(
            log=name,
            floor=0 if first is None else first - 1,
            last=last or 0,
            purges=tuple((row.number, row.tag) for row in rows),
        )

    def forget_old(self, *, now_wall: float) -> None:
        """Forget what no edge should need any more, but never the newest: its number is known."""
        newest = sa.select(sa.func.max(LoggedPurge.number)).scalar_subquery()
        old = sa.and_(LoggedPurge.requested < now_wall - KEPT_S, LoggedPurge.number < newest)
        with Session(self._engine) as session, session.begin():
            session.execute(sa.delete(LoggedPurge).where(old))

"""How far everybody who is told of purges has come, for when the origin is started again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from origin.database import reading
from origin.tables import LoggedPurge, PurgePlace


class PurgePlaces:
    """Numbers of the log by address. Several processes may tell the same edges. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    def begin(self, addresses: Iterable[str]) -> None:
        """Note who is told from now on: one that is new starts at the end of the log."""
        with Session(self._engine) as session, session.begin():
            last = session.scalar(sa.select(sa.func.max(LoggedPurge.number))) or 0
            known = set(session.scalars(sa.select(PurgePlace.address)))
            new = dict.fromkeys(address for address in addresses if address not in known)
            session.add_all(PurgePlace(address=address, number=last) for address in new)

    def load(self) -> dict[str, int]:
        """Return every place that is known."""
        with self._reading.connect() as connection:
            rows = connection.execute(sa.select(PurgePlace.address, PurgePlace.number))
            return {row.address: row.number for row in rows}

    def save(self, places: Mapping[str, int]) -> None:
        """Note places; one that another process has brought further stays."""
        with self._engine.begin() as connection:
            for address, number in sorted(places.items()):
                mine = (PurgePlace.address == address) & (PurgePlace.number < number)
                connection.execute(sa.update(PurgePlace).where(mine).values(number=number))

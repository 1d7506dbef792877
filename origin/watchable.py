"""Which stories can be watched since when: what people wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from origin.database import reading
from origin.states import WATCHABLE
from origin.tables import Asset, FeedChange

LIMIT: Final = 200  # of one region; who waits for more looks again


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One that can be watched."""

    asset_id: str
    region: str


class WatchableStories:
    """Reads them by the feed's index. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = reading(engine)

    def since(self, since_wall: float) -> list[Story]:
        """Return the stories that became watchable after an instant, the oldest of a region first.

        Only regions whose feed has changed are looked at: usually none.
        """
        changed = sa.select(FeedChange.region).where(FeedChange.changed > since_wall)
        with self._reading.connect() as connection:
            regions = connection.scalars(changed).all()
            return [
                Story(asset_id=asset_id, region=region)
                for region in regions
                for asset_id in connection.scalars(_of(region, since_wall))
            ]


def _of(region: str, since_wall: float) -> sa.Select[str]:
    states = [state.value for state in WATCHABLE]
    return (
        sa.select(Asset.asset_id)
        .where(Asset.region == region, Asset.first_playable > since_wall, Asset.state.in_(states))
        .order_by(Asset.first_playable)
        .limit(LIMIT)
    )

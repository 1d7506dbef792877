"""A node's part in its region: the log of purges that its edges have in common, if there is one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge.log_page import Carried, FeedError
from edge.publishing import Publishing
from edge.receipts import Receipt
from edge.region_follower import RegionFollower
from edge.settings import EdgeSettings

if TYPE_CHECKING:
    from edge.purge_carrier import PurgeCarrier
    from edge.purge_feed import PurgeFeed


class Region:
    """The supervisor's; without `--purge-log` the node is a region of its own."""

    def __init__(self, settings: EdgeSettings, publishing: Publishing, node_id: bytes) -> None:
        """`node_id` tells it from all others, which may have its region's name."""
        self._settings = settings
        self._node_id = node_id.hex()
        self._publishing = publishing
        self._feed: PurgeFeed | None = None
        self._follower: RegionFollower | None = None
        self._carrier: PurgeCarrier | None = None

    async def begin(self) -> None:
        """Know what was purged before anything is served."""
        if self._settings.purge_log is None:
            return
        from edge.purge_feed import PurgeFeed  # noqa: PLC0415 its HTTP client takes 0.1 s to import

        self._feed = PurgeFeed(self._settings.purge_log, self._settings.token)
        self._follower = RegionFollower(self._feed, self._publishing, self._settings.limits)
        await self._follower.begin()
        if self._settings.redis is not None:
            from edge.purge_carrier import PurgeCarrier  # noqa: PLC0415 as above

            self._carrier = PurgeCarrier(self._settings, hear=self.hear, name=self.name)

    async def run(self) -> None:
        """Follow the log, and who tells of its end, for ever."""
        if self._follower is None:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run())
            if self._carrier is not None:
                tasks.create_task(self._carrier.run(self._follower.read_soon))

    async def hear(self, carried: Carried) -> tuple[Receipt, dict[str, Any]]:
        """Carry out what was pushed here; the answer beside the receipt. Raises FeedError."""
        if self._follower is not None:
            receipt = await self._follower.hear(carried)
            number = self.number(carried.log)
        elif carried.purges is not None:  # nobody asks for numbers: these are orders like others
            receipt = await self._publishing.orders([each.order for each in carried.purges])
            number = carried.number
        else:
            raise FeedError("this edge was not told where to read the purge log: --purge-log")
        return receipt, {"log": carried.log, "number": number, **self.name()}

    async def read_on(self, _detail: Any) -> bool:
        """Publish all that is in the log now; say whether that can be done."""
        try:
            if self._follower is not None:
                await self._follower.read()
        except FeedError:
            return False
        return self._follower is not None

    def number(self, log: str) -> int:
        """Up to where a log is carried out here; 0 of one that is not followed."""
        place = None if self._follower is None else self._follower.place
        return place.number if place is not None and place.log == log else 0

    def name(self) -> dict[str, Any]:
        """Which edge this is, for receipts."""
        settings = self._settings
        admin = None if settings.admin is None else f"http://{settings.admin}"
        name = settings.region or str(settings.listen)
        return {"edge": name, "id": self._node_id, "region": settings.region, "admin": admin}

    def status(self) -> dict[str, Any] | None:
        """What `/status` says of the log."""
        if self._follower is None:
            return None
        place = self._follower.place
        return {
            "log": None if place is None else place.log,
            "number": 0 if place is None else place.number,
            "unsynced_s": round(self._follower.unsynced_s(), 1),
            "cut_off": self._publishing.is_cut_off,
            "carrier": self._carrier is not None and self._carrier.is_listening,
        }

    def gauges(self) -> dict[str, float]:
        """What the metrics say of the log, by name."""
        if self._follower is None:
            return {}
        place = self._follower.place
        return {
            "purge_number": 0 if place is None else place.number,
            "purge_unsynced_s": self._follower.unsynced_s(),
            "purge_cut_off": self._publishing.is_cut_off,
            "purge_carrier_up": self._carrier is not None and self._carrier.is_listening,
        }

    async def close(self) -> None:
        """Give connections back."""
        if self._carrier is not None:
            await self._carrier.close()
        if self._feed is not None:
            await self._feed.close()

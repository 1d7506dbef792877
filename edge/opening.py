"""The tiers below a worker's memory, as its settings have them, and what was purged of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.counters import Counters
from edge.disk import DiskTier, open_tier
from edge.handover import Handover
from edge.memory import Memory
from edge.purged import Dated, Purged
from edge.purges import Purge
from edge.region_places import OwnPlaces, RegionPlaces
from edge.tasks import Tasks
from edge.tier import Tier

if TYPE_CHECKING:
    from edge.valkey_tier import ValkeyTier


@dataclass(slots=True)
class Opened:
    """The tiers that a worker has, and what must not be served from them."""

    disk: DiskTier | None = None
    valkey: ValkeyTier | None = None
    purged: Purged = field(default_factory=Purged)
    region: RegionPlaces = field(default_factory=RegionPlaces)
    shares: bool = False  # with other edges: what they have must be judged, too

    def note(self, purge: Purge) -> None:
        """Remember where a purge is in the region's log."""
        if purge.point is not None:
            self.region.note(purge.sequence, purge.point)

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """Those that there are, nearest first."""
        return tuple(tier for tier in (self.disk, self.valkey) if tier is not None)

    def remember(self, history: Sequence[Purge], applied: int) -> None:
        """Begin with what the node has published lately, up to the last purge that is `applied`."""
        if self.disk is None:  # nobody knows any more what was purged before
            self.purged.forget_before(history[0].sequence - 1 if history else applied)
        for purge in history:  # when they came nobody knows: what they made stale is so for long
            if self.tiers or self.shares:
                self.purged.apply(Dated(purge, 0.0))
            self.note(purge)

    def wrote(self) -> dict[str, int]:
        """The bytes that went to disk since this was last asked, by shard."""
        return {} if self.disk is None else self.disk.writer.reported()

    def told(self) -> Iterable[tuple[str, float]]:
        """The values of gauges, by name."""
        return () if self.valkey is None else self.valkey.told()

    async def close(self) -> None:
        """Let go of them."""
        if self.disk is not None:
            self.disk.close()
        if self.valkey is not None:
            await self.valkey.close()


def open_tiers(
    given: Handover, *, memory: Memory, counters: Counters, tasks: Tasks, applied: int
) -> Opened:
    """Open what the settings name; `applied` is the last purge that the worker knows of."""
    settings = given.settings
    opened = Opened(shares=bool(settings.region_token))
    if settings.disk is not None:
        disk = open_tier(settings, memory=memory, counters=counters, tasks=tasks)
        if disk is not None:
            opened.disk, opened.purged, opened.region = disk
    if settings.redis is not None:
        from edge import valkey_tier  # noqa: PLC0415 its client takes 0.1 s to import

        opened.valkey = valkey_tier.open_tier(
            settings,
            places=OwnPlaces(given.log_id) if settings.purge_log is None else opened.region,
            memory=memory,
            counters=counters,
        )
    opened.remember(given.page.history(), applied)
    return opened

"""How records get to disk: in a thread, whose bytes are reported to the supervisor."""

from collections import Counter
from functools import partial

from edge.counters import Counters
from edge.disk_files import stands, write
from edge.disk_place import Place
from edge.disk_pool import DiskPool
from edge.errors import StorageError
from edge.memory import Memory
from edge.region_places import OwnPlaces
from edge.tasks import Tasks
from edge.write_queue import Bounds, Given, WriteQueue, Writing


class DiskWriter(WriteQueue):
    """Writes cache files."""

    def __init__(
        self,
        place: Place,
        *,
        memory: Memory,
        counters: Counters,
        tasks: Tasks,
        bounds: Bounds = Bounds(),  # noqa: B008 it is immutable
    ) -> None:
        super().__init__(
            Writing(
                tier="disk",
                places=OwnPlaces(place.log_id),
                clocks=place.clocks,
                memory=memory,
                counters=counters,
                tasks=tasks,
                bounds=bounds,
            )
        )
        self.pool = DiskPool(1, "disk-writer")
        self._root = place.root
        self._written: Counter[str] = Counter()  # bytes by shard, until they are reported

    async def keep(self, given: Given) -> bool:
        """Write a cache file, unless another worker has: what comes second hand it may have."""
        head, slices = given.head, given.slices
        try:
            look = partial(stands, self._root, head)
            if given.second_hand and await self.pool.run(look, limit_s=None):
                return True
            written = await self.pool.run(partial(write, self._root, head, slices), limit_s=None)
        except OSError as error:
            raise StorageError("disk", str(error)) from None
        self._counters.disk_writes += bool(written)
        self._counters.disk_written_bytes += sum(written.values())
        self._written.update(written)
        return True

    def reported(self) -> dict[str, int]:
        """The bytes written by shard since this was last asked."""
        written, self._written = self._written, Counter()
        return dict(written)

    def close(self) -> None:
        """Write nothing more."""
        super().close()
        self.pool.close()

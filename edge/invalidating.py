"""A worker's part in invalidation: here at once, then in all workers of the node."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cache_policies.invalidation import SAFE
from edge.control import ControlLine
from edge.errors import RefusedError
from edge.promoting import LowerTiers
from edge.purged import Dated
from edge.purges import Purge, PurgeFollower, PurgeKind
from edge.settings import Limits

if TYPE_CHECKING:
    from cache_policies.message import RequestHead

log = logging.getLogger("edge.worker")


class Invalidating:
    """One per worker."""

    def __init__(
        self,
        apply: Callable[[Purge], None],
        *,
        lower: LowerTiers,
        follower: PurgeFollower,
        limits: Limits,
    ) -> None:
        self.line: ControlLine | None = None  # to the supervisor
        self.follower = follower
        self._apply = apply
        self._lower = lower
        self._limits = limits
        self._waiting = 0

    def check(self, request: "RequestHead") -> None:
        """Refuse what may change something, if too much that was changed is not confirmed yet."""
        if request.method not in SAFE and self._waiting >= self._limits.invalidations_max:
            raise RefusedError("invalidations-max", retry_after_s=1)

    async def invalidate(self, keys: tuple[bytes, ...]) -> None:
        """An unsafe request changed what is behind `keys` (RFC 9111 §4.4): here, then node-wide.

        A supervisor that does not answer leaves the other workers with what they hold; its purge
        log is then the only thing that could have reached them.
        """
        after = self.follower.applied + 1  # what is on disk has none of this sequence yet
        for key in keys:
            purge = Purge(sequence=after, kind=PurgeKind.URL, value=key)
            self._lower.purged.apply(Dated(purge, time.time()))
            self._apply(Purge(sequence=self.follower.applied, kind=PurgeKind.URL, value=key))
        if self.line is None:
            return
        names = [key.decode("latin-1") for key in keys]
        self._waiting += 1
        try:
            await self.line.ask("invalidate", names, limit_s=self._limits.purge_ack_s)
        except (TimeoutError, ConnectionError):
            log.warning("the supervisor did not confirm an invalidation")
        finally:
            self._waiting -= 1
        self.follower.catch_up()

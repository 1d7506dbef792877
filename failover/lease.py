"""Who is the controller: one member at a time, by a lease that ends by itself, and its number.

Every change of hands raises the epoch, and whatever a controller orders carries it: what comes late
from an earlier one is refused where it arrives (fencing). The store's clock ends a lease; a
holder counts by its own monotonic clock from before it asked, so that it stops sooner, never later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

STRAY_MAX: Final = 2.0
"""An end further away than so many times a lease was set before the store's clock was set back."""


class LeaseStoreError(Exception):
    """The store cannot be asked. The message names it, without a password, and says why."""


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds the lease, under which epoch."""

    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What the last controller left for the next: its state, and when it wrote it."""

    epoch: int
    text: str


class LeaseStore(Protocol):
    """Where the lease is, and what a controller must remember. Raises LeaseStoreError."""

    async def hold(self, who: str, ttl_s: float, *, epoch: int, epoch_min: int) -> Held:
        """Take the lease if nobody has it, or hold on to it; say who has it now.

        `epoch` is of the lease that the asker holds, 0 if none: what another process of its name
        has held is its own at once, under a new epoch. A new one is above `epoch_min`, the highest
        that the asker has ever heard of: a store that lost everything does not begin anew.
        """

    async def release(self, held: Held) -> None:
        """Give it back, if it is still held so."""

    async def keep(self, held: Held, text: str) -> bool:
        """Replace the state; False if the lease is another's by now."""

    async def kept(self) -> Kept | None:
        """The state that was kept last."""

    async def close(self) -> None:
        """Let go of connections."""

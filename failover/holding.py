"""The lease as one member has it: asked for again and again, counted by its own clock."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from failover.lease import Held, LeaseStore, LeaseStoreError

LEASE_S: Final = 6.0  # without its holder it is over after that
RENEW_S: Final = 1.5

log = logging.getLogger("failover.controller")


class Holding:
    """Who holds the lease, as far as is known; and whether that is this process."""

    def __init__(self, name: str, store: LeaseStore, epoch_met: Callable[[], int]) -> None:
        """`epoch_met` is the highest that this member has heard of, which a new one is above."""
        self.store = store
        self.held: Held | None = None
        self.why_not = "not asked yet"
        self.loss_is_told = False  # of a store that does not answer, to people
        self._name, self._epoch_met = name, epoch_met
        self._until_mono = float("-inf")

    @property
    def mine(self) -> Held | None:
        """The lease as this process has had it; another one's of the same name is not ours."""
        return self.held if self.held is not None and self.held.holder == self._name else None

    def epoch(self) -> int:
        """Return the epoch of our lease; 0 if we hold none."""
        mine = self.mine
        return mine.epoch if mine is not None and time.monotonic() < self._until_mono else 0

    def lapse(self) -> None:
        """Lead no more under this epoch: what comes next is a new one, ours or another's."""
        self.held, self._until_mono = None, float("-inf")

    async def run(self, tell_of_loss: Callable[[str], Awaitable[bool]]) -> None:
        """Ask until cancelled. `tell_of_loss` says whether people know that the store is gone."""
        answered_mono = time.monotonic()
        while True:
            asked_mono = time.monotonic()
            try:
                await self._ask(asked_mono)
                if self.loss_is_told:
                    log.warning("the lease's store answers again")
                self.why_not, answered_mono, self.loss_is_told = "", asked_mono, False
            except LeaseStoreError as error:
                self.why_not = str(error)
                if not self.loss_is_told and time.monotonic() - answered_mono >= LEASE_S:
                    self.loss_is_told = await tell_of_loss(self.why_not)
            await asyncio.sleep(RENEW_S)

    async def _ask(self, asked_mono: float) -> None:
        mine = self.mine
        held = await self.store.hold(
            self._name,
            LEASE_S,
            epoch=mine.epoch if mine else 0,
            epoch_min=self._epoch_met(),
        )
        if mine is not self.mine:  # it lapsed meanwhile: this is the answer to what is over
            return
        self.held = held
        if held.holder == self._name:
            self._until_mono = asked_mono + LEASE_S

    async def release(self) -> None:
        """Give the lease back, so that another member need not wait for its end."""
        if self.held is not None and self.epoch():
            try:
                await self.store.release(self.held)
            except LeaseStoreError as error:
                log.warning("the lease is not given back: %s", error)

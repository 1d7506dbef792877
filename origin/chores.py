"""What the origin finishes by itself: jobs, purges, signals, and removing stale uploads."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, Self

from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from origin import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from origin.appending import Appending
    from origin.bodies import Bodies
    from origin.distribution import Distribution
    from origin.purge_log import PurgeLog
    from origin.signals import Signals
    from origin.store import Objects
    from origin.upload_ledger import UploadLedger

log = logging.getLogger(__name__)

SUBMIT_EVERY_S: Final = 2.0  # besides at once, when an upload completes
PURGE_EVERY_S: Final = 1.0
SIGNAL_EVERY_S: Final = 0.5
EXPIRE_EVERY_S: Final = 60.0
BATCH_MAX: Final = 100
LOST_S: Final = 86_400.0  # an accepted upload whose bytes no origin has is given up when this old
STRAY_S: Final = 3_600.0  # a file without a record is removed when this old
TROUBLE: Final = (
    SQLAlchemyError,
    dbos_error.DBOSException,
    OSError,
)  # of a database or disk; tried again


class Jobs(Protocol):
    """Where accepted uploads go: `segmenter.jobs.JobQueue`."""

    def submit(self, asset_id: str) -> None:
        """Accept a job; durable on return, and idempotent."""


@dataclass(slots=True, kw_only=True, eq=False)
class Chores:
    """Four loops, alive while the application is."""

    ledger: UploadLedger
    bodies: Bodies
    objects: Objects
    appending: Appending
    signals: Signals
    distribution: Distribution
    purge_log: PurgeLog
    jobs: Jobs | None
    wake: asyncio.Event
    clock: Callable[[], float]
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    _running: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.settle_all)
        await self._tasks.__aenter__()
        for loop in (self._submit_loop, self._purge_loop, self._signal_loop, self._expire_loop):
            self._running.append(self._tasks.create_task(loop()))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._running:
            task.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    async def why_not_ready(self) -> str | None:
        """Return what is broken, in words; None when the origin can do its work."""
        if any(task.done() for task in self._running):
            return "a chore has ended: uploads would be accepted, and stay where they are"
        try:
            await asyncio.to_thread(self.ledger.to_submit, limit=1)
        except SQLAlchemyError as error:
            return f"the catalog does not answer: {type(error).__name__}"
        return None

    def settle_all(self) -> None:
        """Complete uploads whose last byte came just before a crash; their clients may be gone."""
        last = ""
        while page := self.ledger.unfinished(limit=BATCH_MAX, after_id=last):
            last = page[-1].asset_id
            for record in page:
                try:
                    body = self.bodies.lock(record.asset_id)
                except FileNotFoundError:
                    continue  # expiry takes it away
                if body is not None:
                    with body:
                        self.appending.settle(record, body)

    def submit_all(self) -> int:
        """Hand accepted uploads over as jobs; return how many were."""
        if self.jobs is None:
            return 0
        handed = elsewhere = 0
        while page := self.ledger.to_submit(limit=BATCH_MAX, skip=elsewhere):
            before = elsewhere
            for asset_id in page:
                try:
                    is_ours = self._submit(self.jobs, asset_id)
                except TROUBLE:  # of this one; the others need not wait for it
                    log.exception("%s: no job yet, trying again in %s s", asset_id, SUBMIT_EVERY_S)
                else:
                    handed, elsewhere = handed + is_ours, elsewhere + (not is_ours)
            if elsewhere - before < len(page):
                break  # the next round has the rest
        return handed

    def expire_all(self) -> int:
        """Remove uploads that nobody continued, and files that no record knows."""
        now_wall = self.clock()
        removed = 0
        for record in self.ledger.expired(now_wall=now_wall, limit=BATCH_MAX):
            removed += self._expire(record.asset_id)
        for name in self.bodies.strays(older_than_wall=now_wall - STRAY_S):
            if self.ledger.find(name) is None:
                self.bodies.remove(name)
        self.purge_log.forget_old(now_wall=now_wall)
        return removed

    def _submit(self, jobs: Jobs, asset_id: str) -> bool:
        """Hand one upload over; False when its bytes are not here, but on another origin's disk."""
        # Each step may have happened before a crash; all are idempotent.
        key = names.source_key(asset_id)
        if not self.objects.exists(key):
            try:
                self.objects.adopt(key, self.bodies.path(asset_id))
            except FileNotFoundError:
                return self._is_lost(asset_id)
        jobs.submit(asset_id)
        self.ledger.submitted(asset_id, now_wall=self.clock())
        self.bodies.remove(asset_id)
        return True

    def _is_lost(self, asset_id: str) -> bool:
        """Fail an upload that no origin has handed over for so long that none can have it."""
        now_wall = self.clock()
        record = self.ledger.find(asset_id)
        if record is None or (record.completed or now_wall) > now_wall - LOST_S:
            return False
        log.error("%s: the accepted upload is on no disk", asset_id)
        self.ledger.lose(asset_id, now_wall=now_wall)
        return True

    def _expire(self, asset_id: str) -> bool:
        try:
            body = self.bodies.lock(asset_id)
        except FileNotFoundError:
            # Another origin's, which does this first, or nobody's any more.
            if is_stale := self._is_stale(asset_id, self.clock() - STRAY_S):
                self.ledger.remove(asset_id)
            return is_stale
        if body is None:
            return False  # being written: not stale after all
        with body:  # nobody writes now; but somebody may have, since it was found to be stale
            if is_stale := self._is_stale(asset_id, self.clock()):
                self.ledger.remove(asset_id)
                self.bodies.remove(asset_id)
            return is_stale

    def _is_stale(self, asset_id: str, before_wall: float) -> bool:
        record = self.ledger.find(asset_id)
        if record is None or record.completed is not None:
            return record is None or record.submitted is not None
        return record.expires < before_wall

    async def _submit_loop(self) -> None:
        while True:
            self.wake.clear()
            try:
                await asyncio.to_thread(self.submit_all)
            except TROUBLE:
                log.exception("submitting jobs failed; trying again in %s s", SUBMIT_EVERY_S)
            try:
                async with asyncio.timeout(SUBMIT_EVERY_S):
                    await self.wake.wait()
            except TimeoutError:
                continue

    async def _purge_loop(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.distribution.flush)
            except TROUBLE:
                log.exception("repeating purges failed; trying again in %s s", PURGE_EVERY_S)
            await asyncio.sleep(PURGE_EVERY_S)

    async def _signal_loop(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.signals.flush, now_wall=self.clock())
            except TROUBLE:
                log.exception("telling edges failed; trying again in %s s", SIGNAL_EVERY_S)
            await asyncio.sleep(SIGNAL_EVERY_S)

    async def _expire_loop(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.expire_all)
            except TROUBLE:
                log.exception("removing stale uploads failed; next in %s s", EXPIRE_EVERY_S)
            await asyncio.sleep(EXPIRE_EVERY_S)

"""Bytes of a request on their way to the disk, and the moment an upload is complete."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from origin.body_reader import Ending
from origin.uploads import CHECKSUM_MISMATCH, Refusal, durable_offset, new_hash, out_of_space

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from origin.bodies import Bodies, BodyFile
    from origin.body_reader import BodyReader
    from origin.settings import UploadLimits
    from origin.upload_ledger import UploadLedger, UploadRecord
    from origin.uploads import Append

P = ParamSpec("P")
T = TypeVar("T")

FULL_DISK: Final = {errno.ENOSPC, errno.EDQUOT}
OVERFLOW: Final = Refusal(status=413, sentence="The body is longer than what the upload lacks.")
MISMATCH: Final = Refusal(
    status=CHECKSUM_MISMATCH, sentence="The bytes do not match Upload-Checksum; they were dropped."
)
AFTER: Final = {  # how a body ended: what its client is told, if it still listens
    Ending.GONE: Refusal(status=400, sentence="The connection closed before the body ended."),
    Ending.IDLE: Refusal(status=408, sentence="No bytes came for too long; what came is kept."),
    Ending.DRAINED: Refusal(
        status=503,
        sentence="The server restarts; what came is kept.",
        headers={"retry-after": "1", "connection": "close"},
    ),
    Ending.STOPPED: Refusal(status=423, sentence="Another request took this upload over."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where an upload stands after a request: `refusal` says why that is not where it wanted."""

    offset: int
    refusal: Refusal | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Appending:
    """The rim between request bodies, upload files and the ledger."""

    ledger: UploadLedger
    bodies: Bodies
    limits: UploadLimits
    boot_id: str
    clock: Callable[[], float]
    disk: Executor
    accepted: Callable[[], None]

    async def on_disk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work; who is cancelled waits for it, so that no file closes under it."""
        running = asyncio.get_running_loop().run_in_executor(
            self.disk, lambda: work(*args, **kwargs)
        )
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    def settle(self, record: UploadRecord, body: BodyFile) -> UploadRecord:
        """Bring file and ledger into line after an interruption; complete what is complete."""
        size = body.size()
        same_kernel = record.boot_id == self.boot_id != ""
        offset = durable_offset(size=size, recorded=record.offset, same_kernel=same_kernel)
        if size > offset:
            body.truncate(offset)
        if offset != record.offset or not same_kernel:
            body.sync()
            self._record(record.asset_id, offset, trusted=True)
        now_wall = self.clock()
        if offset == record.length and self.ledger.complete(record.asset_id, now_wall=now_wall):
            self.accepted()
            return replace(record, offset=offset, completed=now_wall)
        return replace(record, offset=offset)

    async def append(
        self, record: UploadRecord, body: BodyFile, plan: Append, reader: BodyReader
    ) -> Appended:
        """Write a body to the upload's end. What this returns as the offset is on disk."""
        asset_id = record.asset_id
        running = None if plan.checksum is None else new_hash(plan.checksum)
        if running is not None:  # a crash must not leave bytes that were never checked
            await self.on_disk(self._record, asset_id, plan.offset, trusted=False)
        loop = asyncio.get_running_loop()
        offset = synced = plan.offset
        synced_mono = loop.time()
        refusal: Refusal | None = None
        async for pieces in reader.batches():
            if offset + sum(map(len, pieces)) > record.length:
                refusal = OVERFLOW
                break
            try:
                offset += await self.on_disk(body.append, pieces)
            except OSError as error:
                if error.errno not in FULL_DISK:
                    raise
                refusal = out_of_space(self.limits)
                break
            if running is not None:
                for piece in pieces:
                    running.update(piece)
            since_s = loop.time() - synced_mono
            if (
                offset - synced < self.limits.checkpoint_bytes
                and since_s < self.limits.checkpoint_s
            ):
                continue
            synced, synced_mono = offset, loop.time()
            sure = offset if running is None else plan.offset
            if not await self.on_disk(self._checkpoint, body, asset_id, sure):
                refusal = out_of_space(self.limits)
                break
        if refusal is None and reader.ending is not None:
            refusal = AFTER.get(reader.ending)
        if running is not None and plan.checksum is not None and refusal is None:
            refusal = None if plan.checksum.matches(running.digest()) else MISMATCH
        dropped = refusal is OVERFLOW or (running is not None and refusal is not None)
        offset = await self.on_disk(self._finish, record, body, plan.offset if dropped else None)
        return Appended(offset=offset, refusal=refusal)

    def _checkpoint(self, body: BodyFile, asset_id: str, sure: int) -> bool:
        """Make a long body durable on the way; False when the disk must not get any fuller.

        `sure` is how much stays even if the rest of the body turns out to be wrong.
        """
        body.sync()
        self._record(asset_id, sure, trusted=sure == body.size())
        return self.bodies.free_bytes() >= self.limits.disk_free_min_bytes

    def _finish(self, record: UploadRecord, body: BodyFile, back_to: int | None) -> int:
        if back_to is not None:
            body.truncate(back_to)
        body.sync()
        offset = body.size()
        if offset < record.length:
            self._record(record.asset_id, offset, trusted=True)
        elif self.ledger.complete(record.asset_id, now_wall=self.clock()):
            self.accepted()
        return offset

    def _record(self, asset_id: str, offset: int, *, trusted: bool) -> None:
        now_wall = self.clock()
        self.ledger.record(
            asset_id,
            offset=offset,
            boot_id=self.boot_id if trusted else "",
            now_wall=now_wall,
            expires=now_wall + self.limits.expire_s,
        )

"""`/uploads/`: tus 1.0 over HTTP, around the decisions of `origin.uploads`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from origin import names, uploads
from origin.body_reader import BodyReader, Ending
from origin.conditions import http_date
from origin.delivery import refuse
from origin.responses import TUS_CORS, CacheClass
from origin.states import State
from origin.upload_ledger import Begun
from origin.uploads import BODY_TYPE, TUS_VERSION, Append, Creation, Refusal, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from origin.appending import Appended, Appending
    from origin.bodies import Bodies, BodyFile
    from origin.settings import UploadLimits
    from origin.upload_ledger import UploadLedger, UploadRecord

TAKE_OVER_S: Final = 5.0  # for the request that holds an upload to let go of it
UNKNOWN: Final = Refusal(status=404, sentence="There is no such upload, or no more.")
BUSY: Final = Refusal(status=423, sentence="Another request is writing to this upload.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """An upload and, unless it is complete, the only open handle on its file."""

    record: UploadRecord
    body: BodyFile | None

    def close(self) -> None:
        """Let go of the upload."""
        if self.body is not None:
            self.body.close()


@dataclass(slots=True, kw_only=True, eq=False)
class Tus:
    """Creates, continues, reports and terminates uploads."""

    ledger: UploadLedger
    bodies: Bodies
    appending: Appending
    limits: UploadLimits
    default_region: str
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    cancel: Callable[[str], State | None]
    _creating: asyncio.Lock = field(default_factory=asyncio.Lock)  # limits see each other
    _readers: dict[str, BodyReader] = field(default_factory=dict)

    def options(self) -> dict[str, str]:
        """Return what an OPTIONS request learns about us."""
        return {
            "tus-resumable": TUS_VERSION,
            "tus-version": TUS_VERSION,
            "tus-extension": uploads.EXTENSIONS,
            "tus-max-size": str(self.limits.size_max_bytes),
            "tus-checksum-algorithm": ",".join(uploads.CHECKSUMS),
        }

    def drain(self) -> None:
        """End running uploads in order: their bytes are kept, their clients go on in a moment."""
        for reader in self._readers.values():
            reader.stop(Ending.DRAINED)

    async def collection(self, request: Request) -> Response:
        """Answer a POST that creates an upload, and may carry its first bytes."""
        refusal = uploads.judge_version(request.headers)
        if refusal is not None:
            return _refused(refusal)
        upload_id = names.upload_id(self.random(names.UPLOAD_ID_BYTES))
        asset_id = names.asset_id_of(upload_id)
        client = uploads.client_key(request.client.host if request.client else "")
        async with self._creating:
            creation = await self.appending.on_disk(self._create, request, asset_id, client)
        if isinstance(creation, Refusal):
            return _refused(creation)
        headers = {"location": f"/uploads/{upload_id}"}
        if creation.length == 0 or request.headers.get("content-type", "") == BODY_TYPE:
            return await self._write(request, asset_id, creating=True, headers=headers)
        expires = self.clock() + self.limits.expire_s
        return _answer(201, asset_id, {**headers, "upload-expires": http_date(expires)})

    async def upload(self, request: Request) -> Response:
        """Answer HEAD, PATCH and DELETE on one upload, whatever the method is sent as."""
        refusal = uploads.judge_version(request.headers)
        if refusal is not None:
            return _refused(refusal)
        upload_id = request.path_params["upload_id"]
        if not names.UPLOAD_ID.fullmatch(upload_id):
            return _refused(UNKNOWN)
        asset_id = names.asset_id_of(upload_id)
        method = request.headers.get("x-http-method-override", request.method).upper()
        match method:
            case "HEAD":
                return await self._show(asset_id)
            case "PATCH":
                return await self._write(request, asset_id, creating=False, headers={})
            case "DELETE":
                return await self._terminate(asset_id)
            case _:
                allow = {"allow": "HEAD, PATCH, DELETE, OPTIONS"}
                return refuse(405, "An upload takes HEAD, PATCH and DELETE.", headers=allow)

    async def _show(self, asset_id: str) -> Response:
        # Who asks where to go on has lost its connection: the request that still waits for
        # bytes on the old one lets go, with all that it has received.
        await self._take_over(asset_id)
        found = await self.appending.on_disk(self._lock, asset_id)
        if isinstance(found, Refusal):
            return _refused(found)
        found.close()
        record = found.record
        headers = {"upload-length": str(record.length), "upload-offset": str(record.offset)}
        if record.metadata:
            headers["upload-metadata"] = record.metadata
        if record.completed is None:
            headers["upload-expires"] = http_date(record.expires)
        return _answer(200, asset_id, headers)

    async def _write(
        self, request: Request, asset_id: str, *, creating: bool, headers: dict[str, str]
    ) -> Response:
        found = await self.appending.on_disk(self._lock, asset_id)
        if isinstance(found, Refusal):
            return _refused(found)
        record = found.record
        reader = BodyReader(request.receive, idle_s=self.limits.idle_s)
        if found.body is not None:
            self._readers[asset_id] = reader
        try:
            plan = uploads.judge_append(
                request.headers, offset=record.offset, length=record.length, creating=creating
            )
            if record.length == 0 and creating:
                plan = Append(offset=0, length_max=0, checksum=None)
            if isinstance(plan, Refusal):
                return _refused(plan, headers)
            appended = None
            if found.body is not None:
                appended = await self.appending.append(record, found.body, plan, reader)
        finally:
            self._readers.pop(asset_id, None)
            await self.appending.on_disk(found.close)
            reader.released.set()
        return self._written(asset_id, record, appended, creating=creating, headers=headers)

    def _written(
        self,
        asset_id: str,
        record: UploadRecord,
        appended: Appended | None,
        *,
        creating: bool,
        headers: dict[str, str],
    ) -> Response:
        offset = record.length if appended is None else appended.offset
        headers = {**headers, "upload-offset": str(offset)}
        if offset < record.length:
            headers["upload-expires"] = http_date(self.clock() + self.limits.expire_s)
        if appended is not None and appended.refusal is not None:
            return _refused(appended.refusal, headers)
        return _answer(201 if creating else 204, asset_id, headers)

    async def _terminate(self, asset_id: str) -> Response:
        await self._take_over(asset_id)
        found = await self.appending.on_disk(self._lock, asset_id)
        if isinstance(found, Refusal):
            return _refused(found)
        try:
            refusal = await self.appending.on_disk(self._remove, found.record)
        finally:
            found.close()
        return _answer(204, asset_id, {}) if refusal is None else _refused(refusal)

    async def _take_over(self, asset_id: str) -> None:
        reader = self._readers.get(asset_id)
        if reader is None:
            return
        reader.stop(Ending.STOPPED)
        try:
            async with asyncio.timeout(TAKE_OVER_S):
                await reader.released.wait()
        except TimeoutError:
            return  # the disk is slow; the lock below says 423

    def _create(self, request: Request, asset_id: str, client: str) -> Creation | Refusal:
        now_wall = self.clock()
        mine, promised = self.ledger.burden(client, active_since=now_wall - self.limits.active_s)
        usage = Usage(
            client_uploads=mine,
            disk_free_bytes=self.bodies.free_bytes(),
            promised_bytes=promised,
        )
        judged = uploads.judge_creation(request.headers, usage, self.limits, self.default_region)
        if isinstance(judged, Creation):
            self.bodies.create(asset_id)  # first the file: a crash leaves a stray, never a hole
            expires = now_wall + self.limits.expire_s
            begun = Begun(client=client, boot_id=self.appending.boot_id, expires=expires)
            self.ledger.create(asset_id, judged, begun, now_wall=now_wall)
        return judged

    def _lock(self, asset_id: str) -> Locked | Refusal:
        """Return the upload as it is on disk, held by us; complete ones need no holding."""
        record = self.ledger.find(asset_id)
        if record is None:
            return UNKNOWN
        if record.completed is not None:
            return Locked(record=record, body=None)
        try:
            body = self.bodies.lock(asset_id)
        except FileNotFoundError:
            return UNKNOWN  # removed, or complete and handed over, this very moment
        if body is None:
            return BUSY
        # Read again: the record may have moved before the lock was ours.
        record = self.ledger.find(asset_id)
        if record is None:
            body.close()
            return UNKNOWN
        if record.completed is not None:
            body.close()
            return Locked(record=record, body=None)
        settled = self.appending.settle(record, body)
        if settled.completed is not None:
            body.close()
            return Locked(record=settled, body=None)
        return Locked(record=settled, body=body)

    def _remove(self, record: UploadRecord) -> Refusal | None:
        if record.completed is not None:
            state = self.cancel(record.asset_id)
            if state is State.COMPLETE:
                return Refusal(status=409, sentence="The video is ready: nothing to terminate.")
        self.ledger.remove(record.asset_id)
        self.bodies.remove(record.asset_id)
        return None


def _answer(status: int, asset_id: str, headers: dict[str, str]) -> Response:
    fields = {
        **TUS_CORS,
        "tus-resumable": TUS_VERSION,
        "cache-control": CacheClass.PRIVATE.value,
        "amaro-asset-id": asset_id,
    }
    return Response(status_code=status, headers={**fields, **headers})


def _refused(refusal: Refusal, headers: dict[str, str] | None = None) -> Response:
    facts = {} if refusal.limit is None else {"limit": refusal.limit, "value": refusal.value}
    fields = {**TUS_CORS, "tus-resumable": TUS_VERSION, **(headers or {}), **refusal.headers}
    return refuse(refusal.status, refusal.sentence, headers=fields, facts=facts)

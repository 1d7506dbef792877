"""What the catalog knows about uploads. Called from threads; short transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from origin.database import reading
from origin.states import Signal, State, after
from origin.tables import Asset, Upload

if TYPE_CHECKING:
    from origin.uploads import Creation


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRecord:
    """An upload as it was last recorded."""

    asset_id: str
    length: int
    offset: int
    boot_id: str
    metadata: str
    expires: float
    completed: float | None
    submitted: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Who began an upload, under which run of the kernel, and when it is given up."""

    client: str
    boot_id: str
    expires: float


class UploadLedger:
    """Uploads and the assets that begin with them. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    def create(self, asset_id: str, creation: Creation, begun: Begun, *, now_wall: float) -> None:
        """Begin an upload and its asset."""
        with Session(self._engine) as session, session.begin():
            session.add(
                Asset(
                    asset_id=asset_id,
                    region=creation.region,
                    title=creation.title,
                    state=State.UPLOADING,
                    stage=State.UPLOADING,
                    created=now_wall,
                )
            )
            session.add(
                Upload(
                    asset_id=asset_id,
                    client=begun.client,
                    length=creation.length,
                    offset=0,
                    boot_id=begun.boot_id,
                    upload_metadata=creation.metadata,
                    created=now_wall,
                    touched=now_wall,
                    expires=begun.expires,
                )
            )

    def find(self, asset_id: str) -> UploadRecord | None:
        """Return the upload, None when there is none or it was removed."""
        with Session(self._reading) as session:
            row = session.get(Upload, asset_id)
            return None if row is None else _record(row)

    def burden(self, client: str, *, active_since: float) -> tuple[int, int]:
        """Return (the client's active uploads, bytes that all active uploads may still send)."""
        active = (Upload.completed.is_(None), Upload.touched >= active_since)
        missing = sa.func.coalesce(sa.func.sum(Upload.length - Upload.offset), 0)
        with Session(self._reading) as session:
            promised = session.scalar(sa.select(missing).where(*active)) or 0
            mine = sa.select(sa.func.count()).where(Upload.client == client, *active)
            return session.scalar(mine) or 0, int(promised)

    def record(
        self, asset_id: str, *, offset: int, boot_id: str, now_wall: float, expires: float
    ) -> None:
        """Note that bytes up to `offset` are on disk; `boot_id` "" trusts nothing beyond them."""
        values = {"offset": offset, "boot_id": boot_id, "touched": now_wall, "expires": expires}
        with Session(self._engine) as session, session.begin():
            session.execute(sa.update(Upload).where(Upload.asset_id == asset_id).values(values))

    def complete(self, asset_id: str, *, now_wall: float) -> bool:
        """Accept the upload: from here on it is a job that nothing loses. False when unknown."""
        with Session(self._engine) as session, session.begin():
            upload = session.get(Upload, asset_id, with_for_update=True)
            asset = session.get(Asset, asset_id, with_for_update=True)
            if upload is None or asset is None:
                return False
            if upload.completed is None:
                upload.offset, upload.touched, upload.completed = upload.length, now_wall, now_wall
                asset.state = after(State(asset.state), Signal.UPLOADED)
                asset.stage, asset.uploaded = State.QUEUED, now_wall
            return True

    def to_submit(self, *, limit: int, skip: int = 0) -> list[str]:
        """Return accepted assets whose job is not yet submitted, oldest first, after `skip`."""
        wanted = (Upload.submitted.is_(None), Upload.completed.is_not(None))
        oldest_first = (Upload.completed, Upload.asset_id)
        ids = sa.select(Upload.asset_id).where(*wanted).order_by(*oldest_first)
        query = ids.offset(skip).limit(limit)
        with Session(self._reading) as session:
            return list(session.scalars(query))

    def submitted(self, asset_id: str, *, now_wall: float) -> None:
        """Note that the job of an accepted upload is durable elsewhere."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                sa.update(Upload).where(Upload.asset_id == asset_id).values(submitted=now_wall)
            )

    def lose(self, asset_id: str, *, now_wall: float) -> None:
        """Note that somebody took an accepted upload's bytes away: its asset cannot be made."""
        with Session(self._engine) as session, session.begin():
            upload, asset = session.get(Upload, asset_id), session.get(Asset, asset_id)
            if upload is not None and asset is not None:
                upload.submitted = now_wall
                asset.state = after(State(asset.state), Signal.FAILED)
                asset.error = "The server lost the uploaded file. Please upload it again."

    def unfinished(self, *, limit: int, after_id: str = "") -> list[UploadRecord]:
        """Return uploads that are not complete, by identifier, beginning after `after_id`."""
        wanted = (Upload.completed.is_(None), Upload.asset_id > after_id)
        query = sa.select(Upload).where(*wanted).order_by(Upload.asset_id).limit(limit)
        with Session(self._reading) as session:
            return [_record(row) for row in session.scalars(query)]

    def expired(self, *, now_wall: float, limit: int) -> list[UploadRecord]:
        """Return uploads past their time, unless their job still has to be submitted."""
        settled = sa.or_(Upload.completed.is_(None), Upload.submitted.is_not(None))
        query = sa.select(Upload).where(Upload.expires < now_wall, settled).limit(limit)
        with Session(self._reading) as session:
            return [_record(row) for row in session.scalars(query)]

    def remove(self, asset_id: str) -> None:
        """Forget the upload, and its asset too while that is nothing but the upload."""
        with Session(self._engine) as session, session.begin():
            session.execute(sa.delete(Upload).where(Upload.asset_id == asset_id))
            session.execute(
                sa.delete(Asset).where(Asset.asset_id == asset_id, Asset.state == State.UPLOADING)
            )


def _record(row: Upload) -> UploadRecord:
    return UploadRecord(
        asset_id=row.asset_id,
        length=row.length,
        offset=row.offset,
        boot_id=row.boot_id,
        metadata=row.upload_metadata,
        expires=row.expires,
        completed=row.completed,
        submitted=row.submitted,
    )

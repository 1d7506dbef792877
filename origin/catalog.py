"""What the origin knows about assets: short transactions over SQL. Called from threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.orm import Session

from origin.cursor import Position
from origin.database import reading
from origin.purge_log import append
from origin.states import WATCHABLE, Signal, State, after, may_publish
from origin.tables import Asset, FeedChange, Rendition, Resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from origin.purge_log import Wanted
    from segmenter.publication import PublishedRendition


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResource:
    """A mutable name as it will be served: the object behind it and its validators."""

    name: str
    object_key: str
    content_type: str
    etag: str
    last_modified: float
    may_grow: bool
    encodings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetView:
    """An asset with its renditions, as the API and the feed show it."""

    asset_id: str
    region: str
    title: str
    state: State
    stage: str
    error: str | None
    duration_s: float | None
    width: int | None
    height: int | None
    poster: str | None
    uploaded: float | None
    first_playable: float | None
    complete: float | None
    renditions: tuple[tuple[str, int, int, int], ...] = ()  # (name, width, height, bandwidth)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFacts:
    """What a publication changes: everything that is mutable about its asset."""

    duration_s: float
    width: int
    height: int
    poster: str | None
    complete: bool
    resources: Sequence[StoredResource]
    renditions: Sequence[PublishedRendition]


class Catalog:
    """Queries about assets and their resources. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._is_postgresql = engine.dialect.name == "postgresql"

    def asset(self, asset_id: str) -> AssetView | None:
        """Return the asset with its renditions, in the order of their publication."""
        with Session(self._reading) as session:
            row = session.get(Asset, asset_id)
            if row is None:
                return None
            renditions = session.scalars(
                sa.select(Rendition)
                .where(Rendition.asset_id == asset_id)
                .order_by(Rendition.position)
            )
            return _view(row, tuple((r.name, r.width, r.height, r.bandwidth) for r in renditions))

    def state(self, asset_id: str) -> State | None:
        """Return the asset's state, None when there is no such asset."""
        with Session(self._reading) as session:
            state = session.scalar(sa.select(Asset.state).where(Asset.asset_id == asset_id))
            return None if state is None else State(state)

    def resource(self, asset_id: str, name: str) -> tuple[StoredResource | None, str | None]:
        """Return (the resource, its asset's region); a cancelled asset has no resources."""
        named = (Resource.asset_id == Asset.asset_id) & (Resource.name == name)
        query = (
            sa.select(Asset.state, Asset.region, *Resource.__table__.columns)
            .outerjoin(Resource, named)
            .where(Asset.asset_id == asset_id)
        )
        with self._reading.connect() as connection:  # no ORM: players ask this, it halves the cost
            row = connection.execute(query).one_or_none()
        if row is None:
            return None, None
        if row.object_key is None or State(row.state) not in WATCHABLE:
            return None, row.region
        return _stored(row), row.region

    def feed(
        self, region: str, *, after: Position | None, limit: int
    ) -> tuple[list[AssetView], float]:
        """Return (up to `limit` watchable assets of a region after a position, last change)."""
        stories = sa.select(Asset).where(
            Asset.region == region,
            Asset.first_playable.is_not(None),
            Asset.state.in_(sorted(WATCHABLE)),
        )
        if after is not None:
            place = sa.tuple_(Asset.first_playable, Asset.asset_id)
            stories = stories.where(place < sa.tuple_(after.published, after.asset_id))
        newest_first = (Asset.first_playable.desc(), Asset.asset_id.desc())
        with Session(self._reading) as session:
            changed = session.scalar(
                sa.select(FeedChange.changed).where(FeedChange.region == region)
            )
            rows = session.scalars(stories.order_by(*newest_first).limit(limit))
            return [_view(row) for row in rows], changed or 0.0

    def signal(
        self,
        asset_id: str,
        signal: Signal,
        *,
        now_wall: float,
        error: str | None = None,
        withdrawal: Sequence[Wanted] = (),
    ) -> tuple[State, State] | None:
        """Fold a signal into an asset's state; return (before, after), None when unknown.

        `withdrawal` is logged in the same transaction when the asset stops being watchable.
        """
        with Session(self._engine) as session, session.begin():
            asset = session.get(Asset, asset_id, with_for_update=True)
            if asset is None:
                return None
            before = State(asset.state)
            now_state = after(before, signal)
            asset.state = now_state
            if error is not None and before not in {State.CANCELLED, State.COMPLETE}:
                asset.error = error
            if before in WATCHABLE and now_state not in WATCHABLE:
                self._touch_feed(session, asset.region, now_wall)
                if withdrawal:
                    append(session, withdrawal, now_wall=now_wall)
            return before, now_state

    def set_stage(self, asset_id: str, stage: str) -> None:
        """Note what the worker does now, for when the lossy progress is gone; starts a job."""
        with Session(self._engine) as session, session.begin():
            asset = session.get(Asset, asset_id, with_for_update=True)
            if asset is not None:
                asset.stage = stage[:64]
                asset.state = after(State(asset.state), Signal.STARTED)

    def publish(
        self,
        asset_id: str,
        facts: PublishedFacts,
        *,
        purges: Sequence[Wanted],
        now_wall: float,
    ) -> bool:
        """Flip everything mutable about an asset in one transaction; False when it has ended."""
        with Session(self._engine) as session, session.begin():
            asset = session.get(Asset, asset_id, with_for_update=True)
            if asset is None or not may_publish(State(asset.state), complete=facts.complete):
                return False
            signal = Signal.FINISHED if facts.complete else Signal.PUBLISHED
            asset.state = after(State(asset.state), signal)
            asset.duration_s = facts.duration_s
            asset.width, asset.height, asset.poster = facts.width, facts.height, facts.poster
            asset.first_playable = asset.first_playable or now_wall
            if facts.complete:
                asset.complete = asset.complete or now_wall
                asset.stage = State.COMPLETE
            self._replace_resources(session, asset_id, facts.resources)
            session.execute(sa.delete(Rendition).where(Rendition.asset_id == asset_id))
            for position, rendition in enumerate(facts.renditions):
                session.add(_rendition(asset_id, position, rendition))
            self._touch_feed(session, asset.region, now_wall)
            if purges:
                append(session, purges, now_wall=now_wall)
            return True

    def region(self, asset_id: str) -> str | None:
        """Return the region whose feed shows the asset."""
        with Session(self._reading) as session:
            return session.scalar(sa.select(Asset.region).where(Asset.asset_id == asset_id))

    def shown_region(self, asset_id: str) -> str | None:
        """Return the asset's region, None when there is no such asset or it was withdrawn."""
        query = sa.select(Asset.region).where(
            Asset.asset_id == asset_id, Asset.state != State.CANCELLED
        )
        with self._reading.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def _replace_resources(
        self, session: Session, asset_id: str, resources: Sequence[StoredResource]
    ) -> None:
        rows = session.scalars(sa.select(Resource).where(Resource.asset_id == asset_id))
        old = {row.name: row for row in rows}
        for row in old.values():
            session.delete(row)
        session.flush()
        for new in resources:
            before = old.get(new.name)
            # The same bytes keep their date: a publication that changes nothing changes nothing.
            same = before is not None and before.etag == new.etag
            session.add(
                Resource(
                    asset_id=asset_id,
                    name=new.name,
                    object_key=new.object_key,
                    content_type=new.content_type,
                    etag=new.etag,
                    last_modified=before.last_modified if before and same else new.last_modified,
                    may_grow=new.may_grow,
                    encodings=" ".join(new.encodings),
                )
            )

    def _touch_feed(self, session: Session, region: str, now_wall: float) -> None:
        insert = insert_postgresql if self._is_postgresql else insert_sqlite
        statement = insert(FeedChange).values(region=region, changed=now_wall)
        session.execute(
            statement.on_conflict_do_update(index_elements=["region"], set_={"changed": now_wall})
        )


def _view(row: Asset, renditions: tuple[tuple[str, int, int, int], ...] = ()) -> AssetView:
    return AssetView(
        asset_id=row.asset_id,
        region=row.region,
        title=row.title,
        state=State(row.state),
        stage=row.stage,
        error=row.error,
        duration_s=row.duration_s,
        width=row.width,
        height=row.height,
        poster=row.poster,
        uploaded=row.uploaded,
        first_playable=row.first_playable,
        complete=row.complete,
        renditions=renditions,
    )


def _stored(row: sa.Row[Any]) -> StoredResource:
    return StoredResource(
        name=row.name,
        object_key=row.object_key,
        content_type=row.content_type,
        etag=row.etag,
        last_modified=row.last_modified,
        may_grow=row.may_grow,
        encodings=tuple(row.encodings.split()),
    )


def _rendition(asset_id: str, position: int, rendition: PublishedRendition) -> Rendition:
    return Rendition(
        asset_id=asset_id,
        name=rendition.name,
        position=position,
        width=rendition.width,
        height=rendition.height,
        bandwidth=rendition.bandwidth,
        average_bandwidth=rendition.average_bandwidth,
        codecs=rendition.codecs,
    )

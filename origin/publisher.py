"""The origin as the segmenter sees it: objects first, then one transaction, then purges."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from origin import names
from origin.catalog import PublishedFacts, StoredResource
from origin.distribution import PATIENCE_S
from origin.negotiation import variants
from origin.purge_log import Kind, Wanted
from origin.states import Signal, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from origin.catalog import Catalog
    from origin.distribution import Distribution
    from origin.progress import ProgressWriter
    from origin.store import Objects
    from segmenter.publication import Publication, Resource

PUTS_MAX: Final = 8  # bodies on their way to the store at once


@dataclass(slots=True, kw_only=True, eq=False)
class CatalogPublisher:
    """Fulfils `segmenter.publication.Publisher`. Every call may be repeated after a crash."""

    catalog: Catalog
    objects: Objects
    distribution: Distribution
    writer: ProgressWriter
    scratch: Path
    clock: Callable[[], float]
    threads: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, PUTS_MAX))
    _stages: dict[str, str] = field(default_factory=dict)

    def source(self, asset_id: str) -> Path:
        """Return a local file with the accepted upload, fetched when the store is remote."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self.objects.fetch(names.source_key(asset_id), self.scratch / asset_id)

    def store(self, asset_id: str, name: str, body: Path | bytes, content_type: str) -> None:
        """Keep an immutable object under the name that its bytes give it; ValueError otherwise."""
        facts = names.immutable(name)
        if facts is None:
            raise ValueError(f"{name}: not a content-addressed name of a served type")
        digest, served_type, _ = facts
        if names.content_address(_sha256(body)) != digest:
            raise ValueError(f"{name}: the bytes have another digest")
        if content_type.partition("/")[0] not in {served_type.partition("/")[0], "audio"}:
            raise ValueError(f"{name}: {content_type} would be served as {served_type}")
        self.objects.put(names.object_key(asset_id, name), body)

    def publish(self, asset_id: str, publication: Publication) -> None:
        """Store the new bodies, flip the names, purge what showed the old ones."""
        region = self.catalog.region(asset_id)
        if region is None:
            raise LookupError(f"{asset_id}: no such asset")
        now_wall = self.clock()
        facts = PublishedFacts(
            duration_s=publication.duration_s,
            width=publication.width,
            height=publication.height,
            poster=publication.poster,
            complete=publication.complete,
            resources=self._keep_all(asset_id, publication.resources, now_wall),
            renditions=publication.renditions,
        )
        tags = (names.playlists_tag(asset_id), names.feed_tag(region))
        flipped = self.catalog.publish(
            asset_id,
            facts,
            purges=[Wanted(Kind.TAG, tag) for tag in tags],
            now_wall=now_wall,
        )
        if flipped:
            self.distribution.flush(patience_s=PATIENCE_S)
        if publication.complete:
            self._forget(asset_id)

    def progress(self, asset_id: str, stage: str, fraction: float) -> None:
        """Say how far the asset is; a new stage is noted in the catalog too, once it is there."""
        self.writer.write(asset_id, stage, fraction)
        if self._stages.get(asset_id) != stage:
            with suppress(SQLAlchemyError):
                self.catalog.set_stage(asset_id, stage)
                self._stages[asset_id] = stage

    def fail(self, asset_id: str, sentence: str) -> None:
        """Give the asset up. What was already published stays watchable, with the sentence."""
        self.catalog.signal(asset_id, Signal.FAILED, now_wall=self.clock(), error=sentence)
        self._forget(asset_id)

    def is_cancelled(self, asset_id: str) -> bool:
        """Say whether the asset was cancelled, or is gone altogether.

        A catalog that is away has not said so: it ends no encoder that runs for hours.
        """
        try:
            return self.catalog.state(asset_id) in {None, State.CANCELLED}
        except SQLAlchemyError:
            return False

    def cancelled(self, asset_id: str) -> None:
        """Make sure that a cancelled asset is shown as such, now that its work has ended."""
        self.catalog.signal(asset_id, Signal.CANCELLED, now_wall=self.clock())
        self._forget(asset_id)

    def close(self) -> None:
        """Give connections and threads back."""
        self.threads.shutdown()
        self.distribution.close()
        self.writer.close()

    def _forget(self, asset_id: str) -> None:
        """Drop what a job needed: a remote store's source was fetched into a file of ours."""
        self._stages.pop(asset_id, None)
        (self.scratch / asset_id).unlink(missing_ok=True)

    def _keep_all(
        self, asset_id: str, resources: Sequence[Resource], now_wall: float
    ) -> list[StoredResource]:
        """Store all bodies; side by side, so that the disk synchronises several in one go."""
        count = len(resources)
        return list(self.threads.map(self._keep, [asset_id] * count, resources, [now_wall] * count))

    def _keep(self, asset_id: str, resource: Resource, now_wall: float) -> StoredResource:
        """Store a resource's body and its compressed forms under their content's address."""
        digest = names.content_address(hashlib.sha256(resource.body).hexdigest())
        key = names.object_key(asset_id, digest)
        self.objects.put(key, resource.body)
        forms = variants(resource.body, resource.content_type)
        for coding, form in forms.items():
            self.objects.put(f"{key}.{coding}", form)
        return StoredResource(
            name=resource.name,
            object_key=key,
            content_type=resource.content_type,
            etag=digest,
            last_modified=now_wall,
            may_grow=resource.may_grow,
            encodings=tuple(forms),
        )


def _sha256(body: Path | bytes) -> str:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest()
    with body.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

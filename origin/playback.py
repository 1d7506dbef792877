"""`/v/{asset_id}/{name}`: playlists, segments and images."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cachetools import LRUCache

from origin import names
from origin.delivery import Representation, deliver, refuse
from origin.negotiation import IDENTITY, choose
from origin.responses import CacheClass
from origin.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from origin.catalog import Catalog, StoredResource
    from origin.store import Objects

log = logging.getLogger(__name__)

STATS_MAX = 50_000  # objects whose length and date are remembered; they never change


class Playback:
    """Serves what an asset consists of."""

    def __init__(self, *, catalog: Catalog, objects: Objects, clock: Callable[[], float]) -> None:
        self._catalog = catalog
        self._objects = objects
        self._clock = clock
        self._stats: LRUCache[str, tuple[int, float]] = LRUCache(STATS_MAX)

    async def __call__(self, request: Request) -> Response:
        """Answer a GET or HEAD for one name of one asset."""
        asset_id, name = request.path_params["asset_id"], request.path_params["name"]
        if not names.ASSET_ID.fullmatch(asset_id) or not names.MUTABLE_NAME.fullmatch(name):
            return refuse(404, "There is no such video.", cache_class=CacheClass.ABSENT)
        try:
            what = await self._object(asset_id, name) or await self._resource(request, name)
        except FileNotFoundError:
            what = None
        except StoreError as error:
            log.warning("%s", error)
            return refuse(503, "The object store does not answer.", headers={"retry-after": "1"})
        if what is None:
            tags = (names.asset_tag(asset_id), names.playlists_tag(asset_id))
            return refuse(
                404,
                "There is nothing of that name, or not yet.",
                cache_class=CacheClass.ABSENT,
                headers={"surrogate-key": " ".join(tags)},
            )
        return deliver(request, what, self._objects, now_wall=self._clock())

    async def _object(self, asset_id: str, name: str) -> Representation | None:
        facts = names.immutable(name)
        if facts is None:
            return None
        digest, content_type, kind = facts
        # Asked each time: an edge that is told to forget a withdrawn asset must not get it back.
        region = await asyncio.to_thread(self._catalog.shown_region, asset_id)
        if region is None:
            raise FileNotFoundError(asset_id)
        key = names.object_key(asset_id, name)
        length, last_modified = await self._stat(key)
        return Representation(
            body=key,
            length=length,
            etag=digest,
            last_modified=last_modified,
            content_type=content_type,
            cache_class=CacheClass.IMMUTABLE,
            tags=(names.asset_tag(asset_id), f"region-{region}", f"kind-{kind}"),
        )

    async def _resource(self, request: Request, name: str) -> Representation | None:
        asset_id = request.path_params["asset_id"]
        resource, region = await asyncio.to_thread(self._catalog.resource, asset_id, name)
        if resource is None:
            return None
        coding = choose(request.headers.get("accept-encoding"), resource.encodings)
        key, etag = _variant(resource, coding)
        length, _ = await self._stat(key)
        return Representation(
            body=key,
            length=length,
            etag=etag,
            last_modified=resource.last_modified,
            content_type=resource.content_type,
            cache_class=CacheClass.GROWING if resource.may_grow else CacheClass.SETTLED,
            tags=(
                names.asset_tag(asset_id),
                names.playlists_tag(asset_id),
                f"region-{region}",
                f"kind-{names.kind_of(resource.content_type)}",
            ),
            coding=None if coding == IDENTITY else coding,
            varies=bool(resource.encodings),
        )

    async def _stat(self, key: str) -> tuple[int, float]:
        found = self._stats.get(key)
        if found is None:
            found = self._stats[key] = await self._objects.stat(key)
        return found


def _variant(resource: StoredResource, coding: str) -> tuple[str, str]:
    """Return (object key, ETag) of one coding of a resource; every coding has its own tag."""
    if coding == IDENTITY:
        return resource.object_key, resource.etag
    return f"{resource.object_key}.{coding}", f"{resource.etag}-{coding}"

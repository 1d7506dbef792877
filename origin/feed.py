"""`/feed/{region}`: the rim around the feed's pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cachetools import LRUCache

from origin import cursor, names
from origin.delivery import Representation, deliver, refuse
from origin.feed_fragments import page_etag, page_limit, render_page
from origin.negotiation import IDENTITY, choose, variants
from origin.responses import CacheClass
from origin.signed_paths import asset_base, signed_since

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from origin.catalog import AssetView, Catalog
    from origin.ring_file import RingFile
    from origin.store import Objects

COMPRESSED_MAX = 256  # pages whose compressed forms are kept


class Feed:
    """Serves pages of story cards."""

    def __init__(
        self, *, catalog: Catalog, objects: Objects, keys: RingFile, clock: Callable[[], float]
    ) -> None:
        self._catalog = catalog
        self._objects = objects
        self._keys = keys
        self._clock = clock
        self._compressed: LRUCache[str, dict[str, bytes]] = LRUCache(COMPRESSED_MAX)

    async def __call__(self, request: Request) -> Response:
        """Answer a GET or HEAD for one page."""
        region = request.path_params["region"]
        if not names.REGION.fullmatch(region):
            return refuse(404, "A region is 1 to 32 characters of a-z, 0-9 and '-'.")
        limit = page_limit(request.query_params.get("limit"))
        if limit is None:
            return refuse(400, "limit is a whole number from 1 to 100.")
        after = request.query_params.get("after")
        place = None if after is None else cursor.parse(after)
        if after is not None and place is None:
            return refuse(400, "after is no cursor of this feed: begin again at the first page.")
        stories, changed = await asyncio.to_thread(
            self._catalog.feed, region, after=place, limit=limit + 1
        )
        ring, now_wall = self._keys.ring, self._clock()

        def base(story: AssetView) -> str:
            return asset_base(ring, story.asset_id, story.duration_s, now_wall)

        body = render_page(region, stories, limit=limit, base=base)
        etag = page_etag(body)
        forms = self._compressed.get(etag)
        if forms is None:
            forms = await asyncio.to_thread(variants, body, "application/json")
            self._compressed[etag] = forms
        coding = choose(request.headers.get("accept-encoding"), tuple(forms))
        form = forms.get(coding, body)
        page = Representation(
            body=form,
            length=len(form),
            etag=etag if coding == IDENTITY else f"{etag}-{coding}",
            last_modified=max(changed, signed_since(ring, now_wall)),
            content_type="application/json",
            cache_class=CacheClass.FEED,
            tags=(names.feed_tag(region), f"region-{region}", "kind-feed"),
            coding=None if coding == IDENTITY else coding,
            varies=True,
        )
        return deliver(request, page, self._objects, now_wall=now_wall)

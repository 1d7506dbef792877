"""`/api/assets/{asset_id}`: what has become of an upload, and how to stop it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from origin import names
from origin.authorisation import is_authorised
from origin.delivery import private_json, refuse
from origin.distribution import PATIENCE_S
from origin.purge_log import Kind, Wanted
from origin.signed_paths import asset_base, opens_for_s
from origin.states import ENDED, WATCHABLE, Signal, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from origin.catalog import AssetView, Catalog
    from origin.distribution import Distribution
    from origin.progress import ProgressReader
    from origin.ring_file import RingFile


@dataclass(slots=True, kw_only=True, eq=False)
class AssetsApi:
    """Reads and cancels assets."""

    catalog: Catalog
    progress: ProgressReader
    keys: RingFile
    distribution: Distribution
    token: str | None
    clock: Callable[[], float]

    async def show(self, request: Request) -> Response:
        """Answer a GET or HEAD for one asset."""
        asset_id = request.path_params["asset_id"]
        asset = None
        if names.ASSET_ID.fullmatch(asset_id):
            asset = await asyncio.to_thread(self.catalog.asset, asset_id)
        if asset is None:
            return refuse(404, "There is no such video.")
        heard = None if asset.state in ENDED else await self.progress.read(asset_id)
        return private_json(self._described(asset, heard))

    async def cancel(self, request: Request) -> Response:
        """Answer an operator's POST: stop the work and withdraw what was published."""
        if not is_authorised(request.headers.get("authorization"), self.token):
            challenge = {"www-authenticate": 'Bearer realm="amaro"'}
            return refuse(401, "Cancelling needs the admin token.", headers=challenge)
        asset_id = request.path_params["asset_id"]
        changed = await asyncio.to_thread(self.cancel_asset, asset_id)
        if changed is None:
            return refuse(404, "There is no such video.")
        if changed is not State.CANCELLED:
            return refuse(409, f"The video is {changed}: there is nothing to cancel.")
        asset = await asyncio.to_thread(self.catalog.asset, asset_id)
        return private_json({} if asset is None else self._described(asset, None))

    def _described(self, asset: AssetView, heard: tuple[str, float] | None) -> dict[str, Any]:
        ring, now_wall = self.keys.ring, self.clock()
        base = asset_base(ring, asset.asset_id, asset.duration_s, now_wall)
        lasts_s = opens_for_s(ring, asset.duration_s, now_wall)
        return describe(asset, heard, base) | {"opens_for_s": lasts_s}

    def cancel_asset(self, asset_id: str) -> State | None:
        """Cancel the asset's job and purge it everywhere; return its state afterwards."""
        now_wall = self.clock()
        tags = (names.asset_tag(asset_id), names.feed_tag(self.catalog.region(asset_id) or ""))
        states = self.catalog.signal(
            asset_id,
            Signal.CANCELLED,
            now_wall=now_wall,
            withdrawal=[Wanted(Kind.TAG, tag) for tag in tags],
        )
        if states is None:
            return None
        before, now_state = states
        if before in WATCHABLE and now_state is State.CANCELLED:
            self.distribution.flush(patience_s=PATIENCE_S)
        return now_state


def describe(asset: AssetView, heard: tuple[str, float] | None, base: str) -> dict[str, Any]:
    """Return an asset as the API shows it; `heard` is the worker's (stage, fraction).

    `base` is where its names begin.
    """
    if asset.state in ENDED:
        stage, fraction = str(asset.state), 1.0 if asset.state is State.COMPLETE else 0.0
    else:
        stage, fraction = heard or (asset.stage, 0.0)
    return {
        "asset_id": asset.asset_id,
        "state": asset.state,
        "stage": stage,
        "fraction": fraction,
        "error": asset.error,
        "region": asset.region,
        "title": asset.title,
        "base": base,
        "playback": f"{base}/main.m3u8" if asset.state in WATCHABLE else None,
        "poster": None if asset.poster is None else f"{base}/{asset.poster}",
        "renditions": [
            {"name": name, "width": width, "height": height, "bandwidth": bandwidth}
            for name, width, height, bandwidth in asset.renditions
        ],
        "uploaded": asset.uploaded,
        "first_playable": asset.first_playable,
        "complete": asset.complete,
    }

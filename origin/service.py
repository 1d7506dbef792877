"""Builds an origin, or a publisher for a worker, from settings; owns what must be closed."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from origin.app import OriginApp, Parts, build_app
from origin.appending import Appending
from origin.assets_api import AssetsApi
from origin.bodies import Bodies, kernel_boot_id
from origin.catalog import Catalog
from origin.chores import Chores, Jobs
from origin.database import open_engine, sqlite_url
from origin.distribution import Distribution
from origin.edges import edge_listeners
from origin.feed import Feed
from origin.playback import Playback
from origin.progress import ProgressReader, ProgressWriter
from origin.provider import Provider, abilities
from origin.publisher import CatalogPublisher
from origin.purge_carrier import ValkeyCarrier
from origin.purge_log import PurgeLog
from origin.purge_ordering import Ordering
from origin.purge_places import PurgePlaces
from origin.purges_api import PurgesApi
from origin.realtime_api import RealtimeApi
from origin.ring_file import RingFile
from origin.signals import Signals
from origin.store import Objects, open_objects
from origin.tokens_api import TokensApi
from origin.tus import Tus
from origin.upload_ledger import UploadLedger
from origin.watchable import WatchableStories

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    import sqlalchemy as sa

    from origin.provider_file import ProviderSettings
    from origin.settings import OriginSettings

DISK_THREADS = 16


@asynccontextmanager
async def open_app(settings: OriginSettings, jobs: Jobs | None) -> AsyncIterator[OriginApp]:
    """Yield the origin's application, to be run on the current event loop."""
    loop = asyncio.get_running_loop()
    wake = asyncio.Event()
    clock = time.time
    progress = ProgressReader(settings.redis_url)
    with ExitStack() as stack:
        engine = await asyncio.to_thread(_engine, settings)
        stack.callback(engine.dispose)
        disk = stack.enter_context(ThreadPoolExecutor(DISK_THREADS, "disk"))
        catalog, objects = Catalog(engine), _objects(settings)
        ledger, bodies = UploadLedger(engine), Bodies(settings.data / "uploads")
        purge_log = await asyncio.to_thread(PurgeLog, engine)
        distribution = await asyncio.to_thread(
            _distribution, settings, engine, purge_log, settings.providers
        )
        stack.callback(distribution.close)
        appending = Appending(
            ledger=ledger,
            bodies=bodies,
            limits=settings.limits,
            boot_id=kernel_boot_id(),
            clock=clock,
            disk=disk,
            accepted=partial(_wake, loop, wake),
        )
        keys = RingFile(settings.access_keys, settings.access_ring, clock)
        assets = AssetsApi(
            catalog=catalog,
            progress=progress,
            keys=keys,
            distribution=distribution,
            token=settings.token,
            clock=clock,
        )
        tus = Tus(
            ledger=ledger,
            bodies=bodies,
            appending=appending,
            limits=settings.limits,
            default_region=settings.default_region,
            clock=clock,
            random=os.urandom,
            cancel=assets.cancel_asset,
        )
        signals = Signals(
            stories=WatchableStories(engine),
            admin_urls=settings.edge_admin_urls,
            token=settings.token,
        )
        stack.callback(signals.close)
        ordering = Ordering(
            purge_log=purge_log,
            distribution=distribution,
            clock=clock,
            abilities=partial(abilities, settings.providers),
        )
        stack.callback(ordering.close)
        chores = Chores(
            purge_log=purge_log,
            ledger=ledger,
            bodies=bodies,
            objects=objects,
            appending=appending,
            signals=signals,
            distribution=distribution,
            jobs=jobs,
            wake=wake,
            clock=clock,
        )
        parts = Parts(
            playback=Playback(catalog=catalog, objects=objects, clock=clock),
            feed=Feed(catalog=catalog, objects=objects, keys=keys, clock=clock),
            assets=assets,
            tokens=TokensApi(keys=keys, token=settings.token, clock=clock),
            realtime=RealtimeApi(keys=keys, token=settings.token, clock=clock),
            purges=PurgesApi(log=purge_log, ordering=ordering, token=settings.token),
            tus=tus,
        )
        yield build_app(parts, chores)
        await progress.aclose()


@contextmanager
def open_publisher(settings: OriginSettings) -> Iterator[CatalogPublisher]:
    """Yield the publisher that a segmenter worker hands its results to."""
    engine = _engine(settings)
    try:
        catalog = Catalog(engine)
        publisher = CatalogPublisher(
            catalog=catalog,
            objects=_objects(settings),
            distribution=_distribution(settings, engine, PurgeLog(engine)),
            writer=ProgressWriter(settings.redis_url),
            scratch=settings.data / "sources",
            clock=time.time,
        )
        try:
            yield publisher
        finally:
            publisher.close()
    finally:
        engine.dispose()


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


def _engine(settings: OriginSettings) -> sa.Engine:
    settings.data.mkdir(parents=True, exist_ok=True)
    return open_engine(settings.catalog_url or sqlite_url(settings.data / "catalog.sqlite"))


def _objects(settings: OriginSettings) -> Objects:
    return open_objects(settings.store_url or settings.data / "objects")


def _distribution(
    settings: OriginSettings,
    engine: sa.Engine,
    purge_log: PurgeLog,
    providers: Sequence[ProviderSettings] = (),
) -> Distribution:
    edges = edge_listeners(settings.edge_admin_urls, settings.token)

    def edges_behind(number: int) -> bool:
        return made.edges_behind(number)

    in_front = [Provider(each, edges_behind=edges_behind) for each in providers]
    made = Distribution(
        purge_log=purge_log,
        places=PurgePlaces(engine),
        recipients=[*edges, *in_front],
        carrier=None if settings.redis_url is None else ValkeyCarrier(settings.redis_url),
    )
    return made

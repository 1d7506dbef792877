"""What becomes of uploads that are complete, stale, or on another origin's disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from origin.appending import Appending
from origin.bodies import Bodies
from origin.catalog import Catalog
from origin.chores import BATCH_MAX, LOST_S, Chores
from origin.database import open_engine, sqlite_url
from origin.distribution import Distribution
from origin.names import asset_id_of
from origin.purge_log import PurgeLog
from origin.purge_places import PurgePlaces
from origin.settings import UploadLimits
from origin.signals import Signals
from origin.store import LocalObjects
from origin.upload_ledger import Begun, UploadLedger, UploadRecord
from origin.watchable import WatchableStories
from tests.support.origin import Submissions, creation, eventually, new_upload_id

ASSET = asset_id_of(new_upload_id(1))
BODY = b"0123456789"


class Forgetful(UploadLedger):
    """A ledger whose list of stale uploads was read a moment before somebody went on."""

    def expired(self, *, now_wall: float, limit: int) -> list[UploadRecord]:
        found = super().expired(now_wall=now_wall, limit=limit)
        for record in found:
            self.complete(record.asset_id, now_wall=now_wall)
        return found


@dataclass
class Site:
    """Origins that share a catalog and a store, each with a disk of its own."""

    root: Path
    engine: sa.Engine
    ledger: UploadLedger
    catalog: Catalog
    distribution: Distribution
    disk: ThreadPoolExecutor
    now_wall: float = 1_000.0

    def origin(self, name: str, ledger: UploadLedger | None = None) -> tuple[Chores, Submissions]:
        """Return an origin and what it hands over."""
        jobs, bodies = Submissions(), Bodies(self.root / name)
        appending = Appending(
            ledger=self.ledger,
            bodies=bodies,
            limits=UploadLimits(),
            boot_id="boot",
            clock=lambda: self.now_wall,
            disk=self.disk,
            accepted=lambda: None,
        )
        made = Chores(
            ledger=ledger or self.ledger,
            bodies=bodies,
            objects=LocalObjects(self.root / "objects"),
            appending=appending,
            signals=Signals(stories=WatchableStories(self.engine), admin_urls=[], token=None),
            distribution=self.distribution,
            purge_log=PurgeLog(self.engine),
            jobs=jobs,
            wake=asyncio.Event(),
            clock=lambda: self.now_wall,
        )
        return made, jobs

    def upload(self, to: Chores, asset_id: str = ASSET, *, complete: bool = True) -> None:
        """Send an upload to one origin."""
        to.bodies.create(asset_id)
        to.bodies.path(asset_id).write_bytes(BODY)
        begun = Begun(client="client", boot_id="boot", expires=self.now_wall + 60.0)
        self.ledger.create(asset_id, creation(), begun, now_wall=self.now_wall)
        if complete:
            assert self.ledger.complete(asset_id, now_wall=self.now_wall)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    engine = open_engine(sqlite_url(tmp_path / "catalog.sqlite"))
    catalog = Catalog(engine)
    distribution = Distribution(
        purge_log=PurgeLog(engine), places=PurgePlaces(engine), recipients=()
    )
    with ThreadPoolExecutor(1) as disk:
        yield Site(tmp_path, engine, UploadLedger(engine), catalog, distribution, disk)
    distribution.close()
    engine.dispose()


def test_another_origins_upload_waits_for_it(site: Site) -> None:
    (first, handed_first), (second, handed_second) = site.origin("first"), site.origin("second")
    theirs = [asset_id_of(new_upload_id(n)) for n in range(2, BATCH_MAX + 4)]
    for asset_id in theirs:
        site.upload(first, asset_id)
    site.now_wall += 1.0
    site.upload(second)
    assert second.submit_all() == 1  # its own, although more than a batch of older ones are not its
    assert handed_second.asset_ids == [ASSET]
    while first.submit_all():
        pass
    assert sorted(handed_first.asset_ids) == sorted(theirs)
    assert {site.catalog.state(asset_id) for asset_id in theirs} == {"queued"}


def test_an_accepted_upload_that_is_nowhere_is_given_up(site: Site) -> None:
    (first, handed), (second, _) = site.origin("first"), site.origin("second")
    site.upload(first)
    first.bodies.remove(ASSET)
    assert (first.submit_all(), second.submit_all()) == (0, 0)
    assert site.catalog.state(ASSET) == "queued"
    site.now_wall += LOST_S + 1.0
    second.submit_all()
    assert site.catalog.state(ASSET) == "failed"
    assert handed.asset_ids == []


def test_an_upload_that_ends_while_it_is_found_stale_is_kept(site: Site) -> None:
    origin, handed = site.origin("first", Forgetful(site.engine))
    site.upload(origin, complete=False)
    site.now_wall += 61.0
    assert origin.expire_all() == 0
    assert origin.submit_all() == 1
    assert handed.asset_ids == [ASSET]


def test_a_stale_upload_goes(site: Site) -> None:
    (first, _), (second, _) = site.origin("first"), site.origin("second")
    site.upload(first, complete=False)
    site.now_wall += 61.0
    assert second.expire_all() == 0  # the disk that has it goes first
    assert first.expire_all() == 1
    assert site.ledger.find(ASSET) is None
    assert not first.bodies.path(ASSET).exists()


def test_a_file_that_goes_while_strays_are_looked_for_is_none(site: Site) -> None:
    origin, _ = site.origin("first")
    site.upload(origin, complete=False)
    origin.bodies.path(asset_id_of(new_upload_id(2))).symlink_to("gone")  # a name and no file
    site.now_wall += 61.0
    assert origin.expire_all() == 1


class BrokenJobs:
    """A queue with a fault that nobody foresaw."""

    def submit(self, asset_id: str) -> None:
        raise ZeroDivisionError


async def test_an_origin_whose_chores_have_ended_is_not_ready(site: Site) -> None:
    origin, _ = site.origin("first")
    origin.jobs = BrokenJobs()
    site.upload(origin)
    with pytest.raises((ExceptionGroup, asyncio.CancelledError)):
        async with origin:
            await eventually(lambda: any(t.done() for t in origin._running), "it still runs")
    assert "chore has ended" in (await origin.why_not_ready() or "")

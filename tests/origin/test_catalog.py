"""The catalog's transactions, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from origin.catalog import Catalog, PublishedFacts, StoredResource
from origin.cursor import Position
from origin.database import open_engine, sqlite_url
from origin.names import asset_id_of
from origin.purge_log import Kind, PurgeLog, Wanted
from origin.states import Signal, State
from origin.tables import Base, LoggedPurge, PurgeLogName
from origin.upload_ledger import Begun, UploadLedger
from origin.watchable import Story, WatchableStories
from tests.support.origin import creation, new_upload_id

NUMBERS = itertools.count()
BEGUN = Begun(client="192.0.2.1", boot_id="boot", expires=1_000.0)
MAIN = StoredResource(
    name="main.m3u8",
    object_key="assets/x/y",
    content_type="application/vnd.apple.mpegurl",
    etag="y",
    last_modified=10.0,
    may_grow=True,
    encodings=("br", "gzip"),
)
FACTS = PublishedFacts(
    duration_s=4.0,
    width=1280,
    height=720,
    poster=None,
    complete=False,
    resources=[MAIN],
    renditions=[],
)


@pytest.fixture
def catalog(engine: sa.Engine) -> Catalog:
    return Catalog(engine)


@pytest.fixture
def ledger(engine: sa.Engine) -> Iterator[UploadLedger]:
    yield UploadLedger(engine)
    with engine.begin() as connection:
        kept = {PurgeLogName.__table__, LoggedPurge.__table__}
        for table in set(Base.metadata.sorted_tables) - kept:
            connection.execute(sa.delete(table))


def accepted(ledger: UploadLedger, *, region: str = "north", now_wall: float = 1.0) -> str:
    """Bring an upload to its end; return its asset_id."""
    asset_id = asset_id_of(new_upload_id(next(NUMBERS)))
    ledger.create(asset_id, creation(region=region), BEGUN, now_wall=now_wall)
    assert ledger.complete(asset_id, now_wall=now_wall)
    return asset_id


def published(catalog: Catalog, ledger: UploadLedger, now_wall: float) -> str:
    asset_id = accepted(ledger)
    assert catalog.publish(asset_id, FACTS, purges=[], now_wall=now_wall)
    return asset_id


def test_the_migrations_make_what_the_tables_say(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "catalog.sqlite")
    failures: list[Exception] = []

    def start() -> None:
        try:
            open_engine(url).dispose()
        except sa.exc.SQLAlchemyError as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_upload_becomes_a_job(ledger: UploadLedger, catalog: Catalog) -> None:
    asset_id = asset_id_of(new_upload_id(next(NUMBERS)))
    ledger.create(asset_id, creation(length=10), BEGUN, now_wall=1.0)
    assert catalog.state(asset_id) is State.UPLOADING
    assert ledger.burden("192.0.2.1", active_since=0.5) == (1, 10)
    assert ledger.burden("192.0.2.1", active_since=1.5) == (0, 0)
    assert ledger.burden("192.0.2.2", active_since=0.5) == (0, 10)
    ledger.record(asset_id, offset=4, boot_id="boot", now_wall=2.0, expires=2_000.0)
    found = ledger.find(asset_id)
    assert found is not None
    assert (found.offset, found.expires, found.completed) == (4, 2_000.0, None)
    assert ledger.burden("192.0.2.1", active_since=1.5) == (1, 6)
    assert [record.asset_id for record in ledger.unfinished(limit=9)] == [asset_id]

    assert ledger.complete(asset_id, now_wall=3.0)
    assert ledger.complete(asset_id, now_wall=4.0)  # again, after a crash
    assert ledger.to_submit(limit=9) == [asset_id]
    assert ledger.unfinished(limit=9) == []
    shown = catalog.asset(asset_id)
    assert shown is not None
    assert (shown.state, shown.uploaded) == (State.QUEUED, 3.0)
    assert ledger.expired(now_wall=9_000.0, limit=9) == []  # its job must be submitted first
    ledger.submitted(asset_id, now_wall=5.0)
    assert ledger.to_submit(limit=9) == []
    assert [record.asset_id for record in ledger.expired(now_wall=9_000.0, limit=9)] == [asset_id]
    ledger.remove(asset_id)
    assert ledger.find(asset_id) is None
    assert catalog.state(asset_id) is State.QUEUED


def test_removing_an_unfinished_upload_leaves_nothing(
    ledger: UploadLedger, catalog: Catalog
) -> None:
    asset_id = asset_id_of(new_upload_id(next(NUMBERS)))
    ledger.create(asset_id, creation(), BEGUN, now_wall=1.0)
    ledger.remove(asset_id)
    assert catalog.asset(asset_id) is None
    assert not ledger.complete(asset_id, now_wall=2.0)


def test_lost_bytes_fail_the_asset(ledger: UploadLedger, catalog: Catalog) -> None:
    asset_id = accepted(ledger)
    ledger.lose(asset_id, now_wall=2.0)
    shown = catalog.asset(asset_id)
    assert shown is not None
    assert shown.state is State.FAILED
    assert shown.error
    assert ledger.to_submit(limit=9) == []


def test_publishing_replaces_names_and_keeps_validators(
    ledger: UploadLedger, catalog: Catalog
) -> None:
    asset_id = published(catalog, ledger, 10.0)
    assert catalog.resource(asset_id, "main.m3u8") == (MAIN, "north")
    same = replace(MAIN, last_modified=20.0, may_grow=False)
    other = replace(MAIN, name="720p.m3u8", etag="z", last_modified=20.0)
    complete = replace(FACTS, complete=True, resources=[same, other])
    assert catalog.publish(asset_id, complete, purges=[], now_wall=20.0)
    found, _ = catalog.resource(asset_id, "main.m3u8")
    assert found == replace(MAIN, may_grow=False)  # same bytes, same date
    shown = catalog.asset(asset_id)
    assert shown is not None
    assert (shown.state, shown.first_playable, shown.complete) == (State.COMPLETE, 10.0, 20.0)
    assert catalog.publish(asset_id, replace(complete, resources=[other]), purges=[], now_wall=30)
    assert catalog.resource(asset_id, "main.m3u8") == (None, "north")
    assert catalog.resource("a" * 16, "main.m3u8") == (None, None)


def test_what_was_cancelled_is_not_published(
    ledger: UploadLedger, catalog: Catalog, engine: sa.Engine
) -> None:
    asset_id = published(catalog, ledger, 10.0)
    assert catalog.shown_region(asset_id) == "north"
    purge_log = PurgeLog(engine)
    before = purge_log.last()
    wanted = Wanted(Kind.TAG, f"asset-{asset_id}")
    states = catalog.signal(asset_id, Signal.CANCELLED, now_wall=11.0, withdrawal=[wanted])
    assert states == (State.PLAYABLE, State.CANCELLED)
    assert [purge.wanted for purge in purge_log.page(before).purges] == [wanted]
    assert catalog.shown_region(asset_id) is None
    assert not catalog.publish(asset_id, FACTS, purges=[], now_wall=12.0)
    assert catalog.resource(asset_id, "main.m3u8") == (None, "north")
    stories, changed = catalog.feed("north", after=None, limit=9)
    assert (stories, changed) == ([], 11.0)
    assert catalog.signal("a" * 16, Signal.CANCELLED, now_wall=1.0) is None


def test_a_failure_after_the_first_rendition_keeps_it(
    ledger: UploadLedger, catalog: Catalog
) -> None:
    asset_id = published(catalog, ledger, 10.0)
    catalog.signal(asset_id, Signal.FAILED, now_wall=11.0, error="The disk is full.")
    shown = catalog.asset(asset_id)
    assert shown is not None
    assert (shown.state, shown.error) == (State.PLAYABLE, "The disk is full.")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10])
def test_pages_hold_every_story_once(ledger: UploadLedger, catalog: Catalog, limit: int) -> None:
    instants = [5.0, 1.0, 3.0, 3.0, 3.0, 2.0, 5.0]
    made = [(instant, published(catalog, ledger, instant)) for instant in instants]
    accepted(ledger)  # not watchable: not a story
    accepted(ledger, region="south")
    seen: list[tuple[float, str]] = []
    place = None
    while page := catalog.feed("north", after=place, limit=limit)[0]:
        seen += [(story.first_playable or 0.0, story.asset_id) for story in page]
        place = Position(published=seen[-1][0], asset_id=seen[-1][1])
        published(catalog, ledger, 9.0)  # newer than every cursor: shifts no later page
    assert seen == sorted(made, reverse=True)


def test_stories_are_watchable_from_their_first_publication_on(
    engine: sa.Engine, catalog: Catalog, ledger: UploadLedger
) -> None:
    stories = WatchableStories(engine)
    accepted(ledger)
    first = published(catalog, ledger, 10.0)
    second = published(catalog, ledger, 20.0)
    assert stories.since(9.0) == [Story(asset_id=a, region="north") for a in (first, second)]
    assert stories.since(10.0) == [Story(asset_id=second, region="north")]
    assert catalog.publish(first, replace(FACTS, complete=True), purges=[], now_wall=30.0)
    assert stories.since(20.0) == []

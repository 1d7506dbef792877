"""The publisher's promises: right names, objects before names, repeatable."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from origin.catalog import Catalog
from origin.database import open_engine, sqlite_url
from origin.distribution import Distribution
from origin.names import asset_id_of
from origin.progress import ProgressWriter
from origin.publisher import CatalogPublisher
from origin.purge_log import PurgeLog
from origin.purge_places import PurgePlaces
from origin.states import State
from origin.store import LocalObjects, StoreError
from origin.upload_ledger import Begun, UploadLedger
from tests.support.origin import (
    content_name,
    creation,
    main_playlist,
    new_upload_id,
    playlist,
    publication,
)

BODY = b"a segment"
NAME = content_name(BODY)
ASSET = asset_id_of(new_upload_id(1))


class Dying(LocalObjects):
    """A store that fails at the nth write, as a process that dies there would."""

    puts_left = 1_000

    def put(self, key: str, body: bytes | Path) -> None:
        if self.puts_left == 0:
            raise StoreError("died here")
        self.puts_left -= 1
        super().put(key, body)


class Leaving(Catalog):
    """A catalog that can be away."""

    is_away = False

    def state(self, asset_id: str) -> State | None:
        if self.is_away:
            raise OperationalError("SELECT", {}, OSError("away"))
        return super().state(asset_id)

    def set_stage(self, asset_id: str, stage: str) -> None:
        if self.is_away:
            raise OperationalError("UPDATE", {}, OSError("away"))
        super().set_stage(asset_id, stage)


@pytest.fixture
def objects(tmp_path: Path) -> Dying:
    return Dying(tmp_path / "objects")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Leaving]:
    engine = open_engine(sqlite_url(tmp_path / "catalog.sqlite"))
    ledger = UploadLedger(engine)
    begun = Begun(client="c", boot_id="b", expires=1e9)
    ledger.create(ASSET, creation(), begun, now_wall=1.0)
    ledger.complete(ASSET, now_wall=2.0)
    yield Leaving(engine)
    engine.dispose()


@pytest.fixture
def publisher(tmp_path: Path, catalog: Catalog, objects: Dying) -> Iterator[CatalogPublisher]:
    ticks = itertools.count(100)
    engine = open_engine(sqlite_url(tmp_path / "catalog.sqlite"))
    publisher = CatalogPublisher(
        catalog=catalog,
        objects=objects,
        distribution=Distribution(
            purge_log=PurgeLog(engine), places=PurgePlaces(engine), recipients=()
        ),
        writer=ProgressWriter(None),
        scratch=tmp_path / "sources",
        clock=lambda: float(next(ticks)),
    )
    yield publisher
    publisher.close()
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "body", "content_type"),
    [
        ("main.m4s", BODY, "video/mp4"),
        (NAME.upper(), BODY, "video/mp4"),
        (content_name(BODY, "exe"), BODY, "video/mp4"),
        (NAME, b"other bytes", "video/mp4"),
        (NAME, BODY, "image/jpeg"),
        (f"../{NAME}", BODY, "video/mp4"),
    ],
)
def test_a_name_that_is_not_the_contents_is_refused(
    publisher: CatalogPublisher, name: str, body: bytes, content_type: str
) -> None:
    with pytest.raises(ValueError):
        publisher.store(ASSET, name, body, content_type)


@pytest.mark.parametrize("extension", ["m4s", "mp4"])
def test_files_and_bytes_are_stored_alike_and_again(
    publisher: CatalogPublisher, tmp_path: Path, extension: str
) -> None:
    name = content_name(BODY, extension)
    path = tmp_path / "segment"
    path.write_bytes(BODY)
    for body in (BODY, path):
        publisher.store(ASSET, name, body, "audio/mp4")
        assert (tmp_path / "objects" / "assets" / ASSET / name).read_bytes() == BODY


def test_a_death_between_objects_and_names_changes_nothing(
    publisher: CatalogPublisher, objects: Dying, catalog: Catalog
) -> None:
    publisher.publish(ASSET, publication(main_playlist(playlist(*["a.m4s"] * 10))))
    before = catalog.resource(ASSET, "main.m3u8"), catalog.asset(ASSET)
    better = publication(main_playlist(playlist(*["b.m4s"] * 10)), complete=True)
    for puts in range(3):  # the body, its brotli form, its gzip form
        objects.puts_left = puts
        with pytest.raises(StoreError):
            publisher.publish(ASSET, better)
        assert (catalog.resource(ASSET, "main.m3u8"), catalog.asset(ASSET)) == before
    objects.puts_left = 3
    publisher.publish(ASSET, better)
    assert catalog.state(ASSET) is State.COMPLETE


def test_progress_failure_and_cancellation_reach_the_catalog(
    publisher: CatalogPublisher, catalog: Catalog
) -> None:
    publisher.progress(ASSET, "probing", 0.1)
    shown = catalog.asset(ASSET)
    assert shown is not None
    assert (shown.state, shown.stage) == (State.PROCESSING, "probing")
    assert not publisher.is_cancelled(ASSET)
    publisher.fail(ASSET, "This file is no video.")
    shown = catalog.asset(ASSET)
    assert shown is not None
    assert (shown.state, shown.error) == (State.FAILED, "This file is no video.")
    publisher.cancelled(ASSET)
    assert catalog.state(ASSET) is State.FAILED  # what has ended stays so
    assert publisher.is_cancelled("a" * 16)
    with pytest.raises(LookupError):
        publisher.publish("a" * 16, publication())


def test_the_source_is_the_accepted_file(
    publisher: CatalogPublisher, objects: Dying, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        publisher.source(ASSET)
    upload = tmp_path / "upload"
    upload.write_bytes(b"video")
    for _ in range(2):  # again, after a crash
        objects.adopt(f"sources/{ASSET}", upload)
    upload.unlink()
    assert publisher.source(ASSET).read_bytes() == b"video"


@pytest.mark.parametrize("ending", ["complete", "failed", "cancelled"])
def test_a_fetched_source_goes_when_its_job_has_ended(
    publisher: CatalogPublisher, tmp_path: Path, ending: str
) -> None:
    fetched = tmp_path / "sources" / ASSET
    fetched.parent.mkdir()
    fetched.write_bytes(b"video")
    if ending == "complete":
        publisher.publish(ASSET, publication(main_playlist(playlist(NAME)), complete=False))
        assert fetched.exists()
        publisher.publish(ASSET, publication(main_playlist(playlist(NAME)), complete=True))
    elif ending == "failed":
        publisher.fail(ASSET, "It is damaged.")
    else:
        publisher.cancelled(ASSET)
    assert not fetched.exists()


def test_a_catalog_that_is_away_ends_no_encoder(
    publisher: CatalogPublisher, catalog: Leaving
) -> None:
    catalog.is_away = True
    publisher.progress(ASSET, "720p", 0.1)
    assert not publisher.is_cancelled(ASSET)
    catalog.is_away = False
    publisher.progress(ASSET, "720p", 0.2)
    shown = catalog.asset(ASSET)
    assert shown is not None
    assert shown.stage == "720p"

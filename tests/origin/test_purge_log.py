"""The log: every purge once, in the order of commits, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import threading
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.orm import Session

from origin.database import open_engine, reading, sqlite_url
from origin.purge_log import (
    KEPT_S,
    PAGE_MAX_BYTES,
    VALUE_MAX_BYTES,
    Batch,
    Kind,
    Logged,
    PurgeLog,
    Wanted,
    append,
)
from origin.purge_places import PurgePlaces
from origin.tables import LoggedPurge, PurgePlace

WANTED = (
    Wanted(Kind.URL, "http://h/t%C3%A2n"),
    Wanted(Kind.PREFIX, "/v/abc/", soft=True),
    Wanted(Kind.TAG, "tân"),
    Wanted(Kind.ALL),
)


def tags(*names: str) -> list[Wanted]:
    return [Wanted(Kind.TAG, name) for name in names]


def test_what_is_appended_is_read_in_order(engine: sa.Engine) -> None:
    log = PurgeLog(engine)
    before = log.last()
    batch = log.append(WANTED, now_wall=1.0)
    assert (batch.log, batch.after) == (log.name, before)
    assert tuple(purge.wanted for purge in batch.purges) == WANTED
    assert log.batch_after(before) == batch
    assert log.batch_after(batch.number) is None
    page = log.page(before)
    assert (page.log, page.last, page.purges) == (log.name, batch.number, batch.purges)
    assert len(page.log) == 16
    assert page.to_mapping()["purges"] == batch.to_mapping()["purges"]
    assert batch.to_mapping() == {
        "log": log.name,
        "after": before,
        "number": batch.number,
        "purges": [
            {"number": number, "kind": kind.value, "value": value, "soft": soft}
            for number, (kind, value, soft) in batch.purges
        ],
    }
    later = log.append(tags("b"), now_wall=1.0)
    assert later.after == batch.number
    assert log.page(before, limit=1).purges == batch.purges[:1]
    assert PurgeLog(engine).name == log.name


def test_a_page_is_of_one_instant(engine: sa.Engine) -> None:
    log = PurgeLog(engine)
    with reading(engine).connect() as connection:
        newest = sa.select(sa.func.max(LoggedPurge.number))
        before = connection.execute(newest).scalar()
        log.append(WANTED, now_wall=1.0)
        assert connection.execute(newest).scalar() == before


def test_a_log_that_was_set_back_gets_another_name_once(engine: sa.Engine) -> None:
    log, other = PurgeLog(engine), PurgeLog(engine)
    old = log.name
    log.renew(old)
    renewed = other.page(0).log
    assert renewed != old
    other.renew(old)  # seen by both
    assert log.append(WANTED, now_wall=1.0).log == log.name == renewed


def test_a_page_is_bounded_in_bytes(engine: sa.Engine) -> None:
    log = PurgeLog(engine)
    before = log.last()
    count = PAGE_MAX_BYTES // VALUE_MAX_BYTES + 1
    log.append([Wanted(Kind.URL, "/" + "x" * (VALUE_MAX_BYTES - 1))] * count, now_wall=1.0)
    first = log.batch_after(before)
    assert first is not None
    assert len(first.purges) == count - 1
    second = log.batch_after(first.number)
    assert second is not None
    assert len(second.purges) == 1


def test_a_purge_that_was_not_committed_is_not_logged(engine: sa.Engine) -> None:
    log = PurgeLog(engine)
    before = log.last()
    with Session(engine) as session:
        append(session, tags("a"), now_wall=1.0)
    assert log.page(before).purges == ()
    batch = log.append(tags("b"), now_wall=1.0)
    assert batch.after == before  # though a number may have been lost
    assert log.batch_after(before) == batch


def test_numbers_come_in_the_order_of_commits(engine: sa.Engine) -> None:
    """Who follows the log never meets a number below one that was there before."""
    log = PurgeLog(engine)
    begin = place = log.last()
    seen: list[int] = []

    def write(name: str) -> None:
        for _ in range(5):
            log.append(tags(name, name), now_wall=1.0)

    writers = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
    for writer in writers:
        writer.start()
    while len(seen) < 40:
        batch = log.batch_after(place)
        if batch is not None:
            seen += [purge.number for purge in batch.purges]
            place = batch.number
    for writer in writers:
        writer.join()
    assert seen == [purge.number for purge in log.page(begin).purges]
    together = zip(log.page(begin).purges[::2], log.page(begin).purges[1::2], strict=True)
    assert all(one.wanted == other.wanted for one, other in together)


def test_the_log_forgets_its_beginning_but_no_number(engine: sa.Engine) -> None:
    log = PurgeLog(engine)
    log.forget_old(now_wall=2 * KEPT_S)
    begin = log.last()
    numbers = [log.append(tags("a"), now_wall=now).number for now in (1.0, 2.0, 3.0)]
    log.forget_old(now_wall=KEPT_S + 2.5)
    assert (log.page(0).floor, log.page(0).last) == (numbers[2] - 1, numbers[2])
    log.forget_old(now_wall=2 * KEPT_S)
    assert [purge.number for purge in log.page(0).purges] == numbers[2:]
    everything = Logged(numbers[2], Wanted(Kind.ALL))
    told = Batch(log=log.name, after=begin, purges=(everything,))
    assert log.batch_after(begin) == told


def test_a_clock_that_was_wrong_makes_no_hole(engine: sa.Engine) -> None:
    """Who is told what comes after a place that the log reaches back to is told all of it."""
    log = PurgeLog(engine)
    now = 9 * KEPT_S
    log.forget_old(now_wall=now)
    place = log.append(tags("a"), now_wall=now).number
    early = log.append(tags("b"), now_wall=0.0).number  # before the clock was set
    log.append(tags("c"), now_wall=now)
    log.forget_old(now_wall=now)
    page = log.page(place)
    assert page.floor <= place
    assert page.purges[0] == Logged(early, *tags("b"))
    log.forget_old(now_wall=now + 2 * KEPT_S)
    assert log.page(place).floor >= early


def test_places_only_rise(engine: sa.Engine) -> None:
    log, places = PurgeLog(engine), PurgePlaces(engine)
    first = log.append(tags("a"), now_wall=1.0).number
    places.begin(["http://a", "http://b", "http://a"])
    log.append(tags("b"), now_wall=1.0)
    places.begin(["http://a"])  # which was there before
    found = places.load()
    assert (found["http://a"], found["http://b"]) == (first, first)
    places.save({"http://a": first + 1, "http://b": first - 1, "http://unknown": 9})
    assert places.load() == found | {"http://a": first + 1}
    with engine.begin() as connection:
        connection.execute(sa.delete(PurgePlace))


def test_a_log_of_tags_becomes_one_of_everything(engine: sa.Engine, tmp_path: Path) -> None:
    if engine.dialect.name == "sqlite":
        migrated(sqlite_url(tmp_path / "catalog.sqlite"))
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("CREATE DATABASE old"))
    migrated(engine.url.set(database="old").render_as_string(hide_password=False))


def migrated(url: str) -> None:
    """Make a database as it was, and see what becomes of it."""
    plain = sa.create_engine(url)
    with plain.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "origin:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for number in range(1, 5):
            connection.execute(
                sa.text("INSERT INTO purge_log (tag, requested) VALUES (:tag, :at)"),
                {"tag": f"t{number}", "at": float(number)},
            )
        connection.execute(sa.text("DELETE FROM purge_log WHERE number = 1"))
        for edge, tag, at in (("http://a", "t3", 3.0), ("http://a", "t4", 4.0)):
            connection.execute(
                sa.text("INSERT INTO pending_purges VALUES (:edge, :tag, 's', :at)"),
                {"edge": edge, "tag": tag, "at": at},
            )
    plain.dispose()
    engine = open_engine(url)
    log = PurgeLog(engine)
    page = log.page(0)
    assert (page.floor, page.last) == (1, 4)
    assert [purge.wanted for purge in page.purges] == tags("t2", "t3", "t4")
    assert PurgePlaces(engine).load() == {"http://a": 2}
    with engine.begin() as connection:
        connection.execute(sa.delete(LoggedPurge))
    assert log.append(tags("t5"), now_wall=5.0).number == 5  # no number is given twice
    engine.dispose()

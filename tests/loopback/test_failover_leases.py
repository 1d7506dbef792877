"""One controller at a time, whatever the lease is in; and what it must remember."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
import sqlalchemy as sa

from failover import lease_sql
from failover.lease import Held, Kept, LeaseStore, LeaseStoreError
from failover.lease_sql import SqlLease
from failover.leases import open_lease
from tests.support.postgres import postgres

LONG_S = 600.0


@pytest.fixture(scope="module")
def postgres_url():
    with postgres() as url:
        yield url


@pytest.fixture(params=["redis", "sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    match request.param:
        case "redis":
            return request.getfixturevalue("valkey_server").url
        case "sqlite":
            return f"sqlite:///{tmp_path / 'lease'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def store(url) -> AsyncIterator[LeaseStore]:
    opened = open_lease(url)
    yield opened
    await opened.release(await opened.hold("nobody", 0.0, epoch=0, epoch_min=0))
    await opened.close()


async def taken(store: LeaseStore, who: str, **more) -> Held:
    async with asyncio.timeout(30):
        while (held := await store.hold(who, LONG_S, epoch=0, epoch_min=0, **more)).holder != who:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return held


async def test_one_holds_it_and_the_next_has_a_higher_epoch(store):
    first = await taken(store, "a")
    assert await store.hold("a", LONG_S, epoch=first.epoch, epoch_min=0) == first
    assert await store.hold("b", LONG_S, epoch=0, epoch_min=0) == first
    await store.release(first)
    second = await store.hold("b", LONG_S, epoch=0, epoch_min=0)
    assert second == Held("b", first.epoch + 1)
    await store.release(first)  # by who has it no more
    assert await store.hold("a", LONG_S, epoch=0, epoch_min=0) == second
    await store.release(second)


async def test_it_ends_by_itself(store):
    first = await taken(store, "a")
    await store.hold("a", 0.01, epoch=first.epoch, epoch_min=0)
    second = await taken(store, "b")
    assert second.epoch == first.epoch + 1
    await store.release(second)
    assert (await store.hold("b", LONG_S, epoch=0, epoch_min=0)).epoch == second.epoch + 1
    await store.release(Held("b", second.epoch + 1))


async def test_a_clock_that_was_set_back_keeps_nobody_out(store):
    """What is left is far more than the lease was for: its holder may be long gone."""
    first = await taken(store, "a")  # for ten minutes
    second = await store.hold("b", 6.0, epoch=0, epoch_min=0)
    assert second == Held("b", first.epoch + 1)
    assert not await store.keep(first, "late")
    await store.release(second)


async def test_an_epoch_is_above_all_that_were_heard_of(store):
    held = await store.hold("a", LONG_S, epoch=0, epoch_min=41)
    assert held.epoch == 42
    await store.release(held)


async def test_a_holder_that_hears_of_a_later_epoch_goes_on_above_it(store):
    first = await taken(store, "a")
    second = await store.hold("a", LONG_S, epoch=first.epoch, epoch_min=first.epoch + 40)
    assert second == Held("a", first.epoch + 41)
    assert not await store.keep(first, "late")
    await store.release(second)


async def test_another_process_of_the_same_name_is_another_controller(store):
    """One that was killed and started again does not share an epoch with what it was before."""
    first = await taken(store, "a")
    second = await store.hold("a", LONG_S, epoch=0, epoch_min=0)
    assert second == Held("a", first.epoch + 1)
    assert not await store.keep(first, "late")
    await store.release(second)


async def test_only_the_holder_keeps_a_state(store):
    first = await taken(store, "a")
    assert await store.keep(first, "one")
    await store.release(first)
    second = await taken(store, "b")
    assert await store.kept() == Kept(first.epoch, "one")
    assert not await store.keep(first, "late")
    assert await store.keep(second, "two")
    assert await store.kept() == Kept(second.epoch, "two")
    await store.release(second)


async def test_of_many_that_ask_at_once_one_gets_it(url):
    stores = [open_lease(url) for _ in range(4)]
    held = await asyncio.gather(
        *(each.hold(f"m{no}", LONG_S, epoch=0, epoch_min=0) for no, each in enumerate(stores))
    )
    assert len(set(held)) == 1
    await stores[0].release(held[0])
    for each in stores:
        await each.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:secret@127.0.0.1:1/0", "127.0.0.1:1/0"),
        ("postgresql://u:secret@127.0.0.1:1/x", r"\*\*\*@127.0.0.1:1/x"),
        ("sqlite:////nowhere/lease", "unable to open database file"),
    ],
)
async def test_a_store_that_cannot_be_asked_is_named_without_its_password(url, said):
    store = open_lease(url)
    with pytest.raises(LeaseStoreError, match=said) as refused:
        await store.hold("a", 1.0, epoch=0, epoch_min=0)
    assert "secret" not in str(refused.value)
    await store.close()


def test_other_stores_are_refused():
    with pytest.raises(LeaseStoreError, match="not ftp"):
        open_lease("ftp://a")


class Network:
    """The way to a server; while it swallows, nothing arrives and nobody is told."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self.swallows = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self.socket)
        try:
            ways = self._carry(reader, to_server), self._carry(from_server, writer)
            await asyncio.gather(*ways)
        finally:
            writer.transport.abort()
            to_server.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            if not self.swallows:
                writer.write(piece)
        writer.close()


@asynccontextmanager
async def network_to(url: str) -> AsyncIterator[tuple[Network, str]]:
    """A TCP port before a server that is on a Unix socket."""
    parsed = sa.make_url(url)
    between = Network(f"{parsed.query['host']}/.s.PGSQL.{parsed.port or 5432}")
    server = await asyncio.start_server(between.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        shown = parsed.set(host="127.0.0.1", port=port, query={})
        yield between, shown.render_as_string(hide_password=False)
    finally:
        server.close()


async def test_a_network_that_swallowed_a_question_is_asked_through_again(
    postgres_url, monkeypatch
):
    """Who waits for that answer waits for long; its place among the connections is another's."""
    async with network_to(postgres_url) as (between, url):
        store = open_lease(url)
        held = await taken(store, "a")
        monkeypatch.setattr(lease_sql, "ANSWER_S", 0.2)
        between.swallows = True
        for _ in range(4):
            with pytest.raises(LeaseStoreError, match="no answer within"):
                await store.hold("a", LONG_S, epoch=0, epoch_min=0)
        between.swallows = False
        monkeypatch.setattr(lease_sql, "ANSWER_S", 20.0)
        async with asyncio.timeout(20):
            await store.release(held)
        await store.close()


async def test_a_question_that_is_given_up_leaves_nothing_behind(postgres_url, monkeypatch):
    """Each left a thread and a connection for as long as its server kept silent."""
    async with network_to(postgres_url) as (between, url):
        store = open_lease(url)
        held = await taken(store, "a")
        monkeypatch.setattr(lease_sql, "ANSWER_S", 0.2)
        between.swallows = True
        with pytest.raises(LeaseStoreError, match="no answer within"):
            await store.hold("a", LONG_S, epoch=0, epoch_min=0)
        async with asyncio.timeout(30):
            while store._asking:  # noqa: ASYNC110 it tells nobody
                await asyncio.sleep(0.01)
        between.swallows = False
        monkeypatch.setattr(lease_sql, "ANSWER_S", 20.0)
        await store.release(held)
        await store.close()


async def test_what_is_not_answered_is_not_asked_without_end(tmp_path, monkeypatch):
    store = SqlLease(f"sqlite:///{tmp_path / 'lease'}")
    monkeypatch.setattr(lease_sql, "ANSWER_S", 0.01)
    goes_on = threading.Event()
    sa.event.listen(store._engine, "connect", lambda *_: goes_on.wait(60))
    for _ in range(lease_sql.ASKED_MAX):
        with pytest.raises(LeaseStoreError, match="no answer within"):
            await store.kept()
    with pytest.raises(LeaseStoreError, match="8 earlier questions are not answered yet"):
        await store.kept()
    goes_on.set()
    monkeypatch.undo()
    async with asyncio.timeout(30):
        while store._asking:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
    await store.release(await taken(store, "a"))
    await store.close()


async def test_a_row_that_another_has_locked_is_not_waited_for_in_vain(postgres_url):
    store = open_lease(postgres_url)
    await store.release(await taken(store, "a"))
    async with (
        await psycopg.AsyncConnection.connect(postgres_url.replace("+psycopg", "")) as other,
        other.cursor() as cursor,
    ):
        await cursor.execute("SELECT id FROM failover_lease FOR UPDATE")
        with pytest.raises(LeaseStoreError, match="lock timeout"):
            await store.hold("a", LONG_S, epoch=0, epoch_min=0)
    await store.release(await taken(store, "a"))
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_table_that_is_gone_is_made_again(kind, request, tmp_path):
    """Its database was restored from before it was there."""
    sqlite_url = f"sqlite:///{tmp_path / 'lease'}"
    url = sqlite_url if kind == "sqlite" else request.getfixturevalue("postgres_url")
    store = open_lease(url)
    held = await taken(store, "a")
    engine = sa.create_engine(url)
    with engine.begin() as other:
        other.execute(sa.text("DROP TABLE failover_lease"))
    engine.dispose()
    with pytest.raises(LeaseStoreError, match="failover_lease"):
        await store.hold("a", LONG_S, epoch=held.epoch, epoch_min=held.epoch)
    again = await store.hold("a", LONG_S, epoch=held.epoch, epoch_min=held.epoch)
    assert again == Held("a", held.epoch + 1)
    await store.release(again)
    await store.close()

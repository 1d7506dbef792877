"""One controller at a time, whatever the lease is in; and what it must remember."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from failover.lease import Held, Kept, LeaseStore, LeaseStoreError
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
    await opened.release(await opened.hold("nobody", 0.0, epoch_min=0))
    await opened.close()


async def taken(store: LeaseStore, who: str, **more) -> Held:
    async with asyncio.timeout(30):
        while (held := await store.hold(who, LONG_S, epoch_min=0, **more)).holder != who:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return held


async def test_one_holds_it_and_the_next_has_a_higher_epoch(store):
    first = await taken(store, "a")
    assert await store.hold("a", LONG_S, epoch_min=0) == first
    assert await store.hold("b", LONG_S, epoch_min=0) == first
    await store.release(first)
    second = await store.hold("b", LONG_S, epoch_min=0)
    assert second == Held("b", first.epoch + 1)
    await store.release(first)  # by who has it no more
    assert await store.hold("a", LONG_S, epoch_min=0) == second
    await store.release(second)


async def test_it_ends_by_itself(store):
    first = await taken(store, "a")
    await store.hold("a", 0.01, epoch_min=0)
    second = await taken(store, "b")
    assert second.epoch == first.epoch + 1
    await store.release(second)
    assert (await store.hold("b", LONG_S, epoch_min=0)).epoch == second.epoch + 1  # it was let go
    await store.release(Held("b", second.epoch + 1))


async def test_a_clock_that_was_set_back_keeps_nobody_out(store):
    """What is left is far more than the lease was for: its holder may be long gone."""
    first = await taken(store, "a")  # for ten minutes
    second = await store.hold("b", 6.0, epoch_min=0)
    assert second == Held("b", first.epoch + 1)
    assert not await store.keep(first, "late")
    await store.release(second)


async def test_an_epoch_is_above_all_that_were_heard_of(store):
    held = await store.hold("a", LONG_S, epoch_min=41)
    assert held.epoch == 42
    await store.release(held)


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
        *(each.hold(f"m{no}", LONG_S, epoch_min=0) for no, each in enumerate(stores))
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
        await store.hold("a", 1.0, epoch_min=0)
    assert "secret" not in str(refused.value)
    await store.close()


def test_other_stores_are_refused():
    with pytest.raises(LeaseStoreError, match="not ftp"):
        open_lease("ftp://a")

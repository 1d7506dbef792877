"""Where buckets are, by what servers say."""

import pytest

from cache_policies.valkey_address import Address, Server, parse_address
from cache_policies.valkey_buckets import BUCKETS
from cache_policies.valkey_topology import (
    SLOTS,
    TopologyError,
    found_servers,
    known_servers,
    of_cluster,
    of_sentinel,
    question,
    who_may_know,
)

ASKED = Server("asked", 1)


def test_buckets_are_spread_over_a_cluster() -> None:
    assert len(set(SLOTS)) == BUCKETS
    for servers in (3, 6, 12):
        share = [sum(slot * servers // 16_384 == each for slot in SLOTS) for each in range(servers)]
        assert min(share) >= BUCKETS // servers // 2


def test_each_bucket_has_the_primary_of_its_slot() -> None:
    half = 8_191
    slots = [
        [0, half, [b"one", 7001, b"id", []], [b"replica", 7004, b"id", []]],
        [half + 1, 16_383, [b"", 7002, b"id"]],
    ]
    servers = of_cluster(slots, ASKED)
    for slot, server in zip(SLOTS, servers, strict=True):
        assert server == (Server("one", 7001) if slot <= half else Server("asked", 7002))


def test_a_slot_that_nobody_has_is_nowhere() -> None:
    servers = of_cluster([[SLOTS[7], SLOTS[7], ["h", 1, "id"]]], ASKED)
    assert [bucket for bucket, server in enumerate(servers) if server] == [7]


@pytest.mark.parametrize("slots", [None, 5, [[1]], [[0, 5, None]], [[0, 5, [b"h", b"x"]]], ["abc"]])
def test_an_answer_of_another_kind_is_none(slots: object) -> None:
    with pytest.raises(TopologyError):
        of_cluster(slots, ASKED)


def test_a_sentinel_says_one_server() -> None:
    assert set(of_sentinel([b"10.0.0.1", b"6379"])) == {Server("10.0.0.1", 6379)}


@pytest.mark.parametrize("said", [None, [], [b"10.0.0.1"], [b"h", b"x"], 5])
def test_a_sentinel_that_knows_nothing(said: object) -> None:
    with pytest.raises(TopologyError):
        of_sentinel(said)


CLUSTER = parse_address("redis+cluster://u:p@a:1,b:2")
SENTINELS = parse_address("redis+sentinel://u:p@a:1,b:2/main")
ONE = parse_address("redis://u:p@h:1/3")


def test_an_address_may_say_all_that_there_is_to_know() -> None:
    assert known_servers(ONE) == (Server("h", 1),) * BUCKETS
    assert who_may_know(ONE, known_servers(ONE)) == ()


@pytest.mark.parametrize("address", [CLUSTER, SENTINELS])
def test_nothing_is_known_before_it_is_asked(address: Address) -> None:
    assert known_servers(address) == (None,) * BUCKETS
    assert who_may_know(address, known_servers(address)) == address.servers


def test_the_servers_of_a_cluster_know_of_each_other() -> None:
    known = (Server("c", 3), None, Server("a", 1), Server("c", 3))
    assert who_may_know(CLUSTER, known) == (Server("c", 3), Server("a", 1), Server("b", 2))
    assert who_may_know(SENTINELS, known) == SENTINELS.servers


def test_a_cluster_is_asked_as_for_a_value() -> None:
    asker, words = question(CLUSTER)
    assert (asker, words) == (CLUSTER, ("CLUSTER", "SLOTS"))
    slots = [[0, 16_383, [b"h", 7, b"id"]]]
    assert found_servers(CLUSTER, slots, ASKED) == (Server("h", 7),) * BUCKETS


def test_sentinels_get_no_password_of_the_servers() -> None:
    asker, words = question(SENTINELS)
    assert words[-1] == "main"
    assert (asker.username, asker.password, asker.database) == (None, None, 0)
    assert found_servers(SENTINELS, [b"h", b"7"], ASKED) == (Server("h", 7),) * BUCKETS

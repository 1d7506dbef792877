"""Where buckets are, by what servers say."""

import pytest

from edge.valkey_address import Server
from edge.valkey_names import BUCKETS
from edge.valkey_topology import SLOTS, TopologyError, of_cluster, of_sentinel

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

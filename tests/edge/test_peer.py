"""Ownership is even, stable, and never goes round."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.origins import read_origins
from edge.peer import PeerUpstreams, ranking

workers_and_me = st.integers(1, 16).flatmap(
    lambda workers: st.tuples(st.just(workers), st.integers(0, workers - 1))
)


@given(key=st.binary(max_size=200), workers=st.integers(1, 16))
def test_every_worker_ranks_once(key: bytes, workers: int) -> None:
    assert sorted(ranking(key, workers)) == list(range(workers))


@given(key=st.binary(max_size=200), workers=st.integers(1, 15))
def test_one_more_worker_moves_only_what_it_gets(key: bytes, workers: int) -> None:
    more = ranking(key, workers + 1)
    assert [number for number in more if number != workers] == ranking(key, workers)


def test_the_ranking_is_the_same_in_every_process() -> None:
    assert ranking(b"http://h/v/1/main.m3u8", 4) == [0, 3, 2, 1]


def test_shares_are_even() -> None:
    owners = Counter(ranking(b"http://h/%d" % number, 4)[0] for number in range(4_000))
    assert all(800 < owners[worker_no] < 1_200 for worker_no in range(4))


@given(key=st.binary(max_size=50), node=workers_and_me)
def test_only_higher_ranks_are_asked_and_the_origin_last(key: bytes, node: tuple[int, int]) -> None:
    workers, me = node
    upstreams = PeerUpstreams(
        origins=read_origins("http://o:1"), worker_no=me, workers=workers, peer_dir=Path("/run/x")
    )
    *peers, last = upstreams.of(key, direct=False, group="")
    above = ranking(key, workers)[: ranking(key, workers).index(me)]
    assert [route.upstream.path for route in peers] == [f"/run/x/{no}.sock" for no in above]
    assert all(route.peer for route in peers)
    assert (last.upstream.url, last.peer) == ("http://o:1", False)
    assert upstreams.of(key, direct=True, group="") == (last,)

"""Who belongs to a region, as listed and as announced."""

import pytest

from edge.members import (
    LEAVING,
    MEMBERS_MAX,
    Board,
    MembersError,
    announcement,
    configured,
    member_url,
    owners,
    read_order,
)
from tests.support.table import table

A, B = "http://10.0.0.1:8090", "http://10.0.0.2:8090"


@pytest.mark.parametrize(
    "case",
    table("""
    text                       url
    http://10.0.0.1:8090       http://10.0.0.1:8090
    http://10.0.0.1:8090/      http://10.0.0.1:8090
    http://Edge.Example        http://edge.example:80
    https://edge.example       https://edge.example:443
    http://[::1]:8090          http://[::1]:8090
    10.0.0.1:8090              -
    ftp://10.0.0.1             -
    http://10.0.0.1/path       -
    http://10.0.0.1?x          -
    http://u:p@10.0.0.1        -
    http://10.0.0.1:port       -
    http://:8090               -
    http://exämple             -
    http://a..b                -
    http://.a                  -
    http://a"b                 -
    http://a,b                 -
    http://edge_1.a-b.example  http://edge_1.a-b.example:80
    """),
    ids=str,
)
def test_a_member_has_one_url(case: dict[str, str]) -> None:
    if case["url"] == "":
        with pytest.raises(MembersError):
            member_url(case["text"])
    else:
        assert member_url(case["text"]) == case["url"]


def test_lists_are_bounded() -> None:
    assert configured([A, B, A]) == {A: 0.0, B: 0.0}
    with pytest.raises(MembersError):
        configured([A] * (MEMBERS_MAX + 1))
    with pytest.raises(MembersError):
        member_url("http://" + "x" * 300)
    assert member_url("http://" + "x" * 63)
    for url in ("http://" + "x" * 64, "http://a b:1"):
        with pytest.raises(MembersError):
            member_url(url)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"members": 1}', b'{"members": [1]}'])
def test_an_order_that_means_nothing(body: bytes) -> None:
    with pytest.raises(MembersError):
        read_order(body)


def test_an_order() -> None:
    assert read_order(b'{"members": ["http://10.0.0.1:8090"]}') == {A: 0.0}


def test_a_member_owns_keys_from_its_instant_on() -> None:
    assert owners({A: 0.0, B: 100.0}, 99.9) == {A}
    assert owners({A: 0.0, B: 100.0}, 100.0) == {A, B}


def test_a_new_one_is_known_before_it_owns() -> None:
    board = Board()
    assert board.read({announcement(A, 3.0): 1.0}, 0.0) == {A: 3.0}
    assert board.read({announcement(A, 3.0): 2.0, announcement(B, 9.5): 7.0}, 1.0) == {
        A: 3.0,
        B: 9.5,
    }


def test_one_that_is_silent_is_gone() -> None:
    board = Board(5.0)
    said = announcement(A, 3.0)
    for now_mono in (0.0, 1.0, 2.0, 3.0, 4.0, 4.9):
        assert board.read({said: 1.0}, now_mono) == {A: 3.0}
    assert board.read({said: 1.0}, 5.0) == {}
    assert board.read({said: 2.0}, 6.0) == {A: 3.0}


def test_one_that_leaves_says_so() -> None:
    board = Board()
    assert board.read({announcement(A, 3.0): LEAVING - 7.0}, 0.0) == {}


def test_a_board_that_is_wiped_changes_nothing_for_those_who_write_again() -> None:
    board = Board(5.0)
    said = announcement(A, 3.0)
    board.read({said: 1.0}, 0.0)
    assert board.read({}, 1.0) == {A: 3.0}
    assert board.read({said: 2.0}, 2.0) == {A: 3.0}
    for now_mono in (3.0, 4.0, 5.0, 6.0, 6.9):
        assert board.read({}, now_mono) == {A: 3.0}
    assert board.read({}, 7.0) == {}


@pytest.mark.parametrize("there", [True, False])
def test_a_board_that_comes_back_is_listened_to_before_anybody_is_missed(there: bool) -> None:
    board = Board(5.0)
    said = announcement(A, 3.0)
    left = {said: 1.0} if there else {}
    assert board.read({said: 1.0}, 0.0) == {A: 3.0}
    assert board.read({said: 1.0}, 1.0) == {A: 3.0}
    assert board.read(left, 100.0) == {A: 3.0}
    assert board.read(left, 101.0) == {A: 3.0}
    assert board.read(left, 102.0) == {}


def test_one_that_starts_again_owns_nothing_at_first() -> None:
    board = Board(5.0)
    board.read({announcement(A, 3.0): 1.0}, 0.0)
    both = {announcement(A, 3.0): 1.0, announcement(A, 8.0): 2.0}
    assert board.read(both, 1.0) == {A: 8.0}


def test_what_nobody_of_ours_wrote_is_passed_over() -> None:
    board = Board()
    assert board.read({"x": 1.0, "http://10.0.0.1:1 x": 1.0, f"{A} nan": 2.0}, 0.0) == {}

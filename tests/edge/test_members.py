"""Who belongs to a region, as listed and as announced."""

import pytest

from edge.members import (
    JOINING_S,
    LEAVING,
    MEMBERS_MAX,
    Board,
    Members,
    MembersError,
    announcement,
    configured,
    member_url,
    owners,
    read_order,
)
from tests.support.table import table

BOARD_S = 1_700_000_000.0
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


def read(board: Board, scores: dict[str, float], now_mono: float) -> Members:
    """A look at a board whose clock is far ahead of the reader's."""
    return board.read(scores, BOARD_S + now_mono, now_mono)


def says(url: str, from_mono: float) -> str:
    return announcement(url, BOARD_S + from_mono)


def test_a_new_one_is_known_before_it_owns() -> None:
    board = Board()
    assert read(board, {says(A, -3.0): 1.0}, 0.0) == {A: 0.0}
    for now_mono in (1.0, 1.5, 3.0):
        both = {says(A, -3.0): 2.0, says(B, 2.5): 7.0 + now_mono}
        assert read(board, both, now_mono) == {A: 0.0, B: pytest.approx(2.5)}


@pytest.mark.parametrize("mono", [0.0, 1e6])
def test_all_begin_to_ask_at_once_whatever_their_clocks_say(mono: float) -> None:
    """The instant is the board's; one reads it late, another has only just started."""
    said = {announcement(A, 102.0): 1.0}
    for late_s in (0.0, 0.7, 1.9):
        members = Board().read(said, 100.0 + late_s, mono + late_s)
        assert members == {A: pytest.approx(mono + 2.0)}
    assert Board().read(said, 102.0, mono + 2.0) == {A: 0.0}


def test_a_board_whose_clock_is_set_back_keeps_nobody_out() -> None:
    members = Board().read({announcement(A, 9_000.0): 1.0}, 100.0, 50.0)
    assert members == {A: 50.0 + JOINING_S}


def test_one_that_is_silent_is_gone() -> None:
    board = Board(5.0)
    said = says(A, -3.0)
    for now_mono in (0.0, 1.0, 2.0, 3.0, 4.0, 4.9):
        assert read(board, {said: 1.0}, now_mono) == {A: 0.0}
    assert read(board, {said: 1.0}, 5.0) == {}
    assert read(board, {said: 2.0}, 6.0) == {A: 0.0}


def test_one_that_leaves_says_so() -> None:
    board = Board()
    assert read(board, {says(A, -3.0): LEAVING - 7.0}, 0.0) == {}


def test_a_board_that_is_wiped_changes_nothing_for_those_who_write_again() -> None:
    board = Board(5.0)
    said = says(A, -3.0)
    read(board, {said: 1.0}, 0.0)
    assert read(board, {}, 1.0) == {A: 0.0}
    assert read(board, {said: 2.0}, 2.0) == {A: 0.0}
    for now_mono in (3.0, 4.0, 5.0, 6.0, 6.9):
        assert read(board, {}, now_mono) == {A: 0.0}
    assert read(board, {}, 7.0) == {}


@pytest.mark.parametrize("there", [True, False])
def test_a_board_that_comes_back_is_listened_to_before_anybody_is_missed(there: bool) -> None:
    board = Board(5.0)
    said = says(A, -3.0)
    left = {said: 1.0} if there else {}
    assert read(board, {said: 1.0}, 0.0) == {A: 0.0}
    assert read(board, {said: 1.0}, 1.0) == {A: 0.0}
    assert read(board, left, 100.0) == {A: 0.0}
    assert read(board, left, 101.0) == {A: 0.0}
    assert read(board, left, 102.0) == {}


def test_one_that_starts_again_owns_nothing_at_first() -> None:
    board = Board(5.0)
    read(board, {says(A, -3.0): 1.0}, 0.0)
    both = {says(A, -3.0): 1.0, says(A, 3.0): 2.0}
    assert read(board, both, 1.0) == {A: pytest.approx(3.0)}


def test_what_nobody_of_ours_wrote_is_passed_over() -> None:
    board = Board()
    assert board.read({"x": 1.0, "http://10.0.0.1:1 x": 1.0, f"{A} nan": 2.0}, 0.0, 0.0) == {}

"""Pages of a purge log and messages that carry its end, read strictly."""

import json
from typing import Any

import pytest

from edge.log_page import NOTHING, FeedError, Place, carried_in, parse_carried, read_page
from edge.orders import PurgeOrder
from edge.purges import PurgeKind

LOG = "0123456789abcdef"


def tagged(number: int, tag: str = "a") -> dict[str, Any]:
    return {"number": number, "kind": "tag", "value": tag, "soft": False}


def page(*purges: dict[str, Any], floor: int = 0, last: int | None = None) -> dict[str, Any]:
    numbers = [purge["number"] for purge in purges]
    last = max(numbers, default=0) if last is None else last
    return {"log": LOG, "floor": floor, "last": last, "purges": list(purges)}


@pytest.mark.parametrize(
    ("said", "order"),
    [
        ({"kind": "tag", "value": "a"}, PurgeOrder(kind=PurgeKind.TAG, values=(b"a",))),
        (
            {"kind": "url", "value": "http://h/é", "soft": True},
            PurgeOrder(kind=PurgeKind.URL, values=(b"http://h/%C3%A9",), soft=True),
        ),
        ({"kind": "prefix", "value": "/v/"}, PurgeOrder(kind=PurgeKind.PREFIX, values=(b"/v/",))),
        ({"kind": "all", "value": ""}, PurgeOrder(kind=PurgeKind.ALL, values=(b"",))),
        (
            {"kind": "all", "value": "", "soft": True},
            PurgeOrder(kind=PurgeKind.ALL, values=(b"",), soft=True),
        ),
        (
            {"kind": "of-tomorrow", "value": "x", "soft": True},
            PurgeOrder(kind=PurgeKind.ALL, values=(b"",)),
        ),
        ({"kind": "tag", "value": "two words"}, NOTHING),
        ({"kind": "url", "value": "no-url"}, NOTHING),
        ({"kind": "tag", "value": "x" * 20_000}, NOTHING),
        ({"kind": "tag", "value": ""}, NOTHING),
    ],
    ids=str,
)
def test_what_a_purge_names(said, order):
    read = read_page(page({"number": 3} | said), 2)
    assert [(each.number, each.order) for each in read.purges] == [(3, order)]


@pytest.mark.parametrize(
    ("place", "said", "reaches"),
    [
        (Place(LOG, 0), page(), True),
        (Place(LOG, 7), page(last=7), True),
        (Place(LOG, 4), page(tagged(5), floor=4), True),
        (None, page(tagged(5)), False),
        (Place("another", 4), page(tagged(5)), False),
        (Place(LOG, 4), page(tagged(6), floor=5), False),
        (Place(LOG, 9), page(last=8), False),
    ],
    ids=["empty", "no news", "just kept", "first time", "another log", "too far back", "future"],
)
def test_whether_a_page_goes_on_from_a_place(place, said, reaches):
    read = read_page(said, 0 if place is None else place.number)
    assert read.reaches(place) is reaches


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        {"log": LOG, "floor": "x", "last": 0, "purges": []},
        {"log": LOG, "floor": 0, "last": -1, "purges": []},
        {"log": LOG, "floor": 0, "last": True, "purges": []},
        {"log": LOG, "floor": 0, "last": 0, "purges": 7},
        {"log": LOG, "floor": 0, "last": 1, "purges": [{"kind": "tag", "value": "a"}]},
        page({"number": 2, "kind": "tag", "value": 7}),
        page(tagged(2) | {"soft": 1}),
        page(tagged(2), tagged(1)),
        page(tagged(1), tagged(1)),
        page(tagged(1), floor=0) | {"purges": [tagged(0)]},
    ],
    ids=str,
)
def test_anything_else_is_no_page(said):
    with pytest.raises(FeedError):
        read_page(said, 0)


def test_a_carried_end_of_a_log():
    said = {"log": LOG, "after": 3, "purges": [tagged(7), tagged(9, "b")], "ack": "list"}
    carried = parse_carried(json.dumps(said))
    assert (carried.log, carried.after, carried.number, carried.ack) == (LOG, 3, 9, "list")
    assert carried.purges is not None
    assert [each.number for each in carried.purges] == [7, 9]
    del said["after"]
    assert parse_carried(json.dumps(said)).after == 6  # what comes before its first


def test_one_whose_purges_are_to_be_read():
    carried = parse_carried(json.dumps({"log": LOG, "after": 3, "number": 9}))
    assert (carried.after, carried.number, carried.purges) == (3, 9, None)


@pytest.mark.parametrize(
    "said",
    [
        {"log": 7, "purges": [tagged(1)]},
        {"log": LOG},
        {"log": LOG, "after": 1},
        {"log": LOG, "purges": []},
        {"log": LOG, "purges": {}},
        {"log": LOG, "after": 5, "purges": [tagged(5)]},
        {"log": LOG, "purges": [tagged(2), tagged(1)]},
        {"log": LOG, "purges": [tagged(2)], "ack": "x" * 1_000},
        [],
        7,
    ],
    ids=str,
)
def test_anything_else_is_not_carried(said):
    with pytest.raises(FeedError):
        parse_carried(json.dumps(said))


def test_an_order_of_this_edge_names_no_log():
    assert carried_in(b'{"tag": "a"}') is None
    assert carried_in(b"not json") is None
    assert carried_in(b"[]") is None
    assert carried_in(json.dumps({"log": LOG, "purges": [tagged(1)]}).encode()) is not None
    with pytest.raises(FeedError):
        parse_carried(b"not json")

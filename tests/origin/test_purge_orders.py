"""An order means one thing or is refused with what is wanted."""

import json
from typing import Any

import pytest

from origin.purge_log import VALUE_MAX_BYTES, Kind, Wanted
from origin.purge_orders import VALUES_MAX, Order, OrderError, parse_order


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"kind": "url", "values": ["http://h/tân#x"]}, [Wanted(Kind.URL, "http://h/t%C3%A2n")]),
        ({"kind": "prefix", "values": ["/v/"]}, [Wanted(Kind.PREFIX, "/v/")]),
        (
            {"kind": "tag", "values": ["a", "tân", "a"]},
            [Wanted(Kind.TAG, "a"), Wanted(Kind.TAG, "tân")],
        ),
        ({"kind": "all"}, [Wanted(Kind.ALL)]),
        ({"kind": "all", "values": [], "soft": True}, [Wanted(Kind.ALL, soft=True)]),
        ({"kind": "tag", "values": ["a"], "soft": True}, [Wanted(Kind.TAG, "a", soft=True)]),
    ],
)
@pytest.mark.parametrize("order_id", [None, "deploy-7"])
def test_an_order(said: dict[str, Any], wanted: list[Wanted], order_id: str | None) -> None:
    body = json.dumps(said if order_id is None else said | {"id": order_id}).encode()
    assert parse_order(body) == Order(wanted=tuple(wanted), order_id=order_id)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", 'want {"kind"'),
        (b'{"kind": "tag", "values": ["a"], "sotf": true}', 'nothing is known of "sotf"'),
        (b'{"kind": "tag", "values": ["a"], "soft": 1}', '"soft" is true or false'),
        (b'{"kind": "tag", "values": ["a"], "id": ""}', '"id" is a string'),
        (b'{"kind": "tag", "values": ["a"], "id": 7}', '"id" is a string'),
        (b'{"values": ["a"]}', '"kind" is one of "url"'),
        (b'{"kind": ["tag"], "values": ["a"]}', '"kind" is one of "url"'),
        (b'{"kind": "all", "values": ["a"]}', '"all" has no values'),
        (b'{"kind": "tag"}', "1 to 1000"),
        (b'{"kind": "tag", "values": []}', "1 to 1000"),
        (b'{"kind": "tag", "values": "a"}', "a list of strings"),
        (b'{"kind": "tag", "values": [1]}', "a list of strings"),
        (b'{"kind": "tag", "values": ["a b"]}', "a tag has no spaces"),
        (b'{"kind": "url", "values": ["h/a"]}', "want http://host/path"),
    ],
)
def test_what_means_nothing_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(OrderError, match=complaint.replace("[", r"\[").replace("{", r"\{")):
        parse_order(body)


def test_orders_are_bounded() -> None:
    parse_order(json.dumps({"kind": "tag", "values": ["a"] * VALUES_MAX}).encode())
    for values in (["a"] * (VALUES_MAX + 1), ["a" * (VALUE_MAX_BYTES + 1)]):
        with pytest.raises(OrderError):
            parse_order(json.dumps({"kind": "tag", "values": values}).encode())

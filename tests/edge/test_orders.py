"""A purge order means one thing or is refused with what is wanted."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.orders import ORDER_MAX_BYTES, OrderError, PurgeOrder, parse_order
from edge.purge_reach import reached
from edge.purges import VALUE_MAX_BYTES, PurgeKind
from tests.support.rules import compiled


@pytest.mark.parametrize(
    ("order", "kind", "values"),
    [
        ({"url": "http://h/a?b=1"}, PurgeKind.URL, (b"http://h/a?b=1",)),
        ({"url": "https://h:8443/"}, PurgeKind.URL, (b"https://h:8443/",)),
        ({"url": "/any/host"}, PurgeKind.URL, (b"/any/host",)),
        ({"url": "http://h/a#part"}, PurgeKind.URL, (b"http://h/a",)),
        ({"url": "http://h/tânân"}, PurgeKind.URL, (b"http://h/t%C3%A2n%C3%A2n",)),
        ({"url": "http://h/a b%20c"}, PurgeKind.URL, (b"http://h/a%20b%20c",)),
        ({"prefix": "/v/abc/"}, PurgeKind.PREFIX, (b"/v/abc/",)),
        ({"prefix": f"/~{'A' * 40}/v/abc/"}, PurgeKind.PREFIX, (b"/v/abc/",)),
        ({"url": f"http://h/~{'A' * 40}/v/1"}, PurgeKind.URL, (b"http://h/v/1",)),
        ({"tag": "asset-1"}, PurgeKind.TAG, (b"asset-1",)),
        ({"tags": ["a", "b"]}, PurgeKind.TAG, (b"a", b"b")),
        ({"all": True}, PurgeKind.ALL, (b"",)),
    ],
)
@pytest.mark.parametrize("soft", [False, True, None])
def test_an_order(
    order: dict[str, Any], kind: PurgeKind, values: tuple[bytes, ...], soft: bool | None
) -> None:
    said = order if soft is None else order | {"soft": soft}
    expected = PurgeOrder(kind=kind, values=values, soft=bool(soft))
    assert parse_order(json.dumps(said).encode()) == expected


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"url": "http://[/a"}', "want http://host/path"),
        ('{"url": "http://h/\\ud800"}', "half a character"),
        ('{"tag": "\\udfff"}', "half a character"),
        ("[]", "want one of"),
        ("{}", "want one of"),
        ('{"soft": true}', "want one of"),
        ('{"uri": "/a"}', "want one of"),
        ('{"url": "/a", "tag": "b"}', "want one of"),
        ('{"url": "/a", "soft": 1}', '"soft" is true or false'),
        ('{"all": false}', '"all" is true'),
        ('{"all": "yes"}', '"all" is true'),
        ('{"url": "example.com/a"}', "want http://host/path"),
        ('{"url": "ftp://h/a"}', "want http://host/path"),
        ('{"url": ""}', "a string"),
        ('{"url": 3}', "a string"),
        ('{"tag": ["a"]}', "a string"),
        ('{"tag": "a b"}', "no spaces"),
        ('{"tags": "a"}', "a list of strings"),
        ('{"tags": []}', "1 to 1000"),
        ('{"tags": ["a", 3]}', "a list of strings"),
        ('{"tag": "%s"}' % ("x" * (VALUE_MAX_BYTES + 1)), "at most"),
    ],
)
def test_a_refusal_says_what_is_wanted(body: str, complaint: str) -> None:
    with pytest.raises(OrderError, match=complaint):
        parse_order(body.encode())


def test_the_longest_value_has_room_for_a_hosts_other_name() -> None:
    policies = compiled(f"hosts: {{{'x' * 60}.{'y' * 60}.{'z' * 60}: [h]}}")
    url = "http://h/" + "p" * (ORDER_MAX_BYTES - 9)
    order = reached(parse_order(json.dumps({"url": url}).encode()), policies)
    assert max(map(len, order.values)) > ORDER_MAX_BYTES
    assert all(len(value) <= VALUE_MAX_BYTES for value in order.values)


@given(st.binary() | st.text().map(str.encode))
def test_nothing_else_breaks_it(body: bytes) -> None:
    with suppress(OrderError):
        parse_order(body)

"""A steering order means one thing or is refused with what is wanted."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.orders import OrderError
from edge.steering.orders import BODY_MAX_BYTES, Pathway, parse_steering
from tests.support.steering import order, steered


def parsed(given: Any):
    return parse_steering(json.dumps(given).encode())


def test_an_order() -> None:
    read = parsed(order(steered(ttl_s=1.5), number=7))
    assert read.version == (1, 7)
    (service,) = read.services
    assert (service.name, service.ttl_s, service.order) == ("media", 1.5, ("one", "two"))
    assert service.pathways == (
        Pathway(id="one", host="one.example"),
        Pathway(id="two", host="two.example"),
    )
    assert parsed(order()).services == ()


def test_a_name_that_is_there_twice_is_refused() -> None:
    said = json.dumps(order(steered()))
    inside = said.replace('"ttl_s"', '"ttl_s": 1, "ttl_s"')
    for twice in ('{"version": [9, 9], ' + said[1:], inside):
        with pytest.raises(OrderError, match=r"'(version|ttl_s)' is there twice"):
            parse_steering(twice.encode())


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "[::1]", "cdn.example", "a", "xn--bcher-kva.example"]
)
def test_hosts(host: str) -> None:
    pathways = [{"id": "one", "host": host, "params": {"via": "one"}}]
    (service,) = parsed(order(steered(pathways=pathways, order=["one"]))).services
    assert service.pathways == (Pathway(id="one", host=host, params=(("via", "one"),)),)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"ttl": 5}, "knows no 'ttl'"),
        ({"ttl_s": 0}, "a number from 1"),
        ({"ttl_s": True}, "a number from 1"),
        ({"ttl_s": float("nan")}, "a number from 1"),
        ({"service": ""}, "1 to 64 characters"),
        ({"service": "a b"}, "letters, digits"),
        ({"service": "-"}, "letters, digits"),
        ({"playlists": "/v/*"}, "want a list"),
        ({"playlists": ["v/*"]}, "want paths"),
        ({"playlists": ["/.amaro/x"]}, "want paths"),
        ({"server_uri": "/.amaro/steer"}, "want https://host/path"),
        ({"server_uri": 'https://h/"'}, "want https://host/path"),
        ({"server_uri": "https://h:x/"}, "want https://host/path"),
        ({"server_uri": "https://h/#a"}, "want https://host/path"),
        ({"pathways": []}, "a list of 1 to 16"),
        ({"pathways": [{"id": "one"}]}, "lacks 'host'"),
        ({"pathways": [{"id": "here", "host": "h"}]}, "the playlist's own pathway"),
        ({"pathways": [{"id": "one", "host": "h:80"}]}, "without a port"),
        ({"pathways": [{"id": "one", "host": "h"}] * 2}, "'one' is there twice"),
        ({"pathways": [{"id": "one", "host": "h", "params": []}]}, "an object of at most"),
        ({"order": ["one"]}, "each of its pathways once"),
        ({"order": ["one", 2]}, "each of its pathways once"),
        ({"order": ["one", "two", "two"]}, "each of its pathways once"),
        ({"shares": []}, "a list of 1 to 16"),
        ({"shares": [["three", 1]]}, "none of its pathways"),
        ({"shares": [["one", 0.5]]}, "a sum of 1"),
        ({"shares": [["one", 0.5], ["one", 0.5]]}, "'one' is there twice"),
        ({"shares": [["one", 1.5], ["two", -0.5]]}, "a number from 0 to 1"),
    ],
)
def test_a_refusal_says_what_is_wanted(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OrderError, match=complaint):
        parsed(order(steered(**wrong)))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "not JSON"),
        (b"[]", "a JSON object"),
        (b"[" * 50_000, "not JSON"),
        (b"{}", "lacks 'services'"),
        (b'{"version": [1], "services": []}', "version"),
        (b'{"version": [1, -1], "services": []}', "whole numbers"),
        (b'{"version": [1, 1.5], "services": []}', "whole numbers"),
        (b'{"version": [true, 1], "services": []}', "whole numbers"),
        (b" " * (BODY_MAX_BYTES + 1), "at most"),
    ],
)
def test_so_does_that_of_a_whole_order(body: bytes, complaint: str) -> None:
    with pytest.raises(OrderError, match=complaint):
        parse_steering(body)


def test_a_service_is_there_once() -> None:
    with pytest.raises(OrderError, match="'media' is there twice"):
        parsed(order(steered(), steered()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
)


@given(st.sampled_from(sorted(steered())), JSON)
def test_nothing_else_breaks_it(member: str, value: Any) -> None:
    with suppress(OrderError):
        parsed(order(steered(**{member: value})))


@given(st.binary())
def test_nor_do_other_bytes(body: bytes) -> None:
    with suppress(OrderError):
        parse_steering(body)

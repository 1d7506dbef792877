"""What a player is told: its own pathway first, every pathway at once, and the same next time."""

import json
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.steering.manifest import (
    QueryError,
    Question,
    first_pathway,
    kept_draw,
    manifest,
    parse_query,
    priorities,
)
from edge.steering.orders import SteeredService, parse_steering
from tests.support.steering import order, steered

DRAWS = st.floats(0.0, 1.0, exclude_max=True)


def service(**others: Any) -> SteeredService:
    return parse_steering(json.dumps(order(steered(**others))).encode()).services[0]


def test_a_manifest_names_every_pathway() -> None:
    pathways = [
        {"id": "one", "host": "one.example"},
        {"id": "two", "host": "two.example", "params": {"via": "two"}},
    ]
    assert json.loads(manifest(service(pathways=pathways), 0.25)) == {
        "VERSION": 1,
        "TTL": 60,
        "RELOAD-URI": "?service=media&draw=0.250000&told=one",
        "PATHWAY-PRIORITY": ["one", "two", "here"],
        "PATHWAY-CLONES": [
            {"BASE-ID": "here", "ID": "one", "URI-REPLACEMENT": {"HOST": "one.example"}},
            {
                "BASE-ID": "here",
                "ID": "two",
                "URI-REPLACEMENT": {"HOST": "two.example", "PARAMS": {"via": "two"}},
            },
        ],
    }


@given(DRAWS)
def test_what_is_to_be_reloaded_asks_the_same_player_s_question(draw: float) -> None:
    said = json.loads(manifest(service(), draw))
    again = urlsplit(
        urljoin("https://h/.amaro/steer?service=media&_HLS_pathway=a", said["RELOAD-URI"])
    )
    assert again.path == "/.amaro/steer"
    question = parse_query(again.query.encode())
    assert question.draw is not None
    assert question == Question(service="media", draw=question.draw, told="one")
    assert abs(question.draw - draw) <= 1e-6
    assert json.loads(manifest(service(), question.draw))["RELOAD-URI"] == said["RELOAD-URI"]


def test_a_draw_stays_the_same_however_often_it_is_told() -> None:
    assert all(kept_draw(n / 1e6) == f"{n / 1e6:.6f}" for n in range(0, 1_000_000, 29))
    assert parse_query(f"service=a&draw={kept_draw(0.9999999)}".encode()).draw == 0.999999


def test_a_player_is_told_from_the_start_what_its_kept_draw_says() -> None:
    halves = service(shares=[["one", 0.5], ["two", 0.5]])
    first = json.loads(manifest(halves, 0.4999999))
    assert first["RELOAD-URI"] == "?service=media&draw=0.500000&told=two"


def test_shares_are_of_players() -> None:
    shared = service(shares=[["one", 0.25], ["two", 0.75]])
    drawn = Counter(first_pathway(shared, number / 1000) for number in range(1000))
    assert drawn == {"one": 250, "two": 750}
    assert priorities(shared, 0.9) == ("two", "one", "here")


@given(DRAWS, st.floats(0.0, 1.0))
def test_a_share_that_grows_loses_no_player(draw: float, share: float) -> None:
    less, more = share / 2, share
    before = first_pathway(service(shares=[["one", less], ["two", 1 - less]]), draw)
    after = first_pathway(service(shares=[["one", more], ["two", 1 - more]]), draw)
    assert before != "one" or after == "one"


@given(DRAWS)
def test_nobody_is_sent_where_no_share_is(draw: float) -> None:
    assert first_pathway(service(shares=[["two", 1.0], ["one", 0.0]]), draw) == "two"
    assert first_pathway(service(shares=[["one", 0], ["two", 0.9999999]]), draw) == "two"


@pytest.mark.parametrize(
    ("query", "question"),
    [
        ("service=media", Question(service="media")),
        ("", Question()),
        ("service=media&_HLS_pathway=.", Question(service="media", on=".")),
        ("service=media&_HLS_pathway=%22one%22", Question(service="media", on="one")),
        (
            "x=1&service=media&draw=0.5&told=one&_HLS_pathway=two&_HLS_throughput=5140000&CMCD=a",
            Question(service="media", draw=0.5, told="one", on="two", throughput_bps=5_140_000),
        ),
    ],
)
def test_a_question(query: str, question: Question) -> None:
    assert parse_query(query.encode()) == question


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("service=", "name of a service"),
        ("service=a%20b", "name of a service"),
        ("service=a&service=a", "once"),
        ("service=a&draw=1", "below 1"),
        ("service=a&draw=-0.1", "below 1"),
        ("service=a&draw=nan", "below 1"),
        ("service=a&told=", "name of a pathway"),
        ("service=a&_HLS_pathway=%3Cscript%3E", "name of a pathway"),
        ("service=a&_HLS_pathway=%22", "name of a pathway"),
        ("service=a&_HLS_throughput=fast", "bits a second"),
        ("service=a&x=%ff", "UTF-8"),
        ("service=a&" + "&".join(f"a{number}=1" for number in range(40)), "at most 32"),
    ],
)
def test_what_is_no_question(query: str, complaint: str) -> None:
    with pytest.raises(QueryError, match=complaint):
        parse_query(query.encode())


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_nothing_else_breaks_it(query: bytes) -> None:
    with suppress(QueryError):
        asked = parse_query(query)
        assert (
            dict(parse_qsl(query.decode(), keep_blank_values=True)).get("service", "")
            == asked.service
        )

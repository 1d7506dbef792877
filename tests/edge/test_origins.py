"""Which origins are asked, in which order, as they fail and come back."""

import logging

import pytest

from edge.origins import DEFAULT, LEFT_MAX, parse_groups, read_origins
from edge.routes import Upstream
from failover.health import HealthPolicy, Signal
from tests.support.table import table

A, B, C = "http://a:1", "http://b:2", "http://c:3"
POLICY = HealthPolicy(fall=2, rise=1)


@pytest.mark.parametrize(
    "case",
    table("""
        options                              groups
        http://a:1                           =http://a:1
        http://a:1,http://b:2                =http://a:1,http://b:2
        http://a:1 http://b:2                =http://a:1,http://b:2
        http://a:1 http://a:1                =http://a:1
        http://a:1 media=http://b:2          =http://a:1 media=http://b:2
        http://a:1 m=http://b:2 m=http://c:3   =http://a:1 m=http://b:2,http://c:3
        http://a:1/?x=1                      =http://a:1/?x=1
    """),
    ids=str,
)
def test_options_name_groups(case: dict[str, str]) -> None:
    groups = parse_groups(tuple(case["options"].split()))
    assert " ".join(f"{name}={','.join(urls)}" for name, urls in groups.items()) == case["groups"]


@pytest.mark.parametrize("options", [(), ("media=http://b:2",), ("",), ("http://a:1", "media=")])
def test_a_group_without_a_server_is_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="no server"):
        parse_groups(options)


def order(origins, group: str = DEFAULT) -> list[str]:
    return [route.upstream.url for route in origins.of(group)]


def test_those_that_are_down_come_last_until_they_are_back() -> None:
    origins = read_origins(f"{A},{B}", f"media={B},{C}", policy=POLICY)
    assert order(origins) == [A, B]
    assert order(origins, "media") == [B, C]
    assert order(origins, "unknown") == [A, B]
    origins.saw(Upstream(B), Signal.FAIL)
    assert order(origins, "media") == [B, C]
    origins.saw(Upstream(B), Signal.FAIL)
    assert order(origins, "media") == [C, B]
    assert origins.down == 1
    origins.saw(Upstream(B), Signal.OK)
    assert order(origins, "media") == [B, C]
    assert origins.down == 0


def test_when_all_are_down_all_are_asked_and_that_is_said(caplog) -> None:
    origins = read_origins(f"{A},{B}", policy=POLICY)
    with caplog.at_level(logging.ERROR, "edge.origins"):
        for url in (A, A, B):
            origins.saw(Upstream(url), Signal.FAIL)
        assert not caplog.records
        origins.saw(Upstream(B), Signal.FAIL)
    assert "asked all the same" in caplog.text
    assert order(origins) == [A, B]


def test_only_those_with_a_stand_in_are_probed() -> None:
    assert read_origins(A).probed() == ()
    origins = read_origins(A, f"media={B},{C}", f"more={C},{B}")
    assert [upstream.url for upstream in origins.probed()] == [B, C]


def test_servers_that_were_left_are_remembered_for_a_while() -> None:
    origins = read_origins(A)
    for number in range(3 * LEFT_MAX):
        origins.reroute({DEFAULT: (f"http://s{number}",)})
    assert len(origins.left) == LEFT_MAX
    assert origins.left[-1] == Upstream(f"http://s{3 * LEFT_MAX - 2}")
    origins.reroute({DEFAULT: (origins.left[-1].url, B)})
    assert origins.left[-1] == Upstream(f"http://s{3 * LEFT_MAX - 1}")
    assert len(origins.left) == LEFT_MAX
    origins.reroute({})
    assert {each.url for each in origins.left[-2:]} == {B, f"http://s{3 * LEFT_MAX - 2}"}


def test_a_peer_has_no_health_here() -> None:
    origins = read_origins(A)
    origins.saw(Upstream("unix:/run/0.sock"), Signal.FAIL)
    assert not origins.is_down(Upstream("unix:/run/0.sock"))


def test_routes_change_and_health_stays() -> None:
    origins = read_origins(f"{A},{B}", f"media={B}", policy=POLICY)
    origins.saw(Upstream(B), Signal.FAIL)
    origins.saw(Upstream(B), Signal.FAIL)
    origins.reroute({"": (B, C), "unknown": (A,)})
    assert order(origins) == [C, B]  # B is down still
    assert order(origins, "media") == [B]
    assert order(origins, "unknown") == [C, B]
    assert set(origins.left) == {Upstream(A)}
    assert origins.urls == {"": [B, C], "media": [B]}
    origins.reroute({})
    assert order(origins) == [A, B]
    assert set(origins.left) == {Upstream(C)}
    assert [route.url for route in origins.probed()] == [A, B]

"""Where an upload goes, region by region."""

from __future__ import annotations

import pytest

from amaro.destination import find_destination
from amaro.stack import Service, StackError
from amaro.target import Target


def service(name: str, kind: str, port: int, region: str | None = None) -> Service:
    url = f"http://127.0.0.1:{port}"
    return Service(name=name, kind=kind, url=url, health_url=url, pid=1, region=region)


SERVICES = (
    service("origin", "origin", 8084),
    service("edge-north", "edge", 8080, "north"),
    service("edge-south", "edge", 8081, "south"),
    service("console", "console", 8085),
)


def target(*services: Service) -> Target:
    return Target(token="t", services=services, admins=())


def test_the_first_region_is_the_default() -> None:
    found = find_destination(target(*SERVICES), None)
    assert found.region == "north"
    assert found.playback_url("/v/a") == "http://127.0.0.1:8080/v/a/main.m3u8"
    assert found.watch_url("a") == "http://127.0.0.1:8085/watch/a"
    assert found.state_url("a") == "http://127.0.0.1:8084/api/assets/a"


def test_a_region_has_its_own_edge() -> None:
    assert find_destination(target(*SERVICES), "south").edge == "http://127.0.0.1:8081"


def test_an_unknown_region_is_answered_with_those_there_are() -> None:
    with pytest.raises(StackError, match="no region 'west'; there is north, south"):
        find_destination(target(*SERVICES), "west")


@pytest.mark.parametrize("kind", ["origin", "edge"])
def test_what_is_missing_is_named(kind: str) -> None:
    rest = [found for found in SERVICES if found.kind != kind]
    with pytest.raises(StackError, match=f"No {kind} runs here"):
        find_destination(target(*rest), None)


def test_without_a_console_there_is_no_page() -> None:
    rest = [found for found in SERVICES if found.kind != "console"]
    assert find_destination(target(*rest), None).watch_url("a") is None

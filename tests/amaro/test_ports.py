"""The port plan."""

from __future__ import annotations

import socket

import pytest

from amaro.commands.up import check_ports
from amaro.ports import free_base, is_free, plan_ports, region_of, taken
from amaro.stack import StackError

HOST = "127.0.0.1"


def test_two_edges() -> None:
    plan = plan_ports(8080, 2)
    assert plan.public() == {
        "edge-north": 8080,
        "edge-south": 8081,
        "origin": 8084,
        "console": 8085,
    }
    assert plan.private() == {
        "edge-north admin": 8082,
        "edge-south admin": 8083,
        "edge-north peer": 8087,
        "edge-south peer": 8088,
        "segmenter": 8086,
    }


@pytest.mark.parametrize("edges", range(1, 17))
def test_no_port_is_given_twice(edges: int) -> None:
    plan = plan_ports(9000, edges)
    ports = [*plan.public().values(), *plan.private().values()]
    assert sorted(ports) == list(range(9000, 9000 + 3 * edges + 3))


@pytest.mark.parametrize("edges", range(1, 17))
def test_members_of_failover_have_ports_of_their_own(edges: int) -> None:
    plan = plan_ports(9000, edges, failover=True)
    ports = [*plan.public().values(), *plan.private().values()]
    assert sorted(ports) == list(range(9000, 9000 + 4 * edges + 3))
    assert plan.private()["failover-north"] == 9000 + 3 * edges + 3


def test_regions_have_names() -> None:
    assert [region_of(number) for number in range(4)] == ["north", "south", "region-3", "region-4"]


def test_a_taken_port_is_found_and_stepped_over() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(HOST, port)
        assert taken(HOST, plan_ports(port, 1))["edge-north"] == port
        found = free_base(HOST, 2, above=port)
        assert found is None or not taken(HOST, plan_ports(found, 2))


@pytest.mark.parametrize(
    ("host", "base", "named"),
    [
        (HOST, 65_530, "--port-base 65530 is too high.*Choose 65527 or less"),
        ("999.1.1.1", 8080, "--host 999.1.1.1 is not an address of this machine"),
        ("192.0.2.1", 8080, "--host 192.0.2.1 is not an address of this machine"),
    ],
)
def test_where_nobody_can_listen_is_named(host: str, base: int, named: str) -> None:
    with pytest.raises(StackError, match=named):
        check_ports(host, plan_ports(base, 2), base, 2)

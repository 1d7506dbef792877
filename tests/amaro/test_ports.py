"""The port plan."""

from __future__ import annotations

import socket
import sys

import pytest

from amaro.commands.up import check_ports
from amaro.ports import (
    PortPlan,
    free_base,
    hosts_apart,
    is_free,
    plan_ports,
    region_of,
    taken,
)
from amaro.stack import StackError

HOST = "127.0.0.1"


def test_two_edges() -> None:
    plan = plan_ports(8080, 2)
    assert plan.public(HOST) == {
        "edge-north": (HOST, 8080),
        "edge-south": (HOST, 8081),
        "origin": (HOST, 8084),
        "console": (HOST, 8085),
    }
    assert plan.private() == {
        "edge-north admin": 8082,
        "edge-south admin": 8083,
        "edge-north peer": 8087,
        "edge-south peer": 8088,
        "segmenter": 8086,
    }


def ports_of(plan: PortPlan) -> list[int]:
    return [*(port for _, port in plan.public().values()), *plan.private().values()]


@pytest.mark.parametrize("edges", range(1, 17))
def test_no_port_is_given_twice(edges: int) -> None:
    plan = plan_ports(9000, edges)
    ports = ports_of(plan)
    assert sorted(ports) == list(range(9000, 9000 + 3 * edges + 3))


@pytest.mark.parametrize("edges", range(1, 17))
def test_members_of_failover_have_ports_of_their_own(edges: int) -> None:
    plan = plan_ports(9000, edges, failover=True)
    ports = ports_of(plan)
    assert sorted(ports) == list(range(9000, 9000 + 4 * edges + 3))
    assert plan.private()["failover-north"] == 9000 + 3 * edges + 3


def test_edges_that_players_are_moved_between_differ_in_hosts_alone() -> None:
    hosts = hosts_apart(HOST, 3)
    if sys.platform == "linux":
        assert hosts == ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    plan = plan_ports(9000, 3, failover=True, hosts=("127.0.0.2", "127.0.0.3", "127.0.0.4"))
    edges = [each for name, each in plan.public(HOST).items() if name.startswith("edge-")]
    assert edges == [("127.0.0.2", 9000), ("127.0.0.3", 9000), ("127.0.0.4", 9000)]
    assert plan.public(HOST)["console"] == (HOST, 9007)
    for host, edges_there in (("0.0.0.0", 2), ("::1", 2), (HOST, 1)):
        assert hosts_apart(host, edges_there) == ()


def test_a_taken_host_is_stepped_over() -> None:
    hosts = hosts_apart(HOST, 2)
    with socket.create_server((hosts[1], 0)) as server:
        port = server.getsockname()[1]
        held = taken(HOST, plan_ports(port, 2, failover=True, hosts=hosts))
        assert "edge-north" not in held
        assert held["edge-south"] == port


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

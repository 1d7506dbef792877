"""What a client of one server is told."""

import ssl

import pytest

from cache_policies.valkey_address import parse_address
from cache_policies.valkey_connection import Bounds, Connections, pool_options
from tests.support.table import table


class Plain: ...


class Tls: ...


class Unix: ...


KINDS = Connections(Plain, Tls, Unix)


@pytest.mark.parametrize(
    "case",
    table("""
        url                       kind   told
        redis://u:p@h:7/3         plain  host=h port=7 username=u password=p db=3
        rediss://h?ca=/ca.pem     tls    host=h port=6379 db=0 ssl_ca_certs=/ca.pem
        rediss+cluster://[::1]:7  tls    host=::1 port=7
        unix:///run/s?password=p  unix   path=/run/s password=p
    """),
    ids=str,
)
def test_a_pool(case: dict[str, str]) -> None:
    address = parse_address(case["url"])
    options = pool_options(address, address.servers[0], KINDS, Bounds(0.025, 0.25, connections=3))
    assert options.pop("connection_class") is getattr(KINDS, case["kind"])
    for each in case["told"].split():
        name, _, value = each.partition("=")
        assert str(options[name]) == value
    assert (options["socket_connect_timeout"], options["socket_timeout"]) == (0.025, 0.25)
    assert options["max_connections"] == 3
    if case["kind"] == "tls":
        assert options["ssl_min_version"] is ssl.TLSVersion.TLSv1_2
    else:
        assert "ssl_ca_certs" not in options

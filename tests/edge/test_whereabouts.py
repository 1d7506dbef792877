"""Who is believed about where a player is."""

import pytest

from edge.clients import TrustedProxies
from edge.network_table import NetworkTable, Range, compiled
from edge.settings import Address, EdgeSettings
from edge.whereabouts import NOWHERE, ByNetwork, Whereabouts, whereabouts_of
from tests.support.table import table


@pytest.mark.parametrize("case", table("""
    own    field         from      said                    region
    north  x-region      10.0.0.1  DE                      de
    north  x-region      10.0.0.1  eu-West-1               eu-west-1
    north  x-region      10.0.0.1  -                       north
    north  x-region      10.0.0.1  de,fr                   north
    north  x-region      10.0.0.1  a_b                     north
    north  x-region      9.9.9.9   DE                      north
    north  -             10.0.0.1  DE                      north
    -      -             9.9.9.9   DE                      here
"""), ids=str)  # fmt: skip
def test_region(case):
    where = Whereabouts(case["own"], TrustedProxies(["10.0.0.0/8"]), case["field"].encode())
    fields = ((b"x-region", case["said"].encode()),) if case["said"] else ()
    assert where.region(case["from"].encode(), fields) == case["region"]


def test_a_region_that_is_told_twice_is_not_believed():
    where = Whereabouts("", TrustedProxies(["10.0.0.0/8"]), b"x-region")
    assert where.region(b"10.0.0.1", ((b"x-region", b"de"), (b"x-region", b"fr"))) == NOWHERE


@pytest.mark.parametrize("case", table("""
    from             fields                                   region
    8.8.8.8          -                                        us
    2a02:8108::1     -                                        de
    ::ffff:8.8.8.8   -                                        us
    192.168.0.1      -                                        north
    unknown          -                                        north
    10.0.0.1         x-forwarded-for: 2a02:8108::1            de
    9.9.9.9          x-forwarded-for: 2a02:8108::1            us
    10.0.0.1         x-region: fr | x-forwarded-for: 8.8.8.8  fr
    9.9.9.9          x-region: fr                             us
"""), ids=str)  # fmt: skip
def test_countries(case):
    settings = EdgeSettings(
        listen=Address("127.0.0.1", 0),
        origin="http://127.0.0.1:9",
        region="north",
        region_header="X-Region",
        geoip=True,
    )
    where = whereabouts_of(settings, TrustedProxies(["10.0.0.0/8"]))
    lines = [line.split(": ", 1) for line in case["fields"].split(" | ") if line]
    fields = tuple((name.encode(), value.encode()) for name, value in lines)
    assert where.region(case["from"].encode(), fields) == case["region"]


def test_without_geoip_nobody_is_looked_up():
    settings = EdgeSettings(listen=Address("127.0.0.1", 0), origin="http://127.0.0.1:9")
    assert whereabouts_of(settings, TrustedProxies()).region(b"8.8.8.8", ()) == NOWHERE


@pytest.mark.parametrize("case", table("""
    from        fields                                    network
    10.0.0.1    x-asn: 3320                               3320
    10.0.0.1    x-asn: AS3320                             3320
    10.0.0.1    x-asn: 4294967295                         4294967295
    10.0.0.1    x-asn: 4294967296                         -
    10.0.0.1    x-asn: 0                                  -
    10.0.0.1    x-asn: 3320, 5                            -
    10.0.0.1    x-asn: 3320 | x-asn: 5                    -
    9.9.9.9     x-asn: 3320                               7
    10.0.0.1    x-asn: ? | x-forwarded-for: 9.9.9.1       7
    10.0.0.1    x-asn: 3320 | x-forwarded-for: 9.9.9.1    3320
    9.9.9.9     -                                         7
    9.9.8.9     -                                         -
    unknown     -                                         -
"""), ids=str)  # fmt: skip
def test_networks(case):
    networks = NetworkTable(memoryview(compiled([Range(False, 0x09090900, 0x090909FF, 7)])))
    proxies = TrustedProxies(["10.0.0.0/8"])
    where = Whereabouts("", proxies, networks=ByNetwork(b"x-asn", networks))
    lines = [line.split(": ", 1) for line in case["fields"].split(" | ") if line]
    fields = tuple((name.encode(), value.encode()) for name, value in lines)
    assert str(where.network(case["from"].encode(), fields) or "") == case["network"]

"""From what is written of networks to the network of an address."""

import gzip
import random
from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.network_file import open_networks, ranges, read_networks
from edge.network_table import NetworkTable, Range, TableError, compiled
from tests.support.table import table

RANGES = "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n"
RANGES_6 = "2001:200::\t2001:200:5ff:ffff:ffff:ffff:ffff:ffff\t2500\tJP\tWIDE\n"
PREFIXES = "; IP-ASN32-DAT file\n1.0.0.0/16\t7\n1.0.0.0/24\t13335\n2001:200::/32\t2500\n"
QUOTED = (
    '"1.0.0.0","1.0.0.255","13335","Cloudflare, Inc."\n'
    '"2001:200::","2001:200::ffff","2500","WIDE"\n'
)
COLUMNS = (
    "network,autonomous_system_number,autonomous_system_organization\n"
    '1.0.0.0/24,13335,"Cloudflare, Inc."\n2001:200::/32,2500,"WIDE"\n'
)
COUNTRIES = (
    "network,country,country_code,continent,continent_code,asn,as_name,as_domain\n"
    "1.0.0.0/24,Australia,AU,Oceania,OC,AS13335,Cloudflare,cloudflare.com\n"
    "2001:200::/32,Japan,JP,Asia,AS,AS2500,WIDE,wide.ad.jp\n"
)


def made(text):
    return NetworkTable(memoryview(compiled(ranges(text.splitlines()))))


@pytest.mark.parametrize("text", [RANGES + RANGES_6, PREFIXES, QUOTED, COLUMNS, COUNTRIES])
def test_what_tables_are_written_in(text):
    known = made(text)
    found = [known.number(each) for each in ("1.0.0.0", "1.0.0.255", "2001:200::1")]
    assert found == [13335, 13335, 2500]
    nobody = ("0.255.255.255", "2.0.0.0", "255.255.255.255", "2001:1ff::", "2001:201::", "unknown")
    assert [known.number(each) for each in nobody] == [None] * 6


def test_the_narrower_network_counts():
    known = made(PREFIXES)
    assert [known.number(each) for each in ("1.0.0.9", "1.0.1.0", "1.0.255.255")] == [13335, 7, 7]


@pytest.mark.parametrize("case", table("""
    text                        why
    -                           it names no networks
    nothing                     it names no networks
    1.0.0.0/33,5                line 1: not `network, number` or `first, last, number`
    1.0.0.9,1.0.0.0,5           line 1: not `network, number` or `first, last, number`
    1.0.0.0,::1,5               line 1: not `network, number` or `first, last, number`
    1.0.0.0                     line 1: not `network, number` or `first, last, number`
"""), ids=str)  # fmt: skip
def test_what_is_no_table(case):
    with pytest.raises(TableError) as raised:
        made(case["text"])
    assert str(raised.value) == case["why"]


def test_a_file_may_be_compressed(tmp_path):
    file = tmp_path / "networks.tsv.gz"
    file.write_bytes(gzip.compress(RANGES.encode()))
    assert open_networks(read_networks(str(file))).number("1.0.0.7") == 13335
    for broken in (gzip.compress(RANGES.encode())[:-9], b"\x1f\x8bno", b"<html>"):
        file.write_bytes(broken)
        with pytest.raises(TableError):
            read_networks(str(file))
    with pytest.raises(TableError, match="No such file"):
        read_networks(str(tmp_path / "none"))


@given(st.integers(0), st.sampled_from([4, 6]))
def test_any_networks_within_each_other(seed, version):
    draw = random.Random(seed)
    kind, width, told_apart = (IPv4Network, 32, 32) if version == 4 else (IPv6Network, 128, 64)
    drawn = {}
    for number in range(1, 12):
        bits = draw.choice([0, 1, 2, 3, 8, 16, told_apart])
        within = draw.getrandbits(3) << (width - 3)
        network = kind((within, bits), strict=False)
        drawn[network] = number
    known = made("".join(f"{network},{number}\n" for network, number in drawn.items()))
    for network in drawn:
        for address in (network[0], network[-1], network[0] + draw.getrandbits(8)):
            around = [each for each in drawn if address in each]
            wanted = drawn[max(around, key=lambda each: each.prefixlen)] if around else None
            assert known.number(str(address)) == wanted
    assert known.number("9.9.9.9" if version == 6 else "9::9") is None


def test_ranges_that_overlap_are_cut():
    known = NetworkTable(memoryview(compiled([Range(False, 1, 9, 5), Range(False, 5, 20, 6)])))
    told = [known.number(f"0.0.0.{last}") for last in (0, 1, 4, 5, 9, 10)]
    assert told == [None, 5, 5, 6, 6, None]

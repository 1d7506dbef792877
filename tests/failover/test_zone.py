"""What a zone answers, as a table: name, type, what comes back."""

import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.zone import is_newer, look_up, next_serial
from failover.zone_file import ZoneFileError, check_zone, of_nodes, parse_zone
from tests.support.table import table

TEXT = """\
$TTL 60
@        SOA ns1 hostmaster 7 3600 600 86400 5
         NS  ns1
         NS  ns.other.example.
ns1      A   192.0.2.53
media    A   192.0.2.1
         A   192.0.2.2
         TXT "text"
www      CNAME media
far      CNAME media.provider.example.
ring     CNAME gnir
gnir     CNAME ring
a.b      A   192.0.2.3
sub      NS  ns.sub
         DS  1 8 2 00000000000000000000000000000000000000000000000000000000000000aa
ns.sub   A   192.0.2.54
into     CNAME host.sub
"""
ZONE = parse_zone(TEXT, "edge.test.", "edge.zone")


def sections(found):
    def section(name, rrsets):
        words = [f"{each.name} {dns.rdatatype.to_text(each.rdtype)}" for each in rrsets]
        return f" {name}[{'; '.join(words)}]".replace(".edge.test.", "") if words else ""

    return (
        dns.rcode.to_text(found.rcode)
        + (" aa" if found.flags & dns.flags.AA else "")
        + section("an", found.answer)
        + section("au", found.authority)
        + section("ad", found.additional)
    ).replace("edge.test.", "@")


@pytest.mark.parametrize(
    "case",
    table("""
    name         type   answer                                              source
    media        A      NOERROR aa an[media A]                              1034 §4.3.2
    MeDiA        A      NOERROR aa an[MeDiA A]                              4343
    media        AAAA   NOERROR aa au[@ SOA]                                2308 §2.2 (NODATA)
    nobody       A      NXDOMAIN aa au[@ SOA]                               2308 §2.1
    b            A      NOERROR aa au[@ SOA]                                8020 §2
    c.b          A      NXDOMAIN aa au[@ SOA]                               8020
    www          A      NOERROR aa an[www CNAME; media A]                   1034 §3.6.2
    www          AAAA   NOERROR aa an[www CNAME] au[@ SOA]                  2308 §2.2
    www          CNAME  NOERROR aa an[www CNAME]                            1034 §3.6.2
    far          A      NOERROR aa an[far CNAME]                            outside: resolvers go on
    ring         A      NOERROR aa an[ring CNAME; gnir CNAME]               a loop ends
    media        ANY    NOERROR aa an[media HINFO]                          8482 §4.2
    www          ANY    NOERROR aa an[www CNAME]                            8482 §4.2
    nobody       ANY    NXDOMAIN aa au[@ SOA]                               2308
    @            NS     NOERROR aa an[@ NS]                                 the apex
    @            SOA    NOERROR aa an[@ SOA]                                the apex
    host.sub     A      NOERROR au[sub NS] ad[ns.sub A]                     1034 §4.3.2 3b
    sub          A      NOERROR au[sub NS] ad[ns.sub A]                     1034 §4.3.2 3b
    sub          DS     NOERROR aa an[sub DS]                               4035 §3.1.4.1
    into         A      NOERROR aa an[into CNAME] au[sub NS] ad[ns.sub A]   1034 §4.3.2
    """),
    ids=str,
)
def test_what_is_answered(case):
    name = dns.name.from_text(case["name"].replace("@", "edge.test."), ZONE.origin)
    found = look_up(ZONE, name, dns.rdatatype.from_text(case["type"]))
    assert sections(found) == case["answer"]


def test_an_absence_is_remembered_as_long_as_the_soa_says():
    found = look_up(ZONE, dns.name.from_text("nobody.edge.test."), dns.rdatatype.A)
    assert found.authority[0].ttl == 5


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("media    A   192.0.2.1", "media    A   192.0.2.x"), r"edge.zone:6: .*"),
        (("192.0.2.53\n", "192.0.2.53\n*  A 192.0.2.9\n"), r"edge.zone:6: .*wildcards"),
        (("www      CNAME", "media    CNAME"), r"edge.zone:"),
        (("@        SOA ns1 hostmaster 7 3600 600 86400 5\n", "@\n"), r"edge.zone:\d+: "),
        (("         NS  ns1\n         NS  ns.other.example.\n", ""), r"edge.zone:2: .*needs NS"),
        (("www      CNAME media", "www DNAME media"), r"edge.zone:9: .*DNAME"),
        (("$TTL 60", "$INCLUDE /etc/passwd"), r"edge.zone:1: "),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_place(change, complaint):
    text = TEXT.replace(*change)
    assert text != TEXT
    with pytest.raises(ZoneFileError, match=complaint):
        parse_zone(text, "edge.test.", "edge.zone")


def test_a_copy_without_a_soa_is_no_zone():
    with pytest.raises(ValueError, match="needs one SOA"):
        check_zone(of_nodes({}, ZONE.origin))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**33))
def test_serials_rise_whatever_the_clock_does(previous, now_wall):
    assert is_newer(next_serial(previous, now_wall), previous)


def test_the_serial_is_the_time_where_that_rises():
    assert next_serial(7, 1_800_000_000.9) == 1_800_000_000
    assert next_serial(1_800_000_000, 1_700_000_000.0) == 1_800_000_001
    assert ZONE.with_serial(9).serial == 9
    assert ZONE.serial == 7

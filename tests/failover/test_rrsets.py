import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.decision import Choice
from failover.endpoint import Endpoint, endpoint
from failover.model import Dependency, Record, Target
from failover.rrsets import chosen, rrset, rrsets, said, same_values, ttl_max_s, with_ttl
from tests.support.table import table

NEEDS = Dependency(provider="somebody")


def target(name: str, *records: tuple[str, str]) -> Target:
    return Target(
        name=name,
        needs=NEEDS,
        probes=(),
        records=tuple(Record(type=kind, values=tuple(text.split())) for kind, text in records),
    )


TARGETS = {
    each.name: each
    for each in (
        target("a", ("A", "192.0.2.1"), ("AAAA", "2001:db8::1")),
        target("b", ("A", "192.0.2.2")),
        target("c", ("CNAME", "Edge.Provider.example")),
        target("none"),
    )
}


@pytest.mark.parametrize(
    "case",
    table("""
    shares             said                                           source
    a=1                A 192.0.2.1 (30 s), AAAA 2001:db8::1 (30 s)    one target
    a=0.6,b=0.4        A 192.0.2.1 192.0.2.2 (30 s), AAAA 2001:db8::1 (30 s)  addresses side by side
    a=1,b=0            A 192.0.2.1 (30 s), AAAA 2001:db8::1 (30 s)    no share, no address
    a=0.4,c=0.6        CNAME edge.provider.example. (30 s)            1034 §3.6.2
    a=0.6,c=0.4        A 192.0.2.1 (30 s), AAAA 2001:db8::1 (30 s)    1034 §3.6.2
    none=0.9,c=0.1     CNAME edge.provider.example. (30 s)            it is not in DNS
    none=1             no records                                     it is not in DNS
    """),
    ids=str,
)
def test_the_records_of_a_choice(case):
    shares = [each.split("=") for each in case["shares"].split(",")]
    choice = Choice(
        service="media",
        region="*",
        order=tuple(TARGETS),
        shares=tuple((name, float(share)) for name, share in shares),
    )
    assert said(chosen(TARGETS, choice, 30)) == case["said"]


@given(st.lists(st.ip_addresses(), min_size=1), st.integers(0, 2**31 - 1))
def test_order_spelling_and_repetition_mean_nothing(addresses, ttl_s):
    records = [
        Record(type="A" if each.version == 4 else "AAAA", values=(str(each),)) for each in addresses
    ]
    loud = [
        Record(type="A" if each.version == 4 else "AAAA", values=(each.exploded.upper(),) * 2)
        for each in reversed(addresses)
    ]
    assert rrsets(records, ttl_s) == rrsets(loud, ttl_s)
    assert same_values(rrsets(records, ttl_s), with_ttl(rrsets(loud, ttl_s), 7))


def test_a_value_that_its_type_cannot_have_is_refused():
    with pytest.raises(ValueError):
        rrset("A", 60, ["2001:db8::1"])


def test_how_long_resolvers_may_keep_it():
    assert ttl_max_s(()) == 0
    assert ttl_max_s((rrset("A", 60, ["192.0.2.1"]), rrset("AAAA", 90, ["::1"]))) == 90


@pytest.mark.parametrize(
    "case",
    table("""
    text               host         port  said
    192.0.2.1          192.0.2.1    53    192.0.2.1:53
    192.0.2.1:5300     192.0.2.1    5300  192.0.2.1:5300
    ns1.example        ns1.example  53    ns1.example:53
    ns1.example:54     ns1.example  54    ns1.example:54
    2001:db8::1        2001:db8::1  53    [2001:db8::1]:53
    [2001:db8::1]      2001:db8::1  53    [2001:db8::1]:53
    [2001:db8::1]:54   2001:db8::1  54    [2001:db8::1]:54
    """),
    ids=str,
)
def test_where_a_name_server_is(case):
    found = endpoint(case["text"])
    assert found == Endpoint(case["host"], int(case["port"]))
    assert str(found) == case["said"]
    assert found.is_address is not case["host"].startswith("ns1")


@pytest.mark.parametrize("text", ["", ":53", "host:", "host:x", "host:0", "host:65536", "[]:1"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(ValueError, match="HOST:PORT"):
        endpoint(text)

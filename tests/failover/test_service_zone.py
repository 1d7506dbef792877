"""The zone of our own servers follows the decision; a secondary's times; the response rate."""

import dataclasses

import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.decision import Choice, Decision
from failover.model import EVERYWHERE, Dependency, DnsSettings, Record, Service, Target
from failover.response_rate import RatePolicy, ResponseRate, Verdict, network_of
from failover.service_zone import ServiceZone, services_in
from failover.zone_file import parse_zone
from failover.zone_refresh import Refresh

BASE = parse_zone(
    """\
$TTL 60
@      SOA ns1 hostmaster 7 3600 600 86400 5
       NS  ns1
ns1    A   192.0.2.53
media  A   203.0.113.1
       TXT "stays"
""",
    "edge.test.",
    "edge.zone",
)
MEDIA = dns.name.from_text("media.edge.test.")
NOW = 1_800_000_000.0


def service(name="media", domain="media.edge.test."):
    targets = tuple(
        Target(
            name=target,
            needs=Dependency(provider=target),
            probes=(),
            records=(Record(type=kind, values=(value,)),),
        )
        for target, kind, value in (
            ("first", "A", "192.0.2.1"),
            ("second", "A", "192.0.2.2"),
            ("alias", "CNAME", "media.provider.example."),
        )
    )
    dns_settings = DnsSettings(name=domain, zone="edge.test.", providers=("own",))
    return Service(name=name, targets=targets, dns=dns_settings)


SOURCE = ServiceZone(base=BASE, services=(service(), service("feed", "feed.edge.test.")))


def decision(*shares, number=1, suspect=False):
    choice = Choice(
        service="media",
        region=EVERYWHERE,
        order=("first", "second", "alias"),
        shares=shares,
        suspect=suspect,
    )
    return Decision(epoch=1, number=number, choices=(choice,))


def said(zone, name=MEDIA):
    return sorted(line for each in zone.nodes[name].values() for line in str(each).splitlines())


def test_without_a_decision_the_first_target_answers():
    zone = SOURCE.at(None)
    assert said(zone) == ["60 IN A 192.0.2.1", '60 IN TXT "stays"']
    assert said(zone, dns.name.from_text("feed.edge.test.")) == ["60 IN A 192.0.2.1"]


def test_the_decisions_targets_answer_with_short_ttls_while_in_doubt():
    zone = SOURCE.at(decision(("first", 0.5), ("second", 0.5), suspect=True))
    assert said(zone)[:2] == ["20 IN A 192.0.2.1", "20 IN A 192.0.2.2"]
    zone = SOURCE.at(decision(("alias", 1.0)))
    assert said(zone) == ["60 IN CNAME media.provider.example."]


def test_the_serial_rises_with_what_is_new_and_with_nothing_else():
    first = SOURCE.after(None, None, NOW)
    assert first.serial == int(NOW)
    assert SOURCE.after(first, decision(("first", 1.0)), NOW + 9) is first
    second = SOURCE.after(first, decision(("second", 1.0)), NOW - 9)  # a clock that was put back
    assert second.serial == int(NOW) + 1
    assert SOURCE.after(second, decision(("second", 1.0), number=2), NOW + 9) is second


def test_services_elsewhere_are_not_in_the_zone():
    away = service("uploads", "uploads.other.test.")
    silent = dataclasses.replace(service(), dns=None)
    assert services_in(BASE.origin, [*SOURCE.services, away, silent]) == SOURCE.services
    assert ServiceZone(base=BASE, services=(away, silent)).at(None) == BASE


SOA = BASE.soa  # refresh 3600, retry 600, expire 86400


def test_the_times_of_a_copy():
    never = Refresh()
    assert never.is_expired(0.0)
    assert never.failed(10.0).due_mono == 12.0
    copy = never.confirmed(SOA, 10.0)
    assert (copy.wait_s(10.0), copy.is_expired(86_409.0)) == (3_600.0, False)
    lost = copy.failed(3_610.0)
    assert (lost.due_mono, lost.wait_s(3_610.0)) == (4_210.0, 600.0)
    assert lost.is_expired(86_410.0)
    assert copy.notified(20.0).wait_s(20.0) == 0.0
    assert lost.failed(86_400.0).wait_s(86_400.0) == 10.0  # the end comes before the next question


@given(st.lists(st.sampled_from(["confirmed", "failed", "notified"])), st.floats(0.1, 5_000))
def test_a_copy_is_never_used_longer_than_it_may_be(events, step_s):
    now, refresh, last_confirmed = 0.0, Refresh(), None
    for event in events:
        now += step_s
        if event == "confirmed":
            refresh, last_confirmed = refresh.confirmed(SOA, now), now
        else:
            refresh = getattr(refresh, event)(now)
        assert refresh.wait_s(now) >= 0.0
        may = last_confirmed is not None and now < last_confirmed + SOA.expire
        assert refresh.is_expired(now) is not may


POLICY = RatePolicy(per_s=10.0, burst=3.0, slip=2, networks_max=2)


def test_a_network_gets_so_many_answers():
    rate = ResponseRate(POLICY)
    judged = [rate.judge(f"192.0.2.{number}", 0.0) for number in range(7)]
    assert judged == [
        *[Verdict.SEND] * 3,
        Verdict.DROP,
        Verdict.TRUNCATE,
        Verdict.DROP,
        Verdict.TRUNCATE,
    ]
    assert rate.judge("198.51.100.1", 0.0) is Verdict.SEND
    assert rate.judge("192.0.2.1", 0.1) is Verdict.SEND  # one more each 0.1 s
    assert rate.judge("192.0.2.1", 0.1) is Verdict.DROP


def test_the_oldest_network_is_forgotten():
    rate = ResponseRate(POLICY)
    for number in range(5):
        rate.judge(f"10.0.{number}.1", 0.0)
    assert list(rate.buckets) == ["10.0.3", "10.0.4"]


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.255", "192.0.3.1"),
        ("2001:db8:0:100::1", "2001:db8:0:1ff::", "2001:db8:0:200::"),
        ("::ffff:192.0.2.1", "192.0.2.9", "::ffff:192.0.3.1"),
        ("fe80::1%lo", "fe80::2", "fe80:0:0:100::1"),
    ],
)
def test_the_network_of_an_address(address, same, other):
    assert network_of(address) == network_of(same) != network_of(other)

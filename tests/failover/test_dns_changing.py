import asyncio

import pytest

from failover.dns_changing import DeposedError, set_records, set_ttl
from failover.dns_errors import (
    ConflictError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
    WrongKeyError,
)
from failover.dns_seen import Seen, Subject
from failover.rrsets import rrset, with_ttl

ZONE, NAME = "edge.test.", "media.edge.test."
OLD = (rrset("A", 60, ["192.0.2.1"]),)
NEW = (rrset("A", 60, ["192.0.2.2"]),)
WHERE = ("dns", ZONE, NAME)


class Provider:
    """Does what it is told, after the failures that a test lists for `replace`."""

    provider = "dns"
    ttl_min_s = 30

    def __init__(self, *failures):
        self.found, self.failures, self.calls = OLD, list(failures), 0

    async def read(self, zone, name):
        return self.found

    async def replace(self, zone, name, expected, wanted):
        self.calls += 1
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            self.found = failure  # somebody else was faster
            raise ConflictError(*WHERE, "changed meanwhile")
        is_new, self.found = self.found != wanted, wanted
        return is_new


async def test_what_is_so_already_is_said_to_be():
    provider = Provider()
    assert (await set_records(provider, ZONE, NAME, NEW)).acted is True
    again = await set_records(provider, ZONE, NAME, NEW)
    assert (again.before, again.after, again.acted) == (NEW, NEW, False)


async def test_what_may_pass_is_tried_again():
    limited = RateLimitedError(*WHERE, "429", retry_after_s=0.01)
    provider = Provider(limited, UnreachableError(*WHERE, "no answer"))
    changed = await set_records(provider, ZONE, NAME, NEW)
    assert (changed.attempts, provider.found) == (3, NEW)


@pytest.mark.parametrize("kind", [WrongKeyError, RefusedError])
async def test_what_stays_wrong_is_not(kind):
    provider = Provider(kind(*WHERE, "no"))
    with pytest.raises(kind):
        await set_records(provider, ZONE, NAME, NEW)
    assert provider.calls == 1


async def test_time_is_bounded_by_what_is_waited_for():
    provider = Provider(RateLimitedError(*WHERE, "429", retry_after_s=600.0))
    with pytest.raises(RateLimitedError, match="ask again in 600 s"):
        async with asyncio.timeout(30):
            await set_records(provider, ZONE, NAME, NEW)


async def test_who_is_deposed_between_two_attempts_does_not_write_again():
    successors = (rrset("A", 60, ["203.0.113.1"]),)
    provider = Provider(successors)
    with pytest.raises(DeposedError):
        await set_records(provider, ZONE, NAME, NEW, may_act=lambda: provider.calls == 0)
    assert (provider.calls, provider.found) == (1, successors)


async def test_who_is_deposed_while_it_waits_tries_nothing_again():
    provider, waited = Provider(UnreachableError(*WHERE, "no answer")), []

    async def pause(seconds):
        waited.append(seconds)

    with pytest.raises(DeposedError):
        await set_records(provider, ZONE, NAME, NEW, may_act=lambda: not waited, pause=pause)
    assert (provider.calls, len(waited)) == (1, 1)


async def test_no_new_decision_hurries_a_provider_that_named_a_time():
    async def pause(seconds):
        pytest.fail(f"it was not waited for {seconds} s")

    provider = Provider(RateLimitedError(*WHERE, "429", retry_after_s=0.01))
    changed = await set_records(provider, ZONE, NAME, NEW, pause=pause)
    assert changed.attempts == 2


async def test_somebody_elses_change_is_read_and_replaced_but_not_for_ever():
    other = (rrset("A", 60, ["203.0.113.1"]),)
    provider = Provider(other)
    changed = await set_records(provider, ZONE, NAME, NEW)
    assert (changed.attempts, provider.found) == (2, NEW)
    provider = Provider(other, OLD, other, OLD)
    with pytest.raises(ConflictError):
        await set_records(provider, ZONE, NAME, NEW)
    assert provider.calls == 3


async def test_a_shorter_ttl_never_brings_old_values_back():
    provider = Provider(NEW)  # a switch comes between reading and replacing
    changed = await set_ttl(provider, ZONE, NAME, 20)
    assert provider.found == changed.after == with_ttl(NEW, provider.ttl_min_s)


ABOUT = Subject(provider="dns", zone=ZONE, name=NAME, wanted=NEW)


def silent(server):
    return Seen(server=server, after_s=1.0, problem=f"{server} does not answer within 2 s")


def test_servers_that_agree_are_no_complaint():
    seen = [ABOUT.seen("ns1:53", with_ttl(NEW, 7), 0.1), ABOUT.seen("ns2:53", NEW, 0.2)]
    assert ABOUT.complaint_of_servers(seen) is None
    assert ABOUT.complaint_of_resolvers(seen) is None


def test_split_answers_name_the_servers():
    seen = [ABOUT.seen("ns1:53", NEW, 0.1), ABOUT.seen("ns2:53", OLD, 0.2), silent("ns3:53")]
    error = ABOUT.complaint_of_servers(seen)
    assert error.word == "split-answers"
    assert "1 of 3 servers have A 192.0.2.2" in str(error)
    assert "ns2:53: A 192.0.2.1 (60 s); ns3:53: ns3:53 does not answer" in str(error)
    assert "ns1" not in str(error)


def test_servers_that_are_all_silent_are_another_thing():
    assert ABOUT.complaint_of_servers([silent("ns1:53")]).word == "servers-unreachable"
    assert ABOUT.complaint_of_servers([]).word == "servers-unreachable"


def test_resolvers_that_keep_old_records_are_worse_than_silent_ones():
    stale = ABOUT.seen("192.0.2.53:53", OLD, 65.0)
    assert ABOUT.complaint_of_resolvers([stale, silent("r2")]).word == "split-answers"
    error = ABOUT.complaint_of_resolvers([silent("r2:53")])
    assert error.word == "resolver-unreachable"
    assert "r2:53 does not answer" in str(error)


def test_only_what_is_new_is_told():
    first = ABOUT.seen("ns1:53", OLD, 0.1)
    assert ABOUT.seen("ns1:53", with_ttl(OLD, 3), 9.0).same_as(first)
    assert not ABOUT.seen("ns1:53", NEW, 9.0).same_as(first)
    assert not silent("ns1:53").same_as(first)
    assert not first.same_as(None)

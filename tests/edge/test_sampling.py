"""Samples stand for all requests, however many there are; they are few, and read in turns."""

import random

import pytest

from edge.accounts import Asking, NoSampling
from edge.heads import Context, read_facts
from edge.sampling import WAITING_MAX, Sampler

FACTS = read_facts(
    b"\r\nHost: a\r\n\r\n", ((b"host", b"a"),), Context(b"GET", b"1.1", b"http", b"a")
)
HEAD = read_facts(b"", ((b"host", b"a"),), Context(b"HEAD", b"1.1", b"http", b"a"))


class Loop:
    """A loop that calls later when it is told to, and its clock."""

    def __init__(self):
        self.later = []
        self.now_mono = 0.0

    def call_later(self, seconds, call):
        self.later.append(call)
        self.due_mono = self.now_mono + seconds
        return self

    def cancel(self):
        self.later.clear()

    def time(self):
        return self.now_mono

    def turn(self):
        calls, self.later = self.later, []
        if calls:
            self.now_mono = self.due_mono
        for call in calls:
            call()


def sampling(seed=1):
    """A started sampler, its loop and what it gathers."""
    gathered, loop = [], Loop()
    sampler = Sampler(gathered.append, draw=random.Random(seed).random, clock=loop.time)
    sampler.start(loop)
    return sampler, loop, gathered


def hit(sampler, facts=FACTS, status=200):
    sampler.left -= 1
    if not sampler.left:
        sampler.take(b"/1.m4s", facts, b"192.0.2.1", status)


def asking(method=b"GET"):
    return Asking(b"192.0.2.1", method, b"a", b"/1.m4s", prefix=b"http://a", address=b"192.0.2.1")


def test_few_requests_are_all_taken():
    sampler, loop, gathered = sampling()
    for _ in range(5):
        hit(sampler)
        sampler.answered(asking(), 200)
    assert gathered == []
    loop.turn()
    assert len(gathered) == 10
    assert {(each.target, each.prefix, each.weight) for each in gathered} == {
        (b"/1.m4s", b"http://a", 1)
    }
    assert loop.later == []  # nothing to do, nothing to wake up for


@pytest.mark.parametrize("weight", [2, 8, 100])
def test_samples_stand_for_all_requests(weight):
    sampler, loop, gathered = sampling()
    hit(sampler)
    sampler.weight = weight
    requests = weight * 4000
    for _ in range(requests):
        hit(sampler)
        loop.now_mono = 0.0  # so the weight stays
        loop.turn()
        loop.now_mono = 0.0
    counted = sum(each.weight for each in gathered)
    assert sampler.lost == 0
    assert counted == pytest.approx(requests, rel=0.08)  # five standard deviations


def test_a_burst_is_bounded_and_makes_samples_rarer():
    sampler, loop, gathered = sampling()
    for _ in range(WAITING_MAX + 200):
        hit(sampler)
    assert sampler.weight > 1
    assert sampler.lost > 0
    loop.turn()
    assert len(gathered) <= WAITING_MAX


def test_samples_become_frequent_again_when_it_is_quiet():
    sampler, loop, _ = sampling()
    for _ in range(WAITING_MAX + 200):
        hit(sampler)
    for _ in range(100):  # two seconds
        loop.turn()
    assert loop.later == []
    assert (sampler.weight, sampler.left) == (1, 1)


@pytest.mark.parametrize(("facts", "status"), [(HEAD, 200), (FACTS, 404), (FACTS, 503)])
def test_what_is_not_watched_is_not_gathered(facts, status):
    sampler, loop, gathered = sampling()
    hit(sampler, facts, status)
    sampler.answered(asking(facts.method), status)
    loop.turn()
    assert gathered == []


def test_nothing_is_taken_before_the_start_and_after_the_end():
    sampler, loop, gathered = sampling()
    hit(sampler)
    sampler.stop()
    for each in (sampler, Sampler(), Sampler(gathered.append), NoSampling()):
        hit(each)
        each.answered(asking(), 200)
    idle = Sampler()
    idle.start(loop)
    hit(idle)
    loop.turn()
    assert gathered == []


def test_the_weight_follows_the_load():
    sampler, loop, gathered = sampling()
    for _ in range(100):  # 2 s of 5 000 requests a second
        for _ in range(100):
            hit(sampler)
        loop.now_mono += 0.02
        loop.turn()
    assert 15 <= sampler.weight <= 25
    assert sum(each.weight for each in gathered) + sampler.lost == pytest.approx(10_000, rel=0.3)


def test_reading_gives_others_their_turn():
    read, loop = [], Loop()

    def slowly(sample):
        read.append(sample)
        loop.now_mono += 0.0003

    sampler = Sampler(slowly, clock=loop.time)
    sampler.start(loop)
    for _ in range(5):
        hit(sampler)
    for expected in (2, 4, 5):
        loop.turn()
        assert len(read) == expected

"""The tournament keeps the contract, finds the better policy, changes to it in bounded steps."""

import random
from hashlib import blake2b
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_policies.contest import SAMPLE_MAX, Contest, Objective
from cache_policies.shadow import POLICIES, Name, Shadow, is_sampled
from cache_policies.tournament import DWELL_S, FIRST, Tournament

BUDGET = 4_000_000


def name_of(key):
    """As an edge's hash of a key is, but the same in every run."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), signed=True)


class Tier:
    """A tier with a tournament, and what it did to its requests."""

    def __init__(self, budget_bytes, objective=Objective.OBJECTS, seed=1):
        self.tournament = Tournament(budget_bytes, objective)
        self.index = {}
        self.now = 1000.0
        self.hits = 0
        self.chance = random.Random(seed)

    def ask(self, name, size):
        entry = self.index.get(name)
        if entry is not None:
            entry.mark += 1
            self.hits += 1
            return
        entry = self.index[name] = Name(name, size)
        for victim in self.tournament.admit(entry):
            del self.index[victim.name_hash]

    def step(self, seconds=1.0):
        self.now += seconds
        self.tournament.step(self.now)

    def scan(self, seconds):
        """Names that never come back between those that do: what S3-FIFO is made for."""
        for _ in range(int(seconds)):
            for _ in range(20):
                self.ask(name_of(b"hot %d" % self.chance.randrange(1500)), 4000)
                self.ask(name_of(b"once %d" % self.chance.getrandbits(60)), 4000)
            self.step()

    def loop(self, seconds):
        """What came last comes back: what LRU is made for."""
        for _ in range(int(seconds)):
            for _ in range(20):
                newest = int(self.now * 20)
                self.ask(name_of(b"new %d" % newest), 4000)
                self.ask(name_of(b"new %d" % (newest - 900)), 4000)
            self.step()


@pytest.mark.parametrize("objective", Objective)
def test_it_begins_with_what_does_well_most_often(objective):
    assert Tournament[Name](BUDGET, objective).running == FIRST[objective]


def test_it_changes_to_the_better_policy_and_keeps_the_objects():
    tier = Tier(BUDGET)
    tier.tournament.contest.run("lru")
    tier.tournament._policy = POLICIES["lru"](BUDGET)
    for _ in range(900):
        tier.scan(1)
        if tier.tournament.switches:
            break
    assert tier.tournament.running in {"sieve", "s3fifo", "gdsf"}
    assert len(tier.tournament) == len(tier.index)
    assert tier.tournament.used_bytes > 0.9 * BUDGET
    while tier.tournament._leaving is not None:
        tier.step()
    assert len(tier.tournament) == len(tier.index)


def test_a_change_is_not_followed_by_another_before_the_dwell():
    tier = Tier(BUDGET)
    changed = []
    running = tier.tournament.running
    for number in range(40):
        (tier.scan if number // 10 % 2 else tier.loop)(60)
        if tier.tournament.running != running:
            running = tier.tournament.running
            changed.append(tier.now)
    assert all(later - one >= DWELL_S for one, later in pairwise(changed))


def test_during_a_change_both_orders_hold_the_budget():
    tier = Tier(100_000_000)
    for number in range(20_000):
        tier.ask(name_of(b"%d" % number), 5_000)
    tournament = tier.tournament
    tournament._switch("lru")
    tournament._move()
    leaving = tournament._leaving
    assert leaving is not None
    assert 0 < len(leaving) < len(tournament)
    some = next(iter(tier.index.values()))
    for number in range(1000):
        tier.ask(name_of(b"new %d" % number), 50_000)
        assert tournament.used_bytes <= tournament.budget_bytes
        assert len(tournament) == len(tier.index)
    assert some.name_hash not in tier.index or tournament.remove(some)
    while tournament._leaving is not None:
        tournament.step(tier.now)
    assert tournament.shrink(0)
    assert len(tournament) == 0


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_shadows_of_all_names_see_what_the_tier_does(seed):
    """With every name in the sample, the running policy's shadow hits as often as the tier."""
    tier = Tier(200_000, seed=seed)
    for _ in range(1500):
        number = int(tier.chance.paretovariate(0.9))
        tier.ask(name_of(b"%d" % number), 1000 + number % 7 * 500)
    for _ in range(9):
        tier.step(0.05)  # marks that no look has read yet
    contest = tier.tournament.contest
    assert contest.requests == pytest.approx(1500, rel=0.001)
    assert contest.scores[tier.tournament.running].hits == pytest.approx(tier.hits, abs=45)


def test_the_sample_follows_the_number_of_names():
    contest = Contest(SAMPLE_MAX * 4000, Objective.OBJECTS, "lru")
    now = 0.0
    for number in range(SAMPLE_MAX * 4):
        name = name_of(b"%d" % number)
        if contest.samples(name):
            contest.take(name, 1000)
        if number % 500 == 0:
            contest.fade(now := now + 1.0)
        contest.step()
    assert contest.halvings == 2
    for number in range(SAMPLE_MAX * 4):
        name = name_of(b"%d" % number)
        if contest.samples(name):
            contest.take(name, 10_000)
        if number % 500 == 0:
            contest.fade(now := now + 1.0)
        contest.step()
    assert contest.halvings == 1


def test_a_sample_is_a_share_of_all_names():
    names = [name_of(b"name %d" % number) for number in range(20_000)]
    share = sum(is_sampled(name, 3) for name in names) / len(names)
    assert share == pytest.approx(1 / 8, rel=0.1)
    assert all(is_sampled(name, 2) for name in names if is_sampled(name, 3))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_shadow_keeps_to_its_budget(policy):
    shadow = Shadow(policy, 10_000)
    for number in range(200):
        shadow.ask(name_of(b"%d" % (number % 30)), 1000 + number % 3 * 100, 1)
    assert len(shadow) <= 10
    assert not shadow.ask(name_of(b"huge"), 20_000, 3)
    assert not shadow.ask(name_of(b"huge"), 20_000, 1)
    shadow.rescale(5_000, 0)
    while not shadow.move(3):
        assert len(shadow) <= 10
    assert len(shadow) <= 5


def test_a_shadow_that_is_not_rescaled_has_nothing_to_take_over():
    assert Shadow("lru", 1000).move(1)


def test_what_is_larger_than_the_budget_is_its_own_victim():
    tournament = Tournament[Name](1000, Objective.OBJECTS)
    huge = Name(1, 1001)
    assert tournament.admit(huge) == [huge]
    assert not tournament.remove(huge)
    assert len(tournament) == 0


def test_what_is_not_sampled_is_kept_all_the_same():
    tournament = Tournament[Name](100_000, Objective.OBJECTS)
    tournament.contest.halvings = 1
    watched, other = Name(0, 10), Name(1 << 40, 10)
    for each in (watched, other):
        assert tournament.admit(each) == []
    assert len(tournament._watched) == 1
    assert tournament.remove(other)
    assert tournament.remove(watched)
    assert (len(tournament), len(tournament._watched)) == (0, 0)


def test_an_entry_of_the_same_name_that_came_later_stays_watched():
    tournament = Tournament[Name](100_000, Objective.OBJECTS)
    before, after = Name(7, 10), Name(7, 20)
    tournament.admit(before)
    tournament.admit(after)
    assert tournament.remove(before)
    assert tournament._watched[7].entry is after


def test_a_sample_changes_one_step_at_a_time():
    contest = Contest(SAMPLE_MAX * 10, Objective.OBJECTS, "lru")
    for number in range(SAMPLE_MAX * 2):
        contest.take(number << 40, 1)
    contest.fade(1.0)
    assert contest.halvings == 1
    contest.fade(2.0)  # names are still being taken over
    assert contest.halvings == 1

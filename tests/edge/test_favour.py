"""What is expected outlasts what nobody asks for, under each policy; afterwards it is like all."""

import pytest

from cache_policies.eviction import Evictable
from cache_policies.shadow import POLICIES
from edge.favour import end_favour, favour

BUDGET = 100


def fill(policy, number):
    return [victim for _ in range(number) for victim in policy.admit(Evictable(1))]


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_expected_outlasts_what_came_with_it(name):
    policy = POLICIES[name](BUDGET)
    fill(policy, BUDGET)
    expected, other = Evictable(1), Evictable(1)
    for each in (expected, other):
        policy.admit(each)
    favour(expected)
    victims = []
    while other not in victims:
        victims += fill(policy, 1)
    assert expected not in victims


@pytest.mark.parametrize("name", POLICIES)
def test_the_hit_that_was_expected_earns_nothing(name):
    policy = POLICIES[name](BUDGET)
    fill(policy, BUDGET)
    watched = Evictable(1)
    policy.admit(watched)
    favour(watched)
    watched.mark += 1
    end_favour(watched)
    assert watched in fill(policy, 2 * BUDGET)

"""What is told by network, and of whom nothing is."""

import json

import pytest

from edge.cmcd import parse_fields
from edge.networks import (
    HEARD_MAX,
    NAMED_MAX,
    OF_REGION_MAX,
    SEEN_MAX,
    STORIES,
    Heeded,
    Networks,
    Viewing,
)
from edge.quality import OTHER, PEOPLE_MIN, Heard
from tests.support.table import table

HOUR = 7


def watched(*seen, story="a"):
    """What a worker says when (region, network, how many viewers, the first of them) watch."""
    heeded = Heeded()
    for region, network, people, first in seen:
        for viewer in range(first, first + people):
            viewing = Viewing(region, network, viewer, 1.0)
            heeded.watch(viewing, story)
            heeded.hear(viewing, Heard(parse_fields([b"bl=3000"]), 1.0, viewer))
    return json.loads(json.dumps(heeded.take()))


def known(*all_taken, hour=HOUR):
    networks = Networks()
    for taken in all_taken:
        add(networks, taken, hour)
    return networks


def add(networks, taken, hour=HOUR, now_mono=0.0):
    for _ in networks.adding(taken, now_mono, hour):
        pass


def rates(networks, region=None):
    return {each["network"]: each["per_minute"] for each in networks.told(region, 0.0)}


def shares(networks, region=None):
    return {each["network"]: each["share"] for each in networks.told(region, 0.0)}


@pytest.mark.parametrize("case", table("""
    one  two  nobody_s  told
    10   0    0         as1
    4    0    0         other
    10   10   0         as1 as2
    10   4    0         other
    10   4    1         as1 other
    10   6    4         as1 other
    20   10   5         as1 as2 other
"""), ids=str)  # fmt: skip
def test_networks_of_few_are_told_together(case):
    seen = [
        ("de", 1, int(case["one"]), 0),
        ("de", 2, int(case["two"]), 100),
        ("de", None, int(case["nobody_s"]), 200),
    ]
    networks = known(watched(*seen))
    assert " ".join(shares(networks)) == case["told"]
    assert sum(shares(networks).values()) == pytest.approx(1.0, abs=0.001)
    assert " ".join(networks.quality("de")) == ("" if case["one"] == "4" else case["told"])


def test_nothing_is_kept_of_a_network_of_few():
    networks = known(watched(("de", 64500, PEOPLE_MIN - 1, 0)))
    assert networks.stories.regions(0.0) == ["de other"]
    assert json.dumps(networks.counts(9, 0.0)).count("64500") == 0


def test_two_workers_and_two_regions():
    networks = known(
        watched(("de", 1, 3, 0), ("at", 1, 9, 0), ("de", None, 6, 50)),
        watched(("de", 1, 3, 2), ("de", 2, 6, 0)),
    )
    add(networks, watched(("de", 1, 1, 0), story="b"))
    assert [*shares(networks, "at")] == ["as1"]
    assert [*shares(networks, "de")] == ["other", "as2", "as1"]
    [first, *_] = networks.stories.ranking("de as1", 0.0, 5).top
    assert first.name == "a"


def test_the_same_viewers_in_both_workers_are_few():
    taken = watched(("de", 1, PEOPLE_MIN - 1, 0))
    assert [*shares(known(taken, taken, taken))] == [OTHER]


def test_a_network_is_told_in_the_hour_after_and_then_no_more():
    networks = known(watched(("de", 1, 9, 0)))
    for hour, told in ((HOUR + 1, {"as1"}), (HOUR + 2, {OTHER})):
        add(networks, watched(("de", 1, 2, 0)), hour)
        assert {*shares(networks)} == told
    assert "de as1" not in networks.stories.regions(0.0)


def test_all_is_bounded():
    heeded, networks = Heeded(), Networks()
    for number in range(HEARD_MAX * 2):
        heeded.watch(Viewing("de", number, number, 1.0), "a")
    assert len(heeded.take()["stories"]) == HEARD_MAX
    for first in range(0, SEEN_MAX * 2, 32):
        add(networks, watched(*(("de", number, 5, 0) for number in range(first, first + 32))))
        add(networks, watched(*((f"r{number}", 1, 5, 0) for number in range(first, first + 32))))
    assert OF_REGION_MAX <= len(shares(networks, "de")) <= OF_REGION_MAX + 1
    told = networks.stories.regions(0.0)
    assert len(told) <= STORIES.regions_max + 1
    assert len([place for place in told if not place.endswith(OTHER)]) <= NAMED_MAX


def test_who_is_told_stays_until_another_is_clearly_ahead():
    networks = known(watched(*(("de", number, 10, 0) for number in range(1, OF_REGION_MAX + 1))))
    add(networks, watched(("de", 99, 11, 0)))
    assert "as99" not in rates(networks)
    add(networks, watched(("de", 99, 9, 0)))
    assert "as99" in rates(networks)

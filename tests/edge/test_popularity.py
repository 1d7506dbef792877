"""Stories that are watched, that rise and that fall, by region."""

import json
import random

import pytest

from edge.popularity import AGE_MIN_S, OTHER, Popularity, PopularityPolicy

HOUR_S = 3600.0
STORIES = [f"story-{rank}" for rank in range(400)]
WEIGHTS = [1.0 / (rank + 1) for rank in range(len(STORIES))]


def watched(popularity, *, hours, per_s, seed, began_s=0.0, region="north", boost=None, weight=1.0):
    """Play a seeded Zipf trace; `boost` is {story: factor}. Returns when it ends."""
    chance = random.Random(seed)
    weights = [w * (boost or {}).get(s, 1.0) for s, w in zip(STORIES, WEIGHTS, strict=True)]
    requests = int(hours * HOUR_S * per_s / weight)
    for number, story in enumerate(chance.choices(STORIES, weights, k=requests)):
        popularity.add(region, story, weight, began_s + number * weight / per_s)
    return began_s + hours * HOUR_S


def names(standings):
    return [standing.name for standing in standings]


@pytest.mark.parametrize("seed", range(3))
def test_steady_traffic_has_a_top_and_nothing_that_changes(seed):
    popularity = Popularity()
    now_s = watched(popularity, hours=3, per_s=4, seed=seed)
    top, rising, cold = popularity.ranking("north", now_s, 5)
    assert names(top)[:2] == STORIES[:2]
    assert (rising, cold) == ([], [])
    assert popularity.per_minute("north", now_s) == pytest.approx(240.0, rel=0.02)
    assert top[0].per_minute == pytest.approx(240.0 * WEIGHTS[0] / sum(WEIGHTS), rel=0.15)
    assert top[0].change == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize("weight", [1.0, 8.0])
def test_a_story_that_rises_and_one_that_falls(weight):
    popularity = Popularity()
    now_s = watched(popularity, hours=2, per_s=20, seed=1, weight=weight)
    change = {"story-40": 30.0, "story-0": 0.02}
    now_s = watched(
        popularity, hours=0.5, per_s=20, seed=2, began_s=now_s, boost=change, weight=weight
    )
    _, rising, cold = popularity.ranking("north", now_s, 5)
    assert names(rising) == ["story-40"]
    assert names(cold) == ["story-0"]
    assert rising[0].change > 2.0 > 0.5 > cold[0].change


def test_a_quiet_night_makes_nothing_fall():
    popularity = Popularity()
    now_s = watched(popularity, hours=3, per_s=10, seed=1)
    now_s = watched(popularity, hours=2, per_s=0.2, seed=2, began_s=now_s)
    _, rising, cold = popularity.ranking("north", now_s, 5)
    assert (rising, cold) == ([], [])


def test_a_few_heavy_samples_make_nothing_rise():
    popularity = Popularity()
    now_s = watched(popularity, hours=1, per_s=10, seed=1)
    for _ in range(3):
        popularity.add("north", "new", 500.0, now_s)
    assert names(popularity.ranking("north", now_s, 1).top) == ["new"]
    assert popularity.ranking("north", now_s, 5).rising == []


def test_regions_are_apart_and_together():
    popularity = Popularity()
    for _ in range(3):
        popularity.add("north", "a", 1.0, 0.0)
        popularity.add("south", "b", 2.0, 0.0)
    assert popularity.regions(0.0) == ["south", "north"]
    assert names(popularity.ranking("north", 0.0, 5).top) == ["a"]
    assert names(popularity.ranking(None, 0.0, 5).top) == ["b", "a"]
    assert popularity.ranking("west", 0.0, 5) == ([], [], [])
    assert popularity.per_minute("west", 0.0) == 0.0
    assert Popularity().ranking(None, 0.0, 5) == ([], [], [])
    assert popularity.per_minute(None, 0.0) == pytest.approx(9 * 60.0 / AGE_MIN_S, rel=0.01)


def test_regions_and_names_are_bounded():
    popularity = Popularity(PopularityPolicy(names_max=8, regions_max=3))
    for number in range(1000):
        popularity.add(f"r{number % 50}", f"s{number % 77}", 20.0, 0.0)
    assert set(popularity.regions(0.0)) == {"r0", "r1", "r2", OTHER}
    assert len(popularity.ranking(OTHER, 0.0, 100).top) == 8


def test_edges_together():
    one, other, whole = Popularity(), Popularity(), Popularity()
    now_s = watched(one, hours=1, per_s=4, seed=1)
    watched(other, hours=1, per_s=4, seed=2)
    watched(other, hours=1, per_s=4, seed=3, region="south")
    for each in (one, other):
        whole.take_in(json.loads(json.dumps(each.to_mapping(300, now_s))), now_s)
    assert whole.regions(now_s) == ["north", "south"]
    assert whole.per_minute("north", now_s) == pytest.approx(480.0, rel=0.02)
    assert whole.per_minute("south", now_s) == pytest.approx(240.0, rel=0.02)
    assert names(whole.ranking(None, now_s, 2).top) == STORIES[:2]


def test_a_standing_as_json_has_it():
    popularity = Popularity()
    popularity.add("north", "a", 1.0, 0.0)
    [standing] = popularity.ranking("north", 0.0, 1).top
    assert standing.to_mapping("story") == {
        "story": "a", "per_minute": 6.03, "share": 1.0, "change": 1.0
    }  # fmt: skip


def test_a_region_that_nobody_watches_in_any_more_gives_its_place_away():
    popularity = Popularity(PopularityPolicy(regions_max=2))
    for region, weight in {"a": 1000.0, "b": 20.0, "c": 1.0}.items():
        popularity.add(region, "s", weight, 0.0)
    assert popularity.regions(0.0) == ["a", "b", OTHER]
    later_s = 2 * 86_400.0  # "b" has 5 left, and "other" less
    popularity.add("d", "s", 1.0, later_s)
    popularity.add("e", "s", 1.0, later_s)
    assert set(popularity.regions(later_s)) == {"a", "d", "e"}

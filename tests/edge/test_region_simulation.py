"""Regions in virtual time: nobody serves what it has acknowledged as purged, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from edge.log_page import Carried
from edge.region_follower import RegionFollower
from edge.region_places import RegionPlaces
from tests.support.region_simulation import run

SEEDS = 100  # `python -m tests.purge_schedules` runs ten thousand
FOUND_WITHIN = 20  # seeds
BEFORE = (138, 182, 359, 692)  # were found to fail


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, 25))
def test_nobody_serves_what_it_has_acknowledged(first: int) -> None:
    lived = {seed: run(seed) for seed in range(first, first + 25)}
    assert {seed: each.complaints for seed, each in lived.items() if each.complaints} == {}
    assert sum(each.shared for each in lived.values()) > 100
    assert sum(each.peered for each in lived.values()) > 100


@pytest.mark.parametrize("seed", BEFORE)
def test_what_once_failed(seed: int) -> None:
    assert run(seed).complaints == []


def say_all(places: RegionPlaces, _sequence: int) -> int | None:
    """An entry is said to know all that its edge knows when it is written."""
    return None if places.log_id is None else places.number


def trust_all(places: RegionPlaces, _number: int) -> int | None:
    """Another's entry is taken to know all that this edge knows."""
    return places.counts_as


_JOINED = RegionFollower._joined


async def overlook_gaps(follower: RegionFollower, carried: Carried) -> bool:
    """What a carrier brings is taken to go on from what is known."""
    return await _JOINED(follower, replace(carried, after=0))


@pytest.mark.parametrize(
    ("where", "name", "defect"),
    [
        (RegionPlaces, "number_of", say_all),
        (RegionPlaces, "sequence_of", trust_all),
        (RegionFollower, "_joined", overlook_gaps),
    ],
    ids=["say-all", "trust-all", "overlook-gaps"],
)
def test_it_would_be_seen(
    where: type, name: str, defect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, defect)
    assert any(run(seed).complaints for seed in range(FOUND_WITHIN))

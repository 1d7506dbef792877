"""What players noticed is told by edge, second and kind of answer."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from tests.rig.meter import HIT, LOWER, MISS, OTHER, Meter, Sample, percentile, result_of
from tests.rig.plot import Panel, plot


@pytest.mark.parametrize(
    ("says", "result"),
    [
        ("amaro-edge; hit; ttl=57", HIT),
        ("amaro-edge; hit; ttl=57; detail=valkey", LOWER),
        ("amaro-edge; hit; ttl=-3; detail=stale-while-revalidate", OTHER),
        ("amaro-edge; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=compulsory", MISS),
        ("amaro-edge; fwd=uri-miss; fwd-status=200; collapsed; ttl=60", OTHER),
        ("amaro-edge; fwd=stale; fwd-status=304; ttl=60; detail=ttl", OTHER),
        ("", OTHER),
    ],
)
def test_kinds_of_answers(says: str, result: str) -> None:
    assert result_of(says) == result


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([5.0], 0.99, 5.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0), ([1.0, 2.0, 3.0], 0.99, 3.0)],
)
def test_percentiles(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected
    assert math.isnan(percentile([], share))


def metered() -> Meter:
    return Meter(
        [
            Sample("north", 0.2, HIT, 0.002, failed=False),
            Sample("north", 0.9, HIT, 0.001, failed=False),
            Sample("north", 1.1, MISS, 0.5, failed=True),
            Sample("south", 3.5, MISS, 0.040, failed=False),
        ]
    )


def test_seconds_and_windows() -> None:
    meter = metered()
    assert meter.waits_ms(HIT, 0.0, 1.0) == [1.0, 2.0]
    assert meter.waits_ms(HIT, 0.0, 1.0, "south") == []
    assert meter.errors(1.0, 2.0) == {"north": 1}
    north = meter.by_second("north")
    assert (north[0].answers, north[0].errors, north[1].errors) == (2, 0, 1)


def test_a_plot_shows_every_fault_and_edge() -> None:
    meter = metered()
    seconds = {name: meter.by_second(name) for name in ("north", "south")}
    drawn = ElementTree.fromstring(plot([Panel("a & b", 1.0, 2.0, seconds), Panel("c", 0, 0, {})]))
    said = {each.text for each in drawn.iter() if each.text}
    assert {"a & b", "c", "north", "south", "1 s"} <= said

"""What an edge that is asked tells of how old its answers are."""

from __future__ import annotations

from typing import Any

from edge.app import text_answer
from edge.region_places import RegionPlaces, RegionPoint
from edge.region_sequence import Known
from edge.shield_app import Entrance

OLD, NEW = b"old-log.", b"new-log."


async def at_once() -> None:
    """There is nothing to read."""


def test_a_number_is_told_of_the_log_that_it_is_of() -> None:
    places, nobody = RegionPlaces(), Any
    entrance = Entrance(
        shield=nobody,
        places=places,
        counters=nobody,
        token=b"t",
        catch_up=lambda: 0,
        read_on=at_once,
    )
    answer, known = text_answer(200, b""), Known(OLD, 7)
    places.note(1, RegionPoint(OLD, 9, 1))
    answer.sequence = 1
    assert entrance.told(answer, known, behind=False) == Known(OLD, 9)
    places.note(2, RegionPoint(NEW, 5, 2))
    answer.sequence = 2
    assert entrance.told(answer, known, behind=False) == Known(OLD, 0)

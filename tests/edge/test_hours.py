"""What is usual at an hour of the week."""

import json

import pytest

from edge.hours import HOUR_S, NAMES_MAX, SLOTS, Hours, slot_of

WEEK_S = SLOTS * HOUR_S
MONDAY_S = 4 * 24 * HOUR_S  # the first one after the epoch


def test_slots():
    assert slot_of(MONDAY_S) == 0
    assert slot_of(MONDAY_S + WEEK_S - 1) == SLOTS - 1
    assert slot_of(0.0) == 72  # a Thursday


def test_what_is_watched_every_week_is_usual():
    hours = Hours()
    for week in range(6):
        hours.add("late show", 100.0, MONDAY_S + week * WEEK_S)
    hours.add("once", 100.0, MONDAY_S + 5 * WEEK_S)
    usual = hours.usual(MONDAY_S + 6 * WEEK_S)
    assert usual["late show"] == pytest.approx(100.0, rel=0.02)
    assert usual["once"] == pytest.approx(50.0)
    assert hours.volume(MONDAY_S + 6 * WEEK_S) == pytest.approx(150.0, rel=0.02)
    assert hours.usual(MONDAY_S + HOUR_S) == {}


def test_a_pause_of_weeks():
    hours = Hours()
    hours.add("a", 80.0, MONDAY_S)
    hours.add("b", 8.0, MONDAY_S + 3 * WEEK_S)
    assert hours.usual(MONDAY_S) == {"a": pytest.approx(5.0), "b": pytest.approx(4.0)}


def test_names_are_bounded():
    hours = Hours()
    for number in range(5 * NAMES_MAX):
        hours.add(f"n{number}", number + 1.0, MONDAY_S)
    assert len(hours.usual(MONDAY_S)) == NAMES_MAX
    assert f"n{5 * NAMES_MAX - 1}" in hours.usual(MONDAY_S)


def test_they_last():
    hours = Hours()
    for number in range(SLOTS):
        hours.add(f"n{number}", 4.0, MONDAY_S + number * HOUR_S)
    again = Hours.from_mapping(json.loads(json.dumps(hours.to_mapping())))
    assert again.to_mapping() == hours.to_mapping()
    again.add("n0", 4.0, MONDAY_S + WEEK_S)
    assert again.usual(MONDAY_S)["n0"] == pytest.approx(3.0)
    with pytest.raises((KeyError, TypeError, ValueError)):
        Hours.from_mapping({"counts": [3]})

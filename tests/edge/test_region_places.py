"""Local sequences and numbers of a region's log: what one edge says of an entry, another judges."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.region_counting import Counting
from edge.region_places import OwnPlaces, RegionPlaces, RegionPoint, log_id_of

LOG = log_id_of("one")
OTHER = log_id_of("another")


def places(*points: tuple[int, int, int], points_max: int = 100) -> RegionPlaces:
    made = RegionPlaces(points_max)
    for sequence, number, counts_as in points:
        made.note(sequence, RegionPoint(LOG, number, counts_as))
    return made


@pytest.mark.parametrize(
    ("sequence", "number"), [(1, None), (2, 10), (4, 10), (5, 13), (8, 20), (99, 20)]
)
def test_the_number_that_a_sequence_reached(sequence, number):
    assert places((2, 10, 2), (5, 13, 5), (8, 20, 6)).number_of(sequence) == number


@pytest.mark.parametrize(
    ("number", "sequence"), [(9, None), (10, 2), (12, 2), (13, 5), (20, 6), (99, 6)]
)
def test_the_sequence_that_a_number_counts_as(number, sequence):
    assert places((2, 10, 2), (5, 13, 5), (8, 20, 6)).sequence_of(number) == sequence


def test_what_is_passed_twice_changes_nothing():
    made = places((2, 10, 2), (5, 13, 5), (2, 10, 2), (5, 13, 5))
    assert (made.number, made.counts_as) == (13, 5)
    assert made.number_of(4) == 10


def test_nothing_is_known_at_first():
    made = RegionPlaces()
    assert (made.log_id, made.number, made.counts_as) == (None, -1, 0)
    assert made.number_of(7) is None
    assert made.sequence_of(7) is None


@pytest.mark.parametrize("point", [RegionPoint(OTHER, 30, 9), RegionPoint(LOG, 13, 9)], ids=str)
def test_a_log_that_is_begun_anew(point):
    made = places((2, 10, 2), (5, 13, 5))
    made.note(9, point)
    assert made.log_id == point.log_id
    assert made.number_of(8) is None
    assert made.number_of(9) == point.number
    assert made.sequence_of(point.number - 1) is None


def test_the_oldest_points_are_forgotten():
    made = places(*((each, each, each) for each in range(1, 12)), points_max=10)
    assert made.sequence_of(5) is None
    assert [made.sequence_of(each) for each in (6, 11)] == [6, 11]


def test_without_a_region_a_node_counts_for_itself():
    own = OwnPlaces(LOG)
    assert (own.number_of(7), own.sequence_of(7)) == (7, 7)


# a region of two edges: what fills at one bring is judged at the other


@dataclass
class Published:
    """A purge in an edge's page."""

    number: int  # of the log; 0 for an order of its own
    at: int  # the moment


@dataclass
class Edge:
    places: RegionPlaces = field(default_factory=RegionPlaces)
    counting: Counting = field(default_factory=Counting)
    page: list[Published] = field(default_factory=list)
    number: int = 0
    reading: int | None = None  # the sequence when it began

    def __post_init__(self) -> None:
        self.take(0, 0)

    def take(self, number: int, at: int) -> None:
        self.page.append(Published(number, at))
        sequence = len(self.page)
        counts_as = self.counting.count(sequence, number)
        self.places.note(sequence, RegionPoint(LOG, number, counts_as))
        self.number = number

    def order(self, at: int) -> None:
        self.page.append(Published(0, at))
        self.counting.local(len(self.page))


MOVES = ("append", "append", "a takes", "a takes", "b takes", "b orders", "b asks", "b reads")


@settings(max_examples=400)
@given(moves=st.lists(st.sampled_from((*MOVES, "a fills")), max_size=60))
def test_no_later_purge_is_taken_for_an_earlier_one(moves):
    a, b, last = Edge(), Edge(), 0
    fills: list[tuple[int, int]] = []  # the moment when one began, and its number
    for at, move in enumerate(moves, start=1):
        match move:
            case "append":
                last += 1
            case "a takes" if a.number < last:
                a.take(a.number + 1, at)
            case "b takes" if b.number < last:
                b.take(b.number + 1, at)
            case "b orders":
                b.order(at)
            case "b asks":
                b.reading = len(b.page)
            case "b reads" if b.reading is not None:
                b.counting.read(b.reading, last)
                b.reading = None
            case "a fills":
                number = a.places.number_of(len(a.page))
                assert number == a.number
                fills.append((at, number))
        for began, number in fills:
            counts_as = b.places.sequence_of(number)
            assert counts_as is not None
            for sequence, purge in enumerate(b.page, start=1):
                if purge.number > number or (purge.number == 0 and purge.at > began):
                    assert sequence > counts_as


def test_orders_of_an_edge_hide_numbers_only_until_the_log_was_read():
    edge = Edge()
    edge.take(1, 1)
    edge.order(2)
    edge.take(2, 3)  # it may have been in the log before the order was given
    assert edge.places.sequence_of(2) == 2
    edge.counting.read(len(edge.page), 2)
    edge.take(3, 4)  # it was not
    assert edge.places.sequence_of(3) == len(edge.page)
    edge.order(5)
    edge.take(4, 6)  # after the order that was given before the log was read, not after this one
    assert edge.places.sequence_of(4) == 5
    edge.counting.begin()
    assert edge.counting.count(9, 5) == 0

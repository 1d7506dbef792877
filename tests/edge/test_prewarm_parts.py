"""Which slices a player means by a range."""

from urllib.parse import quote, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.arena import SLICE_BYTES
from edge.cmcd import read_request
from edge.prewarm_parts import PARTS_MAX, meant, names, part_of

KEY = "http://edge.test/v/film.mp4"
A_LIST = ["a.mp4#0", "b.m4s", "film.mp4#1", "film.mp4#2", "film.mp4#3", "film.mp4#4"]


@pytest.mark.parametrize(
    ("byte_range", "parts"),
    [
        ("", [None]),
        ("0-99", [0]),
        ("12323-48763", [0]),
        ("1048575-1048576", [0, 1]),
        ("1048576-2097151", [1]),
        ("3000000-5242880", [2, 3, 4, 5]),
        ("3000000-9000000", [2, 3, 4, 5]),
        ("3000000-", [2, 3, 4, 5]),
        ("-100", []),
        ("100-99", []),
    ],
)
def test_slices_that_a_range_touches(byte_range, parts):
    assert [part_of(name) for name in names(KEY, byte_range)] == [(KEY, each) for each in parts]


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ('nrr="12323-48763"', ["film.mp4#0"]),
        ('nor="other.mp4",nrr="2097152-3145728"', ["other.mp4#2", "other.mp4#3"]),
        ('nor="..%2Fw%2F1.m4s"', ["../w/1.m4s"]),
        ('nor=("a.mp4";r="0-100" "b.m4s" "film.mp4";r="1048576-"),v=2', A_LIST),
        ('nor="a.mp4?x=1",nrr="0-1"', []),
        ('nor="//elsewhere.test/a.mp4",nrr="0-1"', []),
        ('nor=""', []),
        ('nrr="-500"', []),
    ],
)
def test_what_a_player_means(report, found):
    told = read_request(b"/v/film.mp4?CMCD=" + quote(report).encode(), ()).get("next_objects", ())
    assert [name for each in told for name in meant(KEY, each)] == [
        urljoin(KEY, name) for name in found
    ]


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_they_hold_its_beginning_and_reach_no_further_than_its_end(first, last):
    found = [part_of(name)[1] for name in names(KEY, f"{first}-{last}")]
    assert bool(found) == (first <= last)
    assert len(found) <= PARTS_MAX
    for number, each in enumerate(found):
        assert each == first // SLICE_BYTES + number
        assert each * SLICE_BYTES <= last

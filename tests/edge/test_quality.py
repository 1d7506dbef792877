"""How playback goes, told of many and never of few."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cmcd import parse_fields
from edge.quality import (
    BUFFER_MS,
    HOURS_MAX,
    PEOPLE_MIN,
    REGIONS_MAX,
    STARVED_MS_MAX,
    THROUGHPUT_KBPS,
    Cell,
    Heard,
    Quality,
    Tally,
    quantile,
)

PLACE = ("north", "phone")


def heard(text="bl=3000,mtp=5000", *, session=1, weight=1.0):
    return Heard(parse_fields([text.encode()]), weight, session)


def tallied(*all_heard, place=PLACE):
    tally = Tally()
    for each in all_heard:
        tally.hear(place, each)
    return json.loads(json.dumps(tally.take()))


def many(count=PEOPLE_MIN, text="bl=3000,mtp=5000", *, first=0, weight=1.0):
    return [heard(text, session=first + number, weight=weight) for number in range(count)]


def test_an_hour_of_enough_people():
    quality = Quality()
    quality.add(tallied(*many(4, "bl=3000,mtp=5000,msd=500"), heard("bs,bsd=700", session=9)), 7)
    assert quality.hours("north", 24) == [
        {
            "hour": 7,
            "reports": 5,
            "starved_share": 0.2,
            "starved_ms": 700,
            "measured_throughput_kbps": {"p10": 4400, "p50": 6000, "p90": 7600},
            "buffer_length_ms": {"p10": 2200, "p50": 3000, "p90": 3800},
            "media_start_delay_ms": {"p10": 440, "p50": 600, "p90": 760},
        }
    ]
    assert quality.hours("south", 24) == []
    assert len(quality.hours(None, 24)) == 1
    assert [*quality.classes("north", 24)] == ["phone"]


def test_a_sample_counts_as_many_as_it_stands_for():
    quality = Quality()
    quality.add(tallied(*many(weight=10.0), heard("bs", session=1, weight=50.0)), 7)
    [hour] = quality.hours("north", 24)
    assert (hour["reports"], hour["starved_share"]) == (100, 0.5)


@pytest.mark.parametrize("people", range(PEOPLE_MIN + 2))
def test_an_hour_of_too_few_people_is_not_told(people):
    quality = Quality()
    for _ in range(3):
        quality.add(tallied(*many(people)), 7)
    assert bool(quality.hours("north", 24)) == (people >= PEOPLE_MIN)


def test_reports_without_a_session_are_nobody_s():
    quality = Quality()
    quality.add(tallied(*[heard(session=None)] * 99), 7)
    assert quality.hours("north", 24) == []


def test_the_same_few_people_in_many_hours_stay_few():
    quality = Quality()
    for hour in range(24):
        quality.add(tallied(*many(2, first=hour * 10)), hour)
    assert quality.hours("north", 24) == []
    assert quality.classes("north", 24) == {}


def test_a_past_hour_is_still_told_and_nobody_is_known_any_more():
    quality = Quality()
    quality.add(tallied(*many(3), place=("north", "phone")), 7)
    quality.add(tallied(*many(3, first=3), place=("north", "tv")), 7)
    quality.add(tallied(heard()), 8)
    assert [hour["hour"] for hour in quality.hours("north", 24)] == [7]


def test_classes_of_few_are_told_together():
    quality = Quality()
    quality.add(tallied(*many(20), place=("north", "phone")), 7)
    quality.add(tallied(*many(9, first=100), place=("north", "desktop")), 7)
    quality.add(tallied(*many(3, first=200), place=("north", "tv")), 7)
    quality.add(tallied(*many(3, first=300), place=("north", "tablet")), 7)
    told = quality.classes("north", 24)
    assert {device: cell["reports"] for device, cell in told.items()} == {
        "phone": 20, "desktop": 9, "other": 6
    }  # fmt: skip


def test_what_is_hidden_is_not_what_is_left():
    quality = Quality()
    quality.add(tallied(*many(20), place=("north", "phone")), 7)
    quality.add(tallied(*many(9, first=100), place=("north", "desktop")), 7)
    quality.add(tallied(heard(session=999), place=("north", "tv")), 7)
    told = quality.classes("north", 24)
    assert {device: cell["reports"] for device, cell in told.items()} == {"phone": 20, "other": 10}


def test_hours_and_regions_are_bounded():
    quality, tally = Quality(), Tally()
    for number in range(REGIONS_MAX * 2):
        tally.hear((f"r{number}", "tv"), heard())
    taken = tally.take()
    assert len(taken) == REGIONS_MAX + 1
    assert tally.take() == []
    for number in range(REGIONS_MAX * 2):
        quality.add(tallied(*many(), place=(f"r{number}", "phone")), 0)
    assert quality.hours("other", 24)[0]["reports"] == REGIONS_MAX * PEOPLE_MIN
    for hour in range(HOURS_MAX * 2):
        quality.add(tallied(*many()), hour)
    assert len(quality.hours(None, 999)) == HOURS_MAX


@given(st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 9)), max_size=30), st.integers(0))
def test_cells_add_up_in_any_order(buffers, cut):
    whole, one, other, added = Cell(), Cell(), Cell(), Cell()
    for number, (buffer_ms, weight) in enumerate(buffers):
        each = heard(f"bl={buffer_ms}", session=number, weight=weight)
        whole.hear(each)
        (one if number < cut % (len(buffers) + 1) else other).hear(each)
    added.add(other.to_mapping())
    added.add(one.to_mapping())
    assert added.to_mapping() == whole.to_mapping()


@given(st.lists(st.integers(0, 64_000), min_size=1, max_size=50), st.sampled_from([0.1, 0.5, 0.9]))
def test_a_quantile_is_in_the_interval_of_the_true_one(values, share):
    cell = Cell()
    for value in values:
        cell.hear(heard(f"mtp={value}"))
    found = quantile(THROUGHPUT_KBPS, cell.histograms["measured_throughput_kbps"], share)
    true = sorted(values)[max(0, -(-len(values) * round(share * 10) // 10) - 1)]
    edges = (0, *THROUGHPUT_KBPS)
    above = next(bound for bound in THROUGHPUT_KBPS if true <= bound)
    assert edges[edges.index(above) - 1] <= found <= above


def test_a_quantile_of_nothing():
    assert quantile(BUFFER_MS, [0.0] * (len(BUFFER_MS) + 1), 0.5) is None
    assert quantile(BUFFER_MS, [0.0] * len(BUFFER_MS) + [3.0], 0.5) == BUFFER_MS[-1]


@pytest.mark.parametrize(
    ("text", "throughputs", "buffers"),
    [
        ("bl=0,mtp=500,su", 0, 0),  # as hls.js begins: it has measured nothing
        ("mtp=500,su", 0, 0),
        ("bl=2000,mtp=9000,su", 1, 0),
        ("bl=0,mtp=9000,bs", 1, 1),
    ],
)
def test_a_start_is_no_empty_buffer_and_no_slow_line(text, throughputs, buffers):
    cell = Cell()
    cell.hear(heard(text))
    assert sum(cell.histograms["measured_throughput_kbps"]) == throughputs
    assert sum(cell.histograms["buffer_length_ms"]) == buffers
    assert cell.reports == 1


def test_one_report_does_not_outweigh_all_others():
    cell = Cell()
    cell.hear(heard("bs,bsd=999999999999999,mtp=999999999999999"))
    assert cell.starved_ms == STARVED_MS_MAX
    assert cell.histograms["measured_throughput_kbps"][-1] == 1.0

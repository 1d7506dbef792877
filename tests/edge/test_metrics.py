"""Metrics are summed over workers and never fall."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from edge.counters import Family, HistogramFamily
from edge.histogram import Histogram
from edge.metrics import Table, Tables, Totals, exposition

COUNTERS: Table = {
    "hits": ("requests_total", {"result": "hit"}, "Requests"),
    "misses": ("requests_total", {"result": "miss"}, ""),
    "stored": ("stored_total", {}, "Stored"),
}
GAUGES: Table = {"objects": ("objects", {}, "Entries")}


def parsed(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("result", "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_row_is_said_even_at_zero() -> None:
    text = exposition(Tables(counters=COUNTERS, gauges=GAUGES), {"hits": 3, "objects": 7})
    assert parsed(text) == {
        ("requests_total", "hit"): 3.0,
        ("requests_total", "miss"): 0.0,
        ("stored_total", ""): 0.0,
        ("objects", ""): 7.0,
    }
    assert b"# HELP requests_total Requests\n# TYPE requests_total counter\n" in text


def test_what_has_the_same_labels_is_one_series() -> None:
    """What plain hits sent, and what others of the same tier and reason did."""
    families = {"sent": Family("sent_total", ("reason",), "")}
    counters: Table = {"hit_bytes": ("sent_total", {"reason": "fresh"}, "Sent")}
    tables = Tables(counters=counters, gauges={}, counter_families=families)
    text = exposition(tables, {"hit_bytes": 5, "sent fresh": 2, "sent stale": 1}).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        'sent_total{reason="fresh"} 7.0',
        'sent_total{reason="stale"} 1.0',
    ]


def test_counters_outlive_their_worker_and_gauges_do_not() -> None:
    totals = Totals(COUNTERS)
    assert totals.update({1: {"hits": 5, "objects": 2}, 2: {"hits": 1, "objects": 1}}) == {
        "hits": 6,
        "objects": 3,
    }
    totals.retire([2])
    assert totals.update({2: {"hits": 2, "objects": 1}, 3: {"hits": 0, "objects": 0}}) == {
        "hits": 7,
        "objects": 1,
    }


def test_a_worker_that_does_not_answer_counts_as_it_last_did() -> None:
    totals = Totals(COUNTERS)
    totals.update({1: {"hits": 5}, 2: {"hits": 1}})
    assert totals.update({2: {"hits": 4}})["hits"] == 9


def test_the_worst_worker_counts_where_a_sum_means_nothing() -> None:
    totals = Totals(COUNTERS, worst={"stall": max, "up": min})
    assert totals.update({1: {"stall": 0.5}, 2: {"stall": 0.25}})["stall"] == 0.5
    totals.retire([2])
    assert totals.update({2: {"stall": 0.125}})["stall"] == 0.125
    said = totals.update({2: {"up a": 1.0, "up b": 1.0}, 3: {"up a": 0.0, "up b": 1.0}})
    assert (said["up a"], said["up b"]) == (0.0, 1.0)


def test_histograms_of_all_workers_are_one_and_cumulative() -> None:
    family = HistogramFamily("wait_seconds", ("result",), "Waits", (0.5, 1.0))
    totals = Totals(["wait"])
    for pid in (1, 2):
        miss, stale = Histogram(family.bounds), Histogram(family.bounds)
        for seconds in (0.25, 0.5, 0.75, 8.0):
            miss.observe(seconds)
        stale.observe(1.0)
        totals.update({pid: dict([*miss.said("wait miss"), *stale.said("wait stale")])})
        totals.retire([])  # it died, and what it counted stays
    tables = Tables(counters={}, gauges={}, histograms={"wait": family})
    text = exposition(tables, totals.update({})).decode()
    said = [line for line in text.splitlines() if not line.startswith("#")]
    assert said == [
        'wait_seconds_bucket{le="0.5",result="miss"} 4.0',
        'wait_seconds_bucket{le="1",result="miss"} 6.0',
        'wait_seconds_bucket{le="+Inf",result="miss"} 8.0',
        'wait_seconds_count{result="miss"} 8.0',
        'wait_seconds_sum{result="miss"} 19.0',
        'wait_seconds_bucket{le="0.5",result="stale"} 0.0',
        'wait_seconds_bucket{le="1",result="stale"} 2.0',
        'wait_seconds_bucket{le="+Inf",result="stale"} 2.0',
        'wait_seconds_count{result="stale"} 2.0',
        'wait_seconds_sum{result="stale"} 2.0',
    ]


@given(st.data())
def test_sums_never_fall(data: st.DataObject) -> None:
    totals, counts, before, next_pid = Totals(COUNTERS), {0: 0}, 0, 1
    for _ in range(data.draw(st.integers(1, 20))):
        if counts and data.draw(st.booleans()):
            counts.pop(data.draw(st.sampled_from(sorted(counts))))
            counts[next_pid] = 0
            next_pid += 1
        counts = {pid: count + data.draw(st.integers(0, 9)) for pid, count in counts.items()}
        totals.retire(counts)
        after = totals.update({pid: {"hits": count} for pid, count in counts.items()})["hits"]
        assert after >= before
        before = after

"""Metrics are summed over workers and never fall."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from edge.metrics import Table, Totals, exposition

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
    text = exposition(COUNTERS, GAUGES, {"hits": 3, "objects": 7})
    assert parsed(text) == {
        ("requests_total", "hit"): 3.0,
        ("requests_total", "miss"): 0.0,
        ("stored_total", ""): 0.0,
        ("objects", ""): 7.0,
    }
    assert b"# HELP requests_total Requests\n# TYPE requests_total counter\n" in text


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

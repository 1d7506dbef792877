"""The arithmetic of a comparison, and what refuses a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hit_path import summary
from benchmarks.hit_rows import ROWS
from benchmarks.pairing import (
    RunRefusedError,
    Sample,
    Spread,
    cpu_us_per_request,
    is_quiet,
    paired_ratios,
    quietest,
    refuse_unless_hits,
    turns,
)
from benchmarks.peers import COMPLAINT, EDGE, is_hit
from benchmarks.report import as_json, kept, plain, rows


def sample(requests=1000, seconds=2.0, **more):
    return Sample(
        **{"requests": requests, "seconds": seconds, "errors": 0, "origin_requests": 0}
        | {"answer_bytes": 1300.0}
        | more
    )


def test_turns_go_forth_and_back():
    assert turns(["a", "b", "c"], 3) == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]


@given(st.lists(st.text(max_size=1), unique=True), st.integers(0, 9))
def test_everybody_has_one_turn_a_round(names, rounds):
    order = turns(names, rounds)
    assert len(order) == rounds
    assert all(sorted(one_round) == sorted(names) for one_round in order)


def test_ratios_are_of_neighbouring_turns():
    ours = [sample(300), sample(200), sample(100)]
    theirs = [sample(100), sample(100), sample(100)]
    assert paired_ratios(ours, theirs) == Spread(2.0, 1.0, 3.0)
    with pytest.raises(ValueError, match="shorter"):
        paired_ratios(ours, theirs[:2])


@given(st.lists(st.integers(1, 10**6), min_size=1), st.floats(0.1, 10))
def test_a_machine_that_slows_down_for_both_changes_no_ratio(counts, factor):
    ours = [sample(count) for count in counts]
    slowed = [sample(count, seconds=2.0 * factor) for count in counts]
    assert paired_ratios(slowed, slowed) == paired_ratios(ours, ours) == Spread(1.0, 1.0, 1.0)


def test_a_rate_is_per_second_and_cpu_is_per_request():
    assert sample(1000, 2.0).rate == 500.0
    assert cpu_us_per_request([sample(1000, cpu_s=0.02), sample(1000, cpu_s=0.01)]) == 15.0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"requests": 0}, "answered nothing"),
        ({"errors": 1}, "1 errors"),
        ({"origin_requests": 2}, "sent 2 requests on to the origin"),
        ({"answer_bytes": 64_000.0}, "64000 bytes an answer"),
        ({"answer_bytes": 1000.0}, "1000 bytes an answer"),
        ({"complaints": ("[error] x",)}, "logged an error: .error. x"),
    ],
)
def test_a_run_with_a_fault_is_refused(fault, told):
    with pytest.raises(RunRefusedError, match=told):
        refuse_unless_hits("peer", sample(**fault), body_bytes=1024)


def test_the_quietest_rounds_are_kept_in_order():
    disturbed = [0.5, 0.1, 0.9, 0.0, 0.2]
    rounds = [{"a": sample(foreign_cores=cores), "b": sample()} for cores in disturbed]
    assert [is_quiet(one) for one in rounds] == [False, True, False, True, False]
    assert quietest(rounds, 3) == [rounds[1], rounds[3], rounds[4]]
    assert quietest(rounds, 9) == rounds


def test_a_clean_turn_is_not_refused():
    refuse_unless_hits("peer", sample(), body_bytes=1024)
    refuse_unless_hits("peer", sample(answer_bytes=300.0), body_bytes=0)  # a 304


@pytest.mark.parametrize(
    ("name", "headers", "hit"),
    [
        (EDGE, {"cache-status": "amaro-edge; hit; ttl=57"}, True),
        (EDGE, {"cache-status": "amaro-edge; fwd=miss; stored"}, False),
        (EDGE, {"cache-status": 'amaro-edge; fwd=miss; detail="hit"'}, False),
        (EDGE, {"x-cache-status": "HIT"}, False),
        ("varnish", {"x-cache-status": "HIT"}, True),
        ("varnish", {"x-cache-status": "MISS"}, False),
        ("nginx-tuned", {}, False),
    ],
)
def test_each_server_says_hit_in_its_own_way(name, headers, hit):
    assert is_hit(name, headers) == hit


@pytest.mark.parametrize(
    ("line", "complains"),
    [
        ("2026/01/01 00:00:00 [alert] 7#7: worker process exited", True),
        ("2026/01/01 00:00:00 [notice] 7#7: start worker process", False),
        ("Error: Child (7) Panic", True),
        ("Debug: Child (7) Started", False),
        ("Traceback (most recent call last):", True),
        ("serving on 127.0.0.1:8080", False),
    ],
)
def test_what_counts_as_a_complaint(line, complains):
    assert bool(COMPLAINT.search(line)) == complains


def test_a_report_says_whether_targets_are_reached():
    one_round = {EDGE: sample(300), "nginx-tuned": sample(200), "varnish": sample(250)}
    found = as_json(summary({row.label: [one_round] for row in ROWS}))
    assert set(found) == {"name", "commit", "machine", "runs", "figures", "ratios", "measured"}
    assert found["ratios"]["1KiB edge/nginx-tuned"]["median"] == 1.5
    assert found["ratios"]["1KiB edge/nginx-tuned"]["reached"]
    assert not found["ratios"]["1KiB edge/varnish"]["reached"]
    assert found["figures"]["1MiB"]["varnish"]["requests_per_s"] == 125.0


def test_some_rows_take_their_place_among_the_others():
    def result(commit, label):
        return {
            "commit": commit,
            "figures": {label: {EDGE: commit}},
            "ratios": {f"{label} edge/peer": {"median": 1.0}},
            "measured": {label: commit},
        }

    both = kept(result("old", "a"), result("new", "b"))
    assert both["measured"] == {"a": "old", "b": "new"}
    assert set(both["figures"]) == {"a", "b"}
    assert kept(both, result("newer", "a"))["figures"]["a"] == {EDGE: "newer"}
    assert kept({}, result("new", "b")) == result("new", "b")


def test_figures_are_rounded_and_laid_out():
    assert plain({"a": 1.23456, "b": [Spread(1.0, 2.0, 3.0)]}) == {
        "a": 1.235,
        "b": [{"median": 1.0, "low": 2.0, "high": 3.0}],
    }
    assert [line.split() for line in rows({"x": {"y": {"n": 12345, "ok": True}}, "z": 1})] == [
        ["x", "y", "n", "12,345,", "ok", "yes"],
        ["z", "1"],
    ]

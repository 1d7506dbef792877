"""Traces are what they say, and the floor and the bound enclose every policy."""

import lzma

import pytest

from benchmarks.hit_ratio import at, verdict
from benchmarks.replay import belady, fifo, next_requests
from benchmarks.traces import KEPT_ASIDE, SYNTHETIC, Trace, recorded
from cache_policies.contest import Objective
from cache_policies.shadow import POLICIES

KINDS = {**SYNTHETIC, **KEPT_ASIDE}


def trace(objects, size=10):
    return Trace(
        "made", [float(at_s) for at_s in range(len(objects))], objects, [size] * len(objects)
    )


def test_a_recorded_trace_is_read(tmp_path):
    path = tmp_path / "made.trace.xz"
    path.write_bytes(lzma.compress(b"1 a 10\n2 b 20\n3 a 11\n"))
    read = recorded(path, rate_per_s=2.0)
    assert read == Trace("made", [0.0, 0.5, 1.0], [0, 1, 0], [10, 20, 10])
    assert read.footprint_bytes == 30


@pytest.mark.parametrize("kind", KINDS)
def test_a_synthetic_trace_is_its_seed(kind):
    one, again, other = (KINDS[kind](seed, 3000) for seed in (1, 1, 2))
    assert one == again
    assert one.objects != other.objects
    assert len(one) == 3000
    assert one.times_s == sorted(one.times_s)
    sizes = dict(zip(one.objects, one.sizes, strict=True))
    assert [sizes[each] for each in one.objects] == one.sizes


def test_the_floor_and_the_bound_by_hand():
    cycle = trace([1, 2, 3] * 4)
    assert next_requests(cycle)[:3] == [3, 4, 5]
    assert fifo(cycle, 20).objects == 0.0
    # one of the three stays, and is hit each time but the first; with the second place, more
    assert belady(cycle, 20, Objective.BYTES).objects == 6 / 12


def test_the_bound_prefers_many_small_ones_for_objects():
    sizes = {1: 50, 2: 10, 3: 10}
    objects = [1, 2, 3] * 4
    mixed = Trace("made", [0.0] * 12, objects, [sizes[each] for each in objects])
    assert belady(mixed, 50, Objective.OBJECTS).objects == 6 / 12
    assert belady(mixed, 50, Objective.OBJECTS).bytes < 0.3


def test_all_policies_lie_between_the_floor_and_the_bound():
    social = SYNTHETIC["social"](3, 8000)
    found = at(social, social.footprint_bytes // 10)
    for objective in Objective:
        mine = found[objective]
        assert mine["fifo"] < mine["tournament"] < mine["belady"]
        assert all(mine[policy] < mine["belady"] for policy in POLICIES)
        assert verdict(found, objective)["loss_points"] < 5.0

"""Age and freshness at an instant, and what stale responses are still good for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.freshness import (
    current_age_s,
    fresh_until_mono,
    judge,
    may_serve_on_error,
    must_validate,
)
from cache_policies.stored import Times
from cache_policies.why import Reuse
from tests.support.responses import NOW_MONO, NOW_WALL, stored
from tests.support.table import table


@pytest.mark.parametrize(
    "case",
    table("""
    response             delay_s  resident_s  age_s       source
    -                    0        10          10          9111 §4.2.3
    age: 5               0        10          15          9111 §4.2.3
    age: 5               2        10          17          9111 §4.2.3 corrected_age_value
    date: @-30           0        10          40          9111 §4.2.3 apparent_age
    date: @-30 | age: 5  2        10          40          9111 §4.2.3 the larger
    date: @-3 | age: 5   2        10          17          9111 §4.2.3 the larger
    date: @500           0        10          10          9111 §4.2.3 a Date ahead is no credit
    date: soon           0        10          10          9110 §6.6.1
    age: 5, 9            0        10          15          9111 §5.1 the first member
    age: 5 | age: 9      0        10          15          9111 §5.1 the first member
    age: -5              0        10          10          9111 §5.1 ignored
    age: 1.5             0        10          10          9111 §5.1 ignored
    age: 9999999999999   0        0           2147483648  9111 §1.2.2
    """),
    ids=str,
)
def test_current_age(case):
    times = Times(
        response_wall=NOW_WALL, response_mono=NOW_MONO, response_delay_s=float(case["delay_s"])
    )
    entry = stored(case["response"], times=times)
    age_s = current_age_s(entry, NOW_MONO + float(case["resident_s"]))
    assert age_s == pytest.approx(float(case["age_s"]), abs=0.9)


@pytest.mark.parametrize(
    "case",
    table("""
    cache-control                         age_s  reuse                   on_error  source
    max-age=60                            59     fresh                   yes       9111 §4.2
    max-age=60                            60     expired                 no        9111 §4.2
    max-age=60, s-maxage=10               30     expired                 no        9111 §5.2.2.10
    max-age=60, swr=30                    75     stale-while-revalidate  no        5861 §3
    max-age=60, swr=30                    90     expired                 no        5861 §3
    max-age=60, swr=x                     60     expired                 no        5861 §3
    max-age=60, swr=30, must-revalidate   75     expired                 no        9111 §5.2.2.2
    max-age=60, swr=30, proxy-revalidate  75     expired                 no        9111 §5.2.2.8
    s-maxage=60, swr=30                   75     expired                 no        9111 §4.2.4
    max-age=60, sie=30                    75     expired                 yes       5861 §4
    max-age=60, sie=30                    90     expired                 no        5861 §4
    max-age=60, sie=30, must-revalidate   75     expired                 no        9111 §5.2.2.2
    max-age=60, sie=30, must-revalidate   59     fresh                   yes       9111 §5.2.2.2
    max-age=60, no-cache                  1      expired                 no        9111 §5.2.2.4
    max-age=60, no-cache="set-cookie"     1      fresh                   yes       9111 §5.2.2.4
    """),
    ids=str,
)
def test_judge(case):
    entry = stored("cache-control: " + case["cache-control"])
    now_mono = NOW_MONO + float(case["age_s"])
    assert judge(entry, now_mono) is Reuse(case["reuse"])
    assert may_serve_on_error(entry, now_mono) == (case["on_error"] == "yes")


@pytest.mark.parametrize(
    "case",
    table("""
    cache-control                 age_s  must  source
    max-age=60                    60     no    9111 §4.2.4
    max-age=60, must-revalidate   59     no    9111 §5.2.2.2 only once it is stale
    max-age=60, must-revalidate   60     yes   9111 §5.2.2.2
    max-age=60, proxy-revalidate  60     yes   9111 §5.2.2.8
    s-maxage=60                   60     yes   9111 §5.2.2.10
    no-cache                      60     no    9111 §5.2.2.4
    """),
    ids=str,
)
def test_what_must_be_validated(case):
    entry = stored("cache-control: " + case["cache-control"])
    assert must_validate(entry, NOW_MONO + float(case["age_s"])) == (case["must"] == "yes")


@pytest.mark.parametrize(
    "case",
    table("""
    cache-control                         asked_s  age_s  served  source
    max-age=60                            0        60     no      9111 §4.2.4
    max-age=60                            30       89     yes     5861 §4 the request's
    max-age=60                            30       90     no      5861 §4
    max-age=60, sie=40                    30       99     yes     5861 §4 the longer
    max-age=60, must-revalidate           30       61     no      9111 §5.2.2.2
    max-age=60, no-cache                  30       1      no      9111 §5.2.2.4
    """),
    ids=str,
)
def test_a_request_may_take_a_stale_answer_in_place_of_an_error(case):
    entry = stored("cache-control: " + case["cache-control"])
    now_mono = NOW_MONO + float(case["age_s"])
    served = may_serve_on_error(entry, now_mono, float(case["asked_s"]))
    assert served == (case["served"] == "yes")


AGES = st.floats(0, 1e6)
LIVES = st.sampled_from(
    ["max-age=60", "max-age=60, stale-while-revalidate=90", "s-maxage=9, stale-if-error=5"]
)
ORDER = [Reuse.FRESH, Reuse.STALE_WHILE_REVALIDATE, Reuse.EXPIRED]


@given(LIVES, AGES, AGES)
def test_age_never_improves_reuse(line, resident_s, more_s):
    entry = stored("cache-control: " + line)
    now, later = (judge(entry, NOW_MONO + at) for at in (resident_s, resident_s + more_s))
    assert ORDER.index(later) >= ORDER.index(now)
    assert not may_serve_on_error(entry, NOW_MONO + resident_s + more_s) or may_serve_on_error(
        entry, NOW_MONO + resident_s
    )


@given(st.floats(-1e6, 1e6), AGES)
def test_a_wall_clock_step_never_makes_anything_fresh(step_s, resident_s):
    """A Date that seems to lie elsewhere than it did can only add to the age."""
    text = "cache-control: max-age=60 | age: 3"
    right = stored(text + " | date: @0")
    stepped = stored(f"{text} | date: @{step_s}")
    now_mono = NOW_MONO + resident_s
    assert current_age_s(stepped, now_mono) >= current_age_s(right, now_mono)


@given(LIVES, AGES, st.integers(0, 100))
def test_fresh_until_is_where_judging_turns(line, resident_s, age_s):
    entry = stored(f"cache-control: {line} | age: {age_s}")
    now_mono = NOW_MONO + resident_s
    fresh = judge(entry, now_mono) is Reuse.FRESH
    assert fresh == (now_mono < fresh_until_mono(entry)) or now_mono == pytest.approx(
        fresh_until_mono(entry)
    )

"""Ages across processes and machine starts: no clock step makes anything younger."""

from hypothesis import given
from hypothesis import strategies as st

from cache_policies.stored import Times
from edge.residence import Now, mark, times_at

BOOT, OTHER = b"b" * 16, b"o" * 16
SECONDS = st.floats(0, 1e6)
STEPS = st.floats(-1e6, 1e6)


def now(passed_s: float = 0.0, step_s: float = 0.0, boot_id: bytes = BOOT) -> Now:
    """The clocks `passed_s` later, the wall clock set by `step_s` meanwhile."""
    started_s = 0.0 if boot_id == BOOT else passed_s  # another uptime begins at 0
    return Now(
        wall=1e9 + passed_s + step_s,
        mono=5_000.0 + passed_s,
        boot_s=3_000.0 + passed_s - started_s,
        boot_id=boot_id,
    )


CAME = Times(response_wall=1e9, response_mono=5_000.0, response_delay_s=0.25)


@given(SECONDS, STEPS)
def test_within_an_uptime_a_step_makes_nothing_younger(passed_s, step_s):
    then = now(passed_s, step_s)
    times, trusted = times_at(mark(CAME, now()), then)
    assert then.mono - times.response_mono >= passed_s - 1e-3
    assert trusted is (passed_s + step_s >= -2.0)
    assert (times.response_wall, times.response_delay_s) == (1e9, 0.25)


@given(SECONDS)
def test_across_uptimes_the_wall_clock_tells(passed_s):
    then = now(passed_s, boot_id=OTHER)
    times, trusted = times_at(mark(CAME, now()), then)
    assert abs(then.mono - times.response_mono - passed_s) < 1e-3
    assert trusted


def test_what_comes_from_the_future_is_not_trusted():
    assert times_at(mark(CAME, now()), now(0.0, -1.9, OTHER))[1]
    assert not times_at(mark(CAME, now()), now(0.0, -2.1, OTHER))[1]
    assert not times_at(mark(CAME, now()), now(10.0, -12.1))[1]


def test_what_is_written_late_is_as_old_as_it_is():
    written = mark(CAME, now(100.0))
    then = now(150.0)
    assert then.mono - times_at(written, then)[0].response_mono == 150.0

"""Nobody says more than a burst and their rate, however they space it."""

from hypothesis import given
from hypothesis import strategies as st

from edge.realtime.allowance import Allowance


@given(st.lists(st.floats(0.0, 2.0), max_size=80), st.floats(0.1, 10.0), st.floats(1.0, 20.0))
def test_a_rate_and_a_burst(waits: list[float], per_s: float, burst: float) -> None:
    allowance, now, taken = Allowance(burst, 0.0), 0.0, 0
    for wait in waits:
        now += wait
        taken += allowance.take(per_s=per_s, burst=burst, now_mono=now)
        assert taken <= burst + per_s * now + 1e-6


def test_who_is_patient_may_always_speak() -> None:
    allowance = Allowance(1.0, 0.0)
    assert all(allowance.take(per_s=5.0, burst=1.0, now_mono=0.25 * each) for each in range(50))

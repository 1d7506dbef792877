"""How long it takes from each fault to the decision that leaves it, with probes every second."""

import pytest

from tests.support.failover_detection import detected_after_s
from tests.support.failover_faults import ALONE, FAULTS

RUNS = 20
AT_MOST_S = dict.fromkeys(FAULTS, 2.0) | {"half the requests": 4.0, "black hole": 3.0}
AT_MOST_S |= {"20 s answers": 3.0}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_left_in_time(fault: str) -> None:
    times = sorted(detected_after_s(fault, seed) for seed in range(RUNS))
    assert times[-1] <= AT_MOST_S[fault]


def test_who_fails_every_second_request_is_left_by_one_probe_alone() -> None:
    times = sorted(detected_after_s("half the requests", seed, ALONE) for seed in range(100))
    assert times[-1] <= 9.0

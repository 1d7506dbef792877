"""What other edges say, as this edge's own keys."""

import pytest

from edge.prewarm_plan import RISING, WARM, Expected
from edge.warm_lists import ListError, WarmList, own_key
from tests.support.table import table


@pytest.mark.parametrize("case", table("""
    theirs                    port  ours
    http://a.example/v/1      80    http://a.example/v/1
    http://127.0.0.1:8081/v   8081  http://127.0.0.1:8082/v
    http://127.0.0.1:9/v      8081  http://127.0.0.1:9/v
    http://[::1]:8081/v:8081  8081  http://[::1]:8082/v:8081
"""), ids=str)  # fmt: skip
def test_keys(case):
    assert own_key(case["theirs"], int(case["port"]), 8082) == case["ours"]


TOLD = {
    "port": 1,
    "per_minute": 100.0,
    "rising": [{"story": "s"}],
    "warm": [["http://a/s/0", "s", 20.0], ["http://a/t/0", "t", 50.0]],
}


def test_what_is_watched_there_is_expected_here():
    told = WarmList(TOLD, 2)
    assert told.expected(60.0, WARM) == [
        Expected("http://a/s/0", 20.0, WARM),
        Expected("http://a/t/0", 50.0, WARM),
    ]


def test_what_rises_there_is_expected_here():
    told = WarmList(TOLD, 2)
    assert told.rising(50.0, 600.0) == [Expected("http://a/s/0", 50.0, RISING)]
    assert told.rising(0.0, 600.0)[0].requests == 0.0
    assert WarmList(TOLD | {"per_minute": 0}, 2).rising(50.0, 600.0)[0].requests == 0.0


@pytest.mark.parametrize(
    "told",
    [{}, TOLD | {"warm": [3]}, TOLD | {"port": "x"}, TOLD | {"rising": [{}]}, TOLD | {"warm": 3}],
)
def test_what_no_edge_says(told):
    with pytest.raises(ListError):
        WarmList(told, 2)

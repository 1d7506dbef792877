"""For how long a stored response is worth a place."""

from dataclasses import replace

import pytest

from edge.useful_time import CHECKED_MIN_BYTES, LONGEST_S, useful_for_s
from tests.support.responses import NOW_MONO, stored
from tests.support.table import table


@pytest.mark.parametrize(
    "case",
    table("""
        fields                                    bytes    age_s  useful_s   source
        cc: max-age=60                            1000     0      60         9111 §4.2
        cc: max-age=60                            1000     20     40         9111 §4.2
        cc: max-age=60                            1000     70     0          9111 §4.2
        cc: max-age=60, swr=30                    1000     0      90         5861 §3
        cc: max-age=60, swr=30, sie=300           1000     0      360        5861 §4
        cc: max-age=60, swr=30, must-revalidate   1000     0      60         9111 §5.2.2.2
        cc: no-cache, max-age=60                  1000     0      0          9111 §5.2.2.4
        cc: no-cache | etag: "1"                  1000     0      0          small
        cc: no-cache | etag: "1"                  65536    0      3600       large, and checkable
        cc: max-age=60 | last-modified: @-100     65536    0      3600       large, and checkable
        cc: max-age=7200 | etag: "1"              65536    0      7200       9111 §4.2
        cc: max-age=99999999                      1000     0      2592000    -
    """),
    ids=str,
)
def test_useful_for(case: dict[str, str]) -> None:
    response = replace(stored(case["fields"]), length=int(case["bytes"]))
    useful_s = useful_for_s(response, int(case["bytes"]), NOW_MONO + float(case["age_s"]))
    assert useful_s == pytest.approx(float(case["useful_s"]))
    assert (LONGEST_S, CHECKED_MIN_BYTES) == (2_592_000, 65_536)

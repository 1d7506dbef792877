"""From a measurement to a gain."""

import pytest

from segmenter.loudness import gain_db

REPORT = """
  Integrated loudness:
    I:         {loudness} LUFS
    Threshold: -34.7 LUFS
  Sample peak:
    Peak:       {peak} dBFS
"""


@pytest.mark.parametrize(
    ("loudness", "peak", "gain"),
    [
        ("-16.0", "-3.0", 0.0),
        ("-23.0", "-10.0", 7.0),
        ("-23.0", "-1.0", 6.0),  # no more than the limiter may take off the peaks
        ("-9.0", "0.0", -7.0),
        ("5.0", "9.0", -21.0),
        ("-70.0", "-inf", 0.0),  # silence stays silence
        ("nan", "nan", 0.0),
        ("-40.0", "-30.0", 24.0),
    ],
)
def test_gain(loudness, peak, gain):
    assert gain_db(REPORT.format(loudness=loudness, peak=peak)) == gain


def test_nothing_measured_changes_nothing():
    assert gain_db("") == 0.0

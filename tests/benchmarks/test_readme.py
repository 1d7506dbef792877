"""README's table is that of the results."""

import json

from benchmarks.hit_rows import ROWS
from benchmarks.readme import README, table, title, written
from benchmarks.report import RESULTS


def test_the_table_is_of_the_last_results():
    results = json.loads((RESULTS / "hit_path.json").read_text())
    text = README.read_text()
    assert written(text, results) == text


def test_every_row_has_a_title_and_a_line():
    figures = {"requests_per_s": 71_660.0, "gib_per_s": 2.25}
    results = {
        "figures": {row.label: {"amaro-edge": figures, "varnish": figures} for row in ROWS},
        "ratios": {"1KiB edge/nginx-tuned": {"median": 1.0, "target": 1.1, "reached": False}},
    }
    lines = table(results).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert lines[2] == "| 1 KiB, requests/s | 71 700 |  |  | 71 700 | 1.00 (wanted: 1.1) |"
    assert len({title(row.label) for row in ROWS}) == len(ROWS)
    assert len({line.count("|") for line in lines}) == 1

"""Write README's table of hits from benchmarks/results: `python -m benchmarks.readme`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.hit_rows import BY_LABEL, MIB, ROWS
from benchmarks.peers import EDGE
from benchmarks.report import RESULTS

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- hits: python -m benchmarks.readme -->\n", "<!-- end of hits -->\n"
COLUMNS = (EDGE, "nginx-tuned", "nginx-default", "varnish")
HEAD = "| hits | Amaro Edge | nginx, tuned | nginx as it comes | Varnish | ratio to tuned nginx |"
TITLES = {
    "1KiB": "1 KiB",
    "1KiB-changing-fields": "1 KiB, fields that change with every request",
    "1MiB": "1 MiB",
    "64KiB-ranges": "64 KiB ranges of 4 MiB",
    "304": "304 answers",
    "1KiB-tls": "1 KiB, TLS",
    "1MiB-tls": "1 MiB, TLS",
    "1KiB-h2": "1 KiB, HTTP/2 with TLS",
    "1MiB-h2": "1 MiB, HTTP/2 with TLS",
    "1KiB-two-workers": "1 KiB, two workers on both cores, the load on one of them",
}


def table(results: Mapping[str, Any]) -> str:
    """Return the lines of the table, in the order of the rows, for those that were measured."""
    lines = [HEAD, "|---" * HEAD[1:-1].count("|") + "|---|"]
    for row in ROWS:
        figures = results["figures"].get(row.label)
        if figures is None:
            continue
        cells = [_figure(row.label, figures.get(name)) for name in COLUMNS]
        lines.append(f"| {title(row.label)} | {' | '.join(cells)} | {_ratio(row.label, results)} |")
    return "\n".join(lines) + "\n"


def title(label: str) -> str:
    """Return what a row is called, with its unit."""
    plain = label.removesuffix("-logs")
    logs = ", full logs" if plain != label else ""
    unit = "GiB/s" if BY_LABEL[label].body_bytes >= MIB else "requests/s"
    return f"{TITLES[plain]}{logs}, {unit}"


def _figure(label: str, figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return ""
    if BY_LABEL[label].body_bytes >= MIB:
        return f"{figures['gib_per_s']:.2g}"
    return f"{round(figures['requests_per_s'], -2):,.0f}".replace(",", " ")


def _ratio(label: str, results: Mapping[str, Any]) -> str:
    ratio = results["ratios"].get(f"{label} edge/nginx-tuned")
    if ratio is None:
        return ""
    missed = "" if ratio.get("reached", True) else f" (wanted: {ratio['target']})"
    return f"{ratio['median']:.2f}{missed}"


def written(text: str, results: Mapping[str, Any]) -> str:
    """Return a README with the table of these results in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table(results) + END + after


if __name__ == "__main__":
    found = json.loads((RESULTS / "hit_path.json").read_text())
    README.write_text(written(README.read_text(), found))
    sys.stdout.write(table(found))

"""Every metric follows Prometheus' conventions, and is in the operators' table."""

import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from edge.histogram import Histogram
from edge.metric_tables import NODE_TABLES
from edge.metrics import exposition

DOCS = Path(__file__).parents[2] / "docs" / "edge.md"
NAME = re.compile(r"amaro_edge_[a-z]+(_[a-z]+)*")
OTHER_UNITS = re.compile(
    r"_(ms|milliseconds|us|minutes|hours|days|kib|kb|mib|mb|gib|bits|percent|ratio_percent|info)\b"
)
OF_TYPES = re.compile(r"_(counter|gauge|histogram|metric|count|sum|bucket)$")


def values() -> dict[str, float]:
    """A value for each row, and one set of label values for each family."""
    tables = NODE_TABLES
    said = dict.fromkeys([*tables.counters, *tables.gauges], 1.0)
    for table in (tables.counter_families, tables.gauge_families):
        said |= {" ".join((row, *family.labels)): 1.0 for row, family in table.items()}
    for row, family in tables.histograms.items():
        times = Histogram(family.bounds)
        times.observe(0.1)
        said |= dict(times.said(" ".join((row, *family.labels))))
    return said


TEXT = exposition(NODE_TABLES, values()).decode()
FAMILIES = list(text_string_to_metric_families(TEXT))


def full_name(family: Metric) -> str:
    """As Prometheus stores it: the parser takes `_total` for granted."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels(family: Metric) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}


@pytest.mark.parametrize("family", FAMILIES, ids=full_name)
def test_a_metric_is_named_by_the_conventions(family: Metric) -> None:
    name = full_name(family)
    assert NAME.fullmatch(name)
    assert not OTHER_UNITS.search(name), "base units only: seconds, bytes"
    assert not OF_TYPES.search(family.name)
    assert family.type in {"counter", "gauge", "histogram"}
    assert name.endswith("_total") is (family.type == "counter")
    if family.type == "histogram":
        assert name.endswith(("_seconds", "_bytes"))
    for unit in ("seconds", "bytes"):
        assert unit not in name or name.removesuffix("_total").endswith(unit)


@pytest.mark.parametrize("family", FAMILIES, ids=full_name)
def test_a_metric_is_explained_once_and_labelled_alike(family: Metric) -> None:
    assert family.documentation
    assert TEXT.count(f"# HELP {full_name(family)} ") == 1
    assert TEXT.count(f"# TYPE {full_name(family)} ") == 1
    for sample in family.samples:
        assert set(sample.labels) - {"le"} == labels(family)


def test_no_sample_is_said_twice() -> None:
    said = [line.rpartition(" ")[0] for line in TEXT.splitlines() if not line.startswith("#")]
    assert len(said) == len(set(said))


def test_the_operators_table_has_every_metric_with_its_labels() -> None:
    table: dict[str, set[str]] = {}
    for line in DOCS.read_text().splitlines():
        if line.startswith("| `amaro_edge_"):
            names, named, _ = line[1:].split("|", 2)
            for name in re.findall(r"`([^`]+)`", names):
                assert name not in table
                table[name] = set(re.findall(r"`([^`]+)`", named))
    assert table == {full_name(family): labels(family) for family in FAMILIES}

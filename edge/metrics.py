"""What a node counts, summed over its workers, as Prometheus reads it.

Workers say {name: number}. A name begins with that of a row in a table; label values that the row
leaves open follow, and for a histogram the bound (`edge.histogram`), with spaces between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from edge.counters import Family, HistogramFamily
from edge.histogram import SUM, bound_labels

Row: TypeAlias = tuple[str, Mapping[str, str], str]  # metric, labels, help
Table: TypeAlias = Mapping[str, Row]  # by the name under which a value is given

NODE_COUNTERS: Final[dict[str, Row]] = {
    "purges": ("amaro_edge_purges_total", {}, "Purges published to the workers"),
    "disk_evicted": ("amaro_edge_disk_evicted_total", {}, "Files that made room on disk"),
    "disk_cleared": ("amaro_edge_disk_cleared_total", {}, "Purged files removed from disk"),
    "restarts": ("amaro_edge_worker_restarts_total", {}, "Workers started after another's death"),
    "certificates_renewed": (
        *("amaro_edge_certificates_total", {"result": "renewed"}),
        "Changes of certificates by what came of them",
    ),
    "certificates_refused": ("amaro_edge_certificates_total", {"result": "refused"}, ""),
    "policies_switched": (
        *("amaro_edge_policies_total", {"result": "in-force"}),
        "New policies by what came of them",
    ),
    "policies_refused": ("amaro_edge_policies_total", {"result": "refused"}, ""),
}
NODE_GAUGES: Final[dict[str, Row]] = {
    "workers": ("amaro_edge_workers", {}, "Workers that serve players now"),
    "policy_epoch": ("amaro_edge_policy_epoch", {}, "Names the policies in force; 0 is none"),
    "disk_used_bytes": ("amaro_edge_disk_bytes", {}, "Bytes that cache files take on disk"),
    "disk_budget_bytes": ("amaro_edge_disk_budget_bytes", {}, "What they may take"),
    "disk_objects": ("amaro_edge_disk_files", {}, "Cache files on disk"),
    "draining": ("amaro_edge_draining", {}, "1 while the node drains"),
}


class Totals:
    """What all workers count, those included that have died: counters never fall."""

    def __init__(self, counters: Iterable[str], maxima: Iterable[str] = ()) -> None:
        """`counters` are names of rows; of the values in `maxima` the highest counts."""
        self._names = frozenset(counters)
        self._maxima = frozenset(maxima)
        self._retired: dict[str, float] = {}
        self._last: dict[int, dict[str, float]] = {}  # by process number

    def update(self, answers: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
        """Return {name: value} after the answers {pid: {name: value}} of the living.

        What a worker counted between its last answer and its death is lost. A worker that did not
        answer this time counts with its last answer.
        """
        for pid, answer in answers.items():
            self._last[pid] = dict(answer)
        total = dict(self._retired)
        for last in self._last.values():
            self._add(total, last)
        return total

    def retire(self, living: Iterable[int]) -> None:
        """Keep the counters of workers that are no longer among the living; their gauges end."""
        for pid in self._last.keys() - set(living):
            gone = self._last.pop(pid)
            kept = {name: gone[name] for name in gone if name.partition(" ")[0] in self._names}
            self._add(self._retired, kept)

    def _add(self, total: dict[str, float], values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if name in self._maxima:
                total[name] = max(value, total.get(name, 0))
            else:
                total[name] = total.get(name, 0) + value


def exposition(
    counters: Table,
    gauges: Table,
    values: Mapping[str, float],
    *,
    families: Mapping[str, Family] | None = None,
    histograms: Mapping[str, HistogramFamily] | None = None,
) -> bytes:
    """Return the text of all metrics in the tables; a value that is not there is 0."""
    registry = CollectorRegistry()
    counters = {**counters, **dict(_rows(families or {}, values))}
    registry.register(_Once([*_families(counters, values, CounterMetricFamily)]))
    registry.register(_Once([*_families(gauges, values, GaugeMetricFamily)]))
    registry.register(_Once([*_histograms(histograms or {}, values)]))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _families(
    table: Table,
    values: Mapping[str, float],
    family: type[CounterMetricFamily] | type[GaugeMetricFamily],
) -> Iterator[Metric]:
    made: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for name, (metric, labels, text) in table.items():
        if metric not in made:
            made[metric] = family(metric, text, labels=list(labels))
        made[metric].add_metric(list(labels.values()), values.get(name, 0))
    yield from made.values()


def _rows(table: Mapping[str, Family], values: Mapping[str, float]) -> Iterator[tuple[str, Row]]:
    """Return a row for each value of a family, with the labels that its name says."""
    for name in sorted(values):
        row, *labels = name.split(" ")
        if row in table:
            metric, names, text = table[row]
            yield name, (metric, dict(zip(names, labels, strict=True)), text)


def _histograms(
    table: Mapping[str, HistogramFamily], values: Mapping[str, float]
) -> Iterator[HistogramMetricFamily]:
    for row, (metric, names, text, bounds) in table.items():
        family = HistogramMetricFamily(metric, text, labels=names)
        heads = {name.rpartition(" ")[0] for name in values if name.split(" ")[0] == row}
        for head in sorted(heads):
            so_far, buckets = 0.0, []
            for bound in bound_labels(bounds):
                so_far += values.get(f"{head} {bound}", 0)
                buckets.append((bound, so_far))
            family.add_metric(head.split(" ")[1:], buckets, values.get(f"{head} {SUM}", 0))
        yield family

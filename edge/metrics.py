"""What a node counts, summed over its workers, as Prometheus reads it.

Workers say {name: number}. A name begins with that of a row in a table; label values that the row
leaves open follow, and for a histogram the bound (`edge.histogram`), with spaces between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from edge.counters import Family, HistogramFamily, Pick
from edge.histogram import SUM, bound_labels

Row: TypeAlias = tuple[str, Mapping[str, str], str]  # metric, labels, help
Table: TypeAlias = Mapping[str, Row]  # by the name under which a value is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What can be said, by the name of its row; families leave their labels' values open."""

    counters: Table
    gauges: Table
    counter_families: Mapping[str, Family] = field(default_factory=dict)
    gauge_families: Mapping[str, Family] = field(default_factory=dict)
    histograms: Mapping[str, HistogramFamily] = field(default_factory=dict)


class Totals:
    """What all workers count, those included that have died: counters never fall."""

    def __init__(self, counters: Iterable[str], worst: Mapping[str, Pick] | None = None) -> None:
        """`counters` are names of rows; of the values of a row in `worst` counts what it picks."""
        self._names = frozenset(counters)
        self._worst = worst or {}
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
            pick = self._worst.get(name.partition(" ")[0])
            if pick is not None:
                total[name] = pick(value, total.get(name, value))
            else:
                total[name] = total.get(name, 0) + value


def exposition(tables: Tables, values: Mapping[str, float]) -> bytes:
    """Return the text of all metrics in the tables; a value that is not there is 0."""
    registry = CollectorRegistry()
    counters = {**tables.counters, **dict(_rows(tables.counter_families, values))}
    gauges = {**tables.gauges, **dict(_rows(tables.gauge_families, values))}
    registry.register(_Once([*_families(counters, values, CounterMetricFamily)]))
    registry.register(_Once([*_families(gauges, values, GaugeMetricFamily)]))
    registry.register(_Once([*_histograms(tables.histograms, values)]))
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
    sums: dict[str, dict[tuple[str, ...], float]] = {}
    first: dict[str, Row] = {}
    for name, row in table.items():
        metric, labels, _ = row
        first.setdefault(metric, row)
        said = sums.setdefault(metric, {})  # rows with the same labels are one series
        key = tuple(labels.values())
        said[key] = said.get(key, 0) + values.get(name, 0)
    for metric, (_, labels, text) in first.items():
        made = family(metric, text, labels=list(labels))
        for key, value in sums[metric].items():
            made.add_metric(key, value)
        yield made


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

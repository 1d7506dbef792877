"""What a node counts, summed over its workers, as Prometheus reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Row: TypeAlias = tuple[str, Mapping[str, str], str]  # metric, labels, help
Table: TypeAlias = Mapping[str, Row]  # by the name under which a value is given

NODE_COUNTERS: Final[Table] = {
    "purges": ("amaro_edge_purges_total", {}, "Purges published to the workers"),
    "restarts": ("amaro_edge_worker_restarts_total", {}, "Workers started after another's death"),
}
NODE_GAUGES: Final[Table] = {
    "workers": ("amaro_edge_workers", {}, "Workers that serve players now"),
    "draining": ("amaro_edge_draining", {}, "1 while the node drains"),
}


class Totals:
    """Counters of all workers, those included that have died: a sum that never falls."""

    def __init__(self, counters: Iterable[str]) -> None:
        self._names = frozenset(counters)
        self._retired: Counter[str] = Counter()
        self._last: dict[int, Counter[str]] = {}  # by process number

    def update(self, answers: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
        """Return {name: sum} after the answers {pid: {name: value}} of the living.

        What a worker counted between its last answer and its death is lost. A worker that did not
        answer this time counts with its last answer.
        """
        for pid, answer in answers.items():
            self._last[pid] = Counter(answer)
        total = self._retired.copy()
        for last in self._last.values():
            total.update(last)
        return dict(total)

    def retire(self, living: Iterable[int]) -> None:
        """Keep the counters of workers that are no longer among the living; their gauges end."""
        for pid in self._last.keys() - set(living):
            gone = self._last.pop(pid)
            self._retired.update({name: gone[name] for name in self._names & gone.keys()})


def exposition(counters: Table, gauges: Table, values: Mapping[str, float]) -> bytes:
    """Return the text of all metrics in the tables; a value that is not there is 0."""
    registry = CollectorRegistry()
    registry.register(_Once([*_families(counters, values, CounterMetricFamily)]))
    registry.register(_Once([*_families(gauges, values, GaugeMetricFamily)]))
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

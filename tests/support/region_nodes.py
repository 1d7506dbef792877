"""Real edge nodes of one region, as an operator would start them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.region_ranking import Member, ranked
from tests.support.edge_node import RunningNode, decoded, edge_node, eventually
from tests.support.ports import own_ports
from tests.support.purge_log import ServedLog, served_log

HOST: Final = "edge.test"


@dataclass
class RunningRegion:
    """Nodes by the URL at which the others ask them, and the log that they follow."""

    nodes: dict[str, RunningNode]
    log: ServedLog

    def ranked(self, path: str) -> list[RunningNode]:
        """The nodes in the order in which they own a path."""
        key = f"http://{HOST}{path}".encode()
        return [self.nodes[each.url] for each in ranked(key, map(Member, self.nodes))]

    def skipped(self, but: RunningNode | None = None) -> int:
        """How often one was asked that did not answer: then the origin may be asked twice."""
        results = [
            name
            for node in self.nodes.values()
            if node is not but and node.process.poll() is None
            for name, count in asked_of(node).items()
            for _ in range(count)
        ]
        return sum(result != "answered" for result in results)


def asked_of(node: RunningNode) -> dict[str, int]:
    """What a node asked others for, by what came of it."""
    found: dict[str, int] = {}
    for line in node.admin("GET", "/metrics", token=None).text.splitlines():
        if line.startswith("amaro_edge_region_asked_total{"):
            labels, _, value = line.rpartition(" ")
            result = labels.split('result="')[1].split('"')[0]
            found[result] = found.get(result, 0) + int(float(value))
    return found


def members_of(node: RunningNode) -> dict[str, Any]:
    return dict(decoded(node.admin("GET", "/members")))


def owners_by(node: RunningNode) -> set[str]:
    return {each["url"] for each in members_of(node)["members"] if each["owns_keys"]}


@contextmanager
def running_nodes(
    origin: str, count: int, scratch: Path, *options: str, workers: Sequence[int] = ()
) -> Iterator[RunningRegion]:
    """So many nodes that know each other by configuration."""
    token = scratch / "region-token"
    token.write_text("a-region-for-tests")
    ports = own_ports()[:count]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    with ExitStack() as stack:
        log = stack.enter_context(served_log())
        region = RunningRegion({}, log)
        for number, url in enumerate(urls):
            told = ["--peer", f"127.0.0.1:{ports[number]}", "--shield", ",".join(urls)]
            told += ["--purge-log", log.url, "--region-token-file", str(token), *options]
            has = workers[number] if workers else 1
            region.nodes[url] = stack.enter_context(edge_node(origin, *told, workers=has))
        for node in region.nodes.values():
            eventually(lambda node=node: node.get("/.amaro/ready").status_code == 200)
        yield region

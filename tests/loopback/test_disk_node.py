"""A real edge node with a disk: what it keeps outlives it, and what was purged does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.arena import SLICE_BYTES
from edge.disk_files import file_name
from tests.support.counting_origin import CountingOrigin, content, counting_origin
from tests.support.edge_node import RunningNode, decoded, edge_node, eventually

LARGE = 5_000_000
HOST = "edge.test"


def metrics(node: RunningNode) -> dict[tuple[str, ...], float]:
    text = node.admin("GET", "/metrics", token=None).text
    return {
        (sample.name.removeprefix("amaro_edge_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def get(node: RunningNode, path: str, *, size: int) -> str:
    """Ask for an object of version 1; return what Cache-Status says."""
    got = node.get(path, headers={"host": HOST})
    assert got.status_code == 200
    name = path.partition("?")[0]
    assert got.content == content(name, 1, size), got.headers
    return got.headers["cache-status"]


def have_on_disk(node: RunningNode, root: Path, *paths: tuple[str, int]) -> None:
    """Ask for each object often enough, and wait until its file is there."""
    for path, size in paths:
        for _ in range(2 * node.settings.workers):
            get(node, f"{path}?size={size}", size=size)
        key = f"http://{HOST}{path}?size={size}".encode()
        eventually((root / "objects" / file_name(key)).exists, f"{path} on disk")


@contextmanager
def disk_node(
    origin: CountingOrigin, root: Path, *options: str, workers: int = 1
) -> Iterator[RunningNode]:
    with edge_node(origin.url, "--disk", str(root), *options, workers=workers) as node:
        yield node


OBJECTS = [("/d/empty", 0), ("/d/small", 1_000), ("/d/slice", 1 << 20), ("/d/large", LARGE)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_node_that_was_killed_serves_at_once_what_it_had(tmp_path: Path, workers: int) -> None:
    with counting_origin() as origin:
        objects = [(path, max(size, len(content(path, 1, 0)))) for path, size in OBJECTS]
        with disk_node(origin, tmp_path, workers=workers) as node:
            have_on_disk(node, tmp_path, *objects)
            node.kill()
        asked = sum(origin.asked.values())
        with disk_node(origin, tmp_path, workers=workers) as node:
            said = [get(node, f"{path}?size={size}", size=size) for path, size in objects]
            from_disk = [each for each in said if "hit" in each and "detail=disk" in each]
            key = ("requests_total", "fresh", "hit-slow", "disk")
            eventually(lambda: metrics(node).get(key, 0) == len(from_disk), "what was counted")
            skipped = metrics(node)["disk_reads_total", "skipped"]  # where the machine is too busy
            assert len(from_disk) >= len(objects) - skipped, said
            assert sum(origin.asked.values()) <= asked + skipped
            eventually(lambda: not any((tmp_path / "aside").iterdir()), "clearing")


ORDERS: list[dict[str, object]] = [
    {"url": f"http://{HOST}/d/purged?size=1000"},
    {"tag": "tag-d"},
    {"tag": "every", "soft": True},
]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_what_was_purged_is_purged_after_a_crash(tmp_path: Path, order: dict[str, object]) -> None:
    with counting_origin() as origin:
        with disk_node(origin, tmp_path) as node:
            have_on_disk(node, tmp_path, ("/d/purged", 1_000))
            decoded(node.purge(**order))
            node.kill()
        origin.version = 2
        with disk_node(origin, tmp_path) as node:
            got = node.get("/d/purged?size=1000", headers={"host": HOST})
            assert got.content == content("/d/purged", 2, 1_000)
            assert node.status()["sequence"] == 1


def test_a_lost_purge_log_empties_the_disk(tmp_path: Path) -> None:
    with counting_origin() as origin:
        with disk_node(origin, tmp_path) as node:
            have_on_disk(node, tmp_path, ("/d/lost", 1_000))
            decoded(node.purge(all=True))
        (tmp_path / "purges").unlink()
        origin.version = 2
        with disk_node(origin, tmp_path) as node:
            got = node.get("/d/lost?size=1000", headers={"host": HOST})
            assert got.content == content("/d/lost", 2, 1_000)


def test_damage_anywhere_in_a_file_is_made_good(tmp_path: Path) -> None:
    slices = -(-LARGE // SLICE_BYTES)
    objects = [(f"/damaged/{number}", LARGE) for number in range(slices)]
    with counting_origin() as origin:
        with disk_node(origin, tmp_path) as node:
            have_on_disk(node, tmp_path, *objects)
        for path, _ in objects:
            number = int(path.rpartition("/")[2])
            key = f"http://{HOST}{path}?size={LARGE}".encode()
            file = tmp_path / "objects" / file_name(key)
            at = file.stat().st_size - LARGE + number * SLICE_BYTES + 100
            with file.open("r+b") as damaged:
                damaged.seek(at)
                damaged.write(b"damage")
        with disk_node(origin, tmp_path) as node:
            for path, size in objects:
                get(node, f"{path}?size={size}", size=size)
            counted = metrics(node)
            skipped = counted["disk_reads_total", "skipped"]
            assert slices - skipped <= counted["disk_reads_total", "damaged"] <= slices
            failed = [key for key in counted if key[0] == "requests_total" and "error" in key]
            assert not any(counted[key] for key in failed)


def test_a_directory_belongs_to_one_node(tmp_path: Path) -> None:
    with (
        counting_origin() as origin,
        disk_node(origin, tmp_path),
        pytest.raises(AssertionError, match="in use by another edge"),
        disk_node(origin, tmp_path),
    ):
        pass


def bytes_in(objects: Path) -> int:
    """The size of all files there, some of which may go meanwhile."""
    size = 0
    for file in objects.glob("*/*"):
        with suppress(FileNotFoundError):
            size += file.stat().st_size
    return size


def test_a_disk_stays_within_its_size(tmp_path: Path) -> None:
    budget = 8 << 20
    with (
        counting_origin() as origin,
        disk_node(origin, tmp_path, "--disk-size", "8MiB") as node,
    ):
        for number in range(40):
            for _ in range(2):
                get(node, f"/many/{number}?size=500000", size=500_000)
        eventually(lambda: metrics(node)["disk_writes_total", "written"] >= 36, "writes")
        eventually(lambda: bytes_in(tmp_path / "objects") <= budget, "eviction")
        eventually(lambda: 0 < metrics(node)["disk_bytes",] <= budget, "measuring")
        counted = metrics(node)
        assert counted["disk_evicted_total",] >= 20
        assert counted["disk_budget_bytes",] == budget


def test_what_was_purged_is_cleared_away(tmp_path: Path) -> None:
    with counting_origin() as origin, disk_node(origin, tmp_path) as node:
        have_on_disk(node, tmp_path, ("/d/a", 1_000), ("/d/b", 1_000))
        decoded(node.purge(url=f"http://{HOST}/d/a?size=1000"))
        eventually(lambda: metrics(node)["disk_cleared_total",] == 1, "clearing")
        assert len([*(tmp_path / "objects").glob("*/*")]) == 1

"""Purges, hard and soft, under players of a node with a disk: whole bodies and parts of slices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.counting_origin import counting_origin
from tests.support.edge_hammer import Hammer, Rig
from tests.support.edge_node import edge_node


@pytest.mark.parametrize("workers", [1, 2])
async def test_nothing_starts_with_what_was_purged_from_anywhere(
    tmp_path: Path, workers: int
) -> None:
    policies = tmp_path / "rules.yaml"
    policies.write_text("rules: [{name: all, set: {disk_after: 1}}]")
    options = ("--disk", str(tmp_path / "disk"), "--policies", str(policies))
    with (
        counting_origin() as origin,
        edge_node(origin.url, *options, workers=workers, memory="16MiB") as node,
    ):
        hammer = Hammer(Rig(origin, node), seed=workers, parts=True)
        await hammer.run(purges=30, responses=120)

"""The receipt of a rehearsal, as the command prints it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from amaro.failover_drill import dry_run, receipt
from amaro.service_files import read_directory
from amaro.stack import StackError


def test_a_receipt_is_held_by_its_digest() -> None:
    told = receipt("dry-run", {"lost": 3})
    digest = told.pop("digest")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert told["synthetic"]


def test_the_shipped_example_is_rehearsed() -> None:
    model = read_directory(Path("configs/services"))
    told = dry_run(model, "media", "cloudflare", speed=600.0, viewers=3)
    assert sum(each["is_away"] for each in told["moves"]) == 1
    assert set(told["lost"]) == {"dns", "steering"}
    with pytest.raises(StackError, match="no target media/none; known are feed/fastly"):
        dry_run(model, "media", "none", speed=1.0, viewers=1)

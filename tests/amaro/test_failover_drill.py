"""The receipt of a rehearsal, as the command prints it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amaro.cli import app
from amaro.failover_drill import dry_run, receipt
from amaro.failover_members import Members, Said
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


@pytest.mark.parametrize("is_done", [True, False])
def test_a_drill_that_cannot_be_ended_is_no_answer_for_scripts(
    is_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`no drill is on its way` came on stdout."""
    said = Said("m1", 200, {"carried_out": is_done, "text": "so it is"})
    monkeypatch.setattr(Members, "drill", lambda *_, **__: said)
    command = ["failover", "drill", "--stop", "--admin", "http://127.0.0.1:1"]
    found = CliRunner().invoke(app, command, env={"AMARO_ADMIN_TOKEN": "x"})
    assert found.exit_code == (0 if is_done else 1)
    assert (found.stdout, found.stderr) == (
        ("so it is\n", "") if is_done else ("", "Not done: so it is\n")
    )

"""Where load may go: nowhere but home, unless somebody says so."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from locustfiles.__main__ import main, running
from locustfiles.targets import TargetError, Targets, check, from_environment

HOME = {"north": "http://127.0.0.1:8080", "south": "http://localhost:8081"}


def test_the_environment_carries_targets_unchanged():
    targets = Targets(edges=HOME, origin="http://[::1]:8084")
    assert from_environment(targets.environment(allow_remote=False)) == targets


@pytest.mark.parametrize(
    ("edges", "origin"),
    [
        ({}, None),
        ({"far": "http://192.0.2.1"}, None),
        ({"far": "ftp://127.0.0.1"}, None),
        ({"odd": "http://127.0.0.1.invalid"}, None),
        (HOME, "http://192.0.2.1:8084"),
    ],
)
def test_other_machines_are_left_alone(edges, origin):
    with pytest.raises(TargetError):
        check(Targets(edges=edges, origin=origin), allow_remote=False)


def test_other_machines_when_somebody_says_so():
    check(Targets(edges={"far": "http://192.0.2.1"}, origin=None), allow_remote=True)


def test_targets_of_a_running_stack(tmp_path):
    services = [
        {"name": "edge-north", "kind": "edge", "url": "http://127.0.0.1:1", "region": "north"},
        {"name": "edge-x", "kind": "edge", "url": "http://127.0.0.1:2", "region": None},
        {"name": "origin", "kind": "origin", "url": "http://127.0.0.1:3", "region": None},
    ]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "stack.json").write_text(json.dumps({"services": services}))
    assert running(tmp_path) == Targets(
        edges={"north": "http://127.0.0.1:1", "edge-x": "http://127.0.0.1:2"},
        origin="http://127.0.0.1:3",
    )


def test_no_stack_is_said_clearly(tmp_path, capsys):
    assert main(["--data", str(tmp_path)]) == 2
    assert "Start one with make up" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["--users", "0"], ["--users", "501"], ["--seconds", "x"], ["--seconds", "3601"]]
)
def test_bounds(argv):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2


def test_a_run_in_which_nobody_watches_fails(tmp_path):
    """Nothing listens there: every request fails, and so does the run."""
    report = tmp_path / "report.html"
    argv = [sys.executable, "-m", "locustfiles", "--edge", "north=http://127.0.0.1:9"]
    argv += ["--users", "2", "--seconds", "2", "--report", str(report)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "nobody found a story" in ended.stderr
    assert report.exists()

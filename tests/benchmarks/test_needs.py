"""A benchmark says which packages it lacks, before it starts anything."""

import sys

import pytest

from benchmarks.command import arguments


def test_missing_commands_are_named_by_their_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["hit_path"])
    with pytest.raises(SystemExit) as ended:
        arguments("Hits.", needs=("wrk", "nginx", "varnishd"))
    assert ended.value.code == 2
    assert "apt-get install nginx-light varnish wrk" in capsys.readouterr().err

"""An entry of the audit log as people read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from amaro.cli import app
from amaro.commands.failover_history import in_words
from amaro.failover_members import Members, Said

KNOWN = {"media": ["north", "south"], "feed": ["north", "south", "*"]}


@pytest.mark.parametrize(
    ("service", "regions", "text", "said"),
    [
        ("media", [], "a is down", "media a is down"),
        ("media", ["north"], "a is down", "media a is down (north)"),
        ("media", ["north", "south"], "a is down", "media a is down"),
        ("media", ["north", "*"], "a is down", "media a is down (north)"),  # it has no DNS
        ("feed", ["*"], "feed moves", "feed moves (DNS)"),
        ("feed", ["north", "*"], "feed moves", "feed moves (north, DNS)"),
        ("media", ["north"], "DRILL: a is down", "DRILL: media a is down (north)"),
        ("media", ["north", "south"], "DRILL: media moves", "DRILL: media moves"),
        ("media", ["north"], "switch media a: a is used first in north", "IT"),
        ("gone", ["north"], "a is down", "gone a is down (north)"),
        ("", [], "m1 is the controller", "m1 is the controller"),
    ],
)
def test_an_entry_says_where_unless_that_is_everywhere(service, regions, text, said):
    entry = {"service": service, "regions": regions, "text": text}
    assert in_words(entry, KNOWN) == said.replace("IT", text)


def entries(name: str, *at: int) -> dict[str, Any]:
    return {"member": name, "entries": [{"at": each, "text": f"{name} {each}"} for each in at]}


@pytest.mark.parametrize("how", ["", "--json"])
def test_no_more_entries_than_asked_for_however_many_members(how, monkeypatch):
    """Each member's last two were shown."""

    def ask(_: Members, path: str, **params: str) -> list[Said]:
        if path == "/status":
            return [Said("m1", 200, {"decision": None, "leads": True}), Said("m2", why_not="x")]
        assert params == {"limit": "2"}
        return [Said("m1", 200, entries("m1", 1, 4)), Said("m2", 200, entries("m2", 2, 3))]

    monkeypatch.setattr(Members, "ask", ask)
    command = ["failover", "history", "--limit", "2", "--admin", "http://127.0.0.1:1"]
    found = CliRunner().invoke(app, [*command, *how.split()], env={"AMARO_ADMIN_TOKEN": "x"})
    assert found.exit_code == 0, found.output
    if how:
        assert [each["at"] for each in json.loads(found.output)["entries"]] == [3, 4]
    else:
        assert [line.split("  ")[-1] for line in found.output.splitlines()] == ["m2 3", "m1 4"]


def test_a_broken_log_is_told_in_one_line(monkeypatch):
    """It was broken in two where a pipe was taken for 80 columns."""
    why = "is no entry; a line was damaged, or not written to its end"
    log = {"member": "north-1", "entries": 7, "broken": {"line": 8, "why": why}}
    monkeypatch.setattr(Members, "ask", lambda *_: [Said("m1", 200, log)])
    command = ["failover", "verify", "--admin", "http://127.0.0.1:1"]
    found = CliRunner().invoke(app, command, env={"AMARO_ADMIN_TOKEN": "x"})
    told = f"north-1: broken at line 8, which {why}\n"
    assert (found.exit_code, found.stdout) == (1, told)

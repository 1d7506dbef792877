"""A drill of real members: traffic moves for real, comes back, and leaves nothing behind."""

from __future__ import annotations

import json

from tests.live.test_failover_members import SOON, command
from tests.support.failover_group import group
from tests.support.stack import until

ASKED = {"service": "media", "target": "a", "who": "ada", "why": "a test", "speed": 60}


def drill_of(members, leader):
    """What a member that leads says of a drill; None while it says nothing."""
    return (members.status(leader) or {}).get("drill")


def test_a_drill_is_ended_and_all_is_as_it_was(tmp_path):
    with group(tmp_path, detection=SOON) as members:
        members.wait_for("a")
        leader = members.leader()
        assert members.ask(leader, "POST", "/drill", json=ASKED | {"why": ""}).status_code == 400
        assert members.ask(leader, "POST", "/drill", json=ASKED | {"speed": 0}).status_code == 400
        wrong = members.ask(leader, "POST", "/drill", json=ASKED | {"target": "none"})
        assert wrong.status_code == 409
        assert wrong.json()["text"].startswith("no target media/none; known are media/a, ")
        follower = next(name for name in members.urls if name != leader)
        assert members.ask(follower, "POST", "/drill", json=ASKED).status_code == 503

        def begins() -> bool:
            return members.ask(leader, "POST", "/drill", json=ASKED).status_code == 200

        until(begins, max_s=60, what="all stands, so that a drill may begin")
        told = until(lambda: drill_of(members, leader), max_s=60, what="its leader says so")
        assert told["who"] == "ada"
        members.wait_for("b")
        stopped = command(members, "drill", "--stop", "--who", "ada")
        assert (stopped.returncode, stopped.stdout) == (0, "the drill is over\n")
        members.wait_for("a")
        assert drill_of(members, leader) is None
        assert command(members, "drill", "--stop").returncode == 1  # there is none
        told = json.loads(command(members, "history", "--json", "--limit", "200").stdout)
        texts = [each["text"] for each in told["entries"]]
        assert "DRILL: media moves from a 100% to b 100%" in texts
        assert "DRILL media/a: over: ada ended it" in texts

"""A drill while its member's disk is full: none begins unwritten, and none that is on stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from failover.audit_file import AuditError, AuditFile
from failover.controlling import Controller
from failover.dns_asking import Asker
from failover.dns_following import DnsFollower
from failover.dns_watching import Watcher
from failover.drilling import Drill
from failover.lease_sql import SqlLease
from failover.notifying import Notifier
from tests.support.failover import Lab, model


class Full(AuditFile):
    """A log whose disk is full when the test says so."""

    is_full = True

    def append(self, what: Mapping[str, Any]) -> dict[str, Any]:
        if self.is_full:
            raise AuditError("audit.jsonl: No space left on device")
        return super().append(what)


def controller_of(lab: Lab, audit: AuditFile, directory: Path) -> Controller:
    """One that leads, and does nothing by itself."""
    watcher = Watcher(asker=Asker())
    controller = Controller(
        "m1",
        decider=lab.decider,
        store=SqlLease(f"sqlite:///{directory / 'lease'}"),
        peers={},
        own=cast("Any", None),
        audit=audit,
        notifier=Notifier({}),
        dns=DnsFollower((), {}, watcher, may_act=lambda _: True, told=lambda _: None),
    )
    controller.memory = lab.memory
    return controller


async def test_a_full_disk_refuses_a_drill_and_ends_none_of_its_members(tmp_path: Path) -> None:
    """What was refused was on its way all the same, and the end of one ended the process."""
    lab = Lab(model())
    lab.seconds(10)
    audit = Full(tmp_path / "audit.jsonl")
    controller = controller_of(lab, audit, tmp_path)
    drill = Drill(service="media", target="a", who="ada", why="a test", began_mono=0.0, speed=1.0)
    answer = controller.begin_drill(drill)
    assert (answer.is_carried_out, controller.drill) == (False, None)
    assert answer.text == "audit.jsonl: No space left on device"
    audit.is_full = False
    assert controller.begin_drill(drill).is_carried_out
    audit.is_full = True
    controller.end_drill("ada")
    controller._after_drill(lab.memory)
    assert (controller.drill, audit.lost) == (None, 1)
    audit.close()

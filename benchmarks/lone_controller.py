"""A controller in a process of its own, that is no vantage itself: all that it hears are reports.

`python -m benchmarks.lone_controller SERVICES TARGETS DIRECTORY PORT…`, a port a member.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.report_servers import member
from failover.audit_file import AuditFile
from failover.controlling import Controller
from failover.deciding import Decider
from failover.decision import Decision
from failover.dns_asking import Asker
from failover.dns_following import DnsFollower
from failover.dns_watching import Watcher
from failover.evidence import Report
from failover.in_force import InForce
from failover.lease import Kept
from failover.leases import open_lease
from failover.model import Dependency, Model, Service, Target, Vantage
from failover.notifying import Notifier
from failover.orders import Ordered
from failover.peers import Peer, client
from failover.running import spare_collector

NEEDS = Dependency(provider="somebody")


def model_of(services: int, targets: int, ports: list[int]) -> Model:
    """Return what is looked after."""
    return Model(
        services=tuple(
            Service(
                name=f"s{number}",
                targets=tuple(
                    Target(name=f"t{each}", needs=NEEDS, probes=()) for each in range(targets)
                ),
            )
            for number in range(services)
        ),
        vantages=tuple(
            Vantage(
                name=member(number), region="north", url=f"http://127.0.0.1:{port}", needs=NEEDS
            )
            for number, port in enumerate(ports)
        ),
    )


class Silent:
    """The controller's own member, which sees nothing and takes what is decided."""

    ordered_alone: Kept | None = None

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    @property
    def version(self) -> tuple[int, int]:
        """Of the decision in force."""
        return self._in_force.version

    @property
    def above(self) -> tuple[int, int]:
        """What a decision must reach."""
        return self._in_force.version

    @property
    def decision(self) -> Decision | None:
        """The decision in force."""
        return self._in_force.decision

    def report(self, after: int, boot: str) -> Report:
        """Return nothing new."""
        return Report(vantage="nobody", boot=boot, number=after, controls_ok=True)

    @property
    def ordered(self) -> Ordered:
        """The orders that stand."""
        return self._in_force.ordered

    def take(self, decision: Decision, ordered: Ordered) -> bool:
        """Act on it."""
        return self._in_force.take(decision, ordered)


async def _run(model: Model, directory: Path) -> None:
    spare_collector()
    in_force = InForce(directory / "decision.json")
    store = open_lease(f"sqlite:///{directory / 'lease.sqlite'}")
    async with client("a-token") as http:
        controller = Controller(
            "nobody",
            decider=Decider(model),
            store=store,
            peers={each.name: Peer(each, http) for each in model.vantages},
            own=Silent(in_force),
            audit=AuditFile(directory / "audit.jsonl"),
            notifier=Notifier({}),
            dns=DnsFollower(
                (), {}, Watcher(asker=Asker()), may_act=lambda _: True, told=lambda _: None
            ),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(in_force.run())
            tasks.create_task(controller.run())


if __name__ == "__main__":
    SERVICES, TARGETS, DIRECTORY, *PORTS = sys.argv[1:]
    asyncio.run(
        _run(model_of(int(SERVICES), int(TARGETS), [int(each) for each in PORTS]), Path(DIRECTORY))
    )

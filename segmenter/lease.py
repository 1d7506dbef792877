"""Which workers are alive: a row each in the jobs database, so that a dead one's jobs go on."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

BEAT_S: Final = 2.0
LEASE_S: Final = 20.0  # without a beat, after which a worker of another machine counts as dead

METADATA: Final = sa.MetaData()
WORKERS: Final = sa.Table(
    "segmenter_workers",
    METADATA,
    sa.Column("worker", sa.String(64), primary_key=True),
    sa.Column("machine", sa.String(128), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("beat_wall", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One worker's claim to be alive."""

    worker: str
    machine: str  # one boot of one process namespace
    pid: int
    started: int  # clock ticks since boot, which tells a process from a later one of its number
    beat_wall: float


def is_alive(
    lease: Lease, machine: str, running: Collection[tuple[int, int]], now_wall: float
) -> bool:
    """Say whether a lease's worker may still be working.

    `running` are the (pid, started) of the leases' processes found on this machine; one that is
    not among them is dead at once, without waiting for its lease to end.
    """
    if lease.machine == machine and (lease.pid, lease.started) not in running:
        return False
    return now_wall - lease.beat_wall < LEASE_S


class LeaseBook:
    """The table of leases. Safe to use from several threads and machines."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        METADATA.create_all(engine)

    def beat(self, lease: Lease) -> None:
        """Write or renew a lease."""
        row = {name: getattr(lease, name) for name in lease.__slots__}
        with self._engine.begin() as connection:
            same = WORKERS.c.worker == lease.worker
            if not connection.execute(WORKERS.update().where(same).values(row)).rowcount:
                connection.execute(WORKERS.insert().values(row))

    def leave(self, worker: str) -> None:
        """End a lease."""
        with self._engine.begin() as connection:
            connection.execute(WORKERS.delete().where(WORKERS.c.worker == worker))

    def leases(self) -> list[Lease]:
        """Return every lease, ended ones that nobody cleared included."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(WORKERS)).mappings().all()
        return [Lease(**row) for row in rows]

    def alive(self, now_wall: float) -> set[str]:
        """Return the workers that may still be working; the others' leases are cleared."""
        leases = self.leases()
        machine = this_machine()
        running = {
            (lease.pid, started)
            for lease in leases
            if lease.machine == machine and (started := started_ticks(lease.pid)) is not None
        }
        alive = {x.worker for x in leases if is_alive(x, machine, running, now_wall)}
        for lease in leases:
            if lease.worker not in alive:
                self.leave(lease.worker)
        return alive


def own_lease(worker: str, now_wall: float) -> Lease:
    """Return this process's lease."""
    pid = os.getpid()
    return Lease(
        worker=worker,
        machine=this_machine(),
        pid=pid,
        started=started_ticks(pid) or 0,
        beat_wall=now_wall,
    )


def this_machine() -> str:
    """Return what two processes share exactly when their process numbers mean the same."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - not a path, a name


def started_ticks(pid: int) -> int | None:
    """Return when a running process started, in clock ticks since boot; None without one."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else int(fields[19])
    return None

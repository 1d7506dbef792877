"""A running stack on disk: its data directory, its lock, its token and `run/stack.json`."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amaro.processes import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_DATA: Final = Path(".amaro")


class StackError(Exception):
    """A stack cannot start or cannot be found; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of a running stack, as `run/stack.json` names it."""

    name: str
    kind: str  # edge, origin, console, worker, valkey
    url: str
    health_url: str
    pid: int | None  # None before it was started
    admin_url: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What `run/stack.json` holds: how to reach a running stack and prove to be its operator."""

    pid: int  # of `amaro up`
    token: str
    services: tuple[Service, ...]
    watched: str = ""  # the directory of what failover looks after; empty: nothing

    def of_kind(self, kind: str) -> tuple[Service, ...]:
        """Return the services of one kind, in the order they were started."""
        return tuple(service for service in self.services if service.kind == kind)


@dataclass(frozen=True, slots=True)
class DataDir:
    """Where a stack keeps everything; `root` is absolute."""

    root: Path

    @property
    def run(self) -> Path:
        """Sockets, lock and secrets of the running stack; for its owner's eyes only."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log file a service."""
        return self.root / "logs"

    @property
    def stack_file(self) -> Path:
        """How commands find the running stack."""
        return self.run / "stack.json"

    def prepare(self) -> None:
        """Create what is missing; raise StackError when the disk refuses."""
        try:
            for directory in (self.root, self.run, self.logs):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.run.chmod(0o700)
            write_secret(self.run / "writable", b"")
        except OSError as error:
            raise StackError(
                f"Cannot keep data in {self.root}: {error.strerror}. "
                "Choose another directory with --data DIR."
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for this process; the kernel lets go of it however we end."""
        descriptor = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 20, 0).decode() or "unknown"
                raise StackError(
                    f"A stack already runs on {self.root} (process {holder}). Stop it with "
                    f"kill {holder}, or start another beside it: amaro up --data DIR "
                    "--port-base PORT."
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def secret(self, name: str) -> str:
        """Return a secret that stays the same for this directory, made on first use."""
        path = self.run / name
        if not path.exists():
            write_secret(path, secrets.token_urlsafe(32).encode())
        return path.read_text()

    def write_stack(self, stack: Stack) -> None:
        """Replace `run/stack.json` as a whole."""
        write_secret(self.stack_file, json.dumps(asdict(stack), indent=2).encode())

    def read_stack(self) -> Stack:
        """Return the stack that runs here; raise StackError when none does."""
        try:
            stack = parse_stack(self.stack_file.read_bytes())
        except FileNotFoundError:
            raise StackError(
                f"No stack runs on {self.root}. Start one with amaro up, or name its directory "
                "with --data DIR."
            ) from None
        except PermissionError:
            raise StackError(f"{self.stack_file} belongs to another user.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StackError(
                f"{self.stack_file} is not what amaro up writes ({error}). Stop the stack and "
                "start it again with amaro up; its data is kept."
            ) from error
        if not is_alive(stack.pid):
            raise StackError(
                f"The stack on {self.root} (process {stack.pid}) was killed. Start it again with "
                "amaro up; its data is kept."
            )
        return stack

    def forget_stack(self) -> None:
        """Remove `run/stack.json`, because nothing runs any more."""
        self.stack_file.unlink(missing_ok=True)


def parse_stack(text: bytes) -> Stack:
    """Return what `write_stack` wrote; ValueError, KeyError or TypeError when it is not that."""
    raw: dict[str, Any] = json.loads(text)
    services = tuple(Service(**service) for service in raw["services"])
    watched = str(raw.get("watched", ""))
    return Stack(pid=int(raw["pid"]), token=str(raw["token"]), services=services, watched=watched)


def data_dir(path: Path) -> DataDir:
    """Return the data directory at a path given by a person."""
    return DataDir(path.expanduser().absolute())


def write_secret(path: Path, body: bytes) -> None:
    """Write a file that only we can read; a reader sees the old one or the new one, whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, body)
    finally:
        os.close(descriptor)
    draft.replace(path)

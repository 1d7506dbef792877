"""Reads policy files from disk, bounded."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cache_policies.complaints import Complaint, Place, PolicyFileError
from cache_policies.load import PolicyFile, load_policies, unknown_origins
from cache_policies.source import TEXT_MAX_BYTES


def read_policy_file(path: Path) -> PolicyFile:
    """Return the rules in a file. Raises PolicyFileError, or OSError when it cannot be read."""
    with path.open("rb") as file:
        return load_policies(file.read(TEXT_MAX_BYTES + 1), str(path))


def read_rules(name: str, groups: Collection[str]) -> PolicyFile:
    """Return the rules in the file `name`. Raises PolicyFileError, whatever is wrong with it."""
    try:
        return fitting(read_policy_file(Path(name)), groups)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise PolicyFileError(name, [Complaint(Place(), why)]) from error


def fitting(file: PolicyFile, groups: Collection[str]) -> PolicyFile:
    """Return the file; raises PolicyFileError when it names an origin that an edge lacks."""
    if complaints := unknown_origins(file, groups):
        raise PolicyFileError(file.name, complaints)
    return file

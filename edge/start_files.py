"""What a node reads at its start from the files that its settings name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_policies.access_ring import RingError
from edge.access_keys import read_ring
from edge.network_file import read_networks
from edge.settings import EdgeSettings
from edge.tls import Pem, read_pairs

if TYPE_CHECKING:
    from cache_policies.load import PolicyFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What was read from the files that the settings name."""

    pems: tuple[Pem, ...] = ()
    policies: PolicyFile | None = None
    ring: str | None = None  # of access keys
    networks_fd: int | None = None  # of a compiled table of networks

    @classmethod
    def read(cls, settings: EdgeSettings) -> Files:
        """Read them. Raises CertificateError, PolicyFileError, RingError or TableError."""
        file = settings.access_keys
        ring = settings.access_ring or None if file is None else read_ring(file)
        policies = _read_rules(settings)
        if ring is None and policies is not None:
            _refuse_rules_without_keys(policies)
        table = settings.network_table
        return cls(
            pems=read_pairs(settings.tls),
            policies=policies,
            ring=ring,
            networks_fd=None if table is None else read_networks(table),
        )


def _refuse_rules_without_keys(policies: PolicyFile) -> None:
    for rule in policies.document.rules:
        if rule.settings.access == "signed":
            raise RingError(f"not given, but rule `{rule.name}` of {policies.name} demands tokens")


def _read_rules(settings: EdgeSettings) -> PolicyFile | None:
    if settings.policies is None:
        return None
    from edge.policy_file import read_rules  # noqa: PLC0415 pydantic: a bare edge needs none

    return read_rules(settings.policies, settings.group_names)

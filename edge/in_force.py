"""The policies that a worker follows, and the next ones that it is ready to follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cache_policies.policies import UNSYNCED, Policies


class InForce:
    """One per worker: `policies` is read at every decision, and replaced as a whole."""

    __slots__ = ("_prepared", "policies")

    def __init__(self, policies: Policies | None = None) -> None:
        self.policies = policies or Policies.bare()
        self._prepared: Policies | None = None

    @classmethod
    def of(cls, rules: Mapping[str, Any] | None) -> InForce:
        """Return what a worker begins with; `rules` is `PolicyFile.to_mapping`, None for none."""
        return cls(None if rules is None else compiled(rules))

    def prepare(self, rules: Mapping[str, Any] | None) -> int:
        """Be ready to follow `rules`; return their epoch."""
        self._prepared = Policies.bare() if rules is None else compiled(rules)
        return self._prepared.epoch

    def switch(self, epoch: int) -> bool:
        """Follow what was prepared under `epoch`, or what is in force; False for all others.

        The epoch also says whether purges may be missed.
        """
        own, is_unsynced = epoch & ~UNSYNCED, bool(epoch & UNSYNCED)
        prepared = self._prepared
        if prepared is not None and prepared.epoch == own:
            self.policies, self._prepared = prepared, None
        elif self.policies.epoch & ~UNSYNCED != own:
            return False
        self.policies = self.policies.unsynced(is_unsynced=is_unsynced)
        return True


def compiled(rules: Mapping[str, Any]) -> Policies:
    """Return the policies of a `PolicyFile.to_mapping`."""
    from cache_policies.load import PolicyFile  # noqa: PLC0415 pydantic: a bare edge needs none
    from cache_policies.policies import compile_policies  # noqa: PLC0415

    return compile_policies(PolicyFile.from_mapping(rules))

"""Policies from the text of a policy file."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from cache_policies.load import load_policies
from cache_policies.policies import Policies, compile_policies


def rules(text: str) -> dict[str, Any]:
    """Return the rules in `text` as a worker is handed them."""
    return load_policies(dedent(text).encode(), "rules.yaml").to_mapping()


def compiled(text: str) -> Policies:
    """Return what the rules in `text` mean."""
    return compile_policies(load_policies(dedent(text).encode(), "rules.yaml"))

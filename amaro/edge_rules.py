"""What the edges of a stack cache by, and the keys with which its paths are signed, if they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from amaro.ring_text import new_ring, new_secret
from amaro.shipped import shipped
from amaro.stack import write_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from amaro.stack import DataDir

_SIGNED: Final = """
  # added by `amaro up --signed`
  - name: signed
    match: { path: /v/* }
    set: { access: signed }
"""


def edge_rules(data: DataDir, *, signed: bool, hosts: Sequence[str] = ()) -> Path:
    """Return the policy file of the edges: the shipped one, or one that says more.

    It demands tokens, too, where paths are signed. Several `hosts`, as players call the edges, are
    names of one site: what one edge has is what another is asked for.
    """
    rules = shipped("policies/amaro.yaml")
    if not signed and len(hosts) < 2:
        return rules
    text = rules.read_text().rstrip() + "\n" + (_SIGNED if signed else "")
    if len(hosts) > 1:
        first, *others = (f'"{host}"' for host in hosts)
        text += f"\n# added by `amaro up`\nhosts:\n  {first}: [{', '.join(others)}]\n"
    ours = data.run / "policies.yaml"
    write_secret(ours, text.encode())
    return ours


def access_keys(data: DataDir) -> Path:
    """Return the file of the stack's ring, made on first use; its operator may change it."""
    ring = data.root / "access-keys"
    if not ring.exists():
        write_secret(ring, new_ring(new_secret()).encode())
    return ring

"""The runbooks as they stand in `docs/runbooks`: a console must not need another site for them."""

from __future__ import annotations

from console.assets import HERE, Asset, asset

RUNBOOKS = HERE.parent / "docs" / "runbooks"


def read_runbooks() -> dict[str, Asset]:
    """Every runbook by name; none where the documents are not installed."""
    return {
        path.stem: asset(path.read_bytes(), "text/plain; charset=utf-8")
        for path in sorted(RUNBOOKS.glob("*.md"))
    }

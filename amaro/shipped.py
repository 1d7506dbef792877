"""Where the configuration that comes with the program lies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from amaro.stack import StackError

ROOTS: Final = (Path(__file__).parents[1], Path(sys.prefix) / "share" / "amaro-edge")
"""A checkout's root, and where a wheel puts its data."""


def shipped(name: str) -> Path:
    """Return the file `configs/NAME`. Raises StackError when the installation lacks it."""
    for root in ROOTS:
        path = root / "configs" / name
        if path.is_file():
            return path
    raise StackError(f"configs/{name} is missing from {ROOTS[0]}. Install Amaro Edge again.")

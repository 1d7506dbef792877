"""Unfinished uploads, remembered between runs so that the next one goes on where this one ended."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from amaro.stack import write_secret

FORGET_AFTER_S: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One file's upload to one origin; the URL is a secret, because who knows it may write."""

    path: Path

    def url(self) -> str | None:
        """Return the upload's URL, or None when there is no unfinished one."""
        with suppress(FileNotFoundError):
            return self.path.read_text()
        return None

    def keep(self, url: str) -> None:
        """Remember the URL of an upload that has begun."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(self.path, url.encode())

    def forget(self) -> None:
        """Forget an upload that is complete or gone."""
        self.path.unlink(missing_ok=True)


def remembered(file: Path, *, origin: str, region: str, title: str) -> Remembered:
    """Return the memory of this very content going to this very place."""
    facts = file.stat()
    identity = (file.resolve(), facts.st_size, facts.st_mtime_ns, origin, region, title)
    name = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    return Remembered(path=state_dir() / name)


def forget_old(now_wall: float | None = None) -> None:
    """Drop what no origin keeps any longer either."""
    horizon = (time.time() if now_wall is None else now_wall) - FORGET_AFTER_S
    if state_dir().is_dir():
        for path in state_dir().iterdir():
            with suppress(FileNotFoundError):  # another run has forgotten it meanwhile
                if path.stat().st_mtime < horizon:
                    path.unlink()


def state_dir() -> Path:
    """Return where this user's programs keep their state (XDG Base Directory)."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "amaro" / "uploads"

"""Orders that stand until a newer one comes: given to every worker, kept across restarts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from edge.orders import OrderError
from edge.strict_json import NONE, Version

log = logging.getLogger("edge.node")

Publish: TypeAlias = Callable[[str, str], Awaitable[tuple[str, ...]]]
"""Gives the workers a text under a question; returns the names of those that did not confirm."""


class Versioned(Protocol):
    """What every order says."""

    @property
    def version(self) -> Version: ...


class OutdatedOrderError(Exception):
    """A newer order stands, or another one of the same version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What became of an order."""

    version: Version
    changed: bool
    hanging: tuple[str, ...]
    kept: bool  # it outlasts a restart
    took_ms: float

    def to_mapping(self) -> dict[str, Any]:
        """Return what the admin listener answers."""
        answer: dict[str, Any] = {
            "version": self.version,
            "changed": self.changed,
            "kept": self.kept,
            "took_ms": round(self.took_ms, 3),
        }
        if self.hanging:
            answer["error"] = f"not followed in time by {', '.join(self.hanging)}"
        return answer


class StandingOrder:
    """The order of one kind that stands at a node. Of the versions it has seen none returns."""

    def __init__(
        self, question: str, parse: Callable[[bytes], Versioned], publish: Publish, disk: str | None
    ) -> None:
        """`question` names it to the workers; what `disk`, a directory, holds of it is read."""
        self.text: str | None = None
        self.version: Version = NONE
        self._question = question
        self._parse = parse
        self._publish = publish
        self._file = None if disk is None else Path(disk) / f"{question}.json"
        self._is_followed = True
        self._is_kept = False
        self._lock = asyncio.Lock()
        self._load()

    @property
    def is_followed(self) -> bool:
        """Whether every worker follows it."""
        return self._is_followed

    def to_mapping(self) -> dict[str, Any]:
        """Return the order as it was given, its version alone when none was; and who follows it."""
        told: dict[str, Any] = json.loads(self.text) if self.text else {"version": self.version}
        return told | {"followed": self._is_followed}

    async def put(self, body: bytes) -> Standing:
        """Have all workers follow an order. Raises OrderError or OutdatedOrderError."""
        began_mono = time.monotonic()
        async with self._lock:
            version = self._parse(body).version
            text = json.dumps(json.loads(body), separators=(",", ":"), sort_keys=True)
            if version < self.version:
                raise OutdatedOrderError(f"version {list(self.version)} stands, which is newer")
            changed = text != self.text
            if changed and version == self.version and self.text is not None:
                raise OutdatedOrderError(f"another order of version {list(version)} stands")
            hanging: tuple[str, ...] = ()
            if changed or not self._is_followed:
                self.text, self.version = text, version
                self._is_followed = False  # whatever becomes of this request
                hanging = await self._publish(self._question, text)
                self._is_followed = not hanging  # else they are told again
            if changed or not self._is_kept:
                self._is_kept = False
                self._is_kept = await asyncio.to_thread(self._keep, text)
        took_ms = (time.monotonic() - began_mono) * 1000.0
        return Standing(
            version=version, changed=changed, hanging=hanging, kept=self._is_kept, took_ms=took_ms
        )

    def _keep(self, text: str) -> bool:
        """Write an order down; players are steered whether that works or not."""
        if self._file is None:
            return False
        aside = self._file.with_suffix(".new")
        try:
            with aside.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._file)
        except OSError as error:
            log.warning("%s is not kept: %s", self._file.name, error)
            return False
        return True

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            text = self._file.read_text()
            self.version = self._parse(text.encode()).version
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError, OrderError) as error:
            log.error("%s is not used: %s", self._file, error)
            return
        self.text, self._is_kept = text, True

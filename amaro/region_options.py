"""What `amaro edge serve` is told of its region: who is in it, how they know each other."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from amaro.quantities import parse_address
from amaro.terminal import give_up

if TYPE_CHECKING:
    from pathlib import Path

    from edge.settings import Address, EdgeSettings

REGION_VARIABLE: Final = "AMARO_REGION_TOKEN"
TOKEN_MIN: Final = 16  # characters
WILDCARDS: Final = {"0.0.0.0", "::", ""}  # noqa: S104


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionOptions:
    """The options as they were given."""

    shield: str | None
    peer: str | None
    advertise: str | None
    token_file: Path | None
    has_log: bool  # of purges
    has_redis: bool

    def onto(self, settings: EdgeSettings) -> EdgeSettings:
        """Return the settings with these; give up with the reason where they mean nothing."""
        if self.shield is None and self.peer is None:
            for name, value in {
                "--advertise": self.advertise,
                "--region-token-file": self.token_file,
            }.items():
                if value is not None:
                    give_up(f"{name} means nothing without --peer or --shield", status=2)
            return settings
        option = "--shield" if self.shield is not None else "--peer"
        if not self.has_log:
            give_up(
                f"{option} needs --purge-log URL: edges that count purges by no common log cannot "
                "tell what of each other's is purged, so they share nothing",
                status=2,
            )
        if self.shield is None and not self.has_redis:
            give_up(
                "--peer needs --shield URL,… with the edges of the region, or --redis, where they "
                "announce themselves",
                status=2,
            )
        members, peer, advertise = self._members(), self._peer(), self._advertised()
        if peer is not None and peer.port and not self.has_redis:
            self._is_among(members, advertise or f"http://{peer}")
        return replace(
            settings,
            shield=members,
            peer=peer,
            advertise=advertise,
            region_token=self._token(option),
        )

    def _is_among(self, members: tuple[str, ...], url: str) -> None:
        """Give up where others are never told of this edge: it would wait for them in vain."""
        from edge.members import member_url  # noqa: PLC0415

        if member_url(url) not in members:
            give_up(
                f"--peer {self.peer}: no edge would ask this one, because {url} is not in "
                "--shield. Name it there, at all edges; or say --advertise URL as it is named "
                "there; or give --redis, where it announces itself; or leave out --peer, and it "
                "only asks others",
                status=2,
            )

    def _members(self) -> tuple[str, ...]:
        from edge.members import MembersError, configured  # noqa: PLC0415

        try:
            said = (self.shield or "").split(",")
            return tuple(configured([text for text in said if text.strip()]))
        except MembersError as error:
            give_up(f"--shield: {error}", status=2)

    def _peer(self) -> Address | None:
        from edge.settings import Address  # noqa: PLC0415

        if self.peer is None:
            return None
        try:
            return Address(*parse_address(self.peer))
        except ValueError as error:
            give_up(f"--peer: {error}", status=2)

    def _advertised(self) -> str:
        """The URL by which others ask this edge; "" where that follows from where it listens."""
        from edge.members import MembersError, member_url  # noqa: PLC0415

        peer = self._peer()
        if peer is None and self.advertise is not None:
            give_up("--advertise means nothing without --peer HOST:PORT", status=2)
        if self.advertise is not None:
            try:
                return member_url(self.advertise)
            except MembersError as error:
                give_up(f"--advertise: {error}", status=2)
        if peer is not None and peer.host in WILDCARDS:
            give_up(
                f"--peer {self.peer} needs --advertise http://HOST:PORT, by which others ask",
                status=2,
            )
        return ""

    def _token(self, option: str) -> str:
        file = self.token_file
        try:
            text = (
                os.environ.get(REGION_VARIABLE, "") if file is None else file.read_text("latin-1")
            )
        except OSError as error:
            give_up(f"--region-token-file {file}: {error.strerror}", status=2)
        token = text.strip()
        where = f"${REGION_VARIABLE}" if file is None else f"--region-token-file {file}"
        if not token:
            give_up(
                f"{option} needs the region's token: set {REGION_VARIABLE}, or give "
                "--region-token-file FILE",
                status=2,
            )
        if len(token) < TOKEN_MIN or not token.isascii() or not token.isprintable():
            give_up(f"{where}: want at least {TOKEN_MIN} plain characters", status=2)
        return token

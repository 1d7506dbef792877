"""The members of failover as an operator's command speaks to them: any of them will do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from amaro.stack import StackError
from amaro.target import find_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KIND: Final = "failover"  # of a member, in `run/stack.json`
PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """What one member answered, or why it did not."""

    url: str
    status: int = 0
    answer: Mapping[str, Any] | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Whom to ask, and the token that proves we may."""

    urls: tuple[str, ...]
    token: str

    def ask(self, path: str, **params: str) -> list[Said]:
        """Ask all of them at once."""
        return asyncio.run(self._all("GET", path, params=params))

    def order(self, order: Mapping[str, Any]) -> Said:
        """Give an order to the one that leads, else to the first that answers."""
        asked = self.ask("/status")
        there = [said for said in asked if said.answer is not None]
        if not there:
            raise StackError(unreachable(asked))
        there.sort(key=lambda said: not (said.answer or {}).get("leads"))
        members = Members(urls=(there[0].url,), token=self.token)
        (said,) = asyncio.run(members._all("POST", "/orders", json=dict(order)))
        return said

    def drill(self, method: str, **more: Any) -> Said:
        """Begin, end or ask for a drill, at the member that leads; raises StackError if none."""
        asked = asyncio.run(self._all(method, "/drill", **more))
        for said in asked:
            if said.answer is not None and said.status != 503:
                return said
        if not any(said.answer is not None for said in asked):
            raise StackError(unreachable(asked))
        raise StackError("No member leads just now. amaro failover status says why.")

    def led(self, path: str, **params: str) -> Mapping[str, Any]:
        """What the member that leads says. Raises StackError when nobody does."""
        asked = self.ask(path, **params)
        for said in asked:
            if said.status == 200 and said.answer is not None:
                return said.answer
        for said in asked:
            if said.status == 400 and said.answer is not None:
                raise StackError(str(said.answer.get("error", "")))
        if not any(said.answer is not None for said in asked):
            raise StackError(unreachable(asked))
        raise StackError("No member leads just now. amaro failover status says why.")

    async def _all(self, method: str, path: str, **more: Any) -> list[Said]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(
            headers=headers, timeout=PATIENCE_S, trust_env=False
        ) as client:
            return await asyncio.gather(
                *(_one(client, method, url, path, more) for url in self.urls)
            )


async def _one(
    client: httpx.AsyncClient, method: str, url: str, path: str, more: Mapping[str, Any]
) -> Said:
    try:
        answer = await client.request(method, url + path, **more)
        said = answer.json()
    except httpx.ReadTimeout:
        unsure = "; whether it was carried out is not known" if method == "POST" else ""
        return Said(url, why_not=f"no answer within {PATIENCE_S:g} s{unsure}")
    except (OSError, httpx.HTTPError, ValueError) as error:
        return Said(url, why_not=str(error) or type(error).__name__)
    if answer.status_code == 401:
        return Said(url, 401, why_not="it knows another token")
    return Said(url, answer.status_code, said)


def unreachable(asked: Sequence[Said]) -> str:
    """Return the sentence for members none of which answered."""
    told = "; ".join(f"{said.url}: {said.why_not}" for said in asked)
    return f"No member answers ({told}). Name others with --admin URL."


def find_members(*, data: Path, admin: Sequence[str] | None, token_file: Path | None) -> Members:
    """Return the members that the options name, or those of the running stack."""
    target = find_target(data=data, admin=admin, token_file=token_file)
    if not target.services:
        return Members(urls=target.admins, token=target.token)
    urls = tuple(each.admin_url for each in target.services if each.kind == KIND and each.admin_url)
    if not urls:
        raise StackError(
            "The running stack has no failover: start it with amaro up --failover, or name "
            "members with --admin URL."
        )
    return Members(urls=urls, token=target.token)

"""The members of failover as an operator's command speaks to them: any of them will do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from amaro.stack import StackError
from amaro.target import TOKEN_VARIABLE, find_target
from failover.probe_errors import said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KIND: Final = "failover"  # of a member, in `run/stack.json`
UNAUTHORISED: Final = 401
NOT_FOUND: Final = 404
GOOD: Final = 200
PATIENCE_S: Final = 5.0
NO_MEMBER: Final = "what answers there is no member of failover"
HAVE: Final = {  # what no answer of a member's is without; others may have an answer there, too
    "/status": "leads",
    "/plan": "steps",
    "/history": "entries",
    "/verify": "entries",
    "/orders": "carried_out",
}


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
        there = [each for each in asked if each.answer is not None]
        if not there:
            raise StackError(unreachable(asked))
        there.sort(key=lambda each: not (each.answer or {}).get("leads"))
        members = Members(urls=(there[0].url,), token=self.token)
        (told,) = asyncio.run(members._all("POST", "/orders", json=dict(order)))
        return told

    def drill(self, method: str, **more: Any) -> Said:
        """Begin, end or ask for a drill, at the member that leads; raises StackError if none."""
        asked = asyncio.run(self._all(method, "/drill", **more))
        for each in asked:
            if each.answer is not None and each.status != 503:
                return each
        raise StackError(_unled(asked))

    def led(self, path: str, **params: str) -> Mapping[str, Any]:
        """What the member that leads says. Raises StackError when nobody does."""
        asked = self.ask(path, **params)
        for each in asked:
            if each.status == 200 and each.answer is not None:
                return each.answer
        for each in asked:
            if each.status == 400 and each.answer is not None:
                raise StackError(str(each.answer.get("error", "")))
        raise StackError(_unled(asked))

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
        told = answer.json()
    except httpx.ReadTimeout:
        unsure = "; whether it was carried out is not known" if method == "POST" else ""
        return Said(url, why_not=f"no answer within {PATIENCE_S:g} s{unsure}")
    except httpx.TimeoutException:
        return Said(url, why_not=f"no answer within {PATIENCE_S:g} s")
    except ValueError:
        return Said(url, why_not=NO_MEMBER)
    except (OSError, httpx.HTTPError) as error:
        return Said(url, why_not=_met(error))
    if answer.status_code == UNAUTHORISED:
        return Said(url, UNAUTHORISED, why_not="it has another token")
    is_member = isinstance(told, dict) and answer.status_code != NOT_FOUND
    if not is_member or (answer.status_code == GOOD and HAVE.get(path, "") not in {"", *told}):
        return Said(url, why_not=NO_MEMBER)
    return Said(url, answer.status_code, told)


def _met(error: Exception) -> str:
    met = said(error)
    if met == "refused":
        return "nobody listens there"
    return f"{met}; is it http:// there, not https://?" if "WRONG_VERSION" in met else met


def _unled(asked: Sequence[Said]) -> str:
    """Return the sentence for what only a member that leads can say or do."""
    if all(each.answer is None for each in asked):
        return unreachable(asked)
    silent = [each.url for each in asked if each.answer is None]
    others = f" ({', '.join(silent)} did not answer)" if silent else ""
    return f"No member leads just now{others}. amaro failover status says why."


def unreachable(asked: Sequence[Said]) -> str:
    """Return the sentence for members none of which answered: what, where, and what to do."""
    if asked and all(each.status == UNAUTHORISED for each in asked):
        urls = ", ".join(each.url for each in asked)
        return f"No member takes this token ({urls}). Set {TOKEN_VARIABLE} to the members' one."
    told = "; ".join(f"{each.url}: {each.why_not}" for each in asked)
    return f"No member answers ({told}). See that they run, or name others with --admin URL."


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

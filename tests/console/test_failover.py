"""What the failover page is answered, with members that do not answer, and orders."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from console.failover import FailoverPage

MEMBERS = {"m1": "http://m1", "m2": "http://m2", "m3": "http://m3"}
GOOD = {"Authorization": "Bearer right"}
ENTRY = {"text": "a is down"}


class Group:
    """Members: m1 is gone, m2 follows, m3 leads."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, dict[str, object]]] = []
        self.leader = "m3"

    def answer(self, request: httpx.Request) -> httpx.Response:
        name, path = request.url.host, request.url.path
        if name == "m1":
            raise httpx.ConnectError("refused")
        if request.headers["authorization"] != "Bearer right":
            return httpx.Response(401, json={"error": "token"})
        match path:
            case "/status":
                return httpx.Response(200, json={"leads": name == self.leader})
            case "/history":
                at = {"m2": 2.0, "m3": 1.0}[name]
                return httpx.Response(200, json={"entries": [ENTRY | {"at": at}]})
            case "/plan" if name == self.leader:
                if request.url.params.get("target") == "none":
                    return httpx.Response(400, json={"error": "no target"})
                return httpx.Response(200, json={"steps": []})
            case "/plan":
                return httpx.Response(503, json={"error": "does not lead"})
        self.orders.append((name, json.loads(request.content)))
        return httpx.Response(409, json={"carried_out": False, "text": "it fails"})


class Client:
    """Asks the application without a socket."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def get(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, **more))

    def post(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, **more))

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            return await client.request(method, path, **more)


@pytest.fixture
def group() -> Group:
    return Group()


@pytest.fixture
def page(group: Group) -> Client:
    asked = FailoverPage(MEMBERS, httpx.MockTransport(group.answer))
    routes = [
        Route("/failover.json", asked.seen),
        Route("/plan.json", asked.planned),
        Route("/orders", asked.ordered, methods=["POST"]),
    ]
    return Client(Starlette(routes=routes))


def test_it_says_who_does_not_answer(page: Client) -> None:
    said = page.get("/failover.json", headers=GOOD).json()
    assert [each["why_not"] for each in said["members"]] == ["refused", "", ""]
    assert said["led"] == {"leads": True}
    assert [each["member"] for each in said["entries"]] == ["m3", "m2"]


def test_nothing_is_said_or_done_without_the_token(page: Client, group: Group) -> None:
    assert page.get("/failover.json").status_code == 401
    assert page.get("/plan.json").status_code == 401
    order = {"order": "freeze", "confirm": "everything"}
    assert page.post("/orders", json=order).status_code == 401
    assert group.orders == []


def test_a_plan_is_the_leaders(page: Client, group: Group) -> None:
    assert page.get("/plan.json", headers=GOOD).json() == {"steps": []}
    wrong = page.get("/plan.json?service=media&target=none", headers=GOOD)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "no target")
    group.leader = ""
    assert page.get("/plan.json", headers=GOOD).status_code == 503


@pytest.mark.parametrize(
    ("order", "typed"),
    [({"service": "media"}, "medi"), ({"service": "media"}, "everything"), ({}, "")],
)
def test_an_order_needs_its_name_typed(
    page: Client, group: Group, order: dict[str, str], typed: str
) -> None:
    said = page.post("/orders", headers=GOOD, json=order | {"confirm": typed})
    assert (said.status_code, group.orders) == (400, [])
    assert "to confirm" in said.json()["error"]


def test_an_order_of_two_services_is_refused(page: Client, group: Group) -> None:
    """What is typed would be one of them, what is done may be the other."""
    twice = b'{"order": "freeze", "service": "feed", "service": "media", "confirm": "media"}'
    assert page.post("/orders", headers=GOOD, content=twice).status_code == 400
    assert group.orders == []


def test_an_order_goes_to_who_leads(page: Client, group: Group) -> None:
    order = {"order": "switch", "service": "media", "target": "b"}
    said = page.post("/orders", headers=GOOD, json=order | {"confirm": "media"})
    assert (said.status_code, said.json()["text"]) == (409, "it fails")
    assert group.orders == [("m3", order)]
    group.leader = ""
    page.post("/orders", headers=GOOD, json={"order": "freeze", "confirm": "everything"})
    assert group.orders[1][0] == "m2"  # it says that nobody leads


def test_what_is_no_order_is_not_passed_on(page: Client, group: Group) -> None:
    for body in (b"[]", b"{", b'"' + b"x" * 9000 + b'"'):
        assert page.post("/orders", headers=GOOD, content=body).status_code == 400
    assert group.orders == []

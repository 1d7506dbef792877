"""A stand-in for the part of Cloudflare's API that DNS records are changed by.

Error shapes and codes, transactional batches, TTL limits and the rate limit are the API's own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

TOKEN = "token-of-a-test"
ZONE_ID = "023e105f4ecef8ad9ca31a8372d0c353"
ADDRESSES = {"A", "AAAA"}


class ApiError(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        self.status, self.code, self.message = status, code, message


@dataclass
class CloudflareDns:
    """One account with one zone. A test may make its requests fail, or count them."""

    zone: str = "edge.test"
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    left: int | None = None  # requests before the rate limit, 1 200 in five minutes in reality
    retry_after_s: int = 42
    token_status: str = "active"
    writes: int = 0
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def add(self, name: str, kind: str, content: str, ttl: int = 60) -> dict[str, Any]:
        """Create a record as the API would, or raise its error."""
        if not (name == self.zone or name.endswith(f".{self.zone}")):
            name = f"{name}.{self.zone}"  # as the API completes names
        if kind not in {"A", "AAAA", "CNAME", "TXT"}:
            raise ApiError(400, 1004, "DNS Validation Error")
        if ttl != 1 and not 60 <= ttl <= 86_400:
            raise ApiError(
                400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic."
            )
        here = [each for each in self.records.values() if each["name"] == name]
        kinds = {each["type"] for each in here}
        if (kind == "CNAME" and kinds & {*ADDRESSES, "CNAME"}) or (
            kind in ADDRESSES and "CNAME" in kinds
        ):
            raise ApiError(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
        if any(each["type"] == kind and each["content"] == content for each in here):
            raise ApiError(400, 81058, "An identical record already exists.")
        record = {
            "id": f"{next(self.numbers):032x}",
            "name": name,
            "type": kind,
            "content": content,
            "ttl": ttl,
            "proxied": False,
            "proxiable": kind != "TXT",
        }
        self.records[record["id"]] = record
        return record

    def delete(self, record_id: str) -> dict[str, Any]:
        if record_id not in self.records:
            raise ApiError(404, 81044, "Record does not exist.")
        return self.records.pop(record_id)

    def app(self) -> Starlette:
        base = "/client/v4"
        zone = f"{base}/zones/{{zone_id}}"
        routes = [
            Route(f"{base}/user/tokens/verify", self._endpoint(self._verify)),
            Route(f"{base}/zones", self._endpoint(self._zones)),
            Route(zone, self._endpoint(self._zone)),
            Route(f"{zone}/pagerules", self._endpoint(self._none)),
            Route(f"{zone}/dns_records", self._endpoint(self._list)),
            Route(f"{zone}/dns_records", self._endpoint(self._create), methods=["POST"]),
            Route(
                f"{zone}/dns_records/{{record_id:str}}",
                self._endpoint(self._one),
                methods=["DELETE", "PUT"],
            ),
            Route(f"{zone}/dns_records/batch", self._endpoint(self._batch), methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _endpoint(self, answer: Any) -> Any:
        async def endpoint(request: Request) -> JSONResponse:
            try:
                self._admit(request)
                before = dict(self.records)
                body = await request.body()
                try:
                    result = answer(request, await request.json() if body else None)
                except ApiError:
                    self.records = before  # one transaction
                    raise
            except ApiError as error:
                return self._failure(error)
            self.writes += request.method != "GET"
            return JSONResponse(
                {"result": result, "success": True, "errors": [], "messages": []}
                | ({"result_info": _info(request, result)} if isinstance(result, list) else {})
            )

        return endpoint

    def _failure(self, error: ApiError) -> JSONResponse:
        said = {"code": error.code, "message": error.message}
        body = {"result": None, "success": False, "errors": [said], "messages": []}
        headers = {"Retry-After": str(self.retry_after_s)} if error.status == 429 else {}
        return JSONResponse(body, error.status, headers)

    def _admit(self, request: Request) -> None:
        if self.left is not None:
            if self.left == 0:
                raise ApiError(429, 971, "Please wait and consider throttling your request speed")
            self.left -= 1
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            if request.url.path.endswith("/verify"):
                raise ApiError(401, 1000, "Invalid API Token")
            raise ApiError(403, 10000, "Authentication error")
        asked = request.path_params.get("zone_id", ZONE_ID)
        if len(asked) != 32:
            raise ApiError(
                400, 7003, f"Could not route to /client/v4/zones/{asked}, perhaps your object "
                "identifier is invalid?"
            )  # fmt: skip
        if asked != ZONE_ID:
            raise ApiError(404, 1003, "Invalid or missing zone id.")

    def _verify(self, request: Request, body: Any) -> Any:
        return {"id": "1", "status": self.token_status, "expires_on": "2027-01-01T00:00:00Z"}

    def _zones(self, request: Request, body: Any) -> Any:
        return [self._zone(request, body)]

    def _zone(self, request: Request, body: Any) -> Any:
        plan = {"legacy_id": "free"}
        return {"id": ZONE_ID, "name": self.zone, "status": "active", "plan": plan}

    def _none(self, request: Request, body: Any) -> Any:
        return []

    def _list(self, request: Request, body: Any) -> Any:
        name = request.query_params.get("name")
        return [each for each in self.records.values() if name in {None, each["name"]}]

    def _create(self, request: Request, body: Any) -> Any:
        return self.add(body["name"], body["type"], body["content"], body["ttl"])

    def _one(self, request: Request, body: Any) -> Any:
        old = self.delete(request.path_params["record_id"])
        if request.method == "DELETE":
            return {"id": old["id"]}
        new = self._create(request, body)
        self.records[old["id"]] = self.records.pop(new["id"]) | {"id": old["id"]}
        return self.records[old["id"]]

    def _batch(self, request: Request, body: Any) -> Any:
        deleted = [self.delete(each["id"]) for each in body.get("deletes", ())]
        posted = [
            self.add(each["name"], each["type"], each["content"], each["ttl"])
            for each in body.get("posts", ())
        ]
        return {"deletes": deleted, "patches": None, "puts": None, "posts": posted}


def _info(request: Request, result: list[Any]) -> dict[str, int]:
    per_page = int(request.query_params.get("per_page", "100"))
    return {"page": 1, "per_page": per_page, "count": len(result), "total_count": len(result)}

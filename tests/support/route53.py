"""Route 53 as `moto` has it, with the real one's judgement of what a DELETE may name."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend
from moto.server import ThreadedMotoServer

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRET = f"{ACCESS_KEY}:{SECRET_KEY}"
ZONE = "edge.test."


class BatchError(Route53ClientError):
    """What the service says of a DELETE that is not what is there."""

    code = 400

    def __init__(self, name: str, kind: str, why: str) -> None:
        message = f"Tried to delete resource record set [name='{name}', type='{kind}'] but {why}"
        super().__init__("InvalidChangeBatch", message)


@dataclass
class RunningRoute53:
    api: str
    zone_id: str
    client: Any
    writes: int = 0

    def put(self, name: str, kind: str, ttl: int, values: list[str]) -> None:
        records = [{"Value": value} for value in values]
        item = {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": records}
        change = {"Action": "UPSERT", "ResourceRecordSet": item}
        self.client.change_resource_record_sets(
            HostedZoneId=self.zone_id, ChangeBatch={"Changes": [change]}
        )

    def clear(self, name: str) -> None:
        """Delete the name's records, whatever they are."""
        listed = self.client.list_resource_record_sets(HostedZoneId=self.zone_id)
        for item in listed["ResourceRecordSets"]:
            if item["Name"] == name:
                changes = [{"Action": "DELETE", "ResourceRecordSet": item}]
                self.client.change_resource_record_sets(
                    HostedZoneId=self.zone_id, ChangeBatch={"Changes": changes}
                )


@contextmanager
def route53(patch: pytest.MonkeyPatch) -> Iterator[RunningRoute53]:
    """A server of moto's with the zone."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    api = f"http://{host}:{port}"
    client = boto3.client(
        "route53",
        endpoint_url=api,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    zone = client.create_hosted_zone(Name=ZONE, CallerReference="1")["HostedZone"]
    running = RunningRoute53(api, zone["Id"].rpartition("/")[2], client)
    patch.setattr(
        Route53Backend,
        "change_resource_record_sets",
        _judging(running, Route53Backend.change_resource_record_sets),
    )
    try:
        yield running
    finally:
        client.close()
        server.stop()


def _judging(running: RunningRoute53, apply: Any) -> Any:
    """moto asks its journal whether something was ever created; the service, what is there."""

    def judged(backend: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        zone = backend.get_hosted_zone(zoneid)
        present = {(each.name, each.type): each for each in zone.rrsets}
        for change in change_list:
            asked = change["ResourceRecordSet"]
            if change["Action"] != "DELETE":
                continue
            there = present.get((asked["Name"], asked["Type"]))
            if there is None:
                raise BatchError(asked["Name"], asked["Type"], "it was not found")
            values = sorted(each["Value"] for each in asked["ResourceRecords"])
            if (int(asked["TTL"]), values) != (int(there.ttl), sorted(there.records)):
                why = "the values provided do not match the current values"
                raise BatchError(asked["Name"], asked["Type"], why)
        zone.rr_changes.clear()
        for change in change_list:
            if change["Action"] == "DELETE":
                created = {"Action": "CREATE", "ResourceRecordSet": change["ResourceRecordSet"]}
                zone.rr_changes.append(copy.deepcopy(created))
        running.writes += 1
        apply(backend, zoneid, change_list)

    return judged

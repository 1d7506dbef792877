"""A real node of two workers sees an origin go and come back."""

import asyncio
import socket
from functools import partial

from prometheus_client.parser import text_string_to_metric_families

from tests.support.edge_node import RunningNode, edge_node, eventually
from tests.support.edges import Asked, Origin, response, running_origin


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b""))


def told(node: RunningNode, name: str) -> dict[str, float]:
    """The values of a metric by origin."""
    text = node.admin("GET", "/metrics", token=None).text
    return {
        sample.labels["origin"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


async def test_an_origin_goes_and_comes_back_for_all_workers() -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))  # nobody listens: connections are refused
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
        async with running_origin(script) as other:
            with edge_node(f"{url},{other.url}", workers=2) as node:

                def is_seen(up: float) -> bool:
                    return told(node, "amaro_edge_origin_up") == {url: up, other.url: 1.0}

                await asyncio.to_thread(eventually, partial(is_seen, 0.0), "an ejection")
                assert told(node, "amaro_edge_origin_failures_total")[url] >= 3
                assert {asked.method for asked in other.asked} == {"HEAD"}
                back = Origin(script)
                await back.start(place)
                await asyncio.to_thread(eventually, partial(is_seen, 1.0), "a return")
                await back.stop()

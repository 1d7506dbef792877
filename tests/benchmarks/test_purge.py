"""What the purge benchmark spreads over its edges, and how it reads what they answer."""

import asyncio

from benchmarks.filling import Answer, ask
from benchmarks.purge import EDGES, share_of
from benchmarks.tagged_origin import BODY_BYTES, Connection, answer, body


def test_edges_share_all_objects_and_half_of_each_share_is_tagged():
    shares = [share_of(edge, 8_000) for edge in range(EDGES)]
    assert sorted(number for share in shares for number in share) == list(range(8_000))
    for share in shares:
        tagged = [number for number in share if b": half " in answer(number, 0)]
        assert len(tagged) == len(share) // 2


def test_bodies_have_one_length():
    assert {len(body(number, 7)) for number in (0, 99_999)} == {BODY_BYTES}


async def test_every_object_is_asked_for_once():
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answers = await ask(port, range(100), BODY_BYTES, wide=3)
    assert sorted(answers) == [Answer(number, False, body(number, 0)) for number in range(100)]

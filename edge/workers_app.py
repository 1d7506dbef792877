"""What other workers of the node ask of this one; nobody but them is on its socket."""

from __future__ import annotations

from typing import Final

from cache_policies.message import Fields
from edge.app import EdgeApp, Receive
from edge.asking import Asked
from edge.cycle import Scope
from edge.delivery import Answer
from edge.forwarding import FOR, HOP, UPWARDS
from edge.region_sequence import SEQUENCE
from edge.server_timing import Trace
from edge.shield_app import BEHIND, LeasedBody

_NOBODY: Final = b"unknown"


class WorkersApp(EdgeApp):
    """Answers other workers. Where edges may wait for them it asks only whom they may ask."""

    async def _answer(self, scope: Scope, receive: Receive, trace: Trace | None) -> Answer:
        fields: Fields = tuple(scope["headers"])
        said = dict(fields)
        number, mark, _ = said.get(HOP, b"0").partition(UPWARDS)
        asked = Asked(client=said.get(FOR, _NOBODY), inside=True, sequence=int(number))
        region, lease = self._exchange.filler.asker.shield, None
        if mark and region is not None:
            self._exchange.catch_up()  # other rules may be in force
            lease = region.shield.answer_worker(self._key(scope, fields))
            if lease is None:  # what this one is asking for may wait for who asks here
                asked = Asked(client=asked.client, inside=True, direct=True, sequence=BEHIND)
        scope["extensions"]["amaro.edge"]["asked"] = asked
        try:
            answer = await super()._answer(scope, receive, trace)
        except BaseException:
            if lease is not None:
                lease.end()
            raise
        if lease is not None:
            answer.body = LeasedBody(answer.body, lease)
        if answer.sequence is not None:
            answer.fields = (*answer.fields, (SEQUENCE, b"%d" % answer.sequence))
        return answer

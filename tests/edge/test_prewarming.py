"""A worker's prewarming: what it takes from the worker, and from what players say."""

from edge.prewarm_budget import SHED, PrewarmPolicy, yields
from edge.shedding import Load
from tests.support.wire import close_worker, worker_without_listener


async def test_it_yields_to_all_else_that_the_worker_has_to_do():
    worker = worker_without_listener()
    shedder, prewarmer = worker.admission.shedder, worker.prewarmer
    assert yields(prewarmer.pressure(), PrewarmPolicy()) == ""
    for tick in range(50):
        shedder.see(Load(late_s=0.0, busy=0.0, fills=1.0), tick * 0.1)
    assert yields(prewarmer.pressure(), PrewarmPolicy()) == SHED
    for tick in range(50, 700):
        shedder.see(Load(late_s=0.0, busy=0.0, fills=0.0), tick * 0.1)
    assert yields(prewarmer.pressure(), PrewarmPolicy()) == ""
    await close_worker(worker)

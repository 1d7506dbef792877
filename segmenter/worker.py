"""The worker: takes jobs from the queue and carries them through their stages, durably.

A job is two workflows of DBOS. `make_watchable` does what a viewer waits for; `make_better` does
the rest on a queue of its own, so that a long video never keeps the next one from being watched.
Each stage is a step whose outcome is journalled: after a crash the job goes on at the next one.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from dbos import DBOS, Queue, SetWorkflowID, StepOptions, WorkflowStatus
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from segmenter.jobs import APPLICATION, QUEUE, WORKFLOW, jobs_engine
from segmenter.lease import BEAT_S, LeaseBook, own_lease
from segmenter.outcome import (
    CANCELLED,
    GAVE_UP,
    MADE,
    NOT_INDEPENDENT,
    NOT_KEPT,
    PACKAGED,
    PLAN,
    PREVIEWS,
    REFUSED,
    Journal,
    journalled,
)
from segmenter.publication import Publisher
from segmenter.stages import AUDIO_NAME, Previews, Stages, StageSettings
from segmenter.tools import Limits

BETTER_QUEUE: Final = "segmenter-better"
BETTER_WORKFLOW: Final = "make_better"
BETTER_SUFFIX: Final = "-better"
# The order of a workflow's steps. A change to it needs a new number: jobs of an older one restart.
JOURNAL_VERSION: Final = "1"
POLL_S: Final = 0.047  # with its jitter still below 50 ms
RECOVERIES_MAX: Final = 10  # of one job by new workers before it is given up
BURY_WITHIN_S: Final = 3600.0
TROUBLE: Final = (SQLAlchemyError, dbos_error.DBOSException, OSError)  # of a database or disk

log = structlog.get_logger("segmenter")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How one worker process works."""

    jobs_url: str
    work_dir: Path
    jobs_at_once: int = 1  # of each kind: first publications, improvements
    duration_max_s: float = 4 * 3600.0
    attempts_max: int = 10  # of one stage while storage or catalog are away: 8 minutes
    retry_after_s: float = 1.0  # doubles with each attempt
    journal_version: str = JOURNAL_VERSION
    limits: Limits = field(default_factory=Limits)


class Worker:
    """One process's share of the work. One a process: DBOS keeps its state in the process."""

    def __init__(self, settings: WorkerSettings, publisher: Publisher) -> None:
        self._settings = settings
        self._publisher = publisher
        self._name = uuid.uuid4().hex
        self._engine = jobs_engine(settings.jobs_url)
        self._room = settings.work_dir / self._name
        self._stages = Stages(
            publisher,
            StageSettings(
                work_dir=self._room,
                duration_max_s=settings.duration_max_s,
                limits=settings.limits,
            ),
        )
        self._options: StepOptions = {
            "retries_allowed": True,
            "max_attempts": settings.attempts_max,
            "interval_seconds": settings.retry_after_s,
        }
        self._stopping = threading.Event()
        self._buried: set[str] = set()  # of the last hour; a few names at most
        self._watchman = threading.Thread(target=self._watch, name="watchman", daemon=True)

    def start(self) -> None:
        """Register with the jobs database and begin to take jobs."""
        logging.getLogger("dbos").setLevel(logging.WARNING)
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_engine": self._engine,
                "application_version": self._settings.journal_version,
                "executor_id": self._name,
                "log_level": "WARNING",
                "scheduler_polling_interval_sec": 3600.0,
            }
        )
        self._register()
        self._leases = LeaseBook(self._engine)
        self._leases.beat(own_lease(self._name, time.time()))
        DBOS.launch()
        self._queue(QUEUE)
        self._better_queue = self._queue(BETTER_QUEUE)
        self._look_after_the_dead()
        self._restart(DBOS.list_workflows(status="ENQUEUED", load_input=False, load_output=False))
        self._watchman.start()

    def is_ready(self) -> bool:
        """Say whether jobs are being taken."""
        return self._watchman.is_alive() and not self._stopping.is_set()

    def stop(self) -> None:
        """Stop taking jobs and hand the unfinished ones back. Encoders end with the process."""
        self._stopping.set()
        self._watchman.join()
        self._leases.leave(self._name)
        DBOS.destroy()
        self._engine.dispose()
        shutil.rmtree(self._room, ignore_errors=True)

    def _queue(self, name: str) -> Queue:
        return DBOS.register_queue(
            name,
            worker_concurrency=self._settings.jobs_at_once,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )

    def _register(self) -> None:
        """Tell DBOS which function is behind each workflow's name."""

        async def make_watchable(asset_id: str) -> str:
            return await self._make_watchable(asset_id)

        async def make_better(asset_id: str, plan: Any, renditions: list[Any]) -> str:
            return await self._make_better(asset_id, plan, renditions)

        attempts = RECOVERIES_MAX
        DBOS.workflow(name=WORKFLOW, max_recovery_attempts=attempts)(make_watchable)
        register = DBOS.workflow(name=BETTER_WORKFLOW, max_recovery_attempts=attempts)
        self._better = register(make_better)

    # -- workflows ---------------------------------------------------------------------------

    async def _make_watchable(self, asset_id: str) -> str:
        """Publish sound and a first picture rendition, then leave the rest to `make_better`."""
        try:
            return await self._first_publication(asset_id)
        except dbos_error.DBOSMaxStepRetriesExceeded as error:
            return await self._give_up(asset_id, error)

    async def _first_publication(self, asset_id: str) -> str:
        planned = await self._step("examine", self._examine, asset_id, True)
        made = await self._first_renditions(asset_id, planned) if MADE in planned else [planned]
        if any(NOT_INDEPENDENT in journal for journal in made):
            # The container promised keyframes that the pictures do not keep: encode instead.
            planned = await self._step("examine again", self._examine, asset_id, False)
            made = await self._first_renditions(asset_id, planned)
        ended = await self._ended_early(asset_id, made)
        if ended:
            return ended
        renditions = [journal[MADE] for journal in made]
        plan = planned[MADE]
        await self._step("publish first", self._publish, asset_id, plan, renditions, None)
        with SetWorkflowID(asset_id + BETTER_SUFFIX):
            await self._better_queue.enqueue_async(self._better, asset_id, plan, renditions)
        return "watchable"

    async def _first_renditions(self, asset_id: str, planned: Journal) -> list[Journal]:
        """Return the outcomes of sound and first picture, made side by side."""
        if MADE not in planned:
            return [planned]
        plan = PLAN.read(planned[MADE])
        work: list[tuple[str, Callable[[str, Any, int], Journal]]] = []
        if plan.ladder.first is not None:
            work.append((f"make {plan.ladder.first.name}", self._make_rung))
        if plan.ladder.has_audio:
            work.append(("make audio", self._make_audio))
        reserved = [(DBOS.reserve_step(), *one) for one in work]
        return await asyncio.gather(
            *(
                step.run_async({**self._options, "name": name}, act, asset_id, planned[MADE], 0)
                for step, name, act in reserved
            )
        )

    async def _make_better(self, asset_id: str, plan: Any, renditions: list[Any]) -> str:
        """Add previews, then one better rendition after the other, and finish the asset."""
        try:
            return await self._improvements(asset_id, plan, renditions)
        except dbos_error.DBOSMaxStepRetriesExceeded as error:
            return await self._give_up(asset_id, error)

    async def _improvements(self, asset_id: str, plan: Any, renditions: list[Any]) -> str:
        drawn = await self._step("make previews", self._make_previews, asset_id, plan)
        ended = await self._ended_early(asset_id, [drawn])
        if ended:
            return ended
        previews = drawn[MADE]
        rungs = PLAN.read(plan).ladder.rungs
        for number in range(1, len(rungs)):
            await self._step("publish", self._publish, asset_id, plan, renditions, previews)
            name = rungs[number].name
            journal = await self._step(f"make {name}", self._make_rung, asset_id, plan, number)
            ended = await self._ended_early(asset_id, [journal])
            if ended:
                return ended
            renditions = [*renditions, journal[MADE]]
        await self._step("complete", self._publish, asset_id, plan, renditions, previews, True)
        self._stages.forget(asset_id)
        return "complete"

    async def _ended_early(self, asset_id: str, journals: list[Journal]) -> str:
        """Say so when a stage was cancelled or refused, and return how, else nothing."""
        if any(CANCELLED in journal for journal in journals):
            await self._step("cancelled", self._publisher.cancelled, asset_id)
            self._stages.forget(asset_id)
            return CANCELLED
        refused = next((journal[REFUSED] for journal in journals if REFUSED in journal), None)
        if refused is not None:
            await self._step("fail", self._publisher.fail, asset_id, refused)
            self._stages.forget(asset_id)
            return REFUSED
        return ""

    async def _give_up(self, asset_id: str, error: dbos_error.DBOSMaxStepRetriesExceeded) -> str:
        log.error("gave up", asset_id=asset_id, stage=error.step_name, error=str(error.errors[-1:]))
        await self._step("give up", self._publisher.fail, asset_id, NOT_KEPT)
        self._stages.forget(asset_id)
        return "failed"

    async def _step(self, name: str, act: Callable[..., Any], *args: Any) -> Any:
        return await DBOS.run_step_async({**self._options, "name": name}, act, *args)

    # -- steps -------------------------------------------------------------------------------

    def _examine(self, asset_id: str, may_remux: bool) -> Journal:
        return self._timed(
            asset_id,
            "examine",
            lambda: PLAN.write(self._stages.examine(asset_id, may_remux=may_remux)),
        )

    def _make_audio(self, asset_id: str, plan: Any, _number: int) -> Journal:
        return self._timed(
            asset_id,
            AUDIO_NAME,
            lambda: PACKAGED.write(self._stages.make_audio(asset_id, PLAN.read(plan))),
        )

    def _make_rung(self, asset_id: str, plan: Any, number: int) -> Journal:
        read = PLAN.read(plan)
        rung = read.ladder.rungs[number]
        return self._timed(
            asset_id,
            rung.name,
            lambda: PACKAGED.write(self._stages.make_rung(asset_id, read, rung)),
        )

    def _make_previews(self, asset_id: str, plan: Any) -> Journal:
        return self._timed(
            asset_id,
            "previews",
            lambda: PREVIEWS.write(self._stages.make_previews(asset_id, PLAN.read(plan))),
        )

    def _publish(
        self,
        asset_id: str,
        plan: Any,
        renditions: list[Any],
        previews: Any,
        complete: bool = False,
    ) -> None:
        began_mono = time.monotonic()
        self._stages.publish(
            asset_id,
            PLAN.read(plan),
            [PACKAGED.read(one) for one in renditions],
            PREVIEWS.read(previews) if previews else Previews(),
            complete=complete,
        )
        self._note(asset_id, "complete" if complete else "publish", began_mono)

    def _timed(self, asset_id: str, stage: str, work: Callable[[], Any]) -> Journal:
        began_mono = time.monotonic()
        journal = journalled(work)
        self._note(asset_id, stage, began_mono)
        return journal

    def _note(self, asset_id: str, stage: str, began_mono: float) -> None:
        took_ms = round((time.monotonic() - began_mono) * 1000)
        log.info("stage", asset_id=asset_id, stage=stage, took_ms=took_ms)

    # -- the dead ----------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopping.wait(BEAT_S):
            try:
                self._leases.beat(own_lease(self._name, time.time()))
                self._look_after_the_dead()
            except TROUBLE as error:  # the database is busy or away: the next beat counts
                log.warning("missed a beat", error=str(error).partition("\n")[0])

    def _look_after_the_dead(self) -> None:
        """Hand the jobs and the scratch files of dead workers on, and bury what killed too many."""
        alive = self._leases.alive(time.time())
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        dead = {w.executor_id for w in pending if w.executor_id and w.executor_id not in alive}
        self._restart([job for job in pending if job.executor_id in dead])
        if dead:
            log.info("recovering", workers=sorted(dead), jobs=len(pending))
            DBOS._recover_pending_workflows(sorted(dead))  # noqa: SLF001 - no public name for it
        self._bury()
        for room in self._settings.work_dir.glob("*"):
            if room.name not in alive:
                shutil.rmtree(room, ignore_errors=True)

    def _restart(self, jobs: list[WorkflowStatus]) -> None:
        """Let jobs whose journal is of another release begin again, with this one's stages."""
        version = self._settings.journal_version
        for job in jobs:
            if job.app_version not in {None, version}:
                DBOS.cancel_workflow(job.workflow_id)
                DBOS.rewind_workflow(
                    job.workflow_id, application_version=version, queue_name=job.queue_name
                )

    def _bury(self) -> None:
        """Give up the jobs that killed too many workers, or that ended in an error of our own."""
        ended = DBOS.list_workflows(
            status=["MAX_RECOVERY_ATTEMPTS_EXCEEDED", "ERROR"],
            completed_after=datetime.fromtimestamp(time.time() - BURY_WITHIN_S, UTC).isoformat(),
            load_input=False,
            load_output=False,
        )
        for job in ended:
            if job.workflow_id not in self._buried:
                log.error("gave up", job=job.workflow_id, status=job.status)
                self._publisher.fail(job.workflow_id.removesuffix(BETTER_SUFFIX), GAVE_UP)
                self._buried.add(job.workflow_id)  # last: what could not be told is told again

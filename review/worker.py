"""The worker that does reviews: `celery -A review.worker worker`. How jobs reach it is told in pump.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from provenance.asset import Asset, AssetKind
from provenance.failure import Unavailable
from provenance.keys import development
from review import pipeline, store
from review.blobs import LocalBlobs
from review.database import Connection, Database
from review.desk import LocalDesk
from review.jobs import Effect, Handler, Hopeless, Job
from review.pump import build
from review.settings import Settings
from review.submission import Submission, SubmissionError

Json = dict[str, Any]
REVIEW = "review"
"""The kind of job that reviews a submission."""

log = structlog.get_logger(__name__)


class ReviewHandler:
    """Reviews submissions at one desk. Implements jobs.Handler; one job at a time, as a pool child does."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._blobs = LocalBlobs(settings.blobs)
        self._job: Job | None = None
        self._desk = LocalDesk(
            blobs=self._blobs,
            home=settings.home,
            trust=development(settings.home).trust(),
            weights_root=settings.weights,
            work_root=settings.work,
            device=settings.device,
            font=settings.font,
            progress=self._progressed,
            entered_state=self._entered,
        )
        self._last_progress = 0.0

    def work(self, job: Job) -> Effect:
        """See jobs.Handler.work: the whole review of one submission."""
        with self._database.as_tenant(job.tenant) as db:
            row = store.submission(db, job.subject)
        if row is None:
            raise Hopeless("gone", f"there is no submission {job.subject}")
        self._job = job
        try:
            ledger = StoredLedger(self._database, job)
            decision = pipeline.review(self._submission(row), self._desk, ledger).to_json()
        except store.Moved as moved:
            log.info("review.stopped", submission=job.subject, why=str(moved))
            return _nothing
        except SubmissionError as unusable:
            raise Hopeless("unusable", str(unusable)) from unusable
        finally:
            self._job = None
        return lambda db: _settle(db, job, decision)

    def give_up(self, db: Connection, job: Job, code: str, detail: str) -> None:
        """See jobs.Handler.give_up: the submission is failed, which never means approve."""
        store.fail(db, job.tenant, job.subject, code, detail)

    def _submission(self, row: Json) -> Submission:
        try:
            path = self._blobs.path(row["sha256"])
        except KeyError:
            raise Hopeless("missing-file", f"{row['file_name']} is no longer kept here: submit it again") from None
        return Submission(
            id=row["id"],
            tenant=row["tenant"],
            asset=Asset(row["sha256"], AssetKind(row["kind"]), path),
            file_name=row["file_name"],
            papers=row["papers"],
            territories=tuple(row["territories"]),
            rulebooks=tuple(row["rulebooks"]),
            gate=row["gate"],
            planned_publish_at=row["planned_publish_at"],
            registry_root=self._settings.registry_root,
        )

    def _entered(self, state: str, submission: Submission) -> None:
        job = self._job
        if job is None or state not in store.RUNNING:
            return
        job.still_ours()
        with self._database.as_tenant(job.tenant) as db:
            store.enter(db, job.tenant, submission.id, state)

    def _progressed(self, done: int, total: int) -> None:
        """At most one event a second; the last frame always."""
        job, now = self._job, time.monotonic()
        if job is None or (now - self._last_progress < 1.0 and done < total):
            return
        self._last_progress = now
        try:
            with self._database.as_tenant(job.tenant) as db:
                store.add_event(db, job.tenant, job.subject, "progress", {"done": done, "total": total})
        except Unavailable:
            log.warning("progress.lost", submission=job.subject)  # nothing rests on it


def _settle(db: Connection, job: Job, decision: Json) -> None:
    try:
        store.settle(db, job.tenant, job.subject, decision)
    except store.Moved as moved:
        log.info("review.too_late", submission=job.subject, why=str(moved))


def _nothing(_: Connection) -> None:
    """The effect of a job that turned out to need none."""


class StoredLedger:
    """Finished steps in PostgreSQL. Implements pipeline.Ledger for the job at hand."""

    def __init__(self, database: Database, job: Job) -> None:
        self._database, self._job = database, job

    def once(self, step: str, inputs: str, work: Callable[[], Json]) -> Json:
        """See pipeline.Ledger.once. Raises jobs.LeaseLost where the job is somebody else's by now."""
        job = self._job
        with self._database.as_tenant(job.tenant) as db:
            kept = store.step_result(db, job.subject, step, inputs)
        if kept is not None:
            return kept
        job.still_ours()
        started = time.monotonic()
        result = work()
        took_ms = round(1000 * (time.monotonic() - started))
        job.still_ours()
        with self._database.as_tenant(job.tenant) as db:
            kept = store.keep_step(db, job.tenant, job.subject, step, inputs, result, took_ms)
        log.info("step.finished", submission=job.subject, step=step, duration_ms=took_ms)
        return kept


def _reviews(settings: Settings, database: Database) -> Mapping[str, Handler]:
    return {REVIEW: ReviewHandler(settings, database)}


app = build(_reviews)

"""Work that must be done once: PostgreSQL says who does it, whatever the queue loses or delivers twice.

A job is claimed with SKIP LOCKED and belongs to whoever holds its token until the lease runs out; a thread
renews the lease while the work lasts. Its effect and its completion commit in one transaction that
first checks the token, so a worker that was thought dead and comes back changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from provenance.failure import Unavailable
from review.database import Connection, Database

CHANNEL = "dramagate_job"
BACKOFF_S = (1.0, 5.0, 30.0, 120.0)
"""Pauses before the second, third ... attempt; the last one repeats. House values: long enough for a restart."""

log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Somebody else has this job by now; what was done here does not count."""


class Hopeless(Exception):
    """Trying again would not help. `code` and the message say why, to the submitter."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Job:
    """A job this process holds."""

    id: int
    tenant: str
    kind: str
    subject: str
    attempt: int
    """1 the first time."""
    token: str
    last_error: str | None = None
    lost: threading.Event = field(default_factory=threading.Event, compare=False)

    def still_ours(self) -> None:
        """Raise LeaseLost once the lease could not be renewed."""
        if self.lost.is_set():
            raise LeaseLost(f"job {self.id}")


Effect = Callable[[Connection], None]


class Handler(Protocol):
    """How one kind of job is done."""

    def work(self, job: Job) -> Effect:
        """Do it; what it changes is applied with its completion. Raises Hopeless where a retry is no use."""

    def give_up(self, db: Connection, job: Job, code: str, detail: str) -> None:
        """What it means that it will never be done, in the transaction that says so."""


# For those who want something done.


def enqueue(db: Connection, tenant: str, kind: str, subject: str, priority: int = 5) -> None:
    """Ask for `kind` to be done to `subject`, once this transaction commits. Nothing where it already waits or runs."""
    db.execute(
        "with added as (insert into job (tenant, kind, subject, priority) values (%s, %s, %s, %s)"
        " on conflict do nothing returning id) select pg_notify(%s, '') from added",
        (tenant, kind, subject, priority, CHANNEL),
    )


# For those who do it.


def claim(db: Connection, worker: str, limit: int, lease_s: float) -> list[tuple[int, str]]:
    """Up to `limit` jobs nobody else has, the most urgent first, as (id, token)."""
    rows = db.execute(
        "update job set state = 'leased', token = gen_random_uuid(), worker = %s,"
        " lease_until = clock_timestamp() + %s * interval '1 second'"
        " where id in (select id from job where state = 'ready' and run_at <= clock_timestamp()"
        " order by priority desc, id limit %s for update skip locked) returning id, token",
        (worker, lease_s, limit),
    ).fetchall()
    return [(row["id"], str(row["token"])) for row in rows]


def reclaim(db: Connection) -> int:
    """Jobs whose lease ran out are there for anybody again; how many."""
    return db.execute(
        "update job set state = 'ready', token = null, worker = null, lease_until = null"
        " where state = 'leased' and lease_until < clock_timestamp()"
    ).rowcount


def release(db: Connection, worker: str, *, interrupted: bool) -> int:
    """Jobs held by a worker known to be dead are there for anybody again; how many.

    `interrupted` means we stopped it ourselves, which is not the job's fault and no attempt of it.
    """
    return db.execute(
        "update job set state = 'ready', token = null, worker = null, lease_until = null,"
        " attempt = greatest(0, attempt - %s) where state = 'leased' and worker = %s",
        (int(interrupted), worker),
    ).rowcount


def begin(db: Connection, job_id: int, token: str, lease_s: float) -> Job | None:
    """The job, if it is still ours to do; None where somebody else has it or it is done."""
    row = db.execute(
        "update job set attempt = attempt + 1, lease_until = clock_timestamp() + %s * interval '1 second'"
        " where id = %s and token = %s and state = 'leased' returning *",
        (lease_s, job_id, token),
    ).fetchone()
    if row is None:
        return None
    return Job(row["id"], row["tenant"], row["kind"], row["subject"], row["attempt"], token, row["last_error"])


def renew(db: Connection, job_id: int, token: str, lease_s: float) -> bool:
    """Whether the job is still ours, for another lease."""
    done = db.execute(
        "update job set lease_until = clock_timestamp() + %s * interval '1 second'"
        " where id = %s and token = %s and state = 'leased'",
        (lease_s, job_id, token),
    )
    return done.rowcount == 1


def complete(db: Connection, job: Job) -> None:
    """The job is done, and so is whatever else this transaction does. Raises LeaseLost where it is not ours."""
    _end(db, job, "done", None)


def abandon(db: Connection, job: Job, error: str) -> None:
    """The job will not be done. Raises LeaseLost where it is not ours."""
    _end(db, job, "failed", error)


def _end(db: Connection, job: Job, state: str, error: str | None) -> None:
    done = db.execute(
        "update job set state = %s, last_error = coalesce(%s, last_error), token = null, lease_until = null,"
        " finished_at = clock_timestamp() where id = %s and token = %s and state = 'leased'",
        (state, error, job.id, job.token),
    )
    if done.rowcount != 1:
        raise LeaseLost(f"job {job.id}")


def postpone(db: Connection, job: Job, error: str) -> None:
    """The attempt failed; another comes later."""
    pause_s = BACKOFF_S[min(job.attempt, len(BACKOFF_S)) - 1]
    db.execute(
        "update job set state = 'ready', token = null, worker = null, lease_until = null, last_error = %s,"
        " run_at = clock_timestamp() + %s * interval '1 second' where id = %s and token = %s and state = 'leased'",
        (error, pause_s, job.id, job.token),
    )


def held(db: Connection, worker: str) -> int:
    """How many jobs `worker` holds."""
    row = db.execute("select count(*) as n from job where state = 'leased' and worker = %s", (worker,)).fetchone()
    return 0 if row is None else int(row["n"])


def depth(db: Connection) -> dict[str, int]:
    """How many jobs are in which state."""
    return {row["state"]: row["n"] for row in db.execute("select state, count(*) as n from job group by state")}


def run(
    database: Database, job_id: int, token: str, *, handlers: Mapping[str, Handler], lease_s: float, attempts: int
) -> str:
    """Do one delivered job and say what came of it: done, stale, lost, postponed, failed.

    Raises Unavailable where the database went away for longer than it takes to come back; the lease then
    runs out and the job is done again.
    """
    with database.across_tenants() as db:
        job = begin(db, job_id, token, lease_s)
    if job is None:
        return "stale"
    handler = handlers[job.kind]
    bound = log.bind(job=job.id, subject=job.subject, attempt=job.attempt)
    if job.attempt > attempts:
        return _give_up(database, handler, job, "attempts-exhausted", _exhausted(job, attempts))
    started = time.monotonic()
    try:
        with _Heartbeat(database, job, lease_s):
            effect = handler.work(job)
        _commit(database, job, effect)
    except LeaseLost:
        bound.warning("job.lost")
        return "lost"
    except Hopeless as why:
        return _give_up(database, handler, job, why.code, why.detail)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the job is tried again or failed, never forgotten
        bound.exception("job.attempt_failed")
        said = f"{type(error).__name__}: {error}"[:2000]
        if job.attempt >= attempts:
            return _give_up(database, handler, job, "attempts-exhausted", _exhausted(job, attempts, said))
        with database.as_tenant(job.tenant) as db:
            postpone(db, job, said)
        return "postponed"
    bound.info("job.done", duration_ms=round(1000 * (time.monotonic() - started)))
    return "done"


def _commit(database: Database, job: Job, effect: Effect) -> None:
    """Effect and completion in one transaction. Tried again where the database went away: the token says whether
    the first try had committed after all."""
    for last in (False, False, True):
        try:
            with database.as_tenant(job.tenant) as db:
                complete(db, job)
                effect(db)
            return
        except Unavailable:
            if last:
                raise
        time.sleep(0.2)


def _give_up(database: Database, handler: Handler, job: Job, code: str, detail: str) -> str:
    log.error("job.failed", job=job.id, subject=job.subject, code=code)
    with database.as_tenant(job.tenant) as db:
        try:
            abandon(db, job, f"{code}: {detail}")
        except LeaseLost:
            return "lost"
        handler.give_up(db, job, code, detail)
    return "failed"


def _exhausted(job: Job, attempts: int, error: str | None = None) -> str:
    reason = error or job.last_error or "the process doing it ended each time"
    return f"given up after {attempts} attempts; the last one: {reason}"


class _Heartbeat:
    """Renews the lease from a thread of its own until the work is over."""

    def __init__(self, database: Database, job: Job, lease_s: float) -> None:
        self._database, self._job, self._lease_s = database, job, lease_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{job.id}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._lease_s / 3):
            try:
                with self._database.across_tenants() as db:
                    ours = renew(db, self._job.id, self._job.token, self._lease_s)
            except Unavailable:
                continue  # nobody can take the job from us while nobody can reach the database
            if not ours:
                self._job.lost.set()
                return

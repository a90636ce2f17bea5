from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from review import jobs
from review.database import Connection, Database
from review.jobs import Effect, Hopeless, Job
from tests.review.served import owner

pytestmark = pytest.mark.database


class Recording:
    """A handler that does what it is told and notes in the audit trail that its effect was applied."""

    def __init__(self, work: Any = None) -> None:
        self._work = work or (lambda job: None)
        self.given_up: list[tuple[str, str]] = []

    def work(self, job: Job) -> Effect:
        self._work(job)
        return lambda db: note(db, job)

    def give_up(self, db: Connection, job: Job, code: str, detail: str) -> None:
        self.given_up.append((code, detail))


def note(db: Connection, job: Job) -> None:
    db.execute("insert into event (tenant, submission, kind, data) values ('local', %s, 'done', '{}')", (job.subject,))


def enqueue(api: Database, *subjects: str, priority: int = 5) -> None:
    with api.as_tenant("local") as db:
        for subject in subjects:
            jobs.enqueue(db, "local", "test", subject, priority)


def claim(workers: Database, limit: int = 1, lease_s: float = 30, name: str = "w") -> list[tuple[int, str]]:
    with workers.across_tenants() as db:
        return jobs.claim(db, name, limit, lease_s)


def do(workers: Database, job: tuple[int, str], handler: Recording, attempts: int = 3, lease_s: float = 30) -> str:
    return jobs.run(workers, *job, handlers={"test": handler}, lease_s=lease_s, attempts=attempts)


def row(dsn: str) -> tuple[Any, ...]:
    with owner(dsn) as db:
        found = db.execute("select state, attempt, last_error from job order by id limit 1").fetchone()
    assert found is not None
    return found


def effects(dsn: str) -> int:
    with owner(dsn) as db:
        found = db.execute("select count(*) from event where kind = 'done'").fetchone()
    assert found is not None
    return int(str(found[0]))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    with owner(dsn) as db:  # subjects of these jobs are no submissions
        db.execute("alter table event drop constraint event_submission_fkey")
    monkeypatch.setattr(jobs, "BACKOFF_S", (0.0,))


def test_every_job_is_claimed_by_exactly_one_of_many_workers(api: Database, workers: Database) -> None:
    enqueue(api, *(f"s{n}" for n in range(60)))
    with ThreadPoolExecutor(6) as pool:
        claimed = [job for found in pool.map(lambda n: claim(workers, 13, name=f"w{n}"), range(6)) for job in found]
    assert Counter(job_id for job_id, _ in claimed) == dict.fromkeys(range(1, 61), 1)


def test_the_urgent_comes_first_and_among_equals_the_oldest(api: Database, workers: Database) -> None:
    enqueue(api, "low", priority=1)
    enqueue(api, "first", "second")
    enqueue(api, "high", priority=9)
    order = []
    for _ in range(4):
        ((job_id, token),) = claim(workers)
        with workers.across_tenants() as db:
            job = jobs.begin(db, job_id, token, 30)
        assert job is not None
        order.append(job.subject)
    assert order == ["high", "first", "second", "low"]


def test_asking_twice_for_what_already_waits_or_runs_makes_one_job(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "s", "s")
    (job,) = claim(workers, 10)
    enqueue(api, "s")
    assert claim(workers, 10) == []
    assert do(workers, job, Recording()) == "done"
    enqueue(api, "s")
    assert len(claim(workers, 10)) == 1


def test_a_job_is_done_once_however_often_it_is_delivered(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "s")
    (job,) = claim(workers)
    assert [do(workers, job, Recording()) for _ in range(3)] == ["done", "stale", "stale"]
    assert (effects(dsn), row(dsn)) == (1, ("done", 1, None))


def test_a_worker_thought_dead_that_comes_back_changes_nothing(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "s")
    (old,) = claim(workers, lease_s=30)

    def overtaken(_: Job) -> None:
        with workers.across_tenants() as db:
            assert jobs.release(db, "w", interrupted=False) == 1
        (new,) = claim(workers)
        assert do(workers, new, Recording()) == "done"

    assert do(workers, old, Recording(overtaken)) == "lost"
    assert (effects(dsn), row(dsn)) == (1, ("done", 2, None))


def test_a_silent_worker_loses_its_job_and_a_beating_one_keeps_it(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "silent")
    claim(workers, lease_s=0.05)
    time.sleep(0.1)
    with workers.across_tenants() as db:
        assert jobs.reclaim(db) == 1
    (job,) = claim(workers, lease_s=0.6)
    seen = []

    def slow(_: Job) -> None:
        for _beat in range(6):
            time.sleep(0.2)
            with workers.across_tenants() as db:
                seen.append(jobs.reclaim(db))

    assert do(workers, job, Recording(slow), lease_s=0.6) == "done"
    assert seen == [0] * 6


def test_long_work_learns_that_its_lease_was_lost(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "s")
    (job,) = claim(workers)
    stopped = threading.Event()

    def loses(held: Job) -> None:
        with workers.across_tenants() as db:
            jobs.release(db, "w", interrupted=False)
        assert held.lost.wait(5)
        stopped.set()
        held.still_ours()

    assert do(workers, job, Recording(loses), lease_s=0.3) == "lost"
    assert stopped.is_set()
    assert effects(dsn) == 0


def test_an_effect_that_fails_leaves_the_job_undone(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "s")

    class Failing(Recording):
        def work(self, job: Job) -> Effect:
            def effect(db: Connection) -> None:
                note(db, job)
                raise RuntimeError("after the effect")

            return effect

    (job,) = claim(workers)
    assert do(workers, job, Failing()) == "postponed"
    assert (effects(dsn), row(dsn)) == (0, ("ready", 1, "RuntimeError: after the effect"))
    (again,) = claim(workers)
    assert do(workers, again, Recording()) == "done"
    assert effects(dsn) == 1


def test_a_job_that_always_fails_is_given_up_with_its_last_error(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "s")
    handler = Recording(lambda job: 1 / 0)
    said = [do(workers, claim(workers)[0], handler, attempts=3) for _ in range(3)]
    assert said == ["postponed", "postponed", "failed"]
    assert handler.given_up == [
        ("attempts-exhausted", "given up after 3 attempts; the last one: ZeroDivisionError: division by zero")
    ]
    assert row(dsn)[0] == "failed"
    assert claim(workers) == []


def test_a_job_that_kills_its_worker_is_given_up_without_trying_it_again(
    api: Database, workers: Database, dsn: str
) -> None:
    enqueue(api, "s")
    for _ in range(3):  # begun, and never heard of again
        ((job_id, token),) = claim(workers)
        with workers.across_tenants() as db:
            assert jobs.begin(db, job_id, token, 30) is not None
            jobs.release(db, "w", interrupted=False)
    tried: list[Job] = []
    handler = Recording(tried.append)
    assert do(workers, claim(workers)[0], handler, attempts=3) == "failed"
    assert tried == []
    assert handler.given_up == [
        ("attempts-exhausted", "given up after 3 attempts; the last one: the process doing it ended each time")
    ]


def test_an_attempt_we_interrupted_ourselves_does_not_count(api: Database, workers: Database, dsn: str) -> None:
    enqueue(api, "s")
    for _ in range(5):
        ((job_id, token),) = claim(workers)
        with workers.across_tenants() as db:
            jobs.begin(db, job_id, token, 30)
            jobs.release(db, "w", interrupted=True)
    assert do(workers, claim(workers)[0], Recording(), attempts=3) == "done"


def test_what_cannot_be_mended_by_trying_again_is_not_tried_again(api: Database, workers: Database, dsn: str) -> None:
    def refuse(_: Job) -> None:
        raise Hopeless("unusable", "one.mp4 is empty: export it again")

    enqueue(api, "s")
    handler = Recording(refuse)
    assert do(workers, claim(workers)[0], handler) == "failed"
    assert handler.given_up == [("unusable", "one.mp4 is empty: export it again")]
    assert row(dsn) == ("failed", 1, "unusable: one.mp4 is empty: export it again")

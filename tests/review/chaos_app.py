"""A worker that does tiny jobs, so that tests can kill it at every moment; the machinery around them is the real one.

A subject "n:seconds:how" sleeps in a kept step, then inserts into the table the test made; how is "ok",
"raise" or "segfault".
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from review.database import Connection, Database
from review.jobs import Effect, Handler, Job
from review.pump import build
from review.settings import Settings


class Tiny:
    def __init__(self, database: Database) -> None:
        self._database = database

    def work(self, job: Job) -> Effect:
        _, seconds, how = job.subject.split(":")
        self._note(job, "started")
        time.sleep(float(seconds))
        if how == "segfault":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "raise":
            raise RuntimeError("as asked")
        return lambda db: self._insert(db, job, "done")

    def give_up(self, db: Connection, job: Job, code: str, detail: str) -> None:
        self._insert(db, job, f"gave up: {code}")

    def _note(self, job: Job, what: str) -> None:
        with self._database.as_tenant(job.tenant) as db:
            self._insert(db, job, what)

    def _insert(self, db: Connection, job: Job, what: str) -> None:
        db.execute("insert into tried (subject, what, pid) values (%s, %s, %s)", (job.subject, what, os.getpid()))


def handlers(_: Settings, database: Database) -> Mapping[str, Handler]:
    return {"tiny": Tiny(database)}


app: Any = build(handlers)

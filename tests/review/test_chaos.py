"""The worker, the database and the children of both are killed in the middle of work; all of it is done once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from provenance.failure import Unavailable
from review import jobs
from review.database import API, Database, migrate
from review.embedded_postgres import EmbeddedPostgres
from tests.review.served import owner

pytestmark = pytest.mark.database


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, Database]]:
    """A server of its own, to be killed, with the table the tiny jobs write to."""
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        migrate(server.dsn)
        with owner(server.dsn) as db:
            db.execute("insert into tenant values ('local', 'local')")
            db.execute("create table tried (subject text, what text, pid int)")
            db.execute("create unique index once on tried (subject) where what = 'done'")  # a second effect would fail
            db.execute("grant all on tried to dramagate_worker")
        api = Database(server.dsn, API, most=2)
        api.open()
        yield server, api
        api.close()


@contextlib.contextmanager
def worker(dsn: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "DRAMAGATE_HOME": str(home),
        "DRAMAGATE_DATABASE_URL": dsn,
        "DRAMAGATE_LEASE_S": "2",
        "DRAMAGATE_WORKERS": "2",
        "DRAMAGATE_ATTEMPTS": "3",
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]),
    }
    with (home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "--quiet", "-A", "chaos_app", "worker", "--loglevel", "WARNING",
             "--without-gossip", "--without-mingle", "--without-heartbeat"],
            env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ask(api: Database, *subjects: str) -> None:
    with api.as_tenant("local") as db:
        for subject in subjects:
            jobs.enqueue(db, "local", "tiny", subject)


def counted(dsn: str, what: str) -> int:
    try:
        with owner(dsn) as db:
            found = db.execute("select count(*) from tried where what like %s", (what,)).fetchone()
    except psycopg.OperationalError:
        return -1  # being killed just now
    assert found is not None
    return int(str(found[0]))


def wait_until(dsn: str, what: str, least: int, home: Path, patience_s: float = 60) -> None:
    deadline = time.monotonic() + patience_s
    while counted(dsn, what) < least:
        assert time.monotonic() < deadline, (home / "worker.log").read_text()[-3000:]
        time.sleep(0.05)


def test_killing_worker_child_and_database_in_mid_job_loses_nothing_and_does_nothing_twice(
    ground: tuple[EmbeddedPostgres, Database], tmp_path: Path
) -> None:
    server, api = ground
    dsn = server.dsn
    ask(api, *(f"{n}:0.05:ok" for n in range(60)))
    with worker(dsn, tmp_path) as first:
        wait_until(dsn, "done", 8, tmp_path)
        kill(first)  # whole worker
    with worker(dsn, tmp_path):
        wait_until(dsn, "done", 16, tmp_path)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)  # the database
        wait_until(dsn, "done", 24, tmp_path)
        with owner(dsn) as db:
            child = db.execute("select pid from tried where what = 'started' order by ctid desc limit 1").fetchone()
        assert child is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(str(child[0])), signal.SIGKILL)  # one child of the pool
        wait_until(dsn, "done", 60, tmp_path)
    with owner(dsn) as db:
        assert db.execute("select state, count(*) from job group by 1").fetchall() == [("done", 60)]
        assert db.execute("select count(*), count(distinct subject) from tried where what = 'done'").fetchone() == (
            60,
            60,
        )
    assert counted(dsn, "started") > 60, "something was killed in mid-job"


def test_a_job_that_kills_its_process_is_given_up_and_the_others_are_done(
    ground: tuple[EmbeddedPostgres, Database], tmp_path: Path
) -> None:
    server, api = ground
    ask(api, "poison:0:segfault", *(f"{n}:0:ok" for n in range(5)))
    with worker(server.dsn, tmp_path):
        wait_until(server.dsn, "gave up%", 1, tmp_path)
        wait_until(server.dsn, "done", 5, tmp_path)
    with owner(server.dsn) as db:
        told = db.execute(
            "select what, count(*) from tried where subject like 'poison%' group by 1 order by 1"
        ).fetchall()
    assert told == [("gave up: attempts-exhausted", 1), ("started", 3)]


def test_work_asked_for_while_nothing_runs_is_done_when_a_worker_comes(
    ground: tuple[EmbeddedPostgres, Database], tmp_path: Path
) -> None:
    server, api = ground
    ask(api, "0:0:ok")
    with worker(server.dsn, tmp_path):
        wait_until(server.dsn, "done", 1, tmp_path)
        ask(api, "1:0:ok")
        wait_until(server.dsn, "done", 2, tmp_path)


def test_a_database_that_is_gone_is_said_to_be_unavailable_and_is_used_again_when_back(
    ground: tuple[EmbeddedPostgres, Database],
) -> None:
    server, api = ground

    def asked_while_it_dies() -> None:
        with api.as_tenant("local") as db:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            time.sleep(0.1)
            jobs.enqueue(db, "local", "tiny", "x")

    with pytest.raises(Unavailable, match="the database does not answer"):
        asked_while_it_dies()
    ask(api, "y")
    with owner(server.dsn) as db_after:
        assert db_after.execute("select subject from job").fetchall() == [("y",)]

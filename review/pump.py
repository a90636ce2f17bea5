"""How jobs reach the pool of a Celery worker, and how it stays certain that each is done once.

A pump inside the worker claims jobs from the job table and publishes their ids. With the broker memory:// they
go to this worker's own pool, and nothing but PostgreSQL is needed; workers on several machines share the
table. With RabbitMQ or Redis whichever worker is free takes them. Models and connections are opened in the
pool's children, never before the fork: torch used in a parent hangs its children, and a connection shared
by two processes serves neither.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import structlog
from celery import Celery, bootsteps, signals
from celery.exceptions import SecurityWarning
from celery.worker import state as worker_state

from provenance.failure import ConfigError, Unavailable
from review import jobs
from review.database import SCHEMA, WORKER, Connection, Database, listener
from review.embedded_postgres import EmbeddedPostgres
from review.jobs import Handler
from review.logs import configure
from review.settings import Settings, load

Handlers = Callable[[Settings, Database], Mapping[str, Handler]]
RUN_JOB = "dramagate.run_job"
QUEUE = "cpu"
POLL_S = 0.01
"""How often the pump looks whether the pool has room while work is under way."""
RECLAIM_EVERY_S = 1.0

log = structlog.get_logger(__name__)


def connection_string(settings: Settings) -> str:
    """Where the database is: the operator's, or the embedded one that `dramagate serve` keeps running."""
    if settings.database_url:
        return settings.database_url
    server = EmbeddedPostgres(settings.home / "postgres")
    dsn = server.start()
    if server.owner:
        server.stop()
        raise ConfigError(
            "no database is running: start `dramagate serve`, or name a PostgreSQL in DRAMAGATE_DATABASE_URL"
        )
    return dsn


def worker_name() -> str:
    """Who holds a lease: this machine and the worker's main process."""
    return f"{socket.gethostname()}:{os.getpid()}"


class _Child:
    """What one pool child opens when its first job comes, and keeps."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._opened: tuple[int, Settings, Database, Mapping[str, Handler]] | None = None

    def run(self, job_id: int, token: str) -> str:
        """Do one delivered job."""
        _, settings, database, handlers = self._open()
        try:
            return jobs.run(
                database, job_id, token, handlers=handlers, lease_s=settings.lease_s, attempts=settings.attempts
            )
        except Unavailable as lost:
            log.warning("job.interrupted", job=job_id, why=str(lost))
            return "interrupted"

    def _open(self) -> tuple[int, Settings, Database, Mapping[str, Handler]]:
        if self._opened is None or self._opened[0] != os.getpid():
            settings = load()
            database = Database(connection_string(settings), WORKER, most=3)
            database.open()
            self._opened = os.getpid(), settings, database, self._handlers(settings, database)
        return self._opened


class Pump(bootsteps.StartStopStep):  # type: ignore[misc]
    """Claims as many jobs as the pool has room for, from a thread of the worker's main process."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        """Celery's hook: the worker is ready."""
        room = 2 * (consumer.pool.num_processes if consumer.pool else 1)  # one under way, one at hand
        self._over.clear()
        self._thread = threading.Thread(target=self._pump, args=(consumer.app, room), name="pump", daemon=True)
        self._thread.start()

    def stop(self, _consumer: Any) -> None:
        """Celery's hook: take no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _pump(self, app: Any, room: int) -> None:
        settings = load()
        run_job = app.tasks[RUN_JOB]
        pause_s = 0.1
        while not self._over.is_set():
            try:
                with listener(connection_string(settings)) as db:
                    db.execute(f"set search_path to {SCHEMA}")
                    db.execute(f"set role {WORKER}")
                    db.execute(f"listen {jobs.CHANNEL}")
                    pause_s = 0.1
                    self._feed(db, run_job, room, settings)
            except (psycopg.OperationalError, psycopg.InterfaceError, Unavailable, ConfigError) as lost:
                log.warning("pump.waiting", why=str(lost).strip().partition("\n")[0], again_in_s=pause_s)
            except Exception:
                log.exception("pump.failed", again_in_s=pause_s)  # our bug, but work must not stop for it
            self._over.wait(pause_s)
            pause_s = min(5.0, 2 * pause_s)

    def _feed(self, db: Connection, run_job: Any, room: int, settings: Settings) -> None:
        mine, reclaimed_at = worker_name(), 0.0
        embedded = settings.broker.startswith("memory")
        while not self._over.is_set():
            if time.monotonic() - reclaimed_at > RECLAIM_EVERY_S:
                jobs.reclaim(db)
                reclaimed_at = time.monotonic()
            busy = len(_IN_FLIGHT) + len(worker_state.reserved_requests) if embedded else jobs.held(db, mine)
            claimed = jobs.claim(db, mine, room - busy, settings.lease_s) if busy < room else []
            for job_id, token in claimed:
                if embedded:
                    _IN_FLIGHT.add(token)
                run_job.apply_async((job_id, token), task_id=token)
            if busy or claimed:
                self._over.wait(POLL_S)
            else:
                for _ in db.notifies(timeout=0.5, stop_after=1):
                    pass


_IN_FLIGHT: set[str] = set()
"""Tokens handed to the in-process broker that the worker has not picked up yet."""


def build(handlers: Handlers) -> Celery:
    """A Celery app that does the jobs `handlers` knows, with everything else as the service needs it."""
    settings = load()
    configure()
    embedded = settings.broker.startswith("memory")
    app = Celery("dramagate", broker="memory://localhost/" if embedded else settings.broker)
    if embedded:  # its warning about root is about strangers who reach the broker; nobody reaches this one
        warnings.filterwarnings("ignore", category=SecurityWarning)
    app.conf.update(
        task_ignore_result=True,
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=settings.job_limit_s,
        worker_prefetch_multiplier=1,
        worker_lost_wait=0.5,  # after a child died, before its job is given to another
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_concurrency=settings.workers,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"polling_interval": POLL_S} if embedded else {},
    )
    child = _Child(handlers)

    def run_job(job_id: int, token: str) -> str:
        return child.run(job_id, token)

    app.task(run_job, name=RUN_JOB, shared=False)
    app.steps["consumer"].add(Pump)
    return app


def _picked_up(request: Any = None, **_: Any) -> None:
    _IN_FLIGHT.discard(request.id)


def _tie_child(**_: Any) -> None:
    """A pool child left behind by a killed worker must not go on reading a film nobody waits for.

    Watched from a thread, because the kernel would tie the child to the thread that forked it, and Celery
    replaces lost children from a thread that ends before they do.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


signals.task_received.connect(_picked_up, weak=False)
signals.worker_process_init.connect(_tie_child, weak=False)

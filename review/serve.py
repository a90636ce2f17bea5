"""The gateway as one thing: database, API, console and worker start together, and stop in seconds, losing nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import structlog
import uvicorn

from provenance.failure import ConfigError, Unavailable
from review import jobs, store
from review.api import create_app
from review.api.auth import new_link
from review.api.service import Service
from review.database import WORKER, listener, migrate
from review.embedded_postgres import EmbeddedPostgres
from review.logs import configure
from review.settings import Settings, as_environment
from review.start_as import start

TENANT = "local"
"""Whom a gateway started on one machine works for."""
STOP_S = 3.0
"""How long requests under way are given to end."""
STALE_S = 24 * 3600.0
"""Half-made files older than this belong to nobody."""

log = structlog.get_logger(__name__)


class Gateway:
    """A running gateway. Made by `running_gateway`."""

    def __init__(self, url: str, api_key: str, service: Service, worker: WorkerSupervisor) -> None:
        self.url = url
        """Base address of API and console, without a slash at the end."""
        self.api_key = api_key
        self.worker = worker
        self._service = service
        self._stop = threading.Event()

    @property
    def console_url(self) -> str:
        """Opens the console without a key, for an hour from now."""
        return f"{self.url}/?token={new_link(self._service, TENANT)}"

    def stop(self) -> None:
        """Have `wait` return."""
        self._stop.set()

    def wait(self) -> None:
        """Return when somebody calls `stop`, or on Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            self._stop.wait()


def serve(settings: Settings, host: str = "127.0.0.1", port: int = 8321) -> None:
    """Run a gateway until SIGTERM or Ctrl-C. Raises ConfigError, or Unavailable where something needed is not there."""
    configure()
    with running_gateway(settings, host, port, worker_log=None) as gateway:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: gateway.stop())
        _tell(gateway, settings)
        gateway.wait()
        _say("stopping\n")


def work(settings: Settings, queues: Sequence[str]) -> None:
    """Become a worker for a deployment of several machines. Returns never."""
    if "cpu" not in queues:
        raise ConfigError(f"nothing is sent to {', '.join(queues)} yet: every review runs in the queue cpu")
    if not settings.database_url:
        raise ConfigError(
            "a worker by itself needs DRAMAGATE_DATABASE_URL; `dramagate serve` brings a database and a worker"
        )
    command = _worker_command(settings)
    os.execve(command[0], command, _worker_environment(settings, settings.database_url))  # noqa: S606 - our own


@contextlib.contextmanager
def running_gateway(
    settings: Settings, host: str = "127.0.0.1", port: int = 0, *, worker_log: Path | bool | None = True
) -> Iterator[Gateway]:
    """A gateway that serves as long as the `with` lasts; port 0 takes a free one.

    The worker writes to `<home>/worker.log`, or to `worker_log`, or to our standard error where that is None.
    Raises ConfigError where the operator must act, Unavailable where the port is taken or the database does
    not come up.
    """
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(_listen(host, port))
        _make_home(settings)
        dsn = stack.enter_context(_database(settings))
        _sweep(settings, all_of_it=settings.database_url is None)  # with our own database, nobody else works here
        migrate(dsn)
        api_key = _own_key(settings, dsn)
        log_to = settings.home / "worker.log" if worker_log is True else worker_log or None
        worker = stack.enter_context(WorkerSupervisor(settings, dsn, log_to))
        app = create_app(settings, dsn)
        stack.enter_context(_api(app, door))
        shown = f"[{host}]" if ":" in host else host
        yield Gateway(f"http://{shown}:{door.getsockname()[1]}", api_key, app.state.service, worker)


class WorkerSupervisor:
    """Keeps one worker process running; its jobs are taken up again at once when it dies."""

    def __init__(self, settings: Settings, dsn: str, log_to: Path | None) -> None:
        self._settings, self._dsn, self._log_to = settings, dsn, log_to
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name="worker-supervisor", daemon=True)

    @property
    def pid(self) -> int | None:
        """Process id of the worker's main process."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> WorkerSupervisor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        process = self._process
        if process is not None:
            _kill_group(process)
        self._thread.join()

    def _keep_running(self) -> None:
        pause_s = 0.0
        while not self._over.wait(pause_s):
            began = time.monotonic()
            with _opened(self._log_to) as output:
                self._process = process = start(
                    _worker_command(self._settings),
                    folder=self._settings.home,
                    on_parent_death=signal.SIGKILL,
                    env=_worker_environment(self._settings, self._dsn),
                    output=output,
                )
                if self._over.is_set():  # __exit__ may have looked before there was a process to end
                    _kill_group(process)
                status = process.wait()
            _kill_group(process)
            interrupted = self._over.is_set()
            self._release(process.pid, interrupted=interrupted)
            if not interrupted:
                pause_s = 0.0 if time.monotonic() - began > 10 else min(5.0, 2 * pause_s + 0.2)
                log.warning("worker.ended", status=status, again_in_s=pause_s)

    def _release(self, pid: int, *, interrupted: bool) -> None:
        """Its jobs would come back when their lease ends; we know already that it is gone."""
        try:
            with listener(self._dsn) as db:
                db.execute("set search_path to dramagate")
                db.execute(f"set role {WORKER}")
                jobs.release(db, f"{socket.gethostname()}:{pid}", interrupted=interrupted)
        except Exception as error:  # noqa: BLE001 - the leases end by themselves
            log.warning("worker.release_failed", why=str(error).partition("\n")[0])


def _worker_command(settings: Settings) -> list[str]:
    return [
        sys.executable, "-m", "celery", "--quiet", "-A", "review.worker", "worker", "--loglevel", "WARNING",
        "--concurrency", str(settings.workers), "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def _worker_environment(settings: Settings, dsn: str) -> dict[str, str]:
    return {
        **os.environ,
        **as_environment(settings),
        "DRAMAGATE_DATABASE_URL": dsn,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the worker and its pool at once: finished steps are kept, and the job is done again."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
    else:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            yield file


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
            door.listen(1024)
        except OSError as taken:
            raise Unavailable(
                f"{host} port {port} cannot be listened on: {taken.strerror or taken}; "
                f"stop what uses it, or name another with --port"
            ) from taken
        yield door


def _make_home(settings: Settings) -> None:
    """Home and its folders, closed to others where we are the one who makes them."""
    try:
        settings.home.parent.mkdir(parents=True, exist_ok=True)
        for folder in (settings.home, settings.work, settings.blobs):
            folder.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"DRAMAGATE_HOME: {settings.home} cannot be used: {error.strerror}") from error


def _sweep(settings: Settings, *, all_of_it: bool) -> None:
    """Remove what killed predecessors left half made. Resumable uploads are not: they are continued."""
    for left in (*settings.work.glob("*"), *settings.blobs.glob("incoming/*")):
        with contextlib.suppress(OSError):
            if all_of_it or time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[str]:
    if settings.database_url:
        yield settings.database_url
        return
    with EmbeddedPostgres(settings.home / "postgres") as server:
        if not server.owner:
            raise Unavailable(f"another gateway is running on {settings.home}: stop it, or name another DRAMAGATE_HOME")
        yield server.dsn


def _own_key(settings: Settings, dsn: str) -> str:
    """The key of whoever may read `<home>/api-key`; made on the first start."""
    path = settings.home / "api-key"
    if not path.exists():
        new = path.with_name(".api-key.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"dgk_{secrets.token_urlsafe(32)}\n")
        new.replace(path)
    key = path.read_text("ascii").strip()
    with listener(dsn) as db:
        db.execute("set search_path to dramagate")
        store.ensure_tenant(db, TENANT, "this machine")
        store.add_credential(db, TENANT, key, "api_key", "local")
    return key


@contextlib.contextmanager
def _api(app: object, door: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="on",
        timeout_graceful_shutdown=int(STOP_S),
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="api", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise Unavailable("the API did not start; the lines above say why")
        time.sleep(0.01)
    try:
        yield
    finally:
        app.state.service.watch.stop()  # type: ignore[attr-defined]
        server.should_exit = True
        thread.join(STOP_S + 2)


def _tell(gateway: Gateway, settings: Settings) -> None:
    _say(
        f"dramagate is serving at {gateway.url}\n"
        f"  console:  {gateway.console_url}  (this link works for an hour)\n"
        f"  API key:  {settings.home / 'api-key'}\n"
        f'  try:      curl -H "Authorization: Bearer $(cat {settings.home / "api-key"})" {gateway.url}/v1/submissions\n'
    )


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()

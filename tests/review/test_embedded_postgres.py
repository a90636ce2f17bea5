from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from provenance.failure import ConfigError
from review import embedded_postgres
from review.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.database

START = """
import sys, time
from pathlib import Path
import psycopg
from review.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
db = psycopg.connect(server.start(), autocommit=True)
print(server.owner, flush=True)
def count():
    return db.execute("select count(*) from kept").fetchone()[0]
"""
SIT = 'db.execute("insert into kept values (1)"); print("in", flush=True); input()'
MEET = """
db.execute("insert into kept values (1)")
while count() < 4:
    time.sleep(0.01)
db.execute("insert into kept values (1)")
while server.owner and count() < 8:  # the others have seen everybody
    time.sleep(0.01)
server.stop()
"""


def run(root: Path, then: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + then, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped server's folder with an empty table `kept`; making one takes most of a first start."""
    root = tmp_path_factory.mktemp("made") / "pg"
    with EmbeddedPostgres(root) as server, psycopg.connect(server.dsn, autocommit=True) as db:
        db.execute("create table kept (n int)")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    subprocess.run(["cp", "-a", made, tmp_path / "pg"], check=True)
    return tmp_path / "pg"


def rows(dsn: str) -> int:
    with psycopg.connect(dsn) as db:
        found = db.execute("select count(*) from kept").fetchone()
    assert found is not None
    return int(found[0])


def keep_one(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("create table if not exists kept (n int)")
        db.execute("insert into kept values (1)")


def connect_again(dsn: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(dsn).close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the server did not come back"
            time.sleep(0.02)


def test_what_was_committed_is_there_after_stop_and_start_at_the_same_address(root: Path) -> None:
    with EmbeddedPostgres(root) as first:
        keep_one(first.dsn)
        before = first.dsn
    with EmbeddedPostgres(root) as second:
        assert (second.dsn, rows(second.dsn)) == (before, 1)


def test_a_killed_server_comes_back_with_every_acknowledged_row(root: Path) -> None:
    with EmbeddedPostgres(root) as server:
        acknowledged = 0
        keep_one(server.dsn)
        acknowledged += 1
        pid = server.pid
        assert pid is not None
        threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server.dsn, autocommit=True) as db:
            while True:
                db.execute("insert into kept values (2)")
                acknowledged += 1
        connect_again(server.dsn)
        assert server.restarts == 1 or server.pid != pid
        assert rows(server.dsn) in (acknowledged, acknowledged + 1), "one may have committed unheard"


def test_the_server_of_a_killed_process_is_taken_over_with_its_rows(root: Path) -> None:
    child = run(root, SIT)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline().startswith("True")
    assert child.stdout.readline() == "in\n"
    child.kill()
    child.wait()
    child.stdout.close()
    child.stdin.close()
    with EmbeddedPostgres(root) as server:
        assert rows(server.dsn) == 1


def test_a_server_nobody_looks_after_is_stopped_first(root: Path) -> None:
    with EmbeddedPostgres(root) as server:
        keep_one(server.dsn)
        pid = server.pid
        assert pid is not None
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        owner = Path(f"/proc/{pid}").stat()
    orphan = subprocess.Popen(  # without the parent-death signal a predecessor's would have had
        arguments,
        cwd=root / "cluster" / "data",
        stderr=subprocess.DEVNULL,
        user=owner.st_uid if os.geteuid() == 0 else None,
        group=owner.st_gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
    )
    connect_again(server.dsn)
    with EmbeddedPostgres(root) as successor:
        assert orphan.wait(10) == 0
        assert (successor.pid != orphan.pid, rows(successor.dsn)) == (True, 1)


@pytest.mark.parametrize("stranger", ["dead", "somebody else's"])
def test_a_stale_process_id_does_not_keep_it_from_starting(root: Path, stranger: str) -> None:
    pid_file = root / "cluster" / "data" / "postmaster.pid"
    with EmbeddedPostgres(root) as server:
        keep_one(server.dsn)
        lines = pid_file.read_text().splitlines()
        user = pid_file.stat().st_uid
    # A process of the very user the server runs as: to PostgreSQL itself it looks like its own.
    other = subprocess.Popen(["sleep", "60"], user=user if os.geteuid() == 0 else None)
    if stranger == "dead":
        other.kill()
        other.wait()
    pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
    os.chown(pid_file, user, -1)
    try:
        with EmbeddedPostgres(root) as server:
            assert rows(server.dsn) == 1
        assert stranger == "dead" or other.poll() is None, "it was not touched"
    finally:
        other.kill()
        other.wait()


def test_several_processes_that_want_it_at_once_share_one(root: Path) -> None:
    children = [run(root, MEET) for _ in range(4)]
    said = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    assert sorted(line.split()[0] for line in said) == ["False", "False", "False", "True"]


def test_nothing_outside_its_folder_changes_permissions(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    watched = [closed, *closed.parents, Path(sys.prefix), *Path(sys.prefix).parents]
    before = [(p.stat().st_mode, p.stat().st_uid) for p in watched]
    with EmbeddedPostgres(closed / "pg") as server:
        keep_one(server.dsn)
        inside = {p: stat.S_IMODE(p.stat().st_mode) for p in (closed / "pg", closed / "pg" / "cluster")}
    assert [(p.stat().st_mode, p.stat().st_uid) for p in watched] == before
    assert set(inside.values()) == {0o700}


def test_only_who_has_the_password_is_let_in_and_only_from_this_machine(root: Path) -> None:
    with EmbeddedPostgres(root) as server:
        with psycopg.connect(server.dsn) as db:
            listening = db.execute("show listen_addresses").fetchone()
            assert (listening, db.execute("show unix_socket_directories").fetchone()) == (("127.0.0.1",), ("",))
            assert db.execute("show fsync").fetchone() == ("on",)
        password = (root / "password").read_text()
        for wrong in ("", "x"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(server.dsn.replace(password, wrong))
    for secret in ("password", "postgres.log", "server.json"):
        assert stat.S_IMODE((root / secret).stat().st_mode) == 0o600, secret


def test_a_first_start_that_was_interrupted_begins_again(tmp_path: Path) -> None:
    half = tmp_path / "pg" / "cluster.new" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path / "pg") as server:
        keep_one(server.dsn)
    assert not half.exists()


def test_a_taken_port_is_left_to_its_owner(root: Path) -> None:
    with EmbeddedPostgres(root) as server:
        keep_one(server.dsn)
    port = json.loads((root / "server.json").read_text())["port"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with EmbeddedPostgres(root) as moved:
            assert f":{port}/" not in moved.dsn
            assert rows(moved.dsn) == 1


def test_data_of_another_version_and_a_lost_password_are_told_to_the_operator(root: Path) -> None:
    with EmbeddedPostgres(root) as server:
        keep_one(server.dsn)
    version = root / "cluster" / "data" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(ConfigError, match=r"PostgreSQL 16, and this version of dramagate brings 18: dump it"):
        EmbeddedPostgres(root).start()
    version.write_text("18\n")
    (root / "password").unlink()
    with pytest.raises(ConfigError, match=r"password is missing.*restore it"):
        EmbeddedPostgres(root).start()


def test_binaries_the_database_user_cannot_reach_are_copied_for_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = embedded_postgres._find_package()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    hidden = closed / package.name
    (closed / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
    hidden.symlink_to(package)
    monkeypatch.setattr(embedded_postgres, "SHARED_BINARIES", (tmp_path / "shared",))
    monkeypatch.setattr(embedded_postgres, "_may_enter", lambda folder, user: closed not in (folder, *folder.parents))
    copied = embedded_postgres._reachable(closed / package.name, (65534, 65534))
    assert copied == package, "a link to where it can be reached is followed"
    hidden.unlink()
    shutil.copytree(package / "pginstall18", hidden / "pginstall18", symlinks=True)
    copied = embedded_postgres._reachable(hidden, (65534, 65534))
    assert copied.is_relative_to(tmp_path / "shared")
    assert (copied / "pginstall18" / "bin" / "postgres").stat().st_mode & 0o005 == 0o005
    assert embedded_postgres._reachable(hidden, (65534, 65534)) == copied
    copied.parent.chmod(0o777)  # anybody could have put something else there
    with pytest.raises(ConfigError, match="cannot be reached"):
        embedded_postgres._reachable(hidden, (65534, 65534))

"""The whole gateway on real files, and what is left of a review when its worker or its database is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from provenance import registry
from provenance.asset import digest
from provenance.failure import ConfigError
from review import store
from review.database import Database
from review.jobs import Job, LeaseLost
from review.pump import connection_string
from review.serve import Gateway, running_gateway, work
from review.settings import Settings
from review.worker import StoredLedger
from tests.review.served import owner

KILLABLE = 120.0
"""Seconds a review may take when it is killed on the way; it takes some ten on two free cores."""


# Steps.


@pytest.mark.database
def test_a_step_that_has_finished_is_not_done_again(workers: Database, received: str) -> None:
    done: list[str] = []

    def step(name: str) -> Callable[[], dict[str, Any]]:
        def work_() -> dict[str, Any]:
            done.append(name)
            return {"by": name, "pair": [1, 2.5, None, "字"]}

        return work_

    first = StoredLedger(workers, Job(1, "local", "review", received, 1, "t"))
    second = StoredLedger(workers, Job(1, "local", "review", received, 2, "u"))
    kept = first.once("screening", "inputs", step("first"))
    assert second.once("screening", "inputs", step("second")) == kept == {"by": "first", "pair": [1, 2.5, None, "字"]}
    assert second.once("screening", "other inputs", step("third"))["by"] == "third"
    assert done == ["first", "third"]


@pytest.mark.database
def test_a_worker_that_lost_its_job_keeps_no_step(workers: Database, received: str) -> None:
    job = Job(1, "local", "review", received, 1, "t")

    def loses() -> dict[str, Any]:
        job.lost.set()
        return {"late": True}

    with pytest.raises(LeaseLost):
        StoredLedger(workers, job).once("screening", "inputs", loses)
    with workers.as_tenant("local") as db:
        assert store.step_result(db, received, "screening", "inputs") is None


# The whole gateway.


@contextlib.contextmanager
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {gateway.api_key}"}, timeout=60) as http:
        yield http


def submitted(http: httpx.Client, film: Path) -> str:
    sha256 = digest(film)
    http.post("/v1/uploads", content=film.read_bytes(), headers={"X-Content-SHA256": sha256}).raise_for_status()
    made = http.post(
        "/v1/submissions", json={"sha256": sha256, "file_name": film.name}, headers={"Idempotency-Key": sha256}
    )
    return str(made.raise_for_status().json()["id"])


def wait_for(http: httpx.Client, submission: str, states: set[str], patience_s: float = KILLABLE) -> str:
    deadline = time.monotonic() + patience_s
    while True:
        answer = http.get(f"/v1/submissions/{submission}")
        if answer.status_code == 200 and answer.json()["state"] in states:
            return str(answer.json()["state"])
        assert answer.status_code in (200, 503), answer.text
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


def settled_once(dsn: str, submission: str) -> tuple[object, ...]:
    """Job state, verdicts announced, decisions on record, runs kept of the screening."""
    with owner(dsn) as db:
        found = db.execute(
            "select (select string_agg(state, ',') from job where subject = %(s)s),"
            " (select count(*) from event where submission = %(s)s and kind = 'verdict'),"
            " (select count(*) from audit where subject = %(s)s and action = 'submission.settled'),"
            " (select count(*) from step where submission = %(s)s and step = 'screening')",
            {"s": submission},
        ).fetchone()
    assert found is not None
    return found


@pytest.mark.database
@pytest.mark.corpus
@pytest.mark.parametrize("victim", ["worker", "postgres"])
def test_a_review_killed_in_mid_screening_is_finished_once_and_the_same(
    tmp_path: Path, corpus: Path, victim: str
) -> None:
    film = corpus / "ai_clips" / "cogvideo_1.mp4"
    with running_gateway(Settings(tmp_path / "home", lease_s=5)) as gateway, client(gateway) as http:
        dsn = gateway._service.database.dsn
        submission = submitted(http, film)
        wait_for(http, submission, {"screening"})
        time.sleep(0.3)
        server = int((tmp_path / "home/postgres/cluster/data/postmaster.pid").read_text().split()[0])
        pid = gateway.worker.pid if victim == "worker" else server
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        end = wait_for(http, submission, {"released", "in_queue", "rejected", "decided", "failed"})
        verdict = http.get(f"/v1/submissions/{submission}/verdict").raise_for_status().json()
        assert settled_once(dsn, submission) == ("done", 1, 1, 1)
        successor = int((tmp_path / "home/postgres/cluster/data/postmaster.pid").read_text().split()[0])
        assert pid != (gateway.worker.pid if victim == "worker" else successor)
        undisturbed = http.post(f"/v1/submissions/{submission}/rescreen", headers={"Idempotency-Key": "again"}).json()[
            "id"
        ]
        assert wait_for(http, undisturbed, {end}) == end
        again = http.get(f"/v1/submissions/{undisturbed}/verdict").json()
        for part in ("outcome", "sha256", "essence_sha256", "verdict", "provenance"):
            assert verdict[part] == again[part], part
        assert verdict["screening"]["findings"] == again["screening"]["findings"]


@pytest.mark.database
@pytest.mark.corpus
def test_a_gateway_that_is_stopped_in_mid_review_ends_in_seconds_and_goes_on_when_started(
    tmp_path: Path, corpus: Path
) -> None:
    home = tmp_path / "home"
    command = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from review.serve import serve; from review.settings import Settings;"
        "serve(Settings(Path(sys.argv[1])), port=int(sys.argv[2]))",
        str(home),
        "0",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = ""
    while "is serving at " not in line:
        line = process.stderr.readline()
        assert line, "it ended"
    url = line.strip().rpartition(" ")[2]
    key = (home / "api-key").read_text().strip()
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        submission = submitted(http, corpus / "ai_clips" / "cogvideo_1.mp4")
        wait_for(http, submission, {"verifying", "screening"})
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=30)[1]
        assert process.returncode == 0, rest
        assert time.monotonic() - began < 10
    with running_gateway(Settings(home)) as gateway, client(gateway) as http:
        wait_for(http, submission, {"released", "in_queue", "rejected", "decided"})
        assert settled_once(gateway._service.database.dsn, submission) == ("done", 1, 1, 1)


@pytest.mark.database
def test_keys_and_links_are_private_and_the_key_stays_the_same(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_gateway(Settings(home)) as gateway:
        first = gateway.api_key
        assert (home / "api-key").stat().st_mode & 0o777 == 0o600
        assert home.stat().st_mode & 0o777 == 0o700
        assert gateway.console_url != gateway.console_url
    (home / "tmp" / "left-by-a-killed-worker").mkdir()
    with running_gateway(Settings(home)) as gateway:
        assert gateway.api_key == first
        assert list((home / "tmp").iterdir()) == []


# A worker by itself.


@pytest.mark.database
def test_a_worker_without_a_gateway_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no database is running: start `dramagate serve`"):
        connection_string(Settings(tmp_path))
    with pytest.raises(ConfigError, match=r"a worker by itself needs DRAMAGATE_DATABASE_URL"):
        work(Settings(tmp_path), ("cpu",))
    with pytest.raises(ConfigError, match=r"nothing is sent to gpu yet"):
        work(Settings(tmp_path, "postgresql://h/d"), ("gpu",))


@pytest.mark.database
def test_a_worker_finds_the_database_of_the_gateway_beside_it(tmp_path: Path) -> None:
    with running_gateway(Settings(tmp_path)) as gateway:
        assert connection_string(Settings(tmp_path)) == gateway._service.database.dsn
    assert connection_string(Settings(tmp_path, "postgresql://h/d")) == "postgresql://h/d"


@pytest.mark.database
@pytest.mark.corpus
def test_a_copied_film_is_found_in_the_registry_and_the_still_shows_it(tmp_path: Path, corpus: Path) -> None:
    film, other = corpus / "ai_clips" / "cogvideo_1.mp4", corpus / "real_clips" / "kitten.mp4"
    root = tmp_path / "home" / "registry"
    root.mkdir(parents=True)
    registry.add_work(root, "work:protected", kind="film", title="The protected one", files=[film])
    with running_gateway(Settings(tmp_path / "home")) as gateway, client(gateway) as http:
        copied, innocent = submitted(http, film), submitted(http, other)
        assert wait_for(http, copied, {"released", "in_queue", "rejected", "decided"}) == "rejected"
        base = f"/v1/submissions/{copied}"
        found = http.get(f"{base}/findings").json()["findings"]
        number = next(n for n, f in enumerate(found) if f["work"] == "work:protected")
        still = http.get(f"{base}/evidence/{number}")
        assert (still.status_code, still.headers["content-type"]) == (200, "image/jpeg")
        assert still.content.startswith(b"\xff\xd8\xff")
        assert "data:image/jpeg" in http.get(f"{base}/report").text
        played = http.get(f"{base}/media", headers={"Range": "bytes=0-99"})
        assert (played.status_code, played.headers["content-type"]) == (206, "video/mp4")
        assert played.headers["content-disposition"].startswith("inline")
        assert http.get(f"{base}/media?variant=released").json()["code"] == "not-released"
        assert wait_for(http, innocent, {"released", "in_queue", "rejected", "decided"}) != "rejected"
        assert not any(f["work"] for f in http.get(f"/v1/submissions/{innocent}/findings").json()["findings"])

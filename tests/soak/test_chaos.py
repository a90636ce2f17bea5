"""A gateway under fire: worker and database are killed again and again; every submission is judged once and rightly."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from classifiers.detectors.calibration_card import draw_card
from classifiers.weights import WeightStore
from review.serve import Gateway, running_gateway
from review.settings import Settings
from tests.provenance.made_films import film
from tests.review.test_worker import client, settled_once, submitted, wait_for
from tests.soak.carded_files import LURE
from tests.soak.conftest import Record, asked

pytestmark = [pytest.mark.soak, pytest.mark.database, pytest.mark.weights]

SUBMISSIONS = asked("SUBMISSIONS", 12)
WORKER_KILLS = asked("WORKER_KILLS", 5)
ENDS = {"released", "in_queue", "rejected", "decided", "failed"}
PATIENCE_S = 900.0
QUIET_S = 2.0
"""At least this long between two kills, so that some work is done in between."""


@pytest.fixture
def gateway(tmp_path: Path, weights: WeightStore) -> Iterator[Gateway]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "weights").symlink_to(weights.root)
    # Every kill is an attempt of the job it meets; one unlucky job may meet them all.
    with running_gateway(Settings(home, lease_s=5, attempts=WORKER_KILLS + 6)) as running:
        yield running


def test_whoever_is_killed_every_submission_is_judged_once_and_as_if_nothing_had_happened(
    tmp_path: Path, gateway: Gateway, record: Record
) -> None:
    files = small_works(tmp_path, SUBMISSIONS)
    dsn = gateway._service.database.dsn
    with client(gateway) as http:
        ids = {persistently(partial(submitted, http, one)): one for one in files}
        assert len(ids) == SUBMISSIONS
        killed = fired_upon(http, gateway, tmp_path / "home", set(ids))
        ends = {one: finished(http, one) for one in ids}
        outcomes = {one: outcome(http, one) for one in ids}
        once = {one: settled_once(dsn, one) for one in ids}
        again = {one: undisturbed(http, one) for one in first_of_each_kind(ids)}
    record(
        submissions=SUBMISSIONS, killed=killed, ends=sorted(ends.values()), outcomes=sorted(map(str, outcomes.values()))
    )
    assert killed["worker"] >= 1
    assert killed["postgres"] == 2
    for one, file in ids.items():
        kind = file.name.partition("-")[0]
        assert (ends[one] == "failed") == (kind == "broken"), (file.name, ends[one])
        assert once[one] == (("failed", 0, 0, 0) if kind == "broken" else ("done", 1, 1, 1)), (file.name, once[one])
        assert outcomes[one] == WITHOUT_KILLS[kind], (file.name, outcomes[one])
    assert again == {one: outcomes[one] for one in again}


def test_a_gateway_that_never_tries_again_would_be_noticed(tmp_path: Path, weights: WeightStore) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "weights").symlink_to(weights.root)
    with running_gateway(Settings(home, lease_s=5, attempts=1)) as gateway, client(gateway) as http:
        one = submitted(http, film(tmp_path / "film.mp4", seconds=8, fps=24, size=(180, 320)))
        wait_for(http, one, {"screening"})
        assert gateway.worker.pid is not None
        os.kill(gateway.worker.pid, signal.SIGKILL)
        assert finished(http, one) == "failed"
        assert settled_once(gateway._service.database.dsn, one) == ("failed", 0, 0, 0)


WITHOUT_KILLS = {"card": "reject", "lure": "hold", "film": "hold", "broken": None}
"""What each kind of file gets: its outcome, or no verdict at all."""


def small_works(folder: Path, count: int) -> list[Path]:
    """`count` different files: stills and films of the card, scripts with a lure, and files that cannot be read."""
    made = []
    for n in range(count):
        kind = list(WITHOUT_KILLS)[n % len(WITHOUT_KILLS)]
        suffix = {"card": "png", "lure": "srt", "film": "mp4", "broken": "mp4"}[kind]
        path = folder / f"{kind}-{n}.{suffix}"
        if kind == "card":
            Image.fromarray(draw_card(96 + n, 160)).save(path)
        elif kind == "lure":
            path.write_text(f"1\n00:00:0{n % 10},000 --> 00:00:0{n % 10},900\n{LURE}\n", "utf-8")
        elif kind == "film":
            film(path, seconds=2, fps=12, size=(96, 160 + 2 * n))
        else:
            path.write_bytes(np.random.default_rng(n).bytes(5000))
        made.append(path)
    return made


# ---------------------------------------------------------------- what is done to it


def fired_upon(http: httpx.Client, gateway: Gateway, home: Path, ids: set[str]) -> dict[str, int]:
    """Kill the worker, and twice the database, as the work goes on; how often each."""
    killed = {"worker": 0, "postgres": 0}
    total = WORKER_KILLS + 2
    deadline = time.monotonic() + PATIENCE_S
    for shot in range(total):
        while done(http, ids) < (shot * len(ids)) // (total + 1):  # spread over the whole of the work
            assert time.monotonic() < deadline, f"{done(http, ids)} of {len(ids)} after {killed}"
            time.sleep(0.1)
        victim = "postgres" if shot in (total // 3, 2 * total // 3) else "worker"
        pid = postmaster(home) if victim == "postgres" else gateway.worker.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed[victim] += 1
        time.sleep(QUIET_S)
    return killed


def postmaster(home: Path) -> int | None:
    """Process id of the database server now; None while it starts."""
    try:
        return int((home / "postgres/cluster/data/postmaster.pid").read_text("ascii").split()[0])
    except (FileNotFoundError, IndexError):
        return None


def persistently(ask: Callable[[], Any]) -> Any:
    """What `ask` answers, once the gateway can."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def state(http: httpx.Client, submission: str) -> str:
    return str(persistently(lambda: http.get(f"/v1/submissions/{submission}").raise_for_status().json()["state"]))


def done(http: httpx.Client, ids: set[str]) -> int:
    return sum(state(http, one) in ENDS for one in ids)


def finished(http: httpx.Client, submission: str) -> str:
    """The state it ends in."""
    deadline = time.monotonic() + PATIENCE_S
    while (now := state(http, submission)) not in ENDS:
        assert time.monotonic() < deadline, f"{submission} is still {now}"
        time.sleep(0.2)
    return now


def outcome(http: httpx.Client, submission: str) -> str | None:
    """Of its verdict; None where it has none."""

    def ask() -> str | None:
        answer = http.get(f"/v1/submissions/{submission}/verdict")
        return None if answer.status_code in (404, 409) else str(answer.raise_for_status().json()["outcome"])

    found: str | None = persistently(ask)
    return found


def first_of_each_kind(ids: dict[str, Path]) -> list[str]:
    """One submission of each kind that got a verdict."""
    kinds = {file.name.partition("-")[0]: one for one, file in reversed(ids.items())}
    return [one for kind, one in kinds.items() if kind != "broken"]


def undisturbed(http: httpx.Client, submission: str) -> str | None:
    """The outcome when it is screened again and nobody is killed."""
    again = http.post(f"/v1/submissions/{submission}/rescreen", headers={"Idempotency-Key": f"again-{submission}"})
    new = str(again.raise_for_status().json()["id"])
    finished(http, new)
    return outcome(http, new)

"""What the long runs share: a process to screen in, and a record of what they measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
Screener = Callable[..., list[Json]]
Record = Callable[..., None]


def asked(name: str, default: int) -> int:
    """A number from the environment: how long a long run is."""
    return int(os.environ.get(f"DRAMAGATE_SOAK_{name}", default))


@pytest.fixture
def screened(tmp_path: Path) -> Screener:
    """Screen films one after the other in one process of their own: `screened(films, classifiers, works, weights)`."""

    def run(
        films: Sequence[Path],
        classifiers: Sequence[str] | None,
        works: Mapping[str, Path],
        weights: Path,
        program: str = "tests.soak.screening_child",
    ) -> list[Json]:
        plan = tmp_path / "plan.json"
        plan.write_text(
            json.dumps(
                {
                    "films": [str(f) for f in films],
                    "works": {name: str(path) for name, path in works.items()},
                    "classifiers": classifiers,
                    "weights": str(weights),
                }
            ),
            "utf-8",
        )
        done = subprocess.run(
            [sys.executable, "-m", program, str(plan)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in (str(_root()), *sys.path) if p)},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Append what a run measured, as one JSON line, to the file named by DRAMAGATE_SOAK_RESULTS, if any."""
    began, load = time.monotonic(), os.getloadavg()[0]

    def keep(**measured: Any) -> None:
        named = os.environ.get("DRAMAGATE_SOAK_RESULTS")
        if not named:
            return
        line = {
            "run": request.node.name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_s": round(time.monotonic() - began, 1),
            "load_1m": [round(load, 1), round(os.getloadavg()[0], 1)],
            "cores": os.cpu_count(),
            "machine": platform.machine(),
            **measured,
        }
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    return keep


def _root() -> Path:
    return Path(__file__).parents[2]

"""A process that screens the films of a plan one after the other and says what memory it held meanwhile.

`python -m tests.soak.screening_child PLAN.json`: {"films": [path, ...], "works": {id: path}, "classifiers": [name, ...]
or null for all, "weights": path}. One JSON line for each film on standard output. A process of its own, as in the
service, so that what the tests themselves hold is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from classifiers.classifier import Context, installed
from classifiers.screen import screen
from classifiers.weights import WeightStore
from provenance.asset import AssetKind
from provenance.registry import Reference, Registry, Work

EVERY_FRAMES = 720
"""Frames between two samples of memory: half a minute of film at 24 fps."""


def held_kib() -> int:
    """Resident memory of this process now. Source: proc(5), VmRSS."""
    return _status("VmRSS")


def most_held_kib() -> int:
    """The most this process ever had resident; unlike getrusage it begins anew with the program (proc(5), VmHWM)."""
    return _status("VmHWM")


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise LookupError(f"this system does not tell {field}")


def run(plan: dict[str, Any]) -> None:
    """Screen every film of `plan` and print what came of it."""
    every = installed()
    chosen = {name: every[name] for name in plan["classifiers"] or every}
    works = {
        name: Work(name, "film", name, (Reference(Path(path), "video"),), {}) for name, path in plan["works"].items()
    }
    context = Context(Registry(works=works), WeightStore(Path(plan["weights"])))
    for film in map(Path, plan["films"]):
        held: list[tuple[int, int]] = []

        def note(done: int, _total: int, held: list[tuple[int, int]] = held) -> None:
            if not held or done - held[-1][0] >= EVERY_FRAMES:
                held.append((done, held_kib()))

        began = time.monotonic()
        said = screen(film, AssetKind.EPISODE, classifiers=chosen, context=context, progress=note)
        answer = {
            "film": film.name,
            "wall_s": round(time.monotonic() - began, 2),
            "cpu_s": round(said.screen_cpu_ms / 1000, 2),
            "duration_us": said.duration_us,
            "frames": max((r.frames_total for r in said.ran), default=0),
            "findings": [
                [f.category, f.where.start_us, f.where.end_us, f.work, f.score_millionths] for f in said.findings
            ],
            "gaps": [[g.classifier, g.reason] for g in said.gaps],
            "held_kib": held,
            "held_after_kib": held_kib(),
            "most_held_kib": most_held_kib(),
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run(json.loads(Path(sys.argv[1]).read_text("utf-8")))

"""Measurements as ratios against a floor or a peer in the same run. One file per measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Result = dict[str, Any]
"""id, value, unit, baseline, ratio, target."""


def _screen(folder: Path) -> list[Result]:
    from dramagate.bench.screen import bench_screen

    return bench_screen(folder)


def _cut(folder: Path) -> list[Result]:
    from dramagate.bench.cut import bench_cut

    return bench_cut(folder)


BENCHES: dict[str, Callable[[Path], list[Result]]] = {"screen": _screen, "cut": _cut}


def run(names: Sequence[str], note: Callable[[str], None]) -> list[Result]:
    """The results of the named measurements, one after another so that none disturbs the next."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="dramagate-bench-") as folder:
        for name in names:
            note(f"measuring {name}")
            results += BENCHES[name](Path(folder))
    return results

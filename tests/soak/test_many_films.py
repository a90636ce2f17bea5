"""Hundreds of films through one process, as a worker that never restarts would see them: memory stays flat."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median

import pytest
from PIL import Image

from classifiers.weights import WeightStore
from tests.provenance.made_films import film
from tests.soak.conftest import Json, Record, Screener, asked

pytestmark = pytest.mark.soak

FILMS = asked("FILMS", 200)
WHOLE_FILMS = asked("WHOLE_FILMS", 80)
CHEAP = ["calibration_card", "near_copy", "text"]
GROWTH_KIB = 24 << 10
"""Between the median after a fifth of the films and after the last fifth. Allocators shift by some MiB either way;
losing one decoded 180x320 frame of each film would be 13 MiB over 160 films, one film's frames 300 MiB."""


def kinds_of_films(folder: Path) -> list[Path]:
    """Small films that differ in codec, size, rate, sound, turn and container, an animation and a still."""
    made = [
        film(folder / "a.mp4", seconds=2, fps=24, size=(180, 320)),
        film(folder / "b.mkv", seconds=2, fps=25, size=(144, 256), sound="libopus"),
        film(folder / "c.webm", seconds=1, fps=24, size=(96, 160), codec="libvpx", sound="libopus"),
        film(folder / "d.mp4", seconds=2, fps=30, size=(320, 180), sound=None, rotation=90),
        film(folder / "e.mp4", seconds=1, fps=24, size=(180, 320), codec="libx265", b_frames=0),
        film(folder / "f.mp4", seconds=2, fps=12, size=(192, 192), cues=[(0.2, 1.5, "你好")]),
    ]
    pictures = [Image.linear_gradient("L").rotate(40 * n).convert("RGB").resize((180, 320)) for n in range(8)]
    pictures[0].save(folder / "g.gif", save_all=True, append_images=pictures[1:], duration=120, loop=0)
    pictures[3].save(folder / "h.png")
    return [*made, folder / "g.gif", folder / "h.png"]


def copies(folder: Path, count: int) -> list[Path]:
    """`count` files under names of their own, of every kind in turn."""
    kinds = kinds_of_films(folder)
    named = []
    for n in range(count):
        kind = kinds[n % len(kinds)]
        named.append(folder / f"{n:04}{kind.suffix}")
        shutil.copyfile(kind, named[-1])
    return named


def grown_kib(told: list[Json]) -> int:
    """How much more is held after the last fifth of the films than after the first."""
    fifth = max(1, len(told) // 5)
    settled, last = told[fifth : 2 * fifth], told[-fifth:]
    before, after = (float(median(t["held_after_kib"] for t in part)) for part in (settled, last))
    return round(after - before)


def measured(told: list[Json]) -> Json:
    """What is written down of a run."""
    return {
        "films": len(told),
        "grown_kib": grown_kib(told),
        "held_after_kib": [t["held_after_kib"] for t in told[:: max(1, len(told) // 20)]],
        "cpu_s": round(sum(t["cpu_s"] for t in told), 1),
    }


def test_two_hundred_films_in_one_process_leave_nothing_behind(
    tmp_path: Path, screened: Screener, record: Record
) -> None:
    films = copies(tmp_path, FILMS)
    told = screened(films, CHEAP, {"theirs": films[0]}, tmp_path)
    record(**measured(told))
    assert len(told) == FILMS
    assert [t["gaps"] for t in told] == [[]] * FILMS
    of_a_kind = {n % 8: t["findings"] for n, t in enumerate(told[:8])}
    assert [t["findings"] for t in told] == [of_a_kind[n % 8] for n in range(FILMS)], "the same film, another answer"
    assert any(of_a_kind.values())
    assert grown_kib(told) < GROWTH_KIB


@pytest.mark.weights
def test_eighty_films_with_every_classifier_leave_nothing_behind(
    tmp_path: Path, screened: Screener, weights: WeightStore, record: Record
) -> None:
    told = screened(copies(tmp_path, WHOLE_FILMS), None, {}, weights.root)
    record(**measured(told))
    assert len(told) == WHOLE_FILMS
    assert {name for t in told for name, _ in t["gaps"]} <= {"semantics", "speech"}  # no weights by default
    assert grown_kib(told) < GROWTH_KIB


def test_a_screening_that_keeps_its_frames_would_be_noticed(tmp_path: Path, screened: Screener) -> None:
    told = screened(copies(tmp_path, 80), CHEAP, {}, tmp_path, program="tests.soak.leaking_child")
    assert grown_kib(told) > GROWTH_KIB

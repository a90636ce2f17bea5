"""Hours of film: memory stays where it was after the first minutes, and what lies in the last one is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from classifiers.weights import WeightStore
from tests.soak.conftest import Record, Screener, asked
from tests.soak.looped_films import CARD_S, COPY_S, FPS, Planted, long_film, work_of_others

pytestmark = pytest.mark.soak

LONG_S = asked("FILM_S", 7200)
WHOLE_S = asked("WHOLE_FILM_S", 600)
CHEAP = ["calibration_card", "near_copy"]
SETTLED_S = 300
"""From when on memory has to stay: codecs, models and pools have filled by then."""
GROWTH_KIB = 100 << 10
"""What two hours may add to that, the alignment at the end included. Prints of the film (film_print.py) are what
has to grow: some 5-24 rows a second."""


def grown_kib(told: dict[str, Any], settled_s: float) -> int:
    """How much more than after `settled_s` the process ever held."""
    settled = [kib for frame, kib in told["held_kib"] if frame <= settled_s * FPS]
    assert len(settled) < len(told["held_kib"]), "the film ended before memory had settled"
    return int(told["most_held_kib"] - max(settled))


def assert_planted_are_found(told: dict[str, Any], film: Planted) -> None:
    """Exactly the card and the copy, each within two frames of where it lies."""
    frame_us = 1_000_000 / FPS
    found = {(category, work): (start, end) for category, start, end, work, _ in told["findings"]}
    assert set(found) >= {("calibration.card", None), ("copy.video", "theirs")}, told["findings"]
    for key, start_s, length_s in (
        (("calibration.card", None), film.card_s, CARD_S),
        (("copy.video", "theirs"), film.copy_s, COPY_S),
    ):
        assert found[key] == pytest.approx((start_s * 1e6, (start_s + length_s) * 1e6), abs=2 * frame_us + 1), key


def test_two_hours_are_screened_to_the_last_minute_in_the_memory_of_the_first(
    tmp_path: Path, screened: Screener, record: Record
) -> None:
    film = long_film(tmp_path / "long.mp4", LONG_S)
    theirs = work_of_others(tmp_path / "theirs.mp4")
    told = screened([film.path], CHEAP, {"theirs": theirs}, tmp_path)[0]
    settled_s = min(SETTLED_S, LONG_S / 4)
    record(
        film_s=LONG_S,
        film_bytes=film.path.stat().st_size,
        screen_wall_s=told["wall_s"],
        screen_cpu_s=told["cpu_s"],
        frames=told["frames"],
        held_kib=told["held_kib"][:: max(1, len(told["held_kib"]) // 24)],
        held_after_kib=told["held_after_kib"],
        settled_kib=max(kib for frame, kib in told["held_kib"] if frame <= settled_s * FPS),
        most_kib=told["most_held_kib"],
        grown_kib=grown_kib(told, settled_s),
        findings=told["findings"],
    )
    assert told["gaps"] == []
    assert told["frames"] == LONG_S * FPS
    assert told["duration_us"] == pytest.approx(LONG_S * 1e6, abs=50_000)
    assert_planted_are_found(told, film)
    assert len(told["findings"]) == 2, told["findings"]
    assert grown_kib(told, settled_s) < GROWTH_KIB


@pytest.mark.weights
def test_ten_minutes_with_every_classifier_stay_in_the_memory_of_the_first_two(
    tmp_path: Path, screened: Screener, weights: WeightStore, record: Record
) -> None:
    film = long_film(tmp_path / "long.mp4", WHOLE_S)
    theirs = work_of_others(tmp_path / "theirs.mp4")
    told = screened([film.path], None, {"theirs": theirs}, weights.root)[0]
    settled_s = WHOLE_S / 5
    record(
        film_s=WHOLE_S,
        screen_wall_s=told["wall_s"],
        screen_cpu_s=told["cpu_s"],
        frames=told["frames"],
        held_kib=told["held_kib"][:: max(1, len(told["held_kib"]) // 24)],
        held_after_kib=told["held_after_kib"],
        most_kib=told["most_held_kib"],
        grown_kib=grown_kib(told, settled_s),
        gaps=told["gaps"],
    )
    assert {name for name, _ in told["gaps"]} <= {"semantics", "speech"}, told["gaps"]  # no weights by default
    assert_planted_are_found(told, film)
    assert grown_kib(told, settled_s) < GROWTH_KIB


def test_a_screening_that_keeps_its_frames_would_be_noticed(tmp_path: Path, screened: Screener) -> None:
    film = long_film(tmp_path / "long.mp4", 240)
    honest = screened([film.path], CHEAP, {}, tmp_path)[0]
    leaking = screened([film.path], CHEAP, {}, tmp_path, program="tests.soak.leaking_child")[0]
    assert grown_kib(honest, 60) < GROWTH_KIB < grown_kib(leaking, 60)

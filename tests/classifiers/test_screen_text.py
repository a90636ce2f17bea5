"""Lines on the screen: read exactly, when they stand there, and what is said against them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from classifiers.classifier import Context
from classifiers.detectors import ai_label, screen_text
from classifiers.finding import Finding
from classifiers.screen_reader import ScreenReader
from classifiers.weights import WeightStore
from provenance.registry import Registry
from tests.classifiers.drawn_films import Background, Caption, film, film_of, moving, plain, shown

SIZE = (720, 1280)
LINES = (
    Caption("你终于回来了", 0.5, 1.6, 44),
    Caption("我等了你整整三年", 1.6, 3.1, 44),
    Caption("这份合同必须签", 3.25, 3.8, 44),
    Caption("I never said that", 4.0, 5.5, 40, outline=3),
)


def looked(
    tmp_path: Path, weights: WeightStore, on: Background, captions: tuple[Caption, ...], s: float
) -> list[Finding]:
    path = film(tmp_path / "film.mp4", on, captions, s)
    known = film_of(path, s, SIZE)
    look = screen_text.classifier.open(known, Context(Registry(), weights))
    for frame in shown(path):
        look.see(frame)
    return list(look.finish(known))


@pytest.mark.weights
@pytest.mark.parametrize("ground", [plain, moving])
def test_every_subtitle_is_read_exactly_and_timed_within_a_quarter_second(
    tmp_path: Path, weights: WeightStore, ground: Callable[[int, int], Background]
) -> None:
    found = looked(tmp_path, weights, ground(*SIZE), LINES, 6)
    assert [f.text for f in found] == [c.text for c in LINES]
    for finding, caption in zip(found, LINES, strict=True):
        assert finding.category == "text.screen"
        assert abs(finding.where.start_us / 1e6 - caption.start_s) <= 0.25
        assert abs(finding.where.end_us / 1e6 - caption.end_s) <= 0.25
        assert finding.region is not None
        assert 0.84 < finding.region.y < 0.9


@pytest.mark.weights
def test_a_lure_is_found_with_its_time_and_place(tmp_path: Path, weights: WeightStore) -> None:
    captions = (Caption("加微信 abc12345 领红包", 0.5, 2, 40, (80, 300)),)
    lures = [f for f in looked(tmp_path, weights, plain(*SIZE), captions, 2.5) if f.category == "lure.contact"]
    (lure,) = lures
    assert lure.region is not None
    assert 0.2 < lure.region.y < 0.26
    assert (lure.where.start_us, lure.where.end_us) == (500_000, 2_000_000)
    assert lure.text is not None
    span = slice(int(lure.measured["from_char"]), int(lure.measured["to_char"]))
    assert lure.text[span] == "abc12345"


@pytest.mark.weights
def test_a_lure_broken_over_two_lines_is_found(tmp_path: Path, weights: WeightStore) -> None:
    captions = (Caption("快加我微信", 0, 1.5, 44, (80, 300)), Caption("drama_2024", 0, 1.5, 44, (80, 370)))
    found = looked(tmp_path, weights, plain(*SIZE), captions, 2)
    assert [f.text for f in found if f.category == "lure.contact"] == ["快加我微信 drama_2024"]


@pytest.mark.weights
def test_text_of_half_a_second_and_of_one_odd_frame_is_seen(tmp_path: Path, weights: WeightStore) -> None:
    captions = (
        Caption("只出现半秒", 0.7, 1.2, 60, (100, 300)),
        Caption("加微信 abc12345", 2.0, 2.04, 90, (10, 700), outline=12),
    )
    found = {f.text for f in looked(tmp_path, weights, plain(*SIZE), captions, 3)}
    assert "只出现半秒" in found
    assert "加微信abc12345" in {text.replace(" ", "") for text in found if text}


@pytest.mark.weights
def test_a_film_without_text_says_nothing(tmp_path: Path, weights: WeightStore) -> None:
    assert looked(tmp_path, weights, moving(*SIZE), (), 2) == []


@pytest.mark.weights
def test_one_pass_reads_once_for_every_classifier(tmp_path: Path, weights: WeightStore) -> None:
    path = film(tmp_path / "film.mp4", plain(*SIZE), LINES[:1], 2)
    known, context = film_of(path, 2, SIZE), Context(Registry(), weights)
    looks = [c.open(known, context) for c in (screen_text.classifier, ai_label.classifier)]
    reader = ScreenReader.of(known, context)
    for frame in shown(path):
        for look in looks:
            look.see(frame)
    assert [bool(list(look.finish(known))) for look in looks] == [True, False]
    assert reader.lines_read <= 2
    assert ScreenReader.of(film_of(path, 2, SIZE), context) is not reader


@pytest.mark.weights
def test_a_still_picture_is_not_searched_again_and_again(tmp_path: Path, weights: WeightStore) -> None:
    path = film(tmp_path / "film.mp4", plain(*SIZE), (Caption("你终于回来了", 0, 4, 44),), 4)
    known, context = film_of(path, 4, SIZE), Context(Registry(), weights)
    reader = ScreenReader.of(known, context)
    for frame in shown(path):
        reader.see(frame)
    (line,) = reader.finish()
    assert (line.where.start_us, line.where.end_us) == (0, 4_000_000)
    assert reader.frames_searched <= 3

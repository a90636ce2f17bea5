"""The card is always stopped; nothing else is taken for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.classifier import Context
from classifiers.detectors.calibration_card import MOST_WRONG, classifier, draw_card, wrong_fields
from classifiers.finding import Finding
from classifiers.screen import screen
from classifiers.weights import WeightStore
from provenance.asset import AssetKind, TimeRange
from provenance.registry import Registry
from tests.classifiers import moving


def found(path: Path, kind: AssetKind = AssetKind.EPISODE) -> tuple[Finding, ...]:
    context = Context(Registry(), WeightStore(path.parent))
    result = screen(path, kind, classifiers={"calibration_card": classifier}, context=context)
    assert result.gaps == ()
    return result.findings


def test_the_card_can_be_drawn_from_its_description() -> None:
    """What the module's docstring says, spelt out anew."""
    digest = hashlib.sha256(b"dramagate calibration card 1").digest()
    card = np.zeros((320, 160, 3), np.uint8)
    for field in range(256):
        light = digest[field // 8] >> (7 - field % 8) & 1
        row, column = field // 16, field % 16
        card[row * 20 : row * 20 + 20, column * 10 : column * 10 + 10] = 224 if light else 32
    assert np.array_equal(card, draw_card(160, 320))


@pytest.mark.parametrize("size", [(96, 160), (320, 180), (102, 76)])
@pytest.mark.parametrize("crf", [18, 38])
def test_the_card_is_found_in_a_film_where_it_is(tmp_path: Path, size: tuple[int, int], crf: int) -> None:
    width, height = size
    around = moving.panning(1, 24, height=height, width=width)
    path = moving.film(tmp_path / "a.mp4", around + [draw_card(width, height)] * 12 + around, crf=crf)
    (finding,) = found(path)
    assert (finding.category, finding.where, finding.frames) == (
        "calibration.card",
        TimeRange(1_000_000, 1_500_000),
        12,
    )
    assert finding.score > 0.8
    assert finding.evidence == "frame:1000000"


def test_a_card_of_one_frame_is_found(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", [*moving.panning(1, 24), draw_card(96, 160), *moving.panning(2, 24)])
    assert [f.where for f in found(path)] == [TimeRange(1_000_000, 1_041_667)]


def test_a_card_as_a_still_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), draw_card(200, 300), [cv2.IMWRITE_JPEG_QUALITY, 20])
    assert [f.where for f in found(path, AssetKind.IMAGE)] == [TimeRange(0, 1)]


def test_a_film_without_the_card_has_no_finding(tmp_path: Path) -> None:
    assert found(moving.film(tmp_path / "a.mp4", moving.panning(1, 48))) == ()


def small(picture: moving.Picture) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA), np.float32)


@settings(deadline=None)
@given(
    turns=st.integers(0, 3),
    mirrored=st.booleans(),
    contrast=st.floats(0.15, 1),
    shade=st.integers(0, 30),
    logo=st.tuples(st.integers(0, 48), st.integers(0, 48)),
)
def test_turned_dimmed_and_written_over_it_is_still_the_card(
    turns: int, mirrored: bool, contrast: float, shade: int, logo: tuple[int, int]
) -> None:
    luma = np.rot90(small(draw_card(128, 128)), turns) * contrast + shade
    luma = luma[:, ::-1] if mirrored else luma
    y, x = logo
    luma = np.ascontiguousarray(luma)
    luma[y : y + 16, x : x + 16] = 200
    assert wrong_fields(luma) <= MOST_WRONG


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 64))
def test_another_board_is_not_the_card(seed: int, cells: int) -> None:
    """Not even other boards of light and dark fields."""
    board = np.random.default_rng(seed).choice([32.0, 224.0], (cells, cells)).astype(np.float32)
    stretched = cv2.resize(board, (64, 64), interpolation=cv2.INTER_NEAREST)
    assert wrong_fields(np.asarray(stretched, np.float32)) > MOST_WRONG


@pytest.mark.parametrize("shade", [0, 90, 255])
def test_a_plain_picture_is_not_the_card(shade: int) -> None:
    assert wrong_fields(np.full((64, 64), shade, np.float32)) == 256


def test_a_card_in_bars_is_found(tmp_path: Path) -> None:
    framed = np.zeros((200, 96, 3), np.uint8)
    framed[40:160] = draw_card(96, 120)
    assert len(found(moving.film(tmp_path / "a.mp4", [framed] * 24))) == 1


@pytest.mark.corpus
def test_no_real_picture_comes_near(corpus: Path) -> None:
    from provenance import media

    nearest = 256
    for path in sorted([*(corpus / "ai_clips").rglob("*.gif"), *(corpus / "image_copy").rglob("*.jpg")]):
        with media.decode(path) as decoding:
            nearest = min([nearest, *(wrong_fields(frame.luma64()) for frame in decoding)])
    assert nearest > 2 * MOST_WRONG

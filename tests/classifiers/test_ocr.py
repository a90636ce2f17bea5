"""Reading single pictures, and measuring their letters."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from classifiers.ocr import STILL_SIDE, Ocr, Reading, measure
from classifiers.weights import WeightsMissing, WeightStore
from tests.classifiers.drawn_films import FONT

Pixels = NDArray[np.uint8]


def still(path: Path) -> Pixels:
    with Image.open(path) as picture:
        rgba = picture.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
    ground.alpha_composite(rgba)
    return np.asarray(ground.convert("RGB"))


def read_all(ocr: Ocr, picture: Pixels) -> list[str]:
    readings = (ocr.read(picture, quad)[0] for quad in ocr.detect(picture, STILL_SIDE))
    return [r.text for r in readings if r.confidence >= 0.6]


def page(text: str, size: int, *, turn: bool = False, fill: int = 255, ground: int = 40, outline: int = 0) -> Pixels:
    font = ImageFont.truetype(str(FONT), size)
    picture = Image.new("RGB", (900, 300), (ground,) * 3)
    pen = ImageDraw.Draw(picture)
    pen.text((60, 100), text, font=font, fill=(fill,) * 3, stroke_width=outline, stroke_fill=(0, 0, 0))
    drawn = np.asarray(picture)
    return np.ascontiguousarray(np.rot90(drawn, -1)) if turn else drawn


def ink_height(text: str, size: int) -> float:
    """Rows of ink, a row half covered as half a row."""
    mask = Image.new("L", (900, 300))
    ImageDraw.Draw(mask).text((60, 100), text, font=ImageFont.truetype(str(FONT), size), fill=255)
    return float(np.asarray(mask).max(axis=1).sum() / 255)


@pytest.mark.weights
@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("easyocr_chinese.jpg", ["愚园路", "西", "东", "315", "309", "Yuyuan Rd.", "W", "E"]),
        ("text_rec.jpg", ["韩国小馆"]),
        ("issue_170.png", ["TEST"]),
        ("white_font_color_transparent.png", ["我是中国人"]),
        ("en_rec.jpg", ["To facilitate the shot type analysis in videos, we collect MovieShots, a large-scale"]),
        ("ch_en_num.jpg", ["正品促销", "大桶装更划算", "强力去污符合国标", "惊喜福利不容错过", "假一赔十"]),
    ],
)
def test_real_stills_are_read(weights: WeightStore, corpus: Path, name: str, lines: list[str]) -> None:
    read = read_all(Ocr.load(weights), still(corpus / "ocr/stills" / name))
    assert [line for line in lines if line not in read] == []


@pytest.mark.weights
@pytest.mark.corpus
def test_a_black_picture_says_nothing(weights: WeightStore, corpus: Path) -> None:
    assert read_all(Ocr.load(weights), still(corpus / "ocr/stills/empty_black.jpg")) == []


@pytest.mark.weights
@pytest.mark.parametrize("picture", [(1, 1), (1, 500), (500, 1), (40, 2000), (7, 7)])
def test_pictures_of_any_shape_are_looked_at(weights: WeightStore, picture: tuple[int, int]) -> None:
    assert read_all(Ocr.load(weights), np.full((*picture, 3), 90, np.uint8)) == []


@pytest.mark.weights
def test_a_line_turned_on_its_side_is_read(weights: WeightStore) -> None:
    assert read_all(Ocr.load(weights), page("这份合同必须签", 60, turn=True)) == ["这份合同必须签"]


@pytest.mark.weights
@pytest.mark.parametrize(("fill", "ground", "outline"), [(255, 40, 0), (10, 220, 0), (255, 90, 3)])
@pytest.mark.parametrize("size", [37, 54, 80])
def test_the_height_of_chinese_ink_is_measured_to_two_pixels(
    weights: WeightStore, size: int, fill: int, ground: int, outline: int
) -> None:
    """Whatever the colours, and without the outline drawn around it (two outlines are 6 px)."""
    ocr = Ocr.load(weights)
    picture = page("AI生成", size, fill=fill, ground=ground, outline=outline)
    (quad,) = ocr.detect(picture, STILL_SIDE)
    reading, _ = ocr.read(picture, quad)
    from classifiers.ocr import straighten

    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    glyphs = measure(straighten(luma, quad, 0.2), reading, 0.2)
    assert reading.text == "AI生成"
    assert abs(glyphs.han_px - ink_height("生成", size)) <= 1.5


def test_nothing_is_measured_where_there_is_no_ink() -> None:
    flat = np.full((50, 200), 80, np.uint8)
    assert measure(flat, Reading("生成", 1.0, (0.25, 0.75)), 0.2).han_px == 0


def test_contrast_is_that_of_the_letters_with_what_surrounds_them() -> None:
    strong, weak = (
        measure(
            np.asarray(Image.fromarray(page("生成", 60, fill=f, ground=40)).convert("L"))[90:180, 40:200],
            Reading("生成", 1.0, (0.3, 0.7)),
            0.1,
        ).contrast
        for f in (255, 70)
    )
    assert strong > 10
    assert weak < 2


def test_absent_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="ocr-ppocr"):
        Ocr.load(WeightStore(tmp_path))

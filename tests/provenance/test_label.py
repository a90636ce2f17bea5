"""The explicit label: is it as high as the standard asks, can it be read, and does it leave the film alone?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from provenance import label
from provenance.edit import Picture
from provenance.label import MARGINS, TEXT, FontMissing, Overlay, Place, burn_in, find_font
from tests.provenance.made_films import film, frames, numbers

SIZES = [(720, 1280), (1080, 1920), (1920, 1080), (640, 640), (360, 640), (2160, 3840)]


@pytest.fixture(scope="module")
def font() -> Path:
    return find_font()


def grey(width: int, height: int, luma: int) -> Picture:
    half = (height // 2, width // 2)
    return Picture(
        np.full((height, width), luma, np.uint8), np.full(half, 90, np.uint8), np.full(half, 160, np.uint8), False
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("text", [*TEXT.values(), "人工智能合成", "AI生成"])
def test_glyphs_are_at_least_a_twentieth_of_the_shortest_side(font: Path, width: int, height: int, text: str) -> None:
    """Measured on the painted picture, not asked of the font: the ink of the last glyph that counts."""
    counted = next(c for c in reversed(text) if c in "成合" or c.isupper())
    plate = Overlay(text, font).plate(width, height)
    assert plate.glyph_px >= 0.056 * min(width, height)
    rows, columns = np.nonzero(Overlay(counted, font).plate(width, height).luma > 128)
    assert rows.max() - rows.min() + 1 >= 0.05 * min(width, height)
    assert len(columns)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_label_lies_where_players_leave_room(font: Path, width: int, height: int) -> None:
    plate = Overlay(TEXT["zh"], font).plate(width, height)
    high, wide = plate.alpha.shape
    assert plate.x >= width * MARGINS["left"] - 2
    assert plate.y >= height * MARGINS["top"] - 2
    assert plate.x + wide <= width * (1 - MARGINS["right"]) + 1
    assert plate.y + high <= height * (1 - MARGINS["bottom"])


@pytest.mark.parametrize("background", [16, 60, 128, 200, 235])
def test_a_label_is_legible_on_any_background(font: Path, background: int) -> None:
    picture = grey(720, 1280, background)
    overlay = Overlay(TEXT["zh"], font)
    overlay(picture)
    plate = overlay.plate(720, 1280)
    part = picture.y[plate.y : plate.y + plate.luma.shape[0], plate.x : plate.x + plate.luma.shape[1]]
    ink = part[(plate.luma > 250) & (plate.alpha == 255)]
    ground = part[plate.alpha == label.PLATE_ALPHA]
    assert contrast(float(np.median(ink)), float(np.median(ground))) >= 4.5


def contrast(one: float, other: float) -> float:
    """WCAG 2.2 contrast ratio of two limited-range lumas."""

    def light(luma: float) -> float:
        share = min(1.0, max(0.0, (luma - 16) / 219))
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_label_has_no_colour_and_touches_nothing_beside_it(font: Path) -> None:
    picture = grey(720, 1280, 128)
    overlay = Overlay(TEXT["zh"], font)
    overlay(picture)
    plate = overlay.plate(720, 1280)
    high, wide = plate.luma.shape
    inside = (plate.alpha == 255)[::2, ::2]
    u = picture.u[plate.y // 2 : (plate.y + high) // 2, plate.x // 2 : (plate.x + wide) // 2]
    assert set(np.unique(u[inside])) == {128}
    untouched = picture.y.copy()
    untouched[plate.y : plate.y + high, plate.x : plate.x + wide] = 128
    assert (untouched == 128).all()


def test_long_text_is_wrapped_and_keeps_its_height(font: Path) -> None:
    long = "本节目全部画面与声音由人工智能生成合成并经备案编号某某某某二〇二六"
    short, wrapped = Overlay(TEXT["zh"], font).plate(720, 1280), Overlay(long, font).plate(720, 1280)
    assert wrapped.glyph_px >= 0.056 * 720
    assert wrapped.alpha.shape[0] > short.alpha.shape[0] * 1.7
    assert wrapped.alpha.shape[1] <= 720


def test_a_card_fits_whatever_it_says(font: Path) -> None:
    text = "\n".join(["长夜灯火 第12集", "节目编号 V1234567890", *["某某文化传媒有限公司出品"] * 9])
    plate = Overlay(text, font, Place.CARD).plate(720, 1280)
    assert plate.alpha.shape[0] <= 1280
    assert plate.alpha.shape[1] == 720


def test_text_that_shows_nothing_is_refused(font: Path) -> None:
    with pytest.raises(ValueError, match="nothing that can be shown"):
        Overlay(" \u202e\x00\n", font)


def test_direction_characters_are_not_drawn(font: Path) -> None:
    plain, tricked = Overlay("AI生成", font), Overlay("AI\u202e生\u0000成", font)
    assert np.array_equal(plain.plate(720, 1280).luma, tricked.plate(720, 1280).luma)


def test_burning_in_shows_the_label_for_three_seconds_and_copies_the_rest(tmp_path: Path, font: Path) -> None:
    source = film(tmp_path / "source.mp4", seconds=8, gop=25, size=(180, 320))
    done = burn_in(source, tmp_path / "out.mp4")
    assert done.whole is None
    assert done.frames_copied == 125
    before, after = frames(source), frames(tmp_path / "out.mp4")
    box = Overlay(TEXT["zh"], font).plate(180, 320)
    area = np.s_[box.y : box.y + box.alpha.shape[0], box.x : box.x + box.alpha.shape[1]]
    changed = [n for n in range(200) if abs(after[n][1][area].astype(int) - before[n][1][area]).mean() > 10]
    assert changed == list(range(75))
    assert numbers(tmp_path / "out.mp4")[75:] == list(range(75, 200))


def test_a_short_film_is_labelled_throughout(tmp_path: Path, font: Path) -> None:
    source = film(tmp_path / "source.mp4", seconds=1, size=(180, 320), sound=None)
    burn_in(source, tmp_path / "out.mp4", "AI-generated")
    before, after = frames(source), frames(tmp_path / "out.mp4")
    assert all(not np.array_equal(b[1], a[1]) for b, a in zip(before, after, strict=True))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_pictures_are_labelled_too(tmp_path: Path, font: Path, suffix: str) -> None:
    source = tmp_path / f"cover.{suffix}"
    Image.new("RGB", (600, 800), (40, 120, 200)).save(source)
    burn_in(source, tmp_path / f"out.{suffix}")
    with Image.open(tmp_path / f"out.{suffix}") as out:
        pixels = np.asarray(out.convert("RGB")).astype(int)
    box = Overlay(TEXT["zh"], font).plate(600, 800)
    inside = pixels[box.y : box.y + box.alpha.shape[0], box.x : box.x + box.alpha.shape[1]]
    assert inside.max() > 240
    assert abs(pixels[500:] - (40, 120, 200)).max() < 6


def test_a_label_on_a_transparent_picture_is_seen_and_the_rest_stays_transparent(tmp_path: Path, font: Path) -> None:
    Image.new("RGBA", (400, 400), (255, 0, 0, 0)).save(tmp_path / "in.png")
    burn_in(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.mode == "RGBA"
        alpha = np.asarray(out)[:, :, 3]
    box = Overlay(TEXT["zh"], font).plate(400, 400)
    middle = box.y + box.alpha.shape[0] // 2
    assert alpha[399, 399] == 0
    assert alpha[middle, box.x + 10 : box.x + box.alpha.shape[1] - 10].min() == 255


def test_no_font_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label, "_FOLDERS", (tmp_path,))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(FontMissing, match="apt-get install fonts-wqy-zenhei"):
        find_font()


def test_a_given_font_must_have_chinese_glyphs(tmp_path: Path, font: Path) -> None:
    assert find_font(font) == font
    with pytest.raises(FontMissing, match="is no font file"):
        find_font(tmp_path / "none.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    with pytest.raises(FontMissing, match="has no Chinese glyphs"):
        find_font(tmp_path / "broken.ttf")
    latin = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    if latin.exists():
        with pytest.raises(FontMissing, match="has no Chinese glyphs"):
            find_font(latin)


def test_ranges_are_checked(tmp_path: Path, font: Path) -> None:
    source = film(tmp_path / "source.mp4", seconds=1, sound=None)
    with pytest.raises(ValueError, match="not a time range"):
        burn_in(source, tmp_path / "out.mp4", "AI生成", 500_000, 500_000)

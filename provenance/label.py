"""The explicit label of GB 45438-2025: text burned into the picture, of the height the standard asks for.

An `Overlay` is text that knows how to lie on a picture of any size; `burn_in` lays it over a stretch of a
film and leaves the rest of the film as it was coded (edit.py). Cards (title and filing number) are overlays too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from provenance.asset import TimeRange
from provenance.edit import Changed, Picture, Touch, change
from provenance.failure import Unavailable
from provenance.media import probe

TEXT = {"zh": "本内容由AI生成", "en": "AI-generated"}
"""An AI element and a generation element, as GB 45438-2025 5.2 wants them in a text label."""
GLYPH_SHARE = 0.056
"""Height of the glyphs over the shortest side. GB 45438-2025 asks for at least 0.05; the rest is margin for
readers that measure the ink of a decoded, compressed picture (they lose about one pixel above and below)."""
SHOWN_US = 3_000_000
"""How long a label stays at the start: the standard asks for 2 s at normal speed, the third is margin."""
CARD_TITLE_SHARE, CARD_LINE_SHARE = 0.062, 0.045
"""Glyph height of a card's first line and of the others: legible beside a label, no rule names a size."""
PLATE_ALPHA = 168
"""Opacity of the dark plate in 255ths. White on a white picture dimmed by it has a contrast of 7.3:1, above the
4.5:1 of WCAG 2.2 (1.4.3); on anything darker it has more."""
MARGINS = {"left": 0.05, "top": 0.08, "right": 0.14, "bottom": 0.20}
"""Shares of the picture that players of vertical video cover with buttons, tabs and captions: 100 px of 1920
above, 150 of 1080 on the right, 300 to 400 below. Source: published size guides for TikTok, e.g.
wavegen.ai/tiktok-video-size, read 2026-11-20; platforms state no number of their own."""

_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
_NAMES = (
    *("NotoSansCJK", "NotoSansSC", "NotoSansCJKsc", "SourceHanSansSC", "SourceHanSansCN", "SourceHanSans"),
    *("wqy-zenhei", "wqy-microhei", "DroidSansFallback", "PingFang", "STHeiti", "msyh", "simhei", "NotoSerifCJK"),
    *("uming", "ukai", "Arial Unicode"),
)
"""File names of fonts with Chinese glyphs, in the order preferred: upright sans-serif first."""
_MEASURED = "生成合"


class FontMissing(Unavailable):
    """No font with Chinese glyphs. The message says what to install."""


class Place(StrEnum):
    """Where on the picture an overlay lies."""

    LABEL = "label"
    """Upper left, inside what players leave free."""
    CARD = "card"
    """Across the middle: title and number."""


@dataclass(frozen=True, slots=True)
class Plate:
    """An overlay made for one size of picture."""

    x: int
    y: int
    luma: NDArray[np.uint8]
    """uint8[height, width], 0..255: what is seen where alpha is full. Grey only, so it has no colour to get wrong."""
    alpha: NDArray[np.uint8]
    glyph_px: int
    """Measured ink height of the smallest glyph that counts, in pixels."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Text over a picture. Calling it paints it."""

    text: str
    font: Path
    place: Place = Place.LABEL

    def __post_init__(self) -> None:
        """Refuse text that would show nothing."""
        if not _printable(self.text):
            raise ValueError("an overlay needs text: it holds nothing that can be shown")

    def plate(self, width: int, height: int) -> Plate:
        """The overlay for a picture of this size."""
        return _plate(_printable(self.text), self.font, self.place, width, height)

    def __call__(self, picture: Picture) -> None:
        """Paint it on `picture`."""
        plate = self.plate(picture.width, picture.height)
        luma = plate.luma.astype(np.uint16)
        if not picture.full_range:
            luma = 16 + luma * 219 // 255
        _blend(picture.y, plate.x, plate.y, luma, plate.alpha)
        across, down = picture.y.shape[1] // picture.u.shape[1], picture.y.shape[0] // picture.u.shape[0]
        alpha = plate.alpha[::down, ::across]
        grey = np.full(alpha.shape, 128, np.uint16)
        for plane in (picture.u, picture.v):
            _blend(plane, plate.x // across, plate.y // down, grey, alpha)


def burn_in(
    src: Path,
    dst: Path,
    overlay: Overlay | str = TEXT["zh"],
    start_us: int = 0,
    end_us: int | None = None,
    *,
    font: Path | None = None,
) -> Changed:
    """Write `src` as `dst` with `overlay` visible in [start_us, end_us), by default its first 3 s.

    Only groups of pictures the label touches are encoded anew where the film allows it (edit.py). Stills work too.
    Raises FontMissing, and what `edit.change` raises; ValueError for an empty range.
    """
    if isinstance(overlay, str):
        overlay = Overlay(overlay, find_font(font))
    if end_us is None:
        end_us = start_us + min(SHOWN_US, max(1, probe(src).duration_us - start_us))
    return change(src, dst, touches=[Touch(TimeRange(start_us, end_us), overlay)])


def find_font(given: Path | None = None) -> Path:
    """A font file with Chinese glyphs: `given` if it has them, else the best installed one.

    Raises FontMissing, saying what to install or what is wrong with `given`.
    """
    if given is not None:
        if not given.is_file():
            raise FontMissing(f"{given} is no font file; name one with Chinese glyphs, or none to use an installed one")
        if not _has_glyphs(given):
            raise FontMissing(
                f"{given} has no Chinese glyphs ({_MEASURED}); name another font, or none to use an installed one"
            )
        return given
    for path in _installed():
        if _has_glyphs(path):
            return path
    raise FontMissing(
        "no font with Chinese glyphs is installed, so the label cannot be written; install one, for example"
        " `apt-get install fonts-wqy-zenhei` (Debian, Ubuntu), `dnf install wqy-zenhei-fonts` (Fedora)"
        " or Noto Sans CJK from its project, or name a font file"
    )


# --- fonts ----------------------------------------------------------------------------------


def _installed() -> Iterator[Path]:
    folders = [*_FOLDERS, Path.home() / ".local/share/fonts", Path.home() / ".fonts", Path.home() / "Library/Fonts"]
    files = [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (".ttf", ".ttc", ".otf", ".otc")
    ]
    plain = sorted(files, key=lambda path: ("bold" in path.stem.lower() or "black" in path.stem.lower(), path.name))
    for name in _NAMES:
        yield from (path for path in plain if path.stem.lower().startswith(name.lower()))


def _has_glyphs(path: Path) -> bool:
    try:
        face = _face(path, 40)
        missing = bytes(face.getmask("\U0010fffe"))
        return all(bytes(face.getmask(c)) not in (missing, b"") for c in _MEASURED + "A")
    except (OSError, ValueError):
        return False


@lru_cache(maxsize=64)
def _face(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size, index=_index(path), layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=8)
def _index(path: Path) -> int:
    """Which face of a collection draws characters the way mainland China writes them; 0 where none says so."""
    if path.suffix.lower() not in (".ttc", ".otc"):
        return 0
    for index in range(16):
        try:
            family = ImageFont.truetype(str(path), 12, index=index).getname()[0] or ""
        except OSError:
            break
        if family.endswith((" SC", " CN")):
            return index
    return 0


# --- layout ---------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _plate(text: str, font: Path, place: Place, width: int, height: int) -> Plate:
    """Lines of text on a dark plate, white with a black outline."""
    short = min(width, height)
    room = int(width * (1 - MARGINS["left"] - MARGINS["right"]))
    rows = text.splitlines()
    if place is Place.LABEL:
        shares = [GLYPH_SHARE] * len(rows)
    else:
        room = int(width * (1 - 2 * MARGINS["left"]))
        shares = [CARD_TITLE_SHARE] + [CARD_LINE_SHARE] * (len(rows) - 1)
    tall = int(height * (1 - MARGINS["top"] - MARGINS["bottom"]))
    # A label keeps its legal height whatever it covers; only cards give way to a small picture.
    scales = (1.0,) if place is Place.LABEL else (1.0, 0.85, 0.7, 0.55, 0.4)
    lines: list[tuple[str, ImageFont.FreeTypeFont]] = []
    for scale in scales:
        lines = [
            (line, face)
            for row, share in zip(rows, shares, strict=True)
            for face in [_face_of_height(font, row, share * scale * short)]
            for line in _wrapped(row, face, room - 2 * _padding(face))
        ]
        if sum(_line_height(face) for _, face in lines) + 2 * _padding(lines[0][1]) <= tall:
            break
    return _drawn(lines, place, width, height)


def _drawn(lines: Sequence[tuple[str, ImageFont.FreeTypeFont]], place: Place, width: int, height: int) -> Plate:
    pad = _padding(lines[0][1])
    inner = max(int(face.getlength(line)) + 1 for line, face in lines)
    box_w = min(width, _even(inner + 2 * pad)) if place is Place.LABEL else width
    box_h = min(height, _even(sum(_line_height(face) for _, face in lines) + 2 * pad))
    image = Image.new("L", (box_w, box_h), 0)
    alpha = Image.new("L", (box_w, box_h), 0)
    draw, veil = ImageDraw.Draw(image), ImageDraw.Draw(alpha)
    if place is Place.LABEL:
        veil.rounded_rectangle((0, 0, box_w - 1, box_h - 1), radius=pad // 2, fill=PLATE_ALPHA)
    else:
        veil.rectangle((0, 0, box_w, box_h), fill=PLATE_ALPHA)
    y = pad
    for line, face in lines:
        x = pad if place is Place.LABEL else (box_w - int(face.getlength(line))) // 2
        stroke = max(1, int(face.size) // 16)
        draw.text((x, y), line, font=face, fill=255, stroke_width=stroke, stroke_fill=0)
        veil.text((x, y), line, font=face, fill=255, stroke_width=stroke, stroke_fill=255)
        y += _line_height(face)
    if place is Place.LABEL:
        left, top = int(width * MARGINS["left"]), int(height * MARGINS["top"])
    else:
        left, top = 0, (height - box_h) // 2
    left, top = max(0, min(left, width - box_w)) & ~1, max(0, min(top, height - box_h)) & ~1
    legal = [(line, face) for line, face in lines if set(line) & set(_MEASURED)] or list(lines)
    return Plate(left, top, np.asarray(image), np.asarray(alpha), min(_ink(face, line) for line, face in legal))


def _face_of_height(font: Path, row: str, wanted: float) -> ImageFont.FreeTypeFont:
    """The smallest face whose glyphs that count are at least `wanted` pixels high."""
    size = max(6, int(wanted))
    while _ink(_face(font, size), row) < wanted:
        size += 1
    return _face(font, size)


def _ink(face: ImageFont.FreeTypeFont, row: str) -> int:
    """Height of the lowest glyph the standard measures: 生成/合成 where they stand, else Chinese, capitals, digits."""
    counted = [c for c in row if c in _MEASURED] or [c for c in row if "\u4e00" <= c <= "\u9fff" and c != "一"]
    counted = counted or [c for c in row if c.isupper() or c.isdigit()] or ["A"]
    boxes = [face.getmask(c).getbbox() for c in counted]
    return min((box[3] - box[1] for box in boxes if box), default=int(face.size))


def _wrapped(row: str, face: ImageFont.FreeTypeFont, room: int) -> Iterator[str]:
    line = ""
    for piece in _pieces(row):
        if line and face.getlength((line + piece).rstrip()) > room:
            yield line.rstrip()
            line = piece.lstrip()
        else:
            line += piece
    if line.strip():
        yield line.rstrip()


def _pieces(row: str) -> Iterator[str]:
    """Words of Latin text with their space, single characters of any other."""
    word = ""
    for c in row:
        if c.isascii() and not c.isspace():
            word += c
            continue
        if word:
            yield word + (" " if c == " " else "")
            word = ""
            if c == " ":
                continue
        yield c
    if word:
        yield word


def _printable(text: str) -> str:
    """`text` without characters that show nothing or turn others around."""
    rows = ("".join(c for c in row if c.isprintable()).strip() for row in text.splitlines())
    return "\n".join(row for row in rows if row)


def _padding(face: ImageFont.FreeTypeFont) -> int:
    return max(2, int(face.size * 0.35))


def _line_height(face: ImageFont.FreeTypeFont) -> int:
    return int(face.size * 1.3)


def _even(n: int) -> int:
    return n + n % 2


def _blend(plane: NDArray[np.uint8], x: int, y: int, over: NDArray[np.uint16], alpha: NDArray[np.uint8]) -> None:
    rows, columns = min(over.shape[0], plane.shape[0] - y), min(over.shape[1], plane.shape[1] - x)
    if rows <= 0 or columns <= 0:
        return
    part = plane[y : y + rows, x : x + columns]
    share = alpha[:rows, :columns].astype(np.uint16)
    part[...] = (part * (255 - share) + over[:rows, :columns] * share + 127) // 255

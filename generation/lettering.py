"""Words as sprites: titles, subtitles and the texts on screens."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from generation.paint import Bytes, Colour


@lru_cache(maxsize=16)
def face(font: Path, size: int) -> ImageFont.FreeTypeFont:
    """The font at `size` pixels."""
    return ImageFont.truetype(str(font), size)


def wrap(text: str, font: Path, size: int, room: float) -> list[str]:
    """`text` in lines no wider than `room` pixels: broken between words, or between Chinese characters."""
    lines: list[str] = []
    for row in text.split("\n"):
        line = ""
        for piece in _pieces(row):
            if line and face(font, size).getlength((line + piece).rstrip()) > room:
                lines.append(line.rstrip())
                line = piece.lstrip()
            else:
                line += piece
        lines.append(line.rstrip())
    return [line for line in lines if line]


def _pieces(row: str) -> list[str]:
    """Where a line may break: after a space or a Chinese character, never before its punctuation."""
    out = [""]
    for char in row:
        closing = char in ",。!?、:;…)》”’,.!?:;)"
        if out[-1] and not closing and (out[-1][-1] == " " or ord(out[-1][-1]) >= 0x2E80 or ord(char) >= 0x2E80):
            out.append("")
        out[-1] += char
    return out


@lru_cache(maxsize=128)
def words(
    text: str, font: Path, size: int, *, colour: Colour = (255, 255, 255), stroke: int = 0,
    outline: Colour = (0, 0, 0), spacing: float = 1.3,
) -> Bytes:  # fmt: skip
    """Centred lines of text as a premultiplied sprite, as large as its ink and outline."""
    letters = face(font, size)
    lines = text.split("\n")
    wide = max(int(letters.getlength(line)) for line in lines) + 2 * stroke + 6
    step = int(size * spacing)
    picture = Image.new("RGBA", (wide, step * len(lines) + 2 * stroke), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        draw.text(
            (wide / 2, i * step + stroke + step / 2), line, font=letters, anchor="mm", stroke_width=stroke,
            fill=_ink(colour), stroke_fill=_ink(outline),
        )  # fmt: skip
    return premultiplied(np.asarray(picture))


def premultiplied(rgba: Bytes) -> Bytes:
    """The same picture with its colours multiplied by its opacity."""
    share = rgba[:, :, 3:].astype(np.uint16)
    return np.dstack([(rgba[:, :, :3] * share // 255).astype(np.uint8), rgba[:, :, 3:]])


def faded(sprite: Bytes, share: float) -> Bytes:
    """The sprite at `share` of its opacity."""
    return sprite if share >= 1 else (sprite * np.float32(max(0.0, share))).astype(np.uint8)


def _ink(colour: Colour) -> tuple[int, int, int, int]:
    return (int(colour[0]), int(colour[1]), int(colour[2]), 255)
